//! DROP and ALTER of sources.

use std::sync::Arc;

use crate::ast::{AlterColumn, Position};
use crate::catalog::RunningQuery;
use crate::catalog::decide::{Effect, Session};
use crate::error::{Result, SqlError};
use crate::expr::sql_type_of;
use crate::name::Name;
use crate::plan::{DataSource, SourceKind};
use crate::schema::{Column, RESERVED, Role, Schema};

impl Session<'_> {
    pub(crate) fn drop_source(&self, table: bool, name: &Name, if_exists: bool, delete_topic: bool, _: Position) -> Result<Effect> {
        let wanted = SourceKind::of(table);
        let Some(source) = self.catalog.source(name) else {
            let what = if table { "Table" } else { "Stream" };
            if if_exists {
                return Ok(Effect::Nothing { message: format!("Source {} does not exist.", name.quoted()) });
            }
            return Err(SqlError::definition(format!("{what} {name} does not exist.")));
        };
        if source.kind != wanted {
            let (wrong, right) = (wanted, source.kind);
            return Err(SqlError::definition(format!("Incompatible data source type is {right}, but statement was DROP {wrong}")));
        }
        if delete_topic && source.read_only {
            return Err(SqlError::definition(format!("Cannot delete topic for read-only source: {name}")));
        }
        self.check_unused(&source.name)?;
        let topic = delete_topic.then(|| source.topic.clone());
        Ok(Effect::DropSource { name: name.clone(), delete_topic: topic, terminates: source.created_by.iter().cloned().collect() })
    }

    /// A source stays that INSERT INTO queries read or write, or that other sources were made from, even by queries that have ended.
    fn check_unused(&self, name: &Name) -> Result<()> {
        let ids = |queries: &mut dyn Iterator<Item = &RunningQuery>| {
            let inserts = queries.filter(|query| query.plan.sink.source.created_by.as_ref() != Some(&query.plan.id));
            inserts.map(|query| query.plan.id.to_string()).collect::<Vec<_>>()
        };
        let (read, written) = (ids(&mut self.catalog.readers(name)), ids(&mut self.catalog.writers(name)));
        if !read.is_empty() || !written.is_empty() {
            return Err(SqlError::statement(format!(
                "Cannot drop {name}.\nThe following queries read from this source: [{}].\nThe following queries write into this source: [{}].\nYou need to terminate them before dropping {name}.",
                read.join(", "),
                written.join(", ")
            )));
        }
        // Before that was so, only a query that ran kept what it read.
        let counts = |made: &&Name| !self.topics.as_then() || self.catalog.writers(made).any(|query| query.reads(name));
        let made: Vec<String> = self.catalog.made_of(name).filter(counts).map(ToString::to_string).collect();
        if made.is_empty() {
            return Ok(());
        }
        Err(SqlError::statement(format!(
            "Cannot drop {name}.\nThe following streams and/or tables read from this source: [{}].\nYou need to drop them before dropping {name}.",
            made.join(", ")
        )))
    }

    pub(crate) fn alter_source(&self, table: bool, name: &Name, added: &[AlterColumn]) -> Result<Effect> {
        let Some(source) = self.catalog.source(name) else {
            return Err(SqlError::definition(format!("Source {name} does not exist.")));
        };
        let word = source.kind.word();
        if source.kind != SourceKind::of(table) {
            let (found, wanted) = (source.kind, SourceKind::of(table));
            return Err(SqlError::definition(format!("Incompatible data source type is {found}, but statement was ALTER {wanted}")));
        }
        if source.read_only {
            return Err(SqlError::definition(format!("Cannot alter {word} '{name}': ALTER operations are not supported on source {word}s.")));
        }
        if source.created_by.is_some() {
            return Err(SqlError::definition("ALTER command is not supported for CREATE ... AS statements."));
        }
        let mut columns = source.schema.columns().to_vec();
        crate::planner::check_columns(columns.len() + added.len(), self.settings)?;
        for column in added {
            if RESERVED.contains(&column.name.as_str()) {
                let name = &column.name;
                return Err(SqlError::statement(format!("'{name}' is a reserved column name. You cannot use it as a name for a column.")));
            }
            if columns.iter().any(|known| known.name == column.name) {
                return Err(SqlError::definition(format!(
                    "Cannot add column {} to schema. A column with the same name already exists.",
                    column.name.quoted()
                )));
            }
            let data_type = self.catalog.resolve_type(&column.data_type, self.settings)?;
            let sql_type = sql_type_of(&data_type).map_err(|error| SqlError::statement(error.to_string()))?;
            columns.push(Column { name: column.name.clone(), sql_type, role: Role::Value });
        }
        let schema = Schema::new(columns).map_err(|error| SqlError::statement(error.to_string()))?;
        let altered = DataSource { schema, ..(**source).clone() };
        let values: Vec<&Column> = altered.schema.values().collect();
        crate::catalog::check_schema(&altered.value_format, &values, crate::catalog::Side::Value)?;
        Ok(Effect::AlterSource { source: Arc::new(altered) })
    }
}
