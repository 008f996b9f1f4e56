//! The parser's place in the tokens, and its errors.

use crate::ast::Position;
use crate::error::{ErrorKind, Result, SqlError};
use crate::lexer::keywords::is_reserved;
use crate::lexer::{Token, TokenKind, tokenize};
use crate::name::Name;
use crate::parser::Limits;

pub(super) struct Parser<'a> {
    text: &'a str,
    tokens: Vec<Token<'a>>,
    next: usize,
    depth: usize,
    depth_max: usize,
    height_max: usize,
    /// The height of the highest tree built so far at this level.
    height: usize,
    /// Names bound by the lambdas around the place, innermost last.
    pub(super) lambda_names: Vec<Name>,
}

impl<'a> Parser<'a> {
    pub(super) fn new(text: &'a str, start: Position, limits: &Limits) -> Parser<'a> {
        Parser {
            text,
            tokens: tokenize(text, start),
            next: 0,
            depth: 0,
            depth_max: limits.depth_max,
            height_max: limits.height_max,
            height: 0,
            lambda_names: Vec::new(),
        }
    }

    pub(super) fn peek(&self) -> Token<'a> {
        self.peek_at(0)
    }

    /// The token `ahead` of the next one; the end repeats for ever.
    pub(super) fn peek_at(&self, ahead: usize) -> Token<'a> {
        let last = self.tokens.len() - 1;
        self.tokens[(self.next + ahead).min(last)]
    }

    pub(super) fn advance(&mut self) -> Token<'a> {
        let token = self.peek();
        self.next += 1;
        token
    }

    pub(super) fn position(&self) -> Position {
        self.peek().position
    }

    /// The text from a token's start to the end of the last token taken.
    pub(super) fn text_since(&self, start: usize) -> &'a str {
        let end = match self.next.checked_sub(1).and_then(|last| self.tokens.get(last)) {
            Some(last) => last.offset + last.text.len(),
            None => start,
        };
        &self.text[start..end.max(start)]
    }

    pub(super) fn at_word(&self, word: &str) -> bool {
        self.peek().is_word(word)
    }

    /// Whether the next tokens are these words.
    pub(super) fn at_words(&self, words: &[&str]) -> bool {
        words.iter().enumerate().all(|(ahead, word)| self.peek_at(ahead).is_word(word))
    }

    pub(super) fn at_symbol(&self, symbol: &str) -> bool {
        self.peek().is_symbol(symbol)
    }

    pub(super) fn take_word(&mut self, word: &str) -> bool {
        let found = self.at_word(word);
        self.next += usize::from(found);
        found
    }

    pub(super) fn take_words(&mut self, words: &[&str]) -> bool {
        let found = self.at_words(words);
        self.next += if found { words.len() } else { 0 };
        found
    }

    pub(super) fn take_symbol(&mut self, symbol: &str) -> bool {
        let found = self.at_symbol(symbol);
        self.next += usize::from(found);
        found
    }

    pub(super) fn expect_word(&mut self, word: &str) -> Result<()> {
        if self.take_word(word) { Ok(()) } else { Err(self.unexpected(Some(&format!("'{word}'")))) }
    }

    pub(super) fn expect_words(&mut self, words: &[&str]) -> Result<()> {
        words.iter().try_for_each(|word| self.expect_word(word))
    }

    pub(super) fn expect_symbol(&mut self, symbol: &str) -> Result<()> {
        if self.take_symbol(symbol) { Ok(()) } else { Err(self.unexpected(Some(&format!("'{symbol}'")))) }
    }

    pub(super) fn expect_end(&mut self) -> Result<()> {
        self.take_symbol(";");
        if self.peek().kind == TokenKind::End { Ok(()) } else { Err(self.unexpected(None)) }
    }

    /// `first, second, ..`, at least one.
    pub(super) fn list<T>(&mut self, mut item: impl FnMut(&mut Self) -> Result<T>) -> Result<Vec<T>> {
        let mut items = vec![item(self)?];
        while self.take_symbol(",") {
            items.push(item(self)?);
        }
        Ok(items)
    }

    /// `(first, second, ..)`, possibly `()`.
    pub(super) fn bracketed<T>(&mut self, item: impl FnMut(&mut Self) -> Result<T>) -> Result<Vec<T>> {
        self.expect_symbol("(")?;
        if self.take_symbol(")") {
            return Ok(Vec::new());
        }
        let items = self.list(item)?;
        self.expect_symbol(")")?;
        Ok(items)
    }

    /// Runs a part one level deeper.
    pub(super) fn deeper<T>(&mut self, part: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        self.depth += 1;
        if self.depth > self.depth_max {
            return Err(self.too_deep(self.depth_max, Limits::DEPTH_CONFIG));
        }
        let beside = std::mem::take(&mut self.height);
        let done = part(self)?;
        self.depth -= 1;
        self.link()?;
        self.height = self.height.max(beside);
        Ok(done)
    }

    /// Notes that a node goes on top of what was built at this level; refuses when the tree would get too high.
    pub(super) fn link(&mut self) -> Result<()> {
        self.height += 1;
        if self.height > self.height_max { Err(self.too_deep(self.height_max, Limits::HEIGHT_CONFIG)) } else { Ok(()) }
    }

    fn too_deep(&self, limit: usize, config: &str) -> SqlError {
        let Position { line, column } = self.position();
        SqlError::limit(format!(
            "line {line}:{column}: The statement nests deeper than {limit} levels. The limit is the setting '{config}'."
        ))
    }

    /// Whether the next token can be a name without quotes being needed.
    pub(super) fn at_name(&self) -> bool {
        let token = self.peek();
        match token.kind {
            TokenKind::Word => !is_reserved(token.text),
            TokenKind::DigitWord | TokenKind::Quoted => true,
            _ => false,
        }
    }

    /// A name: bare words are folded to upper case, quoted ones kept.
    pub(super) fn name(&mut self) -> Result<Name> {
        if !self.at_name() {
            return Err(self.unexpected_name());
        }
        let token = self.advance();
        Ok(name_of(token))
    }

    /// A name as it is written, without quotes: for topics and query ids, whose case counts.
    pub(super) fn raw_name(&mut self) -> Result<String> {
        match self.peek().kind {
            TokenKind::String => self.string(),
            TokenKind::Quoted => Ok(self.name()?.to_string()),
            _ if self.at_name() => Ok(self.advance().text.to_string()),
            _ => Err(self.unexpected_name()),
        }
    }

    pub(super) fn string(&mut self) -> Result<String> {
        if self.peek().kind == TokenKind::String {
            Ok(unquote(self.advance().text, '\''))
        } else {
            Err(self.unexpected(Some("STRING")))
        }
    }

    /// The next token does not fit.
    pub(super) fn unexpected(&self, expecting: Option<&str>) -> SqlError {
        let expecting = expecting.map(|what| format!("Expecting {what}")).unwrap_or_default();
        let Position { line, column } = self.position();
        self.syntax(format!("line {line}:{column}: Syntax Error\n{expecting}"))
    }

    /// A name is needed; a reserved word gets the advice to quote it.
    pub(super) fn unexpected_name(&self) -> SqlError {
        let token = self.peek();
        if token.kind != TokenKind::Word {
            return self.unexpected(None);
        }
        let Position { line, column } = token.position;
        let word = token.text;
        self.syntax(format!(
            "line {line}:{column}: Syntax Error\nSyntax error at or near '{word}' at line {line}:{column}\n'{word}' is a reserved keyword \
             and it can't be used as an identifier. You can use it as an identifier by escaping it as `{word}`"
        ))
    }

    /// An error of the text at the next token.
    pub(super) fn syntax(&self, message: String) -> SqlError {
        SqlError {
            kind: ErrorKind::Syntax,
            message,
            position: Some(self.position()),
            statement: Some(self.text.trim().to_string()),
        }
    }
}

/// The name that a word or quoted token means.
pub(super) fn name_of(token: Token<'_>) -> Name {
    match token.kind {
        TokenKind::Quoted => Name::from(unquote(token.text, token.text.chars().next().unwrap_or('`'))),
        _ => Name::from(token.text.to_uppercase()),
    }
}

/// What stands between quotes, doubled quotes made single.
pub(super) fn unquote(text: &str, quote: char) -> String {
    let inner = text.strip_prefix(quote).unwrap_or(text);
    let inner = inner.strip_suffix(quote).unwrap_or(inner);
    inner.replace(&format!("{quote}{quote}"), &quote.to_string())
}
