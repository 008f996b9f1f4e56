//! CREATE OR REPLACE: which sources and queries may take the place of which.

use crate::ast::Expression;
use crate::error::{Result, SqlError};
use crate::name::Name;
use crate::plan::{Aggregate, AggregateCall, DataSource, FormatInfo, JoinForm, PersistentPlan, SerdeFeature, SourceKind, Step};
use crate::schema::Column;

/// A source may gain value columns at its end; nothing else may change.
pub(crate) fn check_source(old: &DataSource, new: &DataSource) -> Result<()> {
    let kind = |source: &DataSource| format!("K{}", source.kind);
    let column = |source: &DataSource| optional(source.timestamp.as_ref().map(|timestamp| {
        format!("TimestampColumn{{column={}, format={}}}", timestamp.column.quoted(), optional(timestamp.format.clone()))
    }));
    let same_topic = old.topic == new.topic
        && old.key_format == new.key_format
        && old.value_format == new.value_format
        && old.window == new.window;
    let properties = [
        ("type", old.kind == new.kind, kind(old), kind(new)),
        ("topic", same_topic, topic_text(old), topic_text(new)),
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

/// ksqlDB's text for a topic with its formats and window: messages about what changed show it whole.
fn topic_text(source: &DataSource) -> String {
    let window = source.window.map(|window| {
        let size = window.size_ms.map(java_duration);
        format!("WindowInfo{{type={}, size={}}}", window.window_type, optional(size))
    });
    format!(
        "KsqlTopic{{kafkaTopicName='{}', keyFormat=KeyFormat{{{}, window={}}}, valueFormat=ValueFormat{{{}}}}}",
        source.topic,
        format_text(&source.key_format),
        optional(window),
        format_text(&source.value_format)
    )
}

fn format_text(info: &FormatInfo) -> String {
    let properties: Vec<String> = info.properties.iter().map(|(name, value)| format!("{}={value}", name.name())).collect();
    let feature = match info.feature {
        Some(SerdeFeature::WrapSingles) => "WRAP_SINGLES",
        Some(SerdeFeature::UnwrapSingles) => "UNWRAP_SINGLES",
        None => "",
    };
    format!("format=FormatInfo{{format={}, properties={{{}}}}}, features=[{feature}]", info.format, properties.join(", "))
}

/// An optional value as Java shows it.
fn optional(value: Option<String>) -> String {
    value.map_or("Optional.empty".to_string(), |value| format!("Optional[{value}]"))
}

/// Java's `Duration.toString`: hours, minutes and seconds, those that are not zero.
fn java_duration(ms: i64) -> String {
    if ms == 0 {
        return "PT0S".to_string();
    }
    let (hours, minutes, rest) = (ms / 3_600_000, ms / 60_000 % 60, ms % 60_000);
    let mut text = "PT".to_string();
    if hours > 0 {
        text.push_str(&format!("{hours}H"));
    }
    if minutes > 0 {
        text.push_str(&format!("{minutes}M"));
    }
    if rest > 0 {
        let seconds = format!("{}.{:03}", rest / 1000, rest % 1000);
        text.push_str(seconds.trim_end_matches('0').trim_end_matches('.'));
        text.push('S');
    }
    text
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
    not_upgradeable(format!("Plan step of type {step} must have matching {what}. Values differ: {old} vs. {new}"))
}

fn shown(expressions: &[Expression]) -> String {
    let texts: Vec<String> = expressions.iter().map(crate::format::bare).collect();
    format!("[{}]", texts.join(", "))
}

fn call_text(function: &Name, arguments: &[Expression]) -> String {
    let texts: Vec<String> = arguments.iter().map(crate::format::bare).collect();
    format!("{function}({})", texts.join(", "))
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
                    let texts: Vec<String> = step.calls.iter().map(|call| call_text(&call.function, &call.arguments)).collect();
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
        _ => {
            let class = |step: &Step| format!("class io.confluent.ksql.execution.plan.{}", step_name(step));
            Err(differ(step_name(old), "class", &class(old), &class(new)))
        }
    }
}

fn check_aggregate(old: &Aggregate, new: &Aggregate) -> Result<()> {
    let name = if old.repartition == new.repartition { "StreamAggregate" } else { "StreamGroupBy" };
    if old.group_by != new.group_by {
        return Err(differ("StreamGroupBy", "group by expressions", &shown(&old.group_by), &shown(&new.group_by)));
    }
    if old.required != new.required {
        let text = |names: &[Name]| {
            let quoted: Vec<String> = names.iter().map(Name::quoted).collect();
            format!("[{}]", quoted.join(", "))
        };
        return Err(differ(name, "columns not part of aggregate", &text(&old.required), &text(&new.required)));
    }
    if old.calls != new.calls {
        let text = |calls: &[AggregateCall]| {
            let texts: Vec<String> = calls.iter().map(|call| call_text(&call.function, &call.arguments)).collect();
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

/// ksqlDB's class for a step.
fn step_name(step: &Step) -> &'static str {
    let table = step.kind() == SourceKind::Table;
    match step {
        Step::Source(_) if table => "TableSource",
        Step::Source(_) => "StreamSource",
        Step::Filter(_) if table => "TableFilter",
        Step::Filter(_) => "StreamFilter",
        Step::Project(_) if table => "TableSelect",
        Step::Project(_) => "StreamSelect",
        Step::PartitionBy(_) => "StreamSelectKey",
        Step::FlatMap(_) => "StreamFlatMap",
        // All others may not change at all.
        other => fixed_kind(other).unwrap_or("StreamAggregate"),
    }
}
