//! SQL scripts: `--@test:` blocks and their statements.

use crate::case::{Case, Expected, Kind};
use crate::needs;

/// The cases of one script; text before the first `--@test:` is prose.
pub fn cases(file: &str, text: &str) -> Vec<Case> {
    let mut blocks: Vec<(String, String)> = Vec::new();
    for line in text.lines() {
        if let Some(name) = directive(line, "test") {
            blocks.push((name.to_string(), String::new()));
        } else if let Some((_, block)) = blocks.last_mut() {
            block.push_str(line);
            block.push('\n');
        }
    }
    blocks.into_iter().map(|(name, block)| case(file, &name, &block)).collect()
}

fn case(file: &str, name: &str, block: &str) -> Case {
    let find = |what| block.lines().find_map(|line| directive(line, what)).map(str::to_string);
    let (class, message) = (find("expected.error"), find("expected.message"));
    let expected = (class.is_some() || message.is_some()).then_some(Expected { class, message, status: None });
    let statements = split_statements(block);
    let (needs, rung) = needs::of(&needs::Subject {
        statements: &statements,
        properties: &[],
        registers_schema: false,
        failing: expected.is_some(),
    });
    Case { statements, expected, needs, rung, ..Case::new(Kind::Sql, format!("{file} - {name}")) }
}

fn directive<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    let rest = line.strip_prefix("--@")?;
    let (found, value) = rest.split_once(':')?;
    found.eq_ignore_ascii_case(name).then_some(value.trim())
}

/// Splits on `;` outside quotes and comments; each statement keeps its `;` and loses its comments.
pub fn split_statements(text: &str) -> Vec<String> {
    let mut statements = Vec::new();
    let mut current = String::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let taken = if rest.starts_with("--") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.find("*/").map_or(rest.len(), |at| at + 2)
        } else if matches!(c, '\'' | '"' | '`') {
            // A doubled quote reads as two adjacent quoted texts, which splits no differently.
            let end = rest[1..].find(c).map_or(rest.len(), |at| at + 2);
            current.push_str(&rest[..end]);
            end
        } else {
            if c == ';' {
                let statement = current.trim();
                if !statement.is_empty() {
                    statements.push(format!("{statement};"));
                }
                current.clear();
            } else {
                current.push(c);
            }
            c.len_utf8()
        };
        rest = &rest[taken..];
    }
    statements
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits_outside_quotes_and_comments() {
        let text = "A 'x;''y' -- no; \n B; /* ; */ C \"q;\"; ;";
        assert_eq!(split_statements(text), ["A 'x;''y' \n B;", "C \"q;\";"]);
    }

    #[test]
    fn a_block_knows_its_expected_failure() {
        let text = "prose\n--@test: one\n--@expected.error: a.B\n--@expected.message: why\nX;\n--@test: two\nY;\n";
        let cases = cases("f", text);
        assert_eq!(cases.len(), 2);
        let expected = cases[0].expected.as_ref().unwrap();
        assert_eq!((expected.class.as_deref(), expected.message.as_deref()), (Some("a.B"), Some("why")));
        assert!(cases[1].expected.is_none());
        assert_eq!(cases[1].statements, ["Y;"]);
    }
}
