//! CREATE OR REPLACE: which sources and queries may take the place of which.

use crate::ast::Expression;
use crate::error::{Result, SqlError};
use crate::plan::{Aggregate, AggregateCall, DataSource, FormatInfo, JoinForm, PersistentPlan, Step};
use crate::schema::Column;

/// A source may gain value columns at its end; nothing else may change.
pub(crate) fn check_source(old: &DataSource, new: &DataSource) -> Result<()> {
    let kind = |source: &DataSource| format!("K{}", source.kind);
    let format = |info: &FormatInfo| info.format.to_string();
    let window = |source: &DataSource| source.window.map_or("none".to_string(), |window| format!("{} {}", window.window_type, window.size_ms.unwrap_or(0)));
    let column = |source: &DataSource| source.timestamp.as_ref().map_or("none".to_string(), |timestamp| timestamp.column.to_string());
    let properties = [
        ("type", old.kind == new.kind, kind(old), kind(new)),
        ("topic", old.topic == new.topic, old.topic.clone(), new.topic.clone()),
        ("key format", old.key_format.format == new.key_format.format, format(&old.key_format), format(&new.key_format)),
        ("value format", old.value_format.format == new.value_format.format, format(&old.value_format), format(&new.value_format)),
        ("window", old.window == new.window, window(old), window(new)),
        ("timestamp column", old.timestamp == new.timestamp, column(old), column(new)),
    ];
    let changed = |what: &str, from: &dyn std::fmt::Display, to: &dyn std::fmt::Display| {
        format!("DataSource '{}' has {what} = {from} which is not upgradeable to {to}", old.name.quoted())
    };
    let differ = properties.iter().filter(|(_, same, ..)| !same).map(|(what, _, old, new)| changed(what, old, new));
    let schema = schema_fault(old, new).map(|why| format!("{}. ({why})", changed("schema", &old.schema, &new.schema)));
    let faults: Vec<String> = differ.chain(schema).collect();
    if faults.is_empty() {
        return Ok(());
    }
    Err(SqlError::definition(format!("Cannot upgrade data source: {}", faults.join("\n\tAND "))))
}

fn schema_fault(old: &DataSource, new: &DataSource) -> Option<String> {
    let old_keys: Vec<&Column> = old.schema.keys().collect();
    let new_keys: Vec<&Column> = new.schema.keys().collect();
    if old_keys != new_keys {
        let moved = old_keys.iter().enumerate().filter(|(index, key)| new_keys.get(*index) != Some(*key)).map(|(_, key)| *key);
        let moved: Vec<&Column> = moved.collect();
        let changed = if moved.is_empty() { new_keys[old_keys.len()..].to_vec() } else { moved };
        return Some(format!("Key columns must be identical. The following key columns are changed, missing or reordered: {}", listed(&changed)));
    }
    let new_values: Vec<&Column> = new.schema.values().collect();
    let missing: Vec<&Column> =
        old.schema.values().enumerate().filter(|(index, column)| new_values.get(*index) != Some(column)).map(|(_, column)| column).collect();
    if missing.is_empty() {
        return None;
    }
    Some(format!("The following columns are changed, missing or reordered: {}", listed(&missing)))
}

fn listed(columns: &[&Column]) -> String {
    let texts: Vec<String> = columns.iter().map(ToString::to_string).collect();
    format!("[{}]", texts.join(", "))
}

/// A query may change its filters and add columns where no state depends on them.
pub(crate) fn check_query(old: &PersistentPlan, new: &PersistentPlan) -> Result<()> {
    if old.root == new.root {
        return Ok(());
    }
    check_step(without_filters(&old.root), without_filters(&new.root))
}

fn not_upgradeable(why: String) -> SqlError {
    SqlError::definition(format!("Query is not upgradeable. {why}"))
}

/// Two plans differ where they may not.
fn differ(step: &str, what: &str, old: &str, new: &str) -> SqlError {
    not_upgradeable(format!("{step} must have matching {what}. Values differ: {old} vs. {new}"))
}

fn shown(expressions: &[Expression]) -> String {
    let texts: Vec<String> = expressions.iter().map(crate::format::bare).collect();
    format!("[{}]", texts.join(", "))
}

fn check_step(old: &Step, new: &Step) -> Result<()> {
    if let Some(kind) = fixed_kind(old).or_else(|| fixed_kind(new)) {
        return Err(not_upgradeable(format!("Upgrades not yet supported for {kind}")));
    }
    match (old, new) {
        (Step::Source(old), Step::Source(new)) => {
            let (old, new) = (&old.source, &new.source);
            if old.name != new.name || old.topic != new.topic {
                let step = if old.is_table() { "TableSource" } else { "StreamSource" };
                return Err(differ(step, "topicName", &old.topic, &new.topic));
            }
            Ok(())
        }
        (Step::Project(old), Step::Project(new)) => check_step(without_filters(&old.input), without_filters(&new.input)),
        (Step::FlatMap(old), Step::FlatMap(new)) => {
            if old.calls != new.calls {
                let text = |step: &crate::plan::FlatMap| {
                    let texts: Vec<String> = step.calls.iter().map(|call| format!("{}({})", call.function, shown(&call.arguments))).collect();
                    format!("[{}]", texts.join(", "))
                };
                return Err(differ("StreamFlatMap", "table functions", &text(old), &text(new)));
            }
            check_step(without_filters(&old.input), without_filters(&new.input))
        }
        (Step::PartitionBy(old), Step::PartitionBy(new)) => {
            let key = |step: &crate::plan::PartitionBy| step.columns.iter().take(step.schema.keys().count()).cloned().collect::<Vec<_>>();
            if key(old) != key(new) {
                return Err(differ("StreamSelectKey", "key expressions", &shown(&key(old)), &shown(&key(new))));
            }
            check_step(without_filters(&old.input), without_filters(&new.input))
        }
        (Step::Aggregate(old), Step::Aggregate(new)) => check_aggregate(old, new),
        _ => Err(not_upgradeable(format!("Incompatible steps: {} vs. {}", step_name(old), step_name(new)))),
    }
}

fn check_aggregate(old: &Aggregate, new: &Aggregate) -> Result<()> {
    let name = if old.repartition == new.repartition { "StreamAggregate" } else { "StreamGroupBy" };
    if old.group_by != new.group_by {
        return Err(differ("StreamGroupBy", "group by expressions", &shown(&old.group_by), &shown(&new.group_by)));
    }
    if old.required != new.required {
        let text = |names: &[crate::name::Name]| {
            let quoted: Vec<String> = names.iter().map(crate::name::Name::quoted).collect();
            format!("[{}]", quoted.join(", "))
        };
        return Err(differ(name, "columns not part of aggregate", &text(&old.required), &text(&new.required)));
    }
    if old.calls != new.calls {
        let text = |calls: &[AggregateCall]| {
            let texts: Vec<String> = calls.iter().map(|call| format!("{}({})", call.function, shown(&call.arguments))).collect();
            format!("[{}]", texts.join(", "))
        };
        return Err(differ(name, "aggregate functions", &text(&old.calls), &text(&new.calls)));
    }
    check_step(without_filters(&old.input), without_filters(&new.input))
}

/// Filters may come, go and change.
fn without_filters(step: &Step) -> &Step {
    match step {
        Step::Filter(filter) => without_filters(&filter.input),
        other => other,
    }
}

/// Steps that may not change at all, by ksqlDB's names for them.
fn fixed_kind(step: &Step) -> Option<&'static str> {
    use crate::plan::SourceKind;
    match step {
        Step::Aggregate(aggregate) if aggregate.window.is_some() => Some("StreamWindowedAggregate"),
        Step::Aggregate(aggregate) if aggregate.input.kind() == SourceKind::Table => Some("TableAggregate"),
        Step::Join(join) => Some(match join.form {
            JoinForm::StreamStream { .. } => "StreamStreamJoin",
            JoinForm::StreamTable => "StreamTableJoin",
            JoinForm::TableTable => "TableTableJoin",
            JoinForm::ForeignKey { .. } => "ForeignKeyTableTableJoin",
        }),
        Step::Suppress(_) => Some("TableSuppress"),
        _ => None,
    }
}

fn step_name(step: &Step) -> &'static str {
    match step {
        Step::Source(_) => "Source",
        Step::Filter(_) => "Filter",
        Step::Project(_) => "Select",
        Step::PartitionBy(_) => "StreamSelectKey",
        Step::FlatMap(_) => "StreamFlatMap",
        Step::Aggregate(_) => "StreamAggregate",
        Step::Join(_) => "Join",
        Step::Suppress(_) => "TableSuppress",
    }
}
