//! Joins: a left-deep chain of steps, each keyed by what its condition equates.

use crate::ast::{ColumnRef, Expression, Join as JoinClause, JoinKind, Position, Query};
use crate::error::{Result, SqlError};
use crate::name::Name;
use crate::plan::{Join, JoinColumn, JoinForm, PartitionBy, SourceKind, Step, WindowInfo, WindowType};
use crate::planner::Planner;
use crate::planner::column_refs::as_column;
use crate::planner::join_tree::{Condition, kind_words};
use crate::planner::partition_by::fixed_key;
use crate::planner::project::{KeyColumn, KeyOrigin, Keyed};
use crate::planner::scope::{Scope, qualified};
use crate::planner::windows::millis;
use crate::schema::{Column, Role, Schema};
use crate::types::SqlType;

impl Planner<'_> {
    /// The query's FROM clause as a step with its key.
    pub(crate) fn plan_from(&self, query: &Query, scope: &mut Scope) -> Result<Keyed> {
        let mut left = self.source_keyed(scope, 0)?;
        // All conditions and columns are read before any step is made: their faults are told first.
        let conditions = query.joins.iter().enumerate().map(|(index, clause)| self.join_condition(clause, scope, index + 1));
        let conditions = conditions.collect::<Result<Vec<_>>>()?;
        scope.synthetic_key = scope.is_join().then(|| synthetic_name(scope));
        scope.check_columns(query)?;
        for (index, (clause, condition)) in query.joins.iter().zip(conditions).enumerate() {
            left = self.join(left, clause, condition, scope, index + 1)?;
        }
        let synthetic = match &left.origin {
            KeyOrigin::Join { synthetic: true } => left.keys.first().map(|key| key.name.clone()),
            _ => None,
        };
        scope.synthetic_key = synthetic;
        Ok(left)
    }

    fn source_keyed(&self, scope: &Scope, index: usize) -> Result<Keyed> {
        let source = &scope.sources[index];
        let keys = source.keys().map(|column| KeyColumn {
            name: column.name.clone(),
            row: column.row.clone(),
            sql_type: column.sql_type.clone(),
            viable: vec![qualified(source, column)],
            equal: vec![qualified(source, column)],
        });
        Ok(Keyed {
            keys: keys.collect(),
            step: Step::Source(source.step()?),
            origin: KeyOrigin::Source,
            window: source.source.window,
        })
    }

    fn join(&self, left: Keyed, clause: &JoinClause, condition: Condition, scope: &Scope, index: usize) -> Result<Keyed> {
        let right = self.source_keyed(scope, index)?;
        let kinds = (left.step.kind(), right.step.kind());
        if kinds == (SourceKind::Table, SourceKind::Stream) {
            return Err(SqlError::definition(format!(
                "Invalid join order: table-stream joins are not supported; only stream-table joins. Got {} {} {}.",
                condition.left_source,
                kind_words(clause.kind),
                scope.sources[index].alias
            )));
        }
        let left_is_key = left.is_key(&condition.left);
        let right_is_key = right.is_key(&condition.right);
        check_within(clause, kinds)?;
        match kinds {
            (SourceKind::Stream, SourceKind::Table) if !right_is_key => {
                return Err(SqlError::statement(format!(
                    "Invalid join condition: stream-table joins require to join on the table's primary key. Got {}.",
                    condition.text
                )));
            }
            (SourceKind::Stream, SourceKind::Table) if !matches!(clause.kind, JoinKind::Inner | JoinKind::Left) => {
                return Err(unsupported_kind(clause.kind, "stream-table", &condition.left_source, &scope.sources[index].alias));
            }
            (SourceKind::Table, SourceKind::Table) if !right_is_key => {
                return Err(SqlError::statement(format!(
                    "Invalid join condition: table-table joins require to join on the primary key of the right input table. Got {}.",
                    condition.text
                )));
            }
            _ => {}
        }
        self.check_key_types(&left, &right, &condition, scope)?;
        check_windows(&left, &right, scope, index)?;
        if kinds == (SourceKind::Table, SourceKind::Table) && !left_is_key {
            check_foreign_key(clause, &condition, &left, &right, scope, index)?;
            return self.foreign_key_join(left, right, clause.kind, &condition, scope);
        }
        self.check_partitions(&left, &right, scope, index)?;
        if (!left_is_key && left.window.is_some()) || (!right_is_key && right.window.is_some()) {
            return Err(SqlError::statement(
                "Implicit repartitioning of windowed sources is not supported. See https://github.com/confluentinc/ksql/issues/4385.",
            ));
        }
        let viable = viable_keys(clause.kind, &left, &condition);
        let key_type = self.side_type(&left, &condition.left, scope)?;
        check_key_type(&viable, &key_type, scope)?;
        let form = match kinds {
            (SourceKind::Stream, SourceKind::Stream) => stream_stream(clause)?,
            (SourceKind::Stream, SourceKind::Table) => JoinForm::StreamTable,
            _ => JoinForm::TableTable,
        };
        let mut equal = Vec::new();
        if clause.kind != JoinKind::Full {
            if left_is_key {
                equal.extend(left.keys.iter().flat_map(|key| key.equal.iter().cloned()));
            }
            equal.extend(condition.sides.iter().cloned());
        }
        let window = left.window;
        let left_step = rekey(left, left_is_key, &scope.row(&condition.left)?, &key_type, index)?;
        let right_step = rekey(right, right_is_key, &scope.row(&condition.right)?, &key_type, index)?;
        assemble(left_step, right_step, clause.kind, form, MadeKey { viable, equal, key_type }, scope, window)
    }

    fn side_type(&self, side: &Keyed, expression: &Expression, scope: &Scope) -> Result<SqlType> {
        self.column_type(&scope.row(expression)?, side.step.schema())
    }

    fn check_key_types(&self, left: &Keyed, right: &Keyed, condition: &Condition, scope: &Scope) -> Result<()> {
        let left_type = self.side_type(left, &condition.left, scope)?;
        let right_type = self.side_type(right, &condition.right, scope)?;
        if left_type == right_type {
            return Ok(());
        }
        let [first, second] = &condition.sides;
        let (first_type, second_type) =
            if *first == condition.left { (left_type, right_type) } else { (right_type, left_type) };
        Err(SqlError::statement(format!(
            "Invalid join condition: types don't match. Got {}{{{first_type}}} = {}{{{second_type}}}.",
            crate::format::bare(first),
            crate::format::bare(second)
        )))
    }

    fn check_partitions(&self, left: &Keyed, right: &Keyed, scope: &Scope, index: usize) -> Result<()> {
        let first = |keyed: &Keyed| keyed.step.sources().first().map(|step| step.source.clone());
        let (Some(left), Some(right)) = (first(left), first(right)) else { return Ok(()) };
        let counts = (self.topics.partitions(&left.topic), self.topics.partitions(&right.topic));
        match counts {
            (Some(left_count), Some(right_count)) if left_count != right_count => {
                let (left, right) = (scope.sources[0].source.name.quoted(), scope.sources[index].source.name.quoted());
                Err(SqlError::statement(format!(
                    "Can't join {left} with {right} since the number of partitions don't match. {left} partitions = {left_count}; {right} partitions = {right_count}. Please repartition either one so that the number of partitions match."
                )))
            }
            _ => Ok(()),
        }
    }

    /// The result keeps the left side's key.
    fn foreign_key_join(&self, left: Keyed, right: Keyed, kind: JoinKind, condition: &Condition, scope: &Scope) -> Result<Keyed> {
        let (mut columns, mut schema) = (Vec::new(), Vec::new());
        for (index, column) in left.step.schema().columns().iter().enumerate() {
            columns.push(JoinColumn::Left(index));
            schema.push(Column { role: if column.role == Role::Key { Role::Key } else { Role::Value }, ..column.clone() });
        }
        for (index, column) in right.step.schema().columns().iter().enumerate() {
            columns.push(JoinColumn::Right(index));
            schema.push(Column { role: Role::Value, ..column.clone() });
        }
        let schema = Schema::new(schema).map_err(|error| SqlError::statement(error.to_string()))?;
        let reference = scope.row(&condition.left)?;
        let form = JoinForm::ForeignKey { reference };
        let origin = KeyOrigin::ForeignKey { left: scope.sources[0].source.name.clone() };
        let step = Step::Join(Box::new(Join { kind, form, left: left.step, right: right.step, columns, schema }));
        Ok(Keyed { step, keys: left.keys, origin, window: None })
    }
}

/// The columns that hold the join's key, in the order in which they may name it.
fn viable_keys(kind: JoinKind, left: &Keyed, condition: &Condition) -> Vec<Expression> {
    if kind == JoinKind::Full {
        return Vec::new();
    }
    let mut viable = Vec::new();
    if left.is_key(&condition.left) {
        let of_sources = |key: &&Expression| as_column(key).is_some_and(|column| column.source.is_some());
        viable.extend(left.keys.iter().flat_map(|key| &key.viable).filter(of_sources).cloned());
    } else if as_column(&condition.left).is_some() {
        viable.push(condition.left.clone());
    }
    if as_column(&condition.right).is_some() {
        viable.push(condition.right.clone());
    }
    viable
}

fn check_key_type(viable: &[Expression], key_type: &SqlType, scope: &Scope) -> Result<()> {
    if !key_type.contains_map() {
        return Ok(());
    }
    let name = viable.iter().find_map(|key| scope.column(as_column(key)?)).map_or(Name::new("ROWKEY"), |column| column.row.clone());
    Err(crate::planner::project::map_key(&name, key_type))
}

/// Gives a side the join's key, unless it has it.
fn rekey(side: Keyed, is_key: bool, key: &Expression, key_type: &SqlType, index: usize) -> Result<Step> {
    if is_key {
        return Ok(side.step);
    }
    let old = side.step.schema();
    let mut columns = Vec::with_capacity(old.len() + 1);
    let mut schema = Vec::with_capacity(old.len() + 1);
    if as_column(key).is_none() {
        columns.push(key.clone());
        schema.push(Column::new(format!("KSQL_JOIN_KEY_{index}"), key_type.clone(), Role::Key));
    }
    for column in old.columns() {
        let is_key = as_column(key).is_some_and(|key| key.name == column.name);
        columns.push(Expression::column(column.name.clone()));
        schema.push(Column { role: if is_key { Role::Key } else { Role::Value }, ..column.clone() });
    }
    let schema = Schema::new(schema).map_err(|error| SqlError::statement(error.to_string()))?;
    Ok(Step::PartitionBy(PartitionBy { input: Box::new(side.step), columns, schema, internal: true }))
}

/// The key of a join: which columns may name it, and what else equals it.
struct MadeKey {
    viable: Vec<Expression>,
    equal: Vec<Expression>,
    key_type: SqlType,
}

fn assemble(
    left: Step,
    right: Step,
    kind: JoinKind,
    form: JoinForm,
    made: MadeKey,
    scope: &Scope,
    window: Option<WindowInfo>,
) -> Result<Keyed> {
    let MadeKey { viable, equal, key_type } = made;
    let row = synthetic_name(scope);
    let mut columns = vec![JoinColumn::Key(0)];
    let mut schema = vec![Column::new(row.clone(), key_type.clone(), Role::Key)];
    // A side's made-up key is no source's column: nothing can name it behind the join.
    let is_sources = |name: &Name| scope.sources.iter().any(|source| source.columns.iter().any(|column| column.row == *name));
    for (index, column) in left.schema().columns().iter().enumerate().filter(|(_, column)| is_sources(&column.name)) {
        columns.push(JoinColumn::Left(index));
        schema.push(Column { role: Role::Value, ..column.clone() });
    }
    for (index, column) in right.schema().columns().iter().enumerate().filter(|(_, column)| is_sources(&column.name)) {
        columns.push(JoinColumn::Right(index));
        schema.push(Column { role: Role::Value, ..column.clone() });
    }
    let schema = Schema::new(schema).map_err(|error| SqlError::statement(error.to_string()))?;
    let synthetic = viable.is_empty();
    let key = if synthetic {
        let itself = Expression::Column(ColumnRef { source: None, name: row.clone(), position: Position::NOWHERE });
        KeyColumn { name: row.clone(), row, sql_type: key_type, viable: vec![itself], equal }
    } else {
        let name = viable.iter().find_map(|key| scope.column(as_column(key)?)).map_or(row.clone(), |column| column.row.clone());
        KeyColumn { name, row, sql_type: key_type, viable, equal }
    };
    let step = Step::Join(Box::new(Join { kind, form, left, right, columns, schema }));
    Ok(Keyed { step, keys: vec![key], origin: KeyOrigin::Join { synthetic }, window })
}

/// ROWKEY, or with a number where a source has such a column.
fn synthetic_name(scope: &Scope) -> Name {
    let taken = |name: &str| {
        scope.names().any(|column| *column == name)
            || scope.sources.iter().any(|source| source.columns.iter().any(|column| column.row == name))
    };
    let numbered = (1u32..).map(|number| format!("ROWKEY_{number}"));
    let free = std::iter::once("ROWKEY".to_string()).chain(numbered).find(|name| !taken(name));
    Name::from(free.unwrap_or_default())
}

fn check_within(clause: &JoinClause, kinds: (SourceKind, SourceKind)) -> Result<()> {
    let message = match (kinds, &clause.within) {
        ((SourceKind::Stream, SourceKind::Stream), None) => {
            "Stream-Stream joins must have a WITHIN clause specified. None was provided. To learn about how to specify a WITHIN clause with a stream-stream join, please visit: https://docs.confluent.io/current/ksql/docs/syntax-reference.html#create-stream-as-select"
        }
        ((SourceKind::Stream, SourceKind::Table), Some(_)) => {
            "A window definition was provided for a Stream-Table join. These joins are not windowed. Please drop the window definition (ie. the WITHIN clause) and try to execute your Stream-Table join again."
        }
        ((SourceKind::Table, SourceKind::Table), Some(_)) => {
            "A window definition was provided for a Table-Table join. These joins are not windowed. Please drop the window definition (i.e. the WITHIN clause) and try to execute your Table-Table join again."
        }
        _ => return Ok(()),
    };
    Err(SqlError::statement(message))
}

fn stream_stream(clause: &JoinClause) -> Result<JoinForm> {
    let Some(within) = &clause.within else { return Err(SqlError::statement("Stream-Stream joins must have a WITHIN clause specified.")) };
    Ok(JoinForm::StreamStream {
        before_ms: millis(&within.before, "The join window")?,
        after_ms: millis(&within.after, "The join window")?,
        grace_ms: within.grace.as_ref().map(|grace| millis(grace, "The grace period")).transpose()?,
    })
}

/// Windowed keys only equal windowed keys of the same sort.
fn check_windows(left: &Keyed, right: &Keyed, scope: &Scope, index: usize) -> Result<()> {
    let (left_name, right_name) = (scope.sources[0].source.name.quoted(), scope.sources[index].source.name.quoted());
    let words = |window: &Option<WindowInfo>| match window {
        Some(window) => format!("{} windowed", window.window_type),
        None => "not windowed".to_string(),
    };
    match (&left.window, &right.window) {
        (None, None) => Ok(()),
        (Some(left), Some(right)) => {
            let session = |window: &WindowInfo| window.window_type == WindowType::Session;
            if session(left) == session(right) {
                return Ok(());
            }
            Err(SqlError::statement(format!(
                "Incompatible windowed sources.\nLeft source: {}\nRight source: {}\nSession windowed sources can only be joined to other session windowed sources, and may still not result in expected behaviour as session bounds must be an exact match for the join to work\nHopping and tumbling windowed sources can only be joined to other hopping and tumbling windowed sources",
                left.window_type, right.window_type
            )))
        }
        (left, right) => Err(SqlError::statement(format!(
            "Can not join windowed source to non-windowed source.\n{left_name} is {}\n{right_name} is {}",
            words(left),
            words(right)
        ))),
    }
}

fn check_foreign_key(
    clause: &JoinClause,
    condition: &Condition,
    left: &Keyed,
    right: &Keyed,
    scope: &Scope,
    index: usize,
) -> Result<()> {
    if index > 1 {
        // The key of a source is no foreign key, even where the joins before have given the rows another one.
        if is_lone_key(&condition.left, scope) {
            return Err(fixed_key(left, std::slice::from_ref(&condition.left), scope));
        }
        return Err(SqlError::statement(format!(
            "Invalid join condition: foreign-key table-table joins are not supported as part of n-way joins. Got {}.",
            condition.text
        )));
    }
    if left.window.is_some() || right.window.is_some() {
        return Err(SqlError::statement("Foreign-key table-table joins are not supported on windowed tables."));
    }
    match clause.kind {
        JoinKind::Inner | JoinKind::Left => Ok(()),
        JoinKind::Right => Err(SqlError::statement("RIGHT OUTER JOIN on a foreign key is not supported")),
        JoinKind::Full => {
            Err(unsupported_kind(clause.kind, "foreign-key table-table", &condition.left_source, &scope.sources[index].alias))
        }
    }
}

fn is_lone_key(expression: &Expression, scope: &Scope) -> bool {
    let Some(column) = as_column(expression) else { return false };
    let source = column.source.as_ref().and_then(|source| scope.source(source));
    source.is_some_and(|source| source.keys().count() == 1 && source.keys().all(|key| key.name == column.name))
}

fn unsupported_kind(kind: JoinKind, of: &str, left: &Name, right: &Name) -> SqlError {
    let side = if kind == JoinKind::Full { "full" } else { "right" };
    let words = kind_words(kind);
    SqlError::statement(format!("Invalid join type: {side}-outer join not supported for {of} join. Got {left} {words} {right}."))
}
