//! ASSERT: of topics and schemas (servers), of sources and records (test scripts).

use crate::ast::{AssertSource, AssertValues, Properties, Statement};
use crate::error::Result;
use crate::parser::cursor::Parser;

impl Parser<'_> {
    pub(super) fn assert_statement(&mut self) -> Result<Statement> {
        self.expect_word("ASSERT")?;
        if self.at_word("VALUES") || self.at_words(&["NULL", "VALUES"]) {
            return self.assert_values();
        }
        if self.at_word("STREAM") || self.at_word("TABLE") {
            return self.assert_source();
        }
        let exists = !self.take_words(&["NOT", "EXISTS"]);
        if self.take_word("TOPIC") {
            let topic = self.raw_name()?;
            let properties = if self.take_word("WITH") { self.properties()? } else { Properties::default() };
            let timeout = if self.take_word("TIMEOUT") { Some(self.length()?) } else { None };
            return Ok(Statement::AssertTopic { topic, exists, properties, timeout });
        }
        self.expect_word("SCHEMA")?;
        let subject = if self.take_word("SUBJECT") { Some(self.raw_name()?) } else { None };
        let id = if self.take_word("ID") { Some(self.whole_number()?) } else { None };
        let timeout = if self.take_word("TIMEOUT") { Some(self.length()?) } else { None };
        Ok(Statement::AssertSchema { subject, id, exists, timeout })
    }

    fn assert_values(&mut self) -> Result<Statement> {
        let tombstone = self.take_word("NULL");
        self.expect_word("VALUES")?;
        let name = self.name()?;
        let columns = if self.at_symbol("(") { self.bracketed(Self::name)? } else { Vec::new() };
        self.expect_word(if tombstone { "KEY" } else { "VALUES" })?;
        let values = self.bracketed(Self::expression)?;
        Ok(Statement::AssertValues(AssertValues { name, columns, values, tombstone }))
    }

    fn assert_source(&mut self) -> Result<Statement> {
        let table = self.stream_or_table()?;
        let name = self.name()?;
        let elements = if self.at_symbol("(") { self.bracketed(Self::table_element)? } else { Vec::new() };
        let properties = if self.take_word("WITH") { self.properties()? } else { Properties::default() };
        Ok(Statement::AssertSource(AssertSource { table, name, elements, properties }))
    }
}
