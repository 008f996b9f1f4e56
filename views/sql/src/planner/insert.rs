//! INSERT INTO: of a query's results, and of constants.

use std::sync::Arc;

use crate::ast::{ColumnRef, Expression, Position, Properties, PropertyValue, Query};
use crate::catalog::With;
use crate::error::{Result, SqlError};
use crate::name::Name;
use crate::plan::{DataSource, InsertValues, PersistentPlan, Project, QueryId, QueryKind, Sink, Step, WindowInfo, WindowType};
use crate::planner::typing::data_type_of;
use crate::planner::{Planner, Target};
use crate::schema::{Column, ROWOFFSET, ROWPARTITION, ROWTIME, Role, Schema};
use crate::types::{BaseType, SqlType};

impl Planner<'_> {
    pub fn plan_insert(&self, target: &Name, properties: &Properties, query: &Query, position: Position) -> Result<PersistentPlan> {
        let Some(sink) = self.catalog.source(target).cloned() else {
            return Err(SqlError::definition(format!("Source {} does not exist.", target.quoted())).located(position));
        };
        let word = sink.kind.word();
        if sink.is_table() {
            return Err(SqlError::definition(format!("INSERT INTO can only be used to insert into a stream. {target} is a table.")));
        }
        if sink.read_only {
            return Err(SqlError::definition(format!("Cannot insert into read-only {word}: {target}")));
        }
        if sink.schema.headers().next().is_some() {
            return Err(SqlError::definition(format!("Cannot insert into {target} because it has header columns")));
        }
        if query.limit.is_some() {
            return Err(SqlError::definition("INSERT INTO statements don't support LIMIT clause."));
        }
        With::insert(properties)?;
        let planned = self.plan_query(query, Target::Sink(target))?;
        if planned.kind != sink.kind {
            return Err(SqlError::statement(format!(
                "Incompatible data sink and query result. Data sink ({target}) type is K{} but select query result is K{}.",
                sink.kind, planned.kind
            )));
        }
        check_windows(planned.window, &sink)?;
        let root = fit(planned.root, &sink.schema)?;
        let mut shown = planned.query;
        shown.emit.get_or_insert(crate::ast::Emit::Changes);
        let statement = format!("INSERT INTO {}{properties} {shown}", crate::format::name(target));
        let id = match properties.get("QUERY_ID") {
            Some(PropertyValue::String(id)) => self.named_query(id)?,
            _ => self.catalog.next_query_id(QueryKind::Insert, false, target),
        };
        // WITH (TIMESTAMP=..) of the sink is for its readers: a record keeps the time of the row that made it.
        let source = Arc::new(DataSource { timestamp: None, ..(*sink).clone() });
        let sink = Sink { source, partitions: None, replicas: None, retention_ms: None, cleanup_policy: None };
        Ok(PersistentPlan { id, kind: QueryKind::Insert, statement, root, sink })
    }

    fn named_query(&self, id: &str) -> Result<QueryId> {
        let id = id.to_uppercase();
        let plain = !id.is_empty() && id.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_');
        if !plain {
            return Err(SqlError::statement(format!("Query IDs may contain only alphanumeric characters and '_'. Got: '{id}'")));
        }
        if self.catalog.find_query(&id).is_some() {
            return Err(SqlError::statement(format!("Query ID '{id}' already exists.")));
        }
        Ok(QueryId::new(id))
    }

    pub fn plan_insert_values(&self, target: &Name, columns: &[Name], values: &[Expression], position: Position) -> Result<InsertValues> {
        let Some(source) = self.catalog.source(target).cloned() else {
            return Err(SqlError::statement(format!("Cannot insert values into an unknown stream/table: {}", target.quoted())).located(position));
        };
        if source.read_only {
            return Err(SqlError::definition(format!("Cannot insert values into read-only {}: {target}", source.kind.word())));
        }
        if source.window.is_some() {
            return Err(SqlError::statement("Cannot insert into windowed stream/table!"));
        }
        if source.schema.headers().next().is_some() && columns.is_empty() {
            return Err(SqlError::statement(format!("Cannot insert into {target} because it has header columns")));
        }
        let declared = source.schema.columns();
        // Without a list of columns the values are for the keys first, wherever the declaration has them.
        let all = || source.schema.keys().chain(declared.iter().filter(|column| column.role != Role::Key));
        let given: Vec<Name> = if columns.is_empty() { all().map(|column| column.name.clone()).collect() } else { columns.to_vec() };
        if given.len() != values.len() {
            return Err(SqlError::statement(format!(
                "Failed to insert values into '{target}'. Expected a value for each column. Expected Columns: [{}]. Got [{}]",
                given.iter().map(Name::quoted).collect::<Vec<_>>().join(", "),
                values.iter().map(crate::format::bare).collect::<Vec<_>>().join(", ")
            )));
        }
        let twice = |name: &Name| {
            SqlError::statement(format!("Failed to insert values into '{target}'. Column {} is given more than once.", name.quoted()))
        };
        let mut row = InsertValues { target: source.clone(), columns: vec![None; declared.len()], timestamp: None, given: Vec::new() };
        for (name, value) in given.iter().zip(values) {
            let value = self.constant(value)?;
            if name == ROWTIME {
                if row.timestamp.replace(value).is_some() {
                    return Err(twice(name));
                }
                continue;
            }
            if name == ROWPARTITION || name == ROWOFFSET {
                return Err(SqlError::statement(format!("Inserting into column {} is not allowed.", name.quoted())));
            }
            let index = insert_index(&source.schema, name).ok_or_else(|| {
                SqlError::statement(format!("Failed to insert values into '{target}'. Column name {} does not exist.", name.quoted()))
            })?;
            if matches!(declared[index].role, Role::Headers { .. }) {
                return Err(SqlError::statement(format!("Cannot insert into HEADER columns: {name}")));
            }
            if row.columns[index].replace(value).is_some() {
                return Err(twice(name));
            }
            row.given.push(declared[index].name.clone());
        }
        let keyless = |(column, value): (&Column, &Option<Expression>)| column.role == Role::Key && matches!(value, None | Some(Expression::Null));
        if source.is_table() && declared.iter().zip(&row.columns).any(keyless) {
            let key: Vec<String> = source.schema.keys().map(|column| column.name.to_string()).collect();
            return Err(SqlError::statement(format!(
                "Failed to insert values into '{target}'. Value for primary key column(s) {} is required for tables",
                key.join(", ")
            )));
        }
        Ok(row)
    }

    /// Constants and functions of constants; nothing of a row.
    fn constant(&self, value: &Expression) -> Result<Expression> {
        let column = value.columns().first().map(|column| column.name.clone());
        if let Some(name) = column {
            return Err(SqlError::statement(format!("Only constants may be inserted, but a column is named: {name}")));
        }
        self.check_functions(value)?;
        self.resolve_types(value.clone())
    }
}

/// A column by its name; ROWKEY means a lone key, as older releases called it.
fn insert_index(schema: &Schema, name: &Name) -> Option<usize> {
    if let Some(index) = schema.index_of(name.as_str()) {
        return Some(index);
    }
    let mut keys = schema.columns().iter().enumerate().filter(|(_, column)| column.role == Role::Key);
    match (keys.next(), keys.next()) {
        (Some((index, _)), None) if *name == "ROWKEY" => Some(index),
        _ => None,
    }
}

/// A key with a window's bounds behind it cannot be read as one without, nor one of a session as one of fixed length.
fn check_windows(result: Option<WindowInfo>, sink: &DataSource) -> Result<()> {
    let session = |window: WindowInfo| window.window_type == WindowType::Session;
    if result.map(session) == sink.window.map(session) {
        return Ok(());
    }
    let words = |window: Option<WindowInfo>| window.map_or("not windowed".to_string(), |window| format!("{} windowed", window.window_type));
    Err(SqlError::statement(format!(
        "Incompatible windows between results and sink.\nResult is {}\nSink {} is {}",
        words(result),
        sink.name.quoted(),
        words(sink.window)
    )))
}

/// Makes a result fit a sink: the same columns by name and role, types that widen.
fn fit(root: Step, sink: &Schema) -> Result<Step> {
    let found = root.schema().clone();
    let expected: Vec<&Column> = sink.keys().chain(sink.values()).collect();
    let same = found.len() == expected.len()
        && found.columns().iter().zip(&expected).all(|(found, expected)| {
            found.name == expected.name && found.role == expected.role && widens(&found.sql_type, &expected.sql_type)
        });
    if !same {
        let sink = Schema::new(expected.into_iter().cloned().collect()).map_err(|error| SqlError::statement(error.to_string()))?;
        return Err(SqlError::statement(format!(
            "Incompatible schema between results and sink.\nResult schema is {found}\nSink schema is {sink}"
        )));
    }
    let columns: Vec<Expression> = found
        .columns()
        .iter()
        .zip(&expected)
        .map(|(found, expected)| {
            let column = Expression::Column(ColumnRef { source: None, name: found.name.clone(), position: Position::NOWHERE });
            if found.sql_type == expected.sql_type {
                column
            } else {
                Expression::Cast { value: Box::new(column), data_type: data_type_of(&expected.sql_type) }
            }
        })
        .collect();
    if columns.iter().all(|column| matches!(column, Expression::Column(_))) {
        return Ok(root);
    }
    let schema = Schema::new(expected.into_iter().cloned().collect()).map_err(|error| SqlError::statement(error.to_string()))?;
    Ok(Step::Project(Project { input: Box::new(root), columns, schema }))
}

/// Numbers widen without being asked.
fn widens(from: &SqlType, to: &SqlType) -> bool {
    if from == to {
        return true;
    }
    matches!(
        (from.base(), to.base()),
        (BaseType::Integer, BaseType::BigInt)
            | (BaseType::Integer | BaseType::BigInt | BaseType::Decimal, BaseType::Double)
            | (BaseType::Integer | BaseType::BigInt | BaseType::Decimal, BaseType::Decimal)
    )
}
