//! The format of Java's property files, which is that of `server.properties`.
use super::{Map, broker_key};

/// A line that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {reason}")]
pub struct PropertyError {
    pub line: usize,
    pub reason: &'static str,
}

/// What a properties file said.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Properties {
    pub values: Map,
}

impl Properties {
    /// Reads `text`. The last of repeated keys counts, as in Java.
    pub fn parse(text: &str) -> Result<Self, PropertyError> {
        let mut values = Map::new();
        let mut lines = text.lines().enumerate();
        while let Some((at, first)) = lines.next() {
            let mut line = first.trim_start().to_owned();
            if line.is_empty() || line.starts_with(['#', '!']) {
                continue;
            }
            // A line that ends in an odd number of backslashes goes on in the next one.
            while line.bytes().rev().take_while(|byte| *byte == b'\\').count() % 2 == 1 {
                line.pop();
                match lines.next() {
                    Some((_, next)) => line.push_str(next.trim_start()),
                    None => break,
                }
            }
            let (name, value) = split(&line).map_err(|reason| PropertyError { line: at + 1, reason })?;
            values.insert(name, value);
        }
        Ok(Self { values })
    }

    /// Sets what the command line gave as `name=value`.
    pub fn override_with(&mut self, assignment: &str) -> Result<(), PropertyError> {
        let (name, value) = assignment.split_once('=').ok_or(PropertyError { line: 0, reason: "an override reads name=value" })?;
        self.values.insert(name.trim().to_owned(), value.trim().to_owned());
        Ok(())
    }

    /// Names that no table row explains, `listener.name.` prefixes taken off.
    pub fn unknown(&self) -> impl Iterator<Item = &str> {
        self.values.keys().map(String::as_str).filter(|name| broker_key(base_name(name)).is_none())
    }
}

/// A key may be set for one listener: `listener.name.internal.max.connections`.
fn base_name(name: &str) -> &str {
    let Some(rest) = name.strip_prefix("listener.name.") else { return name };
    let mut rest = rest;
    while let Some((_, tail)) = rest.split_once('.') {
        if broker_key(tail).is_some() {
            return tail;
        }
        rest = tail;
    }
    name
}

fn split(line: &str) -> Result<(String, String), &'static str> {
    let mut name = String::new();
    let mut letters = line.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => name.push(escape(&mut letters)?),
            '=' | ':' => return Ok((name, rest(letters)?)),
            space if space.is_whitespace() => {
                while letters.peek().is_some_and(|next| next.is_whitespace()) {
                    letters.next();
                }
                if letters.peek().is_some_and(|next| matches!(next, '=' | ':')) {
                    letters.next();
                }
                return Ok((name, rest(letters)?));
            }
            other => name.push(other),
        }
    }
    Ok((name, String::new()))
}

fn rest(letters: impl Iterator<Item = char>) -> Result<String, &'static str> {
    let mut value = String::new();
    let mut letters = letters.skip_while(|letter| letter.is_whitespace());
    while let Some(letter) = letters.next() {
        value.push(if letter == '\\' { escape(&mut letters)? } else { letter });
    }
    // Java keeps trailing blanks; every Kafka config trims them, so they go here once.
    value.truncate(value.trim_end().len());
    Ok(value)
}

fn escape(letters: &mut impl Iterator<Item = char>) -> Result<char, &'static str> {
    match letters.next() {
        Some('n') => Ok('\n'),
        Some('t') => Ok('\t'),
        Some('r') => Ok('\r'),
        Some('f') => Ok('\u{c}'),
        Some('u') => {
            let digits: String = letters.take(4).collect();
            let code = u32::from_str_radix(&digits, 16).map_err(|_| "a \\u escape needs four hexadecimal digits")?;
            char::from_u32(code).ok_or("a \\u escape that is no character")
        }
        Some(other) => Ok(other),
        None => Ok('\\'),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_java_reads() {
        let text = "# a comment\n! another\n\nnode.id=7\n  log.dirs : /a,\\\n     /b \nlisteners PLAINTEXT://:9092\nempty=\nbare\npath=C\\:\\\\x\nuni=\\u0041b\nnode.id=8\n";
        let read = Properties::parse(text).expect("readable").values;
        let pairs: Vec<_> = read.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(
            pairs,
            [("bare", ""), ("empty", ""), ("listeners", "PLAINTEXT://:9092"), ("log.dirs", "/a,/b"), ("node.id", "8"), ("path", "C:\\x"), ("uni", "Ab")]
        );
    }

    #[test]
    fn names_the_line_that_is_broken() {
        assert_eq!(Properties::parse("a=1\nb=\\u00zz\n").expect_err("broken").line, 2);
    }

    #[test]
    fn overrides_win_and_unknown_names_are_told() {
        let mut read = Properties::parse("num.partitions=1\nnumber.of.partitions=9\nlistener.name.internal.max.connections=5\n").expect("readable");
        read.override_with("num.partitions=4").expect("name=value");
        assert!(read.override_with("num.partitions").is_err());
        assert_eq!(read.values["num.partitions"], "4");
        assert_eq!(read.unknown().collect::<Vec<_>>(), ["number.of.partitions"]);
    }
}
