//! Which statement it is; those that change or query sources.

use crate::ast::{AlterColumn, QueryRef, Statement};
use crate::error::Result;
use crate::parser::cursor::Parser;

impl Parser<'_> {
    /// One statement with its semicolon, and nothing behind it.
    pub(super) fn whole_statement(&mut self) -> Result<Statement> {
        let statement = self.statement()?;
        self.expect_end()?;
        Ok(statement)
    }

    pub(super) fn statement(&mut self) -> Result<Statement> {
        let word = self.peek().text.to_uppercase();
        match word.as_str() {
            "SELECT" => Ok(Statement::Query(self.query()?)),
            "CREATE" => self.create(),
            "INSERT" => self.insert(),
            "DROP" => self.drop_statement(),
            "ALTER" => self.alter(),
            "TERMINATE" => Ok(Statement::Terminate(self.query_ref()?)),
            "PAUSE" => Ok(Statement::Pause(self.query_ref()?)),
            "RESUME" => Ok(Statement::Resume(self.query_ref()?)),
            "LIST" | "SHOW" => self.show(),
            "DESCRIBE" => self.describe(),
            "EXPLAIN" => self.explain(),
            "PRINT" => self.print(),
            "SET" => self.set(),
            "UNSET" => self.unset(),
            "DEFINE" => self.define(),
            "UNDEFINE" => self.undefine(),
            "ASSERT" => self.assert_statement(),
            "RUN" => self.run_script(),
            _ => Err(self.unexpected(None)),
        }
    }

    fn insert(&mut self) -> Result<Statement> {
        self.expect_words(&["INSERT", "INTO"])?;
        let position = self.position();
        let target = self.name()?;
        if self.take_word("WITH") {
            let properties = self.properties()?;
            let query = self.query()?;
            return Ok(Statement::InsertInto { target, properties, query, position });
        }
        if self.at_word("SELECT") {
            let query = self.query()?;
            return Ok(Statement::InsertInto { target, properties: Default::default(), query, position });
        }
        let columns = if self.at_symbol("(") { self.bracketed(Self::name)? } else { Vec::new() };
        self.expect_word("VALUES")?;
        let values = self.bracketed(Self::expression)?;
        Ok(Statement::InsertValues { target, columns, values, position })
    }

    fn drop_statement(&mut self) -> Result<Statement> {
        self.expect_word("DROP")?;
        if self.take_word("CONNECTOR") {
            let if_exists = self.take_words(&["IF", "EXISTS"]);
            return Ok(Statement::DropConnector { name: self.name()?, if_exists });
        }
        if self.take_word("TYPE") {
            let if_exists = self.take_words(&["IF", "EXISTS"]);
            return Ok(Statement::DropType { name: self.name()?, if_exists });
        }
        let table = self.stream_or_table()?;
        let if_exists = self.take_words(&["IF", "EXISTS"]);
        let position = self.position();
        let name = self.name()?;
        let delete_topic = self.take_words(&["DELETE", "TOPIC"]);
        Ok(Statement::DropSource { table, name, if_exists, delete_topic, position })
    }

    fn alter(&mut self) -> Result<Statement> {
        self.expect_word("ALTER")?;
        if self.take_word("SYSTEM") {
            let property = self.string()?;
            self.expect_symbol("=")?;
            return Ok(Statement::AlterSystem { property, value: self.string()? });
        }
        let table = self.stream_or_table()?;
        let name = self.name()?;
        let columns = self.list(|parser| {
            parser.expect_word("ADD")?;
            // COLUMN may also be the new column's own name.
            if parser.at_word("COLUMN") && !parser.peek_at(2).is_symbol(",") && !parser.peek_at(2).is_symbol(";") {
                parser.advance();
            }
            let name = parser.name()?;
            Ok(AlterColumn { name, data_type: parser.data_type()? })
        })?;
        Ok(Statement::AlterSource { table, name, columns })
    }

    /// `TERMINATE id`, `TERMINATE ALL`, and the older `TERMINATE QUERY id`.
    fn query_ref(&mut self) -> Result<QueryRef> {
        self.advance();
        if self.at_word("QUERY") && !self.peek_at(1).is_symbol(";") {
            self.advance();
        }
        if self.take_word("ALL") {
            return Ok(QueryRef::All);
        }
        Ok(QueryRef::Id(self.raw_name()?))
    }

    fn run_script(&mut self) -> Result<Statement> {
        self.expect_words(&["RUN", "SCRIPT"])?;
        Ok(Statement::RunScript { path: self.string()? })
    }
}
