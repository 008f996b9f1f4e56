//! What is logged, module by module, and in which form. Levels change while the node runs, as Kafka's do: through the config
//! resource BROKER_LOGGER, for this process only; a restart begins with `logging.levels` again.
//!
//! A name stands for every module whose path begins with it, and the longest one decides. There is one set for the process,
//! because a process has one standard error.
use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::sync::OnceLock;

use parking_lot::Mutex;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, reload};

/// The name of the level of everything that no other name covers.
pub const ROOT: &str = "root";

/// The crates that log. `millrace` begins the names of all of them.
pub const MODULES: &[&str] = &["millrace", "millrace_journal", "millrace_log", "millrace_replica", "millrace_serve", "millrace_shard", "millrace_store"];

/// Kafka's levels, the loudest first. Nothing here is worse than an error, so FATAL is silence.
const LEVELS: &[(&str, LevelFilter)] = &[
    ("TRACE", LevelFilter::TRACE),
    ("DEBUG", LevelFilter::DEBUG),
    ("INFO", LevelFilter::INFO),
    ("WARN", LevelFilter::WARN),
    ("ERROR", LevelFilter::ERROR),
    ("FATAL", LevelFilter::OFF),
];

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    #[default]
    Text,
    /// One object per line: timestamp, level, target, message, and the fields beside them.
    Json,
}

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum LoggerError {
    #[error("Logger {0} does not exist!")]
    Unknown(String),
    #[error("Cannot set the log level of {name} to {level} as it is not a supported log level. Valid log levels are TRACE, DEBUG, INFO, WARN, ERROR, FATAL")]
    Level { name: String, level: String },
    #[error("Removing the log level of the root logger is not allowed")]
    RootStays,
    #[error("{0:?} is not level or module=level, with a level of trace, debug, info, warn, error, off")]
    Unreadable(String),
}

/// The level that each name was given; that of the root is always there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Levels(BTreeMap<String, LevelFilter>);

impl Default for Levels {
    fn default() -> Levels {
        Levels(BTreeMap::from([(ROOT.to_owned(), LevelFilter::INFO)]))
    }
}

impl Levels {
    /// Reads `info,millrace_log=debug`, as programs in Rust take it from RUST_LOG.
    pub fn parse(text: &str) -> Result<Levels, LoggerError> {
        let mut levels = Levels::default();
        for item in text.split(',').map(str::trim).filter(|item| !item.is_empty()) {
            let unreadable = || LoggerError::Unreadable(item.to_owned());
            let (name, level) = match item.split_once('=') {
                Some((name, level)) if is_module(name.trim()) && !level.trim().is_empty() => (name.trim(), level.trim().parse().map_err(|_| unreadable())?),
                Some(_) => return Err(unreadable()),
                None => match item.parse() {
                    Ok(level) => (ROOT, level),
                    // A module without a level: everything of it.
                    Err(_) if is_module(item) => (item, LevelFilter::TRACE),
                    Err(_) => return Err(unreadable()),
                },
            };
            levels.0.insert(name.to_owned(), level);
        }
        Ok(levels)
    }

    /// Every name worth showing with the level that holds for it.
    pub fn effective(&self) -> Vec<(String, &'static str)> {
        let mut names: Vec<&str> = self.0.keys().map(String::as_str).chain(MODULES.iter().copied()).collect();
        names.sort_unstable();
        names.dedup();
        names.into_iter().map(|name| (name.to_owned(), word(self.of(name)))).collect()
    }

    fn of(&self, name: &str) -> LevelFilter {
        let given = self.0.iter().filter(|(given, _)| *given == name || (*given != ROOT && name.starts_with(given.as_str())));
        let longest = given.max_by_key(|(given, _)| given.len()).map(|(_, level)| *level);
        longest.or_else(|| self.0.get(ROOT).copied()).unwrap_or(LevelFilter::INFO)
    }

    /// `None` gives the level back to the next shorter name.
    pub fn change(&mut self, name: &str, level: Option<&str>) -> Result<(), LoggerError> {
        let known = name == ROOT || self.0.contains_key(name) || MODULES.iter().any(|module| name == *module || name.strip_prefix(module).is_some_and(|rest| rest.starts_with("::")));
        if !known {
            return Err(LoggerError::Unknown(name.to_owned()));
        }
        match level {
            Some(level) => {
                let found = LEVELS.iter().find(|(word, _)| *word == level);
                let (_, found) = found.ok_or_else(|| LoggerError::Level { name: name.to_owned(), level: level.to_owned() })?;
                self.0.insert(name.to_owned(), *found);
            }
            None if name == ROOT => return Err(LoggerError::RootStays),
            None => drop(self.0.remove(name)),
        }
        Ok(())
    }

    fn targets(&self) -> Targets {
        let named = self.0.iter().filter(|(name, _)| *name != ROOT).map(|(name, level)| (name.clone(), *level));
        Targets::new().with_default(self.of(ROOT)).with_targets(named)
    }
}

fn is_module(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_' || letter == ':')
}

fn word(level: LevelFilter) -> &'static str {
    LEVELS.iter().find(|(_, own)| *own == level).map_or("INFO", |(word, _)| word)
}

/// What the process logs now.
static NOW: Mutex<Option<Levels>> = Mutex::new(None);
/// Tells the subscriber, once there is one.
static TELL: OnceLock<Box<dyn Fn(Targets) + Send + Sync>> = OnceLock::new();

pub fn levels() -> Levels {
    NOW.lock().clone().unwrap_or_default()
}

/// From here on these hold.
pub fn set(levels: Levels) {
    let mut now = NOW.lock();
    if let Some(tell) = TELL.get() {
        tell(levels.targets());
    }
    *now = Some(levels);
}

/// Begins to log to standard error, once in a process.
pub fn begin(levels: Levels, format: Format) {
    let (filter, handle) = reload::Layer::new(levels.targets());
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_ansi(format == Format::Text && std::io::stderr().is_terminal());
    // Where the log cannot be written (a full disk), that is no reason to fall over it.
    let lines = lines.log_internal_errors(false);
    let lines = match format {
        Format::Text => lines.boxed(),
        Format::Json => lines.json().flatten_event(true).with_current_span(false).with_span_list(false).boxed(),
    };
    if tracing_subscriber::registry().with(lines.with_filter(filter)).try_init().is_ok() {
        let _ = TELL.set(Box::new(move |targets| drop(handle.reload(targets))));
    }
    set(levels);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(levels: &Levels, name: &str) -> &'static str {
        levels.effective().into_iter().find(|(own, _)| own == name).map_or("not shown", |(_, level)| level)
    }

    #[test]
    fn the_longest_name_decides() {
        let mut levels = Levels::parse("warn, millrace=info,millrace_log=debug").expect("readable");
        assert_eq!([ROOT, "millrace", "millrace_shard", "millrace_log"].map(|name| shown(&levels, name)), ["WARN", "INFO", "INFO", "DEBUG"]);
        levels.change("millrace_log::recover", Some("TRACE")).expect("a module of it");
        levels.change("millrace_log", None).expect("it may go");
        assert_eq!([shown(&levels, "millrace_log::recover"), shown(&levels, "millrace_log")], ["TRACE", "INFO"]);
        let targets = levels.targets();
        assert!(targets.would_enable("millrace_log::recover", &tracing::Level::TRACE));
        assert!(!targets.would_enable("millrace_log", &tracing::Level::DEBUG) && !targets.would_enable("h2", &tracing::Level::INFO));
    }

    #[test]
    fn what_cannot_be_is_refused_in_kafkas_words() {
        let mut levels = Levels::default();
        let before = levels.clone();
        assert_eq!(levels.change("kafka.server", Some("INFO")), Err(LoggerError::Unknown("kafka.server".into())));
        assert_eq!(levels.change("millraces", Some("INFO")), Err(LoggerError::Unknown("millraces".into())));
        assert!(matches!(levels.change(ROOT, Some("loud")), Err(LoggerError::Level { .. })));
        assert_eq!(levels.change(ROOT, None), Err(LoggerError::RootStays));
        assert_eq!(levels, before);
        for text in ["millrace=loud", "a b", "=", "debug;info"] {
            assert!(Levels::parse(text).is_err(), "{text}");
        }
        assert_eq!(Levels::parse(""), Ok(Levels::default()));
    }
}
