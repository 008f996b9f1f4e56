//! A scanner over JSON text: one pass, no tree, strings borrowed where they hold no escapes.
//!
//! Invariants: never past the end, never deeper than [`DEPTH_MAX`]; text is checked as UTF-8 once, at the start.

use std::borrow::Cow;

use crate::DecodeError;

/// Deeper documents are refused: recursion is bounded by this.
pub const DEPTH_MAX: usize = 256;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Object,
    Array,
    String,
    Number,
    Boolean,
    Null,
}

impl Kind {
    pub fn name(self) -> &'static str {
        match self {
            Kind::Object => "ObjectNode",
            Kind::Array => "ArrayNode",
            Kind::String => "TextNode",
            Kind::Number => "NumericNode",
            Kind::Boolean => "BooleanNode",
            Kind::Null => "NullNode",
        }
    }
}

pub struct Scanner<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
}

impl<'a> Scanner<'a> {
    pub fn new(bytes: &'a [u8]) -> Result<Scanner<'a>, DecodeError> {
        let text = std::str::from_utf8(bytes).map_err(|_| DecodeError::Utf8)?;
        Ok(Scanner { text, at: 0, depth: 0 })
    }

    fn fail<T>(&self, what: &'static str) -> Result<T, DecodeError> {
        Err(DecodeError::Json { at: self.at, what })
    }

    fn peek_byte(&mut self) -> Option<u8> {
        let bytes = self.text.as_bytes();
        while let Some(byte) = bytes.get(self.at) {
            if !matches!(byte, b' ' | b'\t' | b'\n' | b'\r') {
                return Some(*byte);
            }
            self.at += 1;
        }
        None
    }

    /// What stands next.
    pub fn kind(&mut self) -> Result<Kind, DecodeError> {
        match self.peek_byte() {
            Some(b'{') => Ok(Kind::Object),
            Some(b'[') => Ok(Kind::Array),
            Some(b'"') => Ok(Kind::String),
            Some(b'-' | b'0'..=b'9') => Ok(Kind::Number),
            Some(b't' | b'f') => Ok(Kind::Boolean),
            Some(b'n') => Ok(Kind::Null),
            Some(_) => self.fail("unexpected character"),
            None => self.fail("unexpected end"),
        }
    }

    fn literal(&mut self, word: &'static str) -> Result<(), DecodeError> {
        if self.text.as_bytes()[self.at..].starts_with(word.as_bytes()) {
            self.at += word.len();
            return Ok(());
        }
        self.fail("unknown literal")
    }

    pub fn null(&mut self) -> Result<(), DecodeError> {
        self.literal("null")
    }

    pub fn boolean(&mut self) -> Result<bool, DecodeError> {
        if self.peek_byte() == Some(b't') {
            self.literal("true").map(|()| true)
        } else {
            self.literal("false").map(|()| false)
        }
    }

    fn digits(&mut self) -> usize {
        let bytes = self.text.as_bytes();
        let from = self.at;
        while bytes.get(self.at).is_some_and(u8::is_ascii_digit) {
            self.at += 1;
        }
        self.at - from
    }

    /// A number's text, checked against the grammar.
    pub fn number(&mut self) -> Result<&'a str, DecodeError> {
        let from = self.at;
        let bytes = self.text.as_bytes();
        if bytes.get(self.at) == Some(&b'-') {
            self.at += 1;
        }
        let zero = bytes.get(self.at) == Some(&b'0');
        let whole = self.digits();
        if whole == 0 || (zero && whole > 1) {
            return self.fail("malformed number");
        }
        if bytes.get(self.at) == Some(&b'.') {
            self.at += 1;
            if self.digits() == 0 {
                return self.fail("malformed number");
            }
        }
        if matches!(bytes.get(self.at), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(bytes.get(self.at), Some(b'+' | b'-')) {
                self.at += 1;
            }
            if self.digits() == 0 {
                return self.fail("malformed number");
            }
        }
        Ok(&self.text[from..self.at])
    }

    pub fn string(&mut self) -> Result<Cow<'a, str>, DecodeError> {
        if self.peek_byte() != Some(b'"') {
            return self.fail("a string was expected");
        }
        self.at += 1;
        let from = self.at;
        let rest = &self.text.as_bytes()[from..];
        let Some(length) = memchr::memchr2(b'"', b'\\', rest) else {
            return self.fail("a string does not end");
        };
        if rest[..length].iter().any(|byte| *byte < b' ') {
            return self.fail("a control character in a string");
        }
        self.at += length;
        if rest[length] == b'\\' {
            return self.escaped(from).map(Cow::Owned);
        }
        self.at += 1;
        Ok(Cow::Borrowed(&self.text[from..from + length]))
    }

    /// The rest of a string from its first escape on; `from` is where its text began.
    fn escaped(&mut self, from: usize) -> Result<String, DecodeError> {
        let mut out = String::from(&self.text[from..self.at]);
        loop {
            let rest = &self.text[self.at..];
            let Some(plain) = rest.find(|c: char| matches!(c, '"' | '\\') || c < ' ') else {
                return self.fail("a string does not end");
            };
            out.push_str(&rest[..plain]);
            self.at += plain;
            match self.text.as_bytes().get(self.at) {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(out);
                }
                Some(b'\\') => {
                    let c = self.escape()?;
                    out.push(c);
                }
                _ => return self.fail("a control character in a string"),
            }
        }
    }

    fn escape(&mut self) -> Result<char, DecodeError> {
        let code = self.text.as_bytes().get(self.at + 1).copied();
        self.at += 2;
        Ok(match code {
            Some(b'"') => '"',
            Some(b'\\') => '\\',
            Some(b'/') => '/',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => {
                let unit = self.hex()?;
                let pair = (0xd800..0xdc00).contains(&unit) && self.text.as_bytes()[self.at..].starts_with(b"\\u");
                if !pair {
                    // A lone surrogate has no character; Java's encoder writes a question mark for it.
                    return Ok(char::from_u32(unit).unwrap_or('?'));
                }
                let high = self.at;
                self.at += 2;
                let low = self.hex()?;
                if !(0xdc00..0xe000).contains(&low) {
                    self.at = high;
                    return Ok('?');
                }
                char::from_u32(0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00)).unwrap_or('?')
            }
            _ => return self.fail("unknown escape"),
        })
    }

    fn hex(&mut self) -> Result<u32, DecodeError> {
        let digits = self.text.as_bytes().get(self.at..self.at + 4);
        let parsed = digits
            .filter(|digits| digits.iter().all(u8::is_ascii_hexdigit))
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| u32::from_str_radix(digits, 16).ok());
        match parsed {
            Some(unit) => {
                self.at += 4;
                Ok(unit)
            }
            None => self.fail("malformed escape"),
        }
    }

    /// Steps into an object or array; the caller has seen its bracket.
    pub fn enter(&mut self) -> Result<(), DecodeError> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(DecodeError::Depth(DEPTH_MAX));
        }
        self.at += 1;
        Ok(())
    }

    /// Whether another item follows in the container that ends with `close`; steps over separators and the end.
    pub fn another(&mut self, first: bool, close: u8) -> Result<bool, DecodeError> {
        match self.peek_byte() {
            Some(byte) if byte == close => {
                self.at += 1;
                self.depth -= 1;
                Ok(false)
            }
            Some(b',') if !first => {
                self.at += 1;
                Ok(true)
            }
            Some(_) if first => Ok(true),
            _ => self.fail("a container does not end"),
        }
    }

    /// The name of an object's next field, and its colon.
    pub fn field_name(&mut self) -> Result<Cow<'a, str>, DecodeError> {
        let name = self.string()?;
        if self.peek_byte() != Some(b':') {
            return self.fail("a colon was expected");
        }
        self.at += 1;
        Ok(name)
    }

    /// Steps over one value of any kind.
    pub fn skip(&mut self) -> Result<(), DecodeError> {
        match self.kind()? {
            Kind::Null => self.null(),
            Kind::Boolean => self.boolean().map(drop),
            Kind::Number => self.number().map(drop),
            Kind::String => self.string().map(drop),
            Kind::Array => {
                self.enter()?;
                let mut first = true;
                while self.another(first, b']')? {
                    first = false;
                    self.skip()?;
                }
                Ok(())
            }
            Kind::Object => {
                self.enter()?;
                let mut first = true;
                while self.another(first, b'}')? {
                    first = false;
                    self.field_name()?;
                    self.skip()?;
                }
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn string(text: &str) -> Result<String, DecodeError> {
        Scanner::new(text.as_bytes())?.string().map(Cow::into_owned)
    }

    #[test]
    fn strings_unescape() {
        assert_eq!(string(r#""a\n\u00e9\ud83d\ude00\"b""#).unwrap(), "a\né😀\"b");
        assert_eq!(string(r#""\ud83dx""#).unwrap(), "?x");
        assert!(string(r#""\u12"#).is_err());
        assert!(string("\"a").is_err());
        assert!(string("\"a\nb\"").is_err());
    }

    #[test]
    fn depth_is_bounded() {
        let deep = "[".repeat(100_000);
        assert_eq!(Scanner::new(deep.as_bytes()).unwrap().skip(), Err(DecodeError::Depth(DEPTH_MAX)));
    }

    #[test]
    fn malformed_documents_are_refused() {
        for text in ["", "{", "{\"a\"}", "[1 2]", "01", "1.", "tru", "{a: 1}", "[,]", "-"] {
            assert!(Scanner::new(text.as_bytes()).unwrap().skip().is_err(), "{text}");
        }
    }
}
