//! Completion, and where a statement ends.
use std::borrow::Cow;

use millrace_client::views::{Value, Views};
use millrace_sql::lexer::{TokenKind, tokenize};
use millrace_sql::ast::Position;
use rustyline::completion::{Completer, Pair};
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{Context, Helper};

const KEYWORDS: &[&str] = &[
    "ADD", "ADVANCE BY", "ALTER", "AND", "ARRAY", "AS", "ASSERT", "BETWEEN", "BIGINT", "BOOLEAN", "BY", "BYTES", "CASE", "CAST", "CHANGES", "COLUMN",
    "CREATE", "DATE", "DECIMAL", "DEFINE", "DELETE TOPIC", "DESCRIBE", "DISTINCT", "DOUBLE", "DROP", "ELSE", "EMIT", "END", "EXISTS", "EXPLAIN",
    "EXTENDED", "FALSE", "FINAL", "FROM", "FULL", "FUNCTIONS", "GRACE PERIOD", "GROUP BY", "HAVING", "HOPPING", "HOURS", "IF", "IN", "INNER", "INSERT INTO",
    "INTEGER", "IS", "JOIN", "KEY", "LEFT", "LIKE", "LIMIT", "LIST", "MAP", "MINUTES", "NOT", "NULL", "ON", "OR", "OUTER", "PARTITION BY", "PAUSE", "PRIMARY KEY",
    "PRINT", "PROPERTIES", "QUERIES", "REPLACE", "RESUME", "RUN SCRIPT", "SECONDS", "SELECT", "SESSION", "SET", "SHOW", "SIZE", "SOURCE", "STREAM",
    "STREAMS", "STRING", "STRUCT", "TABLE", "TABLES", "TERMINATE", "THEN", "TIME", "TIMESTAMP", "TOPICS", "TRUE", "TUMBLING", "TYPE", "TYPES",
    "UNDEFINE", "UNSET", "VALUES", "VARCHAR", "VARIABLES", "WHEN", "WHERE", "WINDOW", "WITH", "WITHIN",
];
const COMMANDS: &[&str] = &["\\?", "\\c", "\\d", "\\dT", "\\df", "\\dq", "\\ds", "\\dt", "\\i", "\\o", "\\q", "\\timing", "\\x"];
/// Sources whose columns are fetched for completion.
const SOURCES_MAX: usize = 200;

/// What the line editor knows: words to complete.
#[derive(Default)]
pub(crate) struct Words {
    names: Vec<String>,
    functions: Vec<String>,
}

impl Words {
    /// Learns the names of the catalog; what cannot be learnt is not completed.
    pub(crate) async fn learn(&mut self, views: &Views) {
        if let Ok(listed) = views.execute("LIST STREAMS; LIST TABLES;").await {
            let rows = listed.iter().flat_map(|done| &done.rows);
            self.names = rows.filter_map(|row| first_text(row.values())).collect();
            for source in self.names.clone().into_iter().take(SOURCES_MAX) {
                if let Ok(described) = views.describe(&source).await {
                    self.names.extend(described.columns.into_iter().map(|column| column.name));
                }
            }
            self.names.sort();
            self.names.dedup();
        }
        if self.functions.is_empty()
            && let Ok(listed) = views.execute("LIST FUNCTIONS;").await
        {
            self.functions = listed.iter().flat_map(|done| &done.rows).filter_map(|row| first_text(row.values())).collect();
        }
    }

    fn of(&self, word: &str) -> Vec<String> {
        let begins = |candidate: &&str| candidate.len() > word.len() && candidate.get(..word.len()).is_some_and(|head| head.eq_ignore_ascii_case(word));
        let upper = word.chars().next().is_none_or(char::is_uppercase);
        let cased = |candidate: &str| if upper { candidate.to_owned() } else { candidate.to_lowercase() };
        let plain = self.names.iter().map(String::as_str).filter(begins).map(cased);
        let calls = self.functions.iter().map(String::as_str).filter(begins).map(|name| format!("{}(", cased(name)));
        let keywords = KEYWORDS.iter().copied().filter(begins).map(cased);
        let mut found: Vec<String> = plain.chain(keywords).chain(calls).collect();
        found.dedup();
        found
    }
}

fn first_text(values: &[Value]) -> Option<String> {
    match values.first() {
        Some(Value::String(text)) => Some(text.clone()),
        _ => None,
    }
}

/// Whether the text is whole: a command of the shell, or statements that end with a semicolon.
pub(crate) fn is_whole(text: &str) -> bool {
    let trimmed = text.trim();
    if trimmed.is_empty() || trimmed.starts_with('\\') || matches!(trimmed.to_lowercase().as_str(), "exit" | "quit" | "help") {
        return true;
    }
    let tokens = tokenize(trimmed, Position { line: 1, column: 1 });
    tokens.iter().rev().find(|token| token.kind != TokenKind::End).is_some_and(|token| token.is_symbol(";"))
}

impl Completer for Words {
    type Candidate = Pair;

    fn complete(&self, line: &str, at: usize, _: &Context<'_>) -> rustyline::Result<(usize, Vec<Pair>)> {
        let head = &line[..at];
        if head.starts_with('\\') && !head.contains(' ') {
            let found = COMMANDS.iter().filter(|command| command.starts_with(head));
            return Ok((0, found.map(|command| Pair { display: (*command).into(), replacement: (*command).into() }).collect()));
        }
        let start = head.rfind(|letter: char| !(letter.is_alphanumeric() || letter == '_')).map_or(0, |at| at + head[at..].chars().next().map_or(1, char::len_utf8));
        let word = &head[start..];
        if word.is_empty() {
            return Ok((at, Vec::new()));
        }
        Ok((start, self.of(word).into_iter().map(|word| Pair { display: word.clone(), replacement: word }).collect()))
    }
}

impl Validator for Words {
    fn validate(&self, context: &mut ValidationContext<'_>) -> rustyline::Result<ValidationResult> {
        Ok(if is_whole(context.input()) { ValidationResult::Valid(None) } else { ValidationResult::Incomplete })
    }
}

impl Hinter for Words {
    type Hint = String;
}

impl Highlighter for Words {
    fn highlight_prompt<'b, 's: 'b, 'p: 'b>(&'s self, prompt: &'p str, _: bool) -> Cow<'b, str> {
        Cow::Borrowed(prompt)
    }
}

impl Helper for Words {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_goes_on_until_its_semicolon() {
        for whole in ["", "  ", "\\d", "quit", "SELECT 1;", "SELECT ';' ; ", "a; -- and so on"] {
            assert!(is_whole(whole), "{whole:?}");
        }
        for part in ["SELECT", "SELECT ';", "SELECT 1 -- ;", "a; b"] {
            assert!(!is_whole(part), "{part:?}");
        }
    }

    #[test]
    fn words_are_completed_in_the_case_they_begin_in() {
        let words = Words { names: vec!["CARPARKS".into(), "CAPACITY".into()], functions: vec!["CARDINALITY".into()] };
        assert_eq!(words.of("car"), ["carparks", "cardinality("]);
        assert_eq!(words.of("CAP"), ["CAPACITY"]);
        assert_eq!(words.of("gro"), ["group by"]);
        assert!(words.of("ü").is_empty());
    }
}
