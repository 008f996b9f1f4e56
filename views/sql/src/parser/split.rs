//! Cutting a text into statements at its semicolons.

use crate::ast::Position;
use crate::error::{Result, SqlError};
use crate::lexer::{TokenKind, tokenize};
use crate::parser::{Limits, text_too_long};

/// One statement's text, from its first token to its semicolon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RawStatement<'a> {
    pub text: &'a str,
    pub position: Position,
}

/// The statements of a text. A last one without a semicolon counts; empty ones do not.
pub fn split<'a>(text: &'a str, limits: &Limits) -> Result<Vec<RawStatement<'a>>> {
    if text.len() > limits.text_bytes_max {
        return Err(text_too_long(limits));
    }
    let mut statements = Vec::new();
    let mut first = None;
    let mut end = 0;
    for token in tokenize(text, Position { line: 1, column: 1 }) {
        let closes = token.is_symbol(";") || token.kind == TokenKind::End;
        if !closes {
            end = token.offset + token.text.len();
            first.get_or_insert(token);
        } else if let Some(start) = first.take() {
            if statements.len() == limits.statements_max {
                return Err(too_many_statements(limits));
            }
            let end = if token.kind == TokenKind::End { end } else { token.offset + 1 };
            statements.push(RawStatement { text: &text[start.offset..end], position: start.position });
        }
    }
    Ok(statements)
}

fn too_many_statements(limits: &Limits) -> SqlError {
    let (most, config) = (limits.statements_max, Limits::STATEMENTS_CONFIG);
    SqlError::limit(format!("The text has more than {most} statements. The limit is the setting '{config}'."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn semicolons_in_quotes_and_comments_do_not_cut() {
        let text = "a ';' b; -- c;\n  `d;`; ;; e";
        let found = split(text, &Limits::STANDARD).unwrap();
        let texts: Vec<&str> = found.iter().map(|raw| raw.text).collect();
        assert_eq!(texts, ["a ';' b;", "`d;`;", "e"]);
        assert_eq!((found[1].position.line, found[1].position.column), (2, 3));
    }

    #[test]
    fn a_text_beyond_the_limit_is_refused_by_the_name_of_its_setting() {
        let limits = Limits { text_bytes_max: 3, ..Limits::STANDARD };
        assert!(split("abcd", &limits).unwrap_err().message.contains(Limits::TEXT_CONFIG));
        let limits = Limits { statements_max: 2, ..Limits::STANDARD };
        assert_eq!(split("a;b;;", &limits).unwrap().len(), 2);
        assert!(split("a;b;c", &limits).unwrap_err().message.contains(Limits::STATEMENTS_CONFIG));
    }
}
