//! Plans the statements of the seeds, each script over those it builds on. Holds trivially where the seeds are not at hand.

use std::path::{Path, PathBuf};

use millrace_sql::catalog::{Catalog, Effect, NoSchemas, Session, Settings, Topics, decide};
use millrace_sql::functions::Registry;
use millrace_sql::parser::{Limits, Variables, parse_raw, split};

/// Every topic exists, but those that a statement makes by giving PARTITIONS.
struct AllTopics(bool);

impl Topics for AllTopics {
    fn partitions(&self, _: &str) -> Option<i32> {
        self.0.then_some(1)
    }
}

/// Why a statement of the seeds may fail, and in which script (an empty name: in any): it needs a registry or Kafka Connect, or
/// builds on one that does; it is no SQL of ours; or it is of a dialect whose meaning changed.
const ACCEPTED_FAULTS: [(&str, &str); 11] = [
    ("", "does not exist in the Schema Registry"),
    ("", "CONNECTOR is not supported by this server."),
    ("", "does not exist."),
    ("carparks__DRAFT_cloud_demo", "Syntax Error"),
    ("carparks__telegram_bot_demo", "Syntax Error"),
    ("rail__README", "Syntax Error"),
    ("rail__03_movements__01_movement_raw", "column 'ROWKEY' cannot be resolved."),
    ("seed001__slides_rail", "PARTITION BY column 'TIPLOC_CODE' cannot be resolved."),
    ("seed001__slides_rail", "Pull queries don't support"),
    ("seed001__slides_rail", "A stream with the same name already exists"),
    ("seed001__slides_rail", "Could not find STREAM/TABLE 'TIPLOC_FLAT_KEYED' in the Metastore"),
];

/// The scripts group by several expressions as releases before 0.15 did.
fn old_dialect() -> Settings {
    let mut settings = Settings::default();
    settings.set(Settings::LEGACY_GROUP_KEY, "true");
    settings
}

fn seeds() -> Option<PathBuf> {
    let above = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().map(|above| above.join("../shared/seeds/ksql"));
    let given = std::env::var_os("SEEDS").map(PathBuf::from);
    given.into_iter().chain(above).find(|path| path.is_dir())
}

fn is_accepted(line: &str, (script, text): &(&str, &str)) -> bool {
    let (name, message) = line.split_once(": ").unwrap_or(("", line));
    (script.is_empty() || *script == name) && message.contains(text)
}

#[test]
fn statements_of_the_seeds_plan() {
    let Some(folder) = seeds() else { return };
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().filter_map(|entry| Some(entry.ok()?.path())).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "sql"));
    files.sort();
    let mut report = String::new();
    let mut group = String::new();
    let mut catalog = Catalog::default();
    let mut settings = old_dialect();
    for path in files {
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let first = name.split("__").next().unwrap_or_default().to_string();
        if first != group || name.contains("README") || name.contains("demo") || name.contains("deprecated") {
            catalog = Catalog::default();
            settings = old_dialect();
            group = first;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        for raw in split(&text, &Limits::STANDARD).unwrap() {
            let shown: String = raw.text.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(160).collect();
            let located = match parse_raw(&raw, &Variables::default(), &Limits::STANDARD) {
                Ok(located) => located,
                Err(error) => {
                    report.push_str(&format!("{name}: PARSE {}\n    {shown}\n", error.message.replace('\n', " ")));
                    continue;
                }
            };
            let session = Session { catalog: &catalog, topics: &AllTopics(!raw.text.to_uppercase().contains("PARTITIONS")), schemas: &NoSchemas, settings: &settings, functions: Registry::builtin() };
            match decide(&session, &located) {
                Ok(decision) => {
                    if let Effect::SetProperty { name, value } = &decision.effect {
                        settings.set(name, value);
                    }
                    catalog.apply(&decision.effect);
                }
                Err(error) => report.push_str(&format!("{name}: {}\n    {shown}\n", error.message.replace('\n', " "))),
            }
        }
    }
    if let Some(path) = std::env::var_os("SEEDS_REPORT") {
        std::fs::write(path, &report).unwrap();
    }
    let lines: Vec<&str> = report.lines().collect();
    let unexpected: Vec<String> = lines
        .chunks(2)
        .filter(|chunk| !ACCEPTED_FAULTS.iter().any(|fault| is_accepted(chunk[0], fault)))
        .map(|chunk| chunk.join("\n"))
        .collect();
    assert!(unexpected.is_empty(), "{}", unexpected.join("\n"));
}
