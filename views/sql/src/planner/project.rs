//! The last projection: which columns of the result are its key, and whether the key is there.

use crate::ast::Expression;
use crate::catalog::Settings;
use crate::error::{Result, SqlError};
use crate::format::bare;
use crate::name::Name;
use crate::plan::{Project, SourceKind, Step, WindowInfo};
use crate::planner::Planner;
use crate::planner::scope::{Scope, all_of, one_of};
use crate::planner::select::Item;
use crate::schema::{Column, RESERVED, Role, Schema};
use crate::types::SqlType;

/// A step and what its rows are keyed by.
#[derive(Clone, Debug)]
pub(crate) struct Keyed {
    pub step: Step,
    pub keys: Vec<KeyColumn>,
    pub origin: KeyOrigin,
    pub window: Option<WindowInfo>,
}

#[derive(Clone, Debug)]
pub(crate) struct KeyColumn {
    /// What messages call it.
    pub name: Name,
    /// Its column in the step's rows.
    pub row: Name,
    pub sql_type: SqlType,
    /// The (qualified) expressions that are this key; a projection must hold one of them.
    pub viable: Vec<Expression>,
    /// All (qualified) expressions known to equal this key.
    pub equal: Vec<Expression>,
}

/// Where a key comes from: messages differ.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum KeyOrigin {
    Source,
    Join { synthetic: bool },
    ForeignKey { left: Name },
    Partition,
    Group,
}

impl Keyed {
    /// Whether the rows are keyed by this expression alone.
    pub(crate) fn is_key(&self, expression: &Expression) -> bool {
        self.keys.len() == 1 && self.keys[0].equal.contains(expression)
    }
}

/// How the select list gives the keys: for each key the item that is it.
struct Assigned {
    items: Vec<usize>,
}

impl Planner<'_> {
    /// Projects `items` over a keyed step. `sink` is the name of what is written, which must keep the key; without one `marked` says
    /// whether the client is told which columns are the key.
    pub(crate) fn project(&self, keyed: Keyed, items: &[Item], scope: &Scope, sink: Option<&Name>, marked: bool) -> Result<(Step, Schema)> {
        match sink {
            Some(sink) => self.project_keyed(keyed, items, scope, sink),
            None => self.project_plain(keyed, items, scope, marked),
        }
    }

    fn project_keyed(&self, mut keyed: Keyed, items: &[Item], scope: &Scope, sink: &Name) -> Result<(Step, Schema)> {
        self.drop_unwanted_key(&mut keyed, items);
        let with_key;
        let legacy = scope.sources[0].source.legacy.is_some() || self.settings.flag(Settings::LEGACY_GROUP_KEY) == Some(true);
        let items = if legacy {
            with_key = add_keys(&keyed, items);
            &with_key
        } else {
            items
        };
        let input = keyed.step.schema().clone();
        let typed = items.iter().map(|item| {
            let expression = scope.row(&item.expression)?;
            let sql_type = self.select_type(&expression, &input)?;
            Ok((expression, sql_type))
        });
        let typed = typed.collect::<Result<Vec<_>>>()?;
        let assigned = assign(&keyed, items, sink)?;
        let (mut columns, mut schema) = (Vec::new(), Vec::new());
        for (key, index) in keyed.keys.iter().zip(&assigned.items) {
            columns.push(Expression::column(key.row.clone()));
            schema.push(Column::new(items[*index].alias.clone(), key.sql_type.clone(), Role::Key));
        }
        let values = items.iter().zip(typed).enumerate().filter(|(index, _)| !assigned.items.contains(index));
        for (_, (item, (expression, sql_type))) in values {
            columns.push(expression);
            schema.push(Column::new(item.alias.clone(), sql_type, Role::Value));
        }
        check_columns(&schema)?;
        let schema = Schema::new(schema).map_err(|error| SqlError::statement(error.to_string()))?;
        let step = Step::Project(Project { input: Box::new(keyed.step), columns, schema: schema.clone() });
        Ok((step, schema))
    }

    /// With the newer planner switched on, a stream may lose its key by not selecting it.
    fn drop_unwanted_key(&self, keyed: &mut Keyed, items: &[Item]) {
        let droppable = keyed.origin == KeyOrigin::Source && keyed.step.kind() == SourceKind::Stream && keyed.window.is_none();
        let selected = |key: &KeyColumn| items.iter().any(|item| key.viable.contains(&item.expression));
        if droppable && self.settings.flag(Settings::NEW_PLANNER) == Some(true) && !keyed.keys.iter().any(selected) {
            keyed.keys.clear();
        }
    }

    /// For answers to a client: any columns, in the order asked for; those that are the key are marked.
    fn project_plain(&self, keyed: Keyed, items: &[Item], scope: &Scope, marked: bool) -> Result<(Step, Schema)> {
        let input = keyed.step.schema().clone();
        let (mut columns, mut schema) = (Vec::new(), Vec::<Column>::new());
        for item in items {
            let key = keyed.keys.iter().find(|key| key.viable.contains(&item.expression));
            let role = if key.is_some() { Role::Key } else { Role::Value };
            let expression = match key {
                Some(key) => Expression::column(key.row.clone()),
                None => scope.row(&item.expression)?,
            };
            let sql_type = self.select_type(&expression, &input)?;
            columns.push(expression);
            schema.push(Column::new(item.alias.clone(), sql_type, role));
        }
        if marked {
            check_duplicates(&schema)?;
        } else {
            check_duplicates(&schema.iter().map(|column| Column { role: Role::Value, ..column.clone() }).collect::<Vec<_>>())?;
        }
        let schema = Schema::new(schema).map_err(|error| SqlError::statement(error.to_string()))?;
        let step = Step::Project(Project { input: Box::new(keyed.step), columns, schema: schema.clone() });
        Ok((step, schema))
    }

    pub(crate) fn select_type(&self, expression: &Expression, input: &Schema) -> Result<SqlType> {
        self.column_type(expression, input).map_err(|error| error.prefixed("Invalid Select: "))
    }
}

/// Before 0.10 a result had its key whether it was selected or not.
fn add_keys(keyed: &Keyed, items: &[Item]) -> Vec<Item> {
    let mut all = items.to_vec();
    for key in &keyed.keys {
        let selected = items.iter().any(|item| key.viable.contains(&item.expression));
        if let (false, Some(viable)) = (selected, key.viable.first()) {
            let free = |name: &Name| !all.iter().any(|item| item.alias == *name);
            let alias = if free(&key.row) { key.row.clone() } else { Name::from(format!("{}_KEY", key.row)) };
            all.push(Item { expression: viable.clone(), alias });
        }
    }
    all
}

fn assign(keyed: &Keyed, items: &[Item], sink: &Name) -> Result<Assigned> {
    let mut chosen = Vec::with_capacity(keyed.keys.len());
    let mut missing = Vec::new();
    for key in &keyed.keys {
        // The first of the columns that hold the key names it, wherever it stands in the list.
        let viable = key.viable.iter().find(|viable| items.iter().any(|item| item.expression == **viable));
        let Some(viable) = viable else {
            missing.push(key);
            continue;
        };
        let found: Vec<usize> = (0..items.len()).filter(|index| items[*index].expression == *viable).collect();
        if found.len() > 1 {
            return Err(repeated(keyed, key, &found, items));
        }
        chosen.extend(found);
    }
    if !missing.is_empty() {
        return Err(missing_keys(keyed, &missing, sink));
    }
    Ok(Assigned { items: chosen })
}

fn repeated(keyed: &Keyed, key: &KeyColumn, found: &[usize], items: &[Item]) -> SqlError {
    let mut aliases: Vec<&Name> = found.iter().map(|index| &items[*index].alias).collect();
    aliases.sort();
    SqlError::statement(if keyed.origin == KeyOrigin::Group {
        let quoted: Vec<String> = aliases.iter().map(|alias| alias.quoted()).collect();
        format!("The projection contains a key column more than once: {}.", all_of(&quoted))
    } else {
        format!("The projection contains a key column ({}) more than once, aliased as: {}.", key.name.quoted(), all_of(&aliases))
    })
}

fn missing_keys(keyed: &Keyed, missing: &[&KeyColumn], sink: &Name) -> SqlError {
    let viable = |keys: &[&KeyColumn]| -> Vec<String> { keys.iter().filter_map(|key| key.viable.first()).map(bare).collect() };
    let all: Vec<&KeyColumn> = keyed.keys.iter().collect();
    let (what, names, example) = match &keyed.origin {
        KeyOrigin::Source => {
            let names: Vec<String> = all.iter().map(|key| key.name.to_string()).collect();
            (if names.len() > 1 { "key columns" } else { "key column" }, all_of(&names), names.join(", "))
        }
        KeyOrigin::Partition => {
            let names = viable(&all);
            (if names.len() > 1 { "partitioning expressions" } else { "partitioning expression" }, all_of(&names), names.join(", "))
        }
        KeyOrigin::Group => {
            let names: Vec<String> = missing.iter().map(|key| key.name.to_string()).collect();
            (if names.len() > 1 { "grouping expressions" } else { "grouping expression" }, all_of(&names), names.join(", "))
        }
        KeyOrigin::Join { .. } => {
            let names: Vec<String> = missing.iter().flat_map(|key| key.viable.iter().map(bare)).collect();
            let example = names.first().cloned().unwrap_or_default();
            (if names.len() > 1 { "join expressions" } else { "join expression" }, one_of(&names), example)
        }
        KeyOrigin::ForeignKey { left } => return missing_primary_keys(left, missing),
    };
    let note = match keyed.origin {
        KeyOrigin::Join { synthetic: true } => format!(
            "\n{names} was added as a synthetic key column because the join criteria did not match any source column. This expression must be included in the projection and may be aliased."
        ),
        _ => String::new(),
    };
    SqlError::statement(format!(
        "Key missing from projection (ie, SELECT). See https://cnfl.io/2LV7ouS.\nThe query used to build {} must include the {what} {names} in its projection (eg, SELECT {example}...).{note}",
        sink.quoted()
    ))
}

fn missing_primary_keys(left: &Name, missing: &[&KeyColumn]) -> SqlError {
    let s = if missing.len() > 1 { "s" } else { "" };
    let names: Vec<String> = missing.iter().map(|key| key.name.quoted()).collect();
    SqlError::statement(format!(
        "Primary key column{s} missing in projection. For foreign-key table-table joins, the projection must include all primary key columns from the left input table ({}). Missing column{s}: {}.",
        left.quoted(),
        names.join(", ")
    ))
}

pub(crate) fn map_key(name: &Name, sql_type: &SqlType) -> SqlError {
    SqlError::statement(format!(
        "Map keys, including types that contain maps, are not supported as they may lead to unexpected behavior due to inconsistent serialization. Key column name: {}. Column type: {sql_type}. See https://github.com/confluentinc/ksql/issues/6621 for more.",
        name.quoted()
    ))
}

fn check_columns(schema: &[Column]) -> Result<()> {
    let reserved = |column: &&Column| column.role == Role::Value && RESERVED.contains(&column.name.as_str());
    if let Some(reserved) = schema.iter().find(reserved) {
        return Err(SqlError::statement(format!(
            "Reserved column name in select: {}. Please remove or alias the column.",
            reserved.name.quoted()
        )));
    }
    check_duplicates(schema)?;
    if !schema.iter().any(|column| column.role == Role::Value) {
        return Err(SqlError::statement("The projection contains no value columns."));
    }
    if let Some(column) = schema.iter().find(|column| column.role == Role::Key && column.sql_type.contains_map()) {
        return Err(map_key(&column.name, &column.sql_type));
    }
    Ok(())
}

pub(crate) fn check_duplicates(schema: &[Column]) -> Result<()> {
    for (index, column) in schema.iter().enumerate() {
        if schema[..index].iter().any(|earlier| earlier.name == column.name) {
            let kind = if column.role == Role::Key { "key" } else { "value" };
            return Err(SqlError::statement(format!("Duplicate {kind} columns found in schema: {column}")));
        }
    }
    Ok(())
}
