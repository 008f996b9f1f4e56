//! SELECT and its clauses.

use crate::ast::{
    Emit, Expression, Join, JoinCriteria, JoinKind, PartitionBy, Query, Relation, SelectItem, TimeUnit, Window, WindowKind, WindowLength,
    Within,
};
use crate::error::Result;
use crate::lexer::TokenKind;
use crate::parser::cursor::Parser;

impl Parser<'_> {
    pub(super) fn query(&mut self) -> Result<Query> {
        let position = self.position();
        self.expect_word("SELECT")?;
        let select = self.list(Self::select_item)?;
        self.expect_word("FROM")?;
        let from = self.relation()?;
        let mut joins = Vec::new();
        while let Some(kind) = self.join_kind()? {
            joins.push(self.join(kind)?);
        }
        let window = if self.take_word("WINDOW") { Some(self.window()?) } else { None };
        let filter = if self.take_word("WHERE") { Some(self.expression()?) } else { None };
        let group_by = if self.take_words(&["GROUP", "BY"]) { Some(self.grouping()?) } else { None };
        let mut partition_by = self.partition_by()?;
        let having = if self.take_word("HAVING") { Some(self.expression()?) } else { None };
        if partition_by.is_none() {
            // Releases before 0.10 had the clause here.
            partition_by = self.partition_by()?;
        }
        let emit = if self.take_words(&["EMIT", "CHANGES"]) {
            Some(Emit::Changes)
        } else if self.take_words(&["EMIT", "FINAL"]) {
            Some(Emit::Final)
        } else {
            None
        };
        let limit = if self.take_word("LIMIT") { Some(self.whole_number()?) } else { None };
        Ok(Query { select, from, joins, window, filter, group_by, partition_by, having, emit, limit, position })
    }

    fn select_item(&mut self) -> Result<SelectItem> {
        let position = self.position();
        if self.take_symbol("*") {
            return Ok(SelectItem::Star { source: None, position });
        }
        if self.at_name() && self.peek_at(1).is_symbol(".") && self.peek_at(2).is_symbol("*") {
            let source = self.name()?;
            self.expect_symbol(".")?;
            self.expect_symbol("*")?;
            return Ok(SelectItem::Star { source: Some(source), position });
        }
        let expression = self.expression()?;
        if self.at_symbol("->") {
            self.advance();
            self.expect_symbol("*")?;
            return Ok(SelectItem::StructStar { base: expression, position });
        }
        let alias = if self.take_word("AS") || self.at_name() { Some(self.name()?) } else { None };
        Ok(SelectItem::Expression { expression, alias, position })
    }

    fn relation(&mut self) -> Result<Relation> {
        let position = self.position();
        if self.take_symbol("(") {
            let inner = self.deeper(Self::relation)?;
            self.expect_symbol(")")?;
            return Ok(inner);
        }
        let name = self.name()?;
        let alias = if self.take_word("AS") || self.at_alias() { Some(self.name()?) } else { None };
        Ok(Relation { name, alias, position })
    }

    /// A name that does not begin the next clause.
    fn at_alias(&self) -> bool {
        let clause = self.at_word("WINDOW")
            || self.at_words(&["EMIT", "CHANGES"])
            || self.at_words(&["EMIT", "FINAL"])
            || self.at_words(&["PARTITION", "BY"]);
        self.at_name() && !clause
    }

    fn join_kind(&mut self) -> Result<Option<JoinKind>> {
        let kind = if self.at_word("JOIN") || self.take_word("INNER") {
            JoinKind::Inner
        } else if self.take_word("LEFT") {
            self.take_word("OUTER");
            JoinKind::Left
        } else if self.take_word("RIGHT") {
            self.take_word("OUTER");
            JoinKind::Right
        } else if self.take_word("FULL") {
            self.take_word("OUTER");
            JoinKind::Full
        } else {
            return Ok(None);
        };
        self.expect_word("JOIN")?;
        Ok(Some(kind))
    }

    fn join(&mut self, kind: JoinKind) -> Result<Join> {
        let right = self.relation()?;
        let within = if self.take_word("WITHIN") { Some(self.within()?) } else { None };
        self.expect_word("ON")?;
        let position = self.position();
        let criteria = JoinCriteria { on: self.expression()?, position };
        Ok(Join { kind, right, within, criteria })
    }

    fn within(&mut self) -> Result<Within> {
        let (before, after, single) = if self.take_symbol("(") {
            let before = self.length()?;
            self.expect_symbol(",")?;
            let after = self.length()?;
            self.expect_symbol(")")?;
            (before, after, false)
        } else {
            let both = self.length()?;
            (both, both, true)
        };
        let grace = if self.take_words(&["GRACE", "PERIOD"]) { Some(self.length()?) } else { None };
        Ok(Within { before, after, single, grace })
    }

    /// `n unit`.
    pub(super) fn length(&mut self) -> Result<WindowLength> {
        let value = self.whole_number()?;
        let token = self.peek();
        let unit = if token.kind == TokenKind::Word { TimeUnit::parse(&token.text.to_uppercase()) } else { None };
        match unit {
            Some(unit) => {
                self.advance();
                Ok(WindowLength { value, unit })
            }
            None => Err(self.unexpected(Some("{'DAY', 'HOUR', 'MINUTE', 'SECOND', 'MILLISECOND', 'DAYS', 'HOURS', 'MINUTES', 'SECONDS', 'MILLISECONDS'}"))),
        }
    }

    fn window(&mut self) -> Result<Window> {
        let starts = |parser: &Self, ahead: usize| {
            ["TUMBLING", "HOPPING", "SESSION"].iter().any(|word| parser.peek_at(ahead).is_word(word)) && parser.peek_at(ahead + 1).is_symbol("(")
        };
        if !starts(self, 0) && self.at_name() && starts(self, 1) {
            // A window may be named; nothing refers to the name.
            self.advance();
        }
        if self.take_word("TUMBLING") {
            self.expect_symbol("(")?;
            self.expect_word("SIZE")?;
            let size = self.length()?;
            return self.window_rest(WindowKind::Tumbling { size });
        }
        if self.take_word("HOPPING") {
            self.expect_symbol("(")?;
            self.expect_word("SIZE")?;
            let size = self.length()?;
            self.expect_symbol(",")?;
            self.expect_words(&["ADVANCE", "BY"])?;
            let advance = self.length()?;
            return self.window_rest(WindowKind::Hopping { size, advance });
        }
        if self.take_word("SESSION") {
            self.expect_symbol("(")?;
            let gap = self.length()?;
            return self.window_rest(WindowKind::Session { gap });
        }
        Err(self.unexpected(Some("{'HOPPING', 'SESSION', 'TUMBLING'}")))
    }

    fn window_rest(&mut self, kind: WindowKind) -> Result<Window> {
        let mut window = Window { kind, retention: None, grace: None };
        while self.take_symbol(",") {
            if window.retention.is_none() && window.grace.is_none() && self.take_word("RETENTION") {
                window.retention = Some(self.length()?);
            } else if window.grace.is_none() && self.take_words(&["GRACE", "PERIOD"]) {
                window.grace = Some(self.length()?);
            } else {
                return Err(self.unexpected(None));
            }
        }
        self.expect_symbol(")")?;
        Ok(window)
    }

    /// `a, b` or `(a, b)` or `()`. What starts with a bracket may still be an expression, as in `(a + b) * 2`.
    fn grouping(&mut self) -> Result<Vec<Expression>> {
        if self.at_symbol("(") && self.bracket_holds_list() {
            return self.bracketed(Self::value);
        }
        self.list(Self::value)
    }

    /// Whether the bracket that opens here is empty or has a comma directly inside.
    fn bracket_holds_list(&self) -> bool {
        let mut depth = 0usize;
        let mut ahead = 0;
        loop {
            let token = self.peek_at(ahead);
            match token.text {
                _ if token.kind == TokenKind::End => return false,
                _ if token.kind != TokenKind::Symbol => {}
                "(" | "[" => depth += 1,
                ")" | "]" if depth <= 1 => return ahead == 1,
                ")" | "]" => depth -= 1,
                "," if depth == 1 => return true,
                _ => {}
            }
            ahead += 1;
        }
    }

    fn partition_by(&mut self) -> Result<Option<PartitionBy>> {
        let position = self.position();
        if !self.take_words(&["PARTITION", "BY"]) {
            return Ok(None);
        }
        Ok(Some(PartitionBy { expressions: self.grouping()?, position }))
    }
}
