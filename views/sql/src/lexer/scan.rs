//! The scanner: one pass, no look-behind.

use crate::ast::Position;
use crate::lexer::{Token, TokenKind};

/// The tokens of a text that begins at `start`, with [`TokenKind::End`] last. Comments and directives are dropped.
pub fn tokenize(text: &str, start: Position) -> Vec<Token<'_>> {
    let mut scanner = Scanner { text, offset: 0, line: start.line.max(1), column: start.column.max(1) };
    let mut tokens = Vec::new();
    loop {
        scanner.skip_blank();
        let (offset, position) = (scanner.offset, Position { line: scanner.line, column: scanner.column });
        let Some(first) = scanner.peek(0) else {
            tokens.push(Token { kind: TokenKind::End, text: "", offset, position });
            return tokens;
        };
        let kind = scanner.token(first);
        tokens.push(Token { kind, text: &text[offset..scanner.offset], offset, position });
    }
}

/// The longest first: the first that fits is taken.
const SYMBOLS: [&str; 30] = [
    "<>", "!=", "<=", ">=", "->", "=>", ":=", "||", "(", ")", ",", ".", ";", "=", "<", ">", "+", "-", "*", "/", "%", "[", "]", ":", "{", "}", "$", "?",
    "|", "^",
];

struct Scanner<'a> {
    text: &'a str,
    offset: usize,
    line: u32,
    column: u32,
}

impl Scanner<'_> {
    fn rest(&self) -> &str {
        &self.text[self.offset..]
    }

    fn peek(&self, ahead: usize) -> Option<char> {
        self.rest().chars().nth(ahead)
    }

    fn bump(&mut self) -> Option<char> {
        let next = self.peek(0)?;
        self.offset += next.len_utf8();
        if next == '\n' {
            self.line += 1;
            self.column = 1;
        } else {
            self.column += 1;
        }
        Some(next)
    }

    fn bump_while(&mut self, wanted: impl Fn(char) -> bool) {
        while self.peek(0).is_some_and(&wanted) {
            self.bump();
        }
    }

    fn skip_blank(&mut self) {
        loop {
            let rest = self.rest();
            if rest.starts_with("--") {
                self.bump_while(|next| next != '\n');
            } else if rest.starts_with("/*") {
                let length = rest.find("*/").map_or(rest.len(), |end| end + 2);
                let end = self.offset + length;
                while self.offset < end {
                    self.bump();
                }
            } else if self.peek(0).is_some_and(char::is_whitespace) {
                self.bump();
            } else {
                return;
            }
        }
    }

    fn token(&mut self, first: char) -> TokenKind {
        match first {
            '\'' => self.quoted('\'', TokenKind::String),
            '"' => self.quoted('"', TokenKind::Quoted),
            '`' => self.quoted('`', TokenKind::Quoted),
            '$' if self.peek(1) == Some('{') => self.variable(),
            '.' if self.peek(1).is_some_and(|next| next.is_ascii_digit()) => self.number(),
            digit if digit.is_ascii_digit() => self.number_or_word(),
            letter if is_word_start(letter) => {
                self.bump_while(is_word_part);
                TokenKind::Word
            }
            _ => self.symbol(),
        }
    }

    /// A doubled quote stands for itself; an unclosed one runs to the end of the text.
    fn quoted(&mut self, quote: char, kind: TokenKind) -> TokenKind {
        self.bump();
        while let Some(next) = self.bump() {
            if next == quote {
                if self.peek(0) != Some(quote) {
                    return kind;
                }
                self.bump();
            }
        }
        TokenKind::Unknown
    }

    fn variable(&mut self) -> TokenKind {
        let name = self.rest()[2..].find('}').map(|end| &self.rest()[2..2 + end]);
        match name {
            Some(name) if !name.is_empty() && name.chars().all(is_word_part) => {
                let end = self.offset + name.len() + 3;
                while self.offset < end {
                    self.bump();
                }
                TokenKind::Variable
            }
            _ => {
                self.bump();
                TokenKind::Unknown
            }
        }
    }

    /// `12`, `1.5`, `1e5` are numbers; `1st` is a name. The longest reading wins, a number on a tie.
    fn number_or_word(&mut self) -> TokenKind {
        let rest = self.rest();
        let word = rest.chars().take_while(|next| is_word_part(*next)).map(char::len_utf8).sum::<usize>();
        let (number, kind) = number_length(rest);
        let (length, kind) = if word > number { (word, TokenKind::DigitWord) } else { (number, kind) };
        self.take(length);
        kind
    }

    fn number(&mut self) -> TokenKind {
        let (length, kind) = number_length(self.rest());
        self.take(length);
        kind
    }

    fn take(&mut self, length: usize) {
        let end = self.offset + length;
        while self.offset < end {
            self.bump();
        }
    }

    fn symbol(&mut self) -> TokenKind {
        match SYMBOLS.iter().find(|symbol| self.rest().starts_with(**symbol)) {
            Some(symbol) => {
                self.take(symbol.len());
                TokenKind::Symbol
            }
            None => {
                self.bump();
                TokenKind::Unknown
            }
        }
    }
}

/// How many bytes at the start of `text` (which starts with a digit or `.digit`) make a number.
fn number_length(text: &str) -> (usize, TokenKind) {
    let bytes = text.as_bytes();
    let digits = |from: usize| bytes[from..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    let mut length = digits(0);
    let mut kind = TokenKind::Integer;
    if bytes.get(length) == Some(&b'.') {
        length += 1 + digits(length + 1);
        kind = TokenKind::Decimal;
    }
    if matches!(bytes.get(length), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(bytes.get(length + 1), Some(b'+' | b'-')));
        let exponent = if length + 1 + sign <= bytes.len() { digits(length + 1 + sign) } else { 0 };
        if exponent > 0 {
            return (length + 1 + sign + exponent, TokenKind::Float);
        }
    }
    (length, kind)
}

fn is_word_start(letter: char) -> bool {
    letter.is_ascii_alphabetic() || letter == '_'
}

fn is_word_part(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || letter == '_' || letter == '@'
}
