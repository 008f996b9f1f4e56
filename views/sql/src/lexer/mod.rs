//! From text to tokens.
//!
//! Invariants: tokens come in order and do not overlap; every byte of the text is in a token, white space or a comment; no input fails
//! here (what cannot start a token becomes [`TokenKind::Unknown`], for the parser to refuse with its position).
//! Columns count code points from 1. Absences: no keywords (a word is a keyword by where the parser meets it, see [`keywords`]).

pub mod keywords;
mod scan;
#[cfg(test)]
mod tests;

use crate::ast::Position;

pub use scan::tokenize;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenKind {
    /// A bare word: a keyword or a name.
    Word,
    /// A word that starts with a digit: only a name.
    DigitWord,
    /// `` `name` `` or `"name"`.
    Quoted,
    /// `'text'`.
    String,
    Integer,
    Decimal,
    Float,
    /// `${name}`, left where no variable has this name.
    Variable,
    /// Operators and punctuation; the text says which.
    Symbol,
    /// A character, or an unclosed quotation, that starts no token.
    Unknown,
    End,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token<'a> {
    pub kind: TokenKind,
    /// As written, quotes included.
    pub text: &'a str,
    /// Byte offset of `text`.
    pub offset: usize,
    pub position: Position,
}

impl Token<'_> {
    pub fn is_symbol(&self, symbol: &str) -> bool {
        self.kind == TokenKind::Symbol && self.text == symbol
    }

    /// Whether this is the bare word `word` (given in upper case).
    pub fn is_word(&self, word: &str) -> bool {
        self.kind == TokenKind::Word && self.text.eq_ignore_ascii_case(word)
    }
}
