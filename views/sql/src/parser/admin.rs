//! Statements that list, describe and set.

use crate::ast::{ConnectorKind, ListKind, Statement};
use crate::error::Result;
use crate::lexer::TokenKind;
use crate::parser::cursor::Parser;

impl Parser<'_> {
    pub(super) fn show(&mut self) -> Result<Statement> {
        self.advance();
        let kind = if self.take_word("PROPERTIES") {
            ListKind::Properties
        } else if self.take_words(&["ALL", "TOPICS"]) {
            ListKind::Topics { all: true }
        } else if self.take_word("TOPICS") {
            ListKind::Topics { all: false }
        } else if self.take_word("STREAMS") {
            ListKind::Streams
        } else if self.take_word("TABLES") {
            ListKind::Tables
        } else if self.take_word("QUERIES") {
            ListKind::Queries
        } else if self.take_word("FUNCTIONS") {
            ListKind::Functions
        } else if self.take_word("TYPES") {
            ListKind::Types
        } else if self.take_word("VARIABLES") {
            ListKind::Variables
        } else if self.take_words(&["CONNECTOR", "PLUGINS"]) {
            ListKind::ConnectorPlugins
        } else if self.take_words(&["SOURCE", "CONNECTORS"]) {
            ListKind::Connectors(Some(ConnectorKind::Source))
        } else if self.take_words(&["SINK", "CONNECTORS"]) {
            ListKind::Connectors(Some(ConnectorKind::Sink))
        } else if self.take_word("CONNECTORS") {
            ListKind::Connectors(None)
        } else {
            return Err(self.unexpected(None));
        };
        let may_extend = matches!(kind, ListKind::Topics { .. } | ListKind::Streams | ListKind::Tables | ListKind::Queries);
        let extended = may_extend && self.take_word("EXTENDED");
        Ok(Statement::List { kind, extended })
    }

    pub(super) fn describe(&mut self) -> Result<Statement> {
        self.expect_word("DESCRIBE")?;
        let alone = |parser: &Self, ahead: usize| {
            let token = parser.peek_at(ahead);
            token.is_symbol(";") || token.kind == TokenKind::End || token.is_word("EXTENDED")
        };
        if self.at_word("STREAMS") && alone(self, 1) {
            self.advance();
            return Ok(Statement::DescribeStreams { extended: self.take_word("EXTENDED") });
        }
        if self.at_word("TABLES") && alone(self, 1) {
            self.advance();
            return Ok(Statement::DescribeTables { extended: self.take_word("EXTENDED") });
        }
        if self.at_word("FUNCTION") && !alone(self, 1) {
            self.advance();
            return Ok(Statement::DescribeFunction { name: self.raw_name()? });
        }
        if self.at_word("CONNECTOR") && !alone(self, 1) {
            self.advance();
            return Ok(Statement::DescribeConnector { name: self.name()? });
        }
        // Releases up to 5.3 wrote DESCRIBE EXTENDED x.
        let extended_first = self.at_word("EXTENDED") && !alone(self, 1) && self.take_word("EXTENDED");
        let position = self.position();
        let name = self.name()?;
        let extended = self.take_word("EXTENDED") || extended_first;
        Ok(Statement::Describe { name, extended, position })
    }

    pub(super) fn explain(&mut self) -> Result<Statement> {
        self.expect_word("EXPLAIN")?;
        let starts_statement = ["SELECT", "CREATE", "INSERT", "DROP", "TERMINATE", "DESCRIBE", "PRINT", "LIST", "SHOW", "RUN"]
            .iter()
            .any(|word| self.at_word(word));
        let followed = !self.peek_at(1).is_symbol(";") && self.peek_at(1).kind != TokenKind::End;
        if starts_statement && followed {
            let statement = self.deeper(Self::statement)?;
            return Ok(Statement::Explain { query: None, statement: Some(Box::new(statement)) });
        }
        Ok(Statement::Explain { query: Some(self.raw_name()?), statement: None })
    }

    pub(super) fn print(&mut self) -> Result<Statement> {
        self.expect_word("PRINT")?;
        let topic = self.raw_name()?;
        let from_beginning = self.take_words(&["FROM", "BEGINNING"]);
        let interval =
            if self.take_word("INTERVAL") || self.take_word("SAMPLE") { Some(self.whole_number()?) } else { None };
        let limit = if self.take_word("LIMIT") { Some(self.whole_number()?) } else { None };
        Ok(Statement::Print { topic, from_beginning, interval, limit })
    }

    pub(super) fn set(&mut self) -> Result<Statement> {
        self.expect_word("SET")?;
        let property = self.string()?;
        self.expect_symbol("=")?;
        Ok(Statement::Set { property, value: self.string()? })
    }

    pub(super) fn unset(&mut self) -> Result<Statement> {
        self.expect_word("UNSET")?;
        Ok(Statement::Unset { property: self.string()? })
    }

    pub(super) fn define(&mut self) -> Result<Statement> {
        self.expect_word("DEFINE")?;
        let variable = self.raw_name()?;
        self.expect_symbol("=")?;
        Ok(Statement::Define { variable, value: self.string()? })
    }

    pub(super) fn undefine(&mut self) -> Result<Statement> {
        self.expect_word("UNDEFINE")?;
        Ok(Statement::Undefine { variable: self.raw_name()? })
    }
}
