//! CREATE in all its forms.

use crate::ast::{ColumnConstraint, ConnectorKind, CreateSource, CreateSourceAs, Properties, Statement, TableElement};
use crate::error::Result;
use crate::lexer::TokenKind;
use crate::parser::cursor::Parser;

impl Parser<'_> {
    pub(super) fn create(&mut self) -> Result<Statement> {
        self.expect_word("CREATE")?;
        let or_replace = self.take_words(&["OR", "REPLACE"]);
        if !or_replace {
            if self.take_word("TYPE") {
                return self.create_type();
            }
            if self.at_words(&["SOURCE", "CONNECTOR"]) || self.at_words(&["SINK", "CONNECTOR"]) {
                return self.create_connector();
            }
        }
        let read_only = self.take_word("SOURCE");
        let table = self.stream_or_table()?;
        let if_not_exists = self.take_words(&["IF", "NOT", "EXISTS"]);
        let name = self.name()?;
        let elements = if self.at_symbol("(") { Some(self.bracketed(Self::table_element)?) } else { None };
        let properties = if self.take_word("WITH") { self.properties()? } else { Properties::default() };
        if elements.is_none() && !read_only && self.take_word("AS") {
            let query = self.query()?;
            return Ok(Statement::CreateSourceAs(CreateSourceAs { table, or_replace, if_not_exists, name, properties, query }));
        }
        let elements = elements.unwrap_or_default();
        Ok(Statement::CreateSource(CreateSource { table, or_replace, if_not_exists, read_only, name, elements, properties }))
    }

    /// Takes STREAM or TABLE; true for a table.
    pub(super) fn stream_or_table(&mut self) -> Result<bool> {
        if self.take_word("STREAM") {
            return Ok(false);
        }
        if self.take_word("TABLE") {
            return Ok(true);
        }
        Err(self.unexpected(Some("{'STREAM', 'TABLE'}")))
    }

    pub(super) fn table_element(&mut self) -> Result<TableElement> {
        let position = self.position();
        let name = self.name()?;
        let data_type = self.data_type()?;
        let mut header_key = None;
        let constraint = if self.take_words(&["PRIMARY", "KEY"]) {
            ColumnConstraint::PrimaryKey
        } else if self.take_word("KEY") {
            ColumnConstraint::Key
        } else if self.take_word("HEADERS") {
            ColumnConstraint::Headers
        } else if self.take_word("HEADER") {
            self.expect_symbol("(")?;
            header_key = Some(self.string()?);
            self.expect_symbol(")")?;
            ColumnConstraint::Headers
        } else {
            ColumnConstraint::None
        };
        Ok(TableElement { name, data_type, constraint, header_key, position })
    }

    /// `(name = literal, ..)`, at least one; names are folded to upper case even in quotes.
    pub(super) fn properties(&mut self) -> Result<Properties> {
        self.expect_symbol("(")?;
        let entries = self.list(|parser| {
            let key = if parser.peek().kind == TokenKind::String { parser.string()? } else { parser.name()?.to_string() };
            parser.expect_symbol("=")?;
            Ok((key.to_uppercase(), parser.property_value()?))
        })?;
        self.expect_symbol(")")?;
        Ok(Properties(entries))
    }

    fn create_type(&mut self) -> Result<Statement> {
        let if_not_exists = self.take_words(&["IF", "NOT", "EXISTS"]);
        let name = self.name()?;
        self.expect_word("AS")?;
        Ok(Statement::CreateType { name, data_type: self.data_type()?, if_not_exists })
    }

    fn create_connector(&mut self) -> Result<Statement> {
        let kind = if self.take_word("SOURCE") { ConnectorKind::Source } else { ConnectorKind::Sink };
        if kind == ConnectorKind::Sink {
            self.expect_word("SINK")?;
        }
        self.expect_word("CONNECTOR")?;
        let if_not_exists = self.take_words(&["IF", "NOT", "EXISTS"]);
        let name = self.name()?;
        self.expect_word("WITH")?;
        let properties = self.connector_properties()?;
        Ok(Statement::CreateConnector { kind, name, properties, if_not_exists })
    }

    /// A connector's own settings: their names keep their case.
    fn connector_properties(&mut self) -> Result<Properties> {
        self.expect_symbol("(")?;
        let entries = self.list(|parser| {
            let key = match parser.peek().kind {
                TokenKind::String => parser.string()?,
                _ => parser.raw_name()?,
            };
            parser.expect_symbol("=")?;
            Ok((key, parser.property_value()?))
        })?;
        self.expect_symbol(")")?;
        Ok(Properties(entries))
    }
}
