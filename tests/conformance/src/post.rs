//! Post-conditions: what the catalog and the topics must look like after a case.

use millrace_sql::plan::{DataSource, FormatInfo, SerdeFeature};
use millrace_sql::schema::Role;
use regex::Regex;
use serde_json::Value as Json;

use crate::session::Session;

pub fn check(post: &Json, session: &Session) -> Result<(), String> {
    for wanted in post["sources"].as_array().into_iter().flatten() {
        source(wanted, session)?;
    }
    let topics = &post["topics"];
    if let Some(pattern) = topics["blacklist"].as_str() {
        let pattern = Regex::new(pattern).map_err(|error| error.to_string())?;
        if let Some(name) = session.bench.topics.keys().find(|name| pattern.is_match(name)) {
            return Err(format!("the topic {name} must not exist"));
        }
    }
    for wanted in topics["topics"].as_array().into_iter().flatten() {
        topic(wanted, session)?;
    }
    Ok(())
}

fn source(wanted: &Json, session: &Session) -> Result<(), String> {
    let name = wanted["name"].as_str().unwrap_or_default();
    let found = session.source(name).ok_or(format!("there is no source {name}"))?;
    let fault = |what: &str, is: &dyn std::fmt::Debug| Err(format!("post: {what} of {name} is {is:?}, not {wanted}"));
    if let Some(kind) = wanted["type"].as_str()
        && !found.kind.word().eq_ignore_ascii_case(kind)
    {
        return fault("the type", &found.kind);
    }
    if let Some(text) = wanted["schema"].as_str() {
        let columns: Vec<_> = found.schema.columns().iter().map(column_text).collect();
        let expected = session.columns_of(text)?;
        if columns != expected {
            return Err(format!("post: the schema of {name} is {columns:?}, not {expected:?}"));
        }
    }
    if let Some(read_only) = wanted["isSource"].as_bool()
        && found.read_only != read_only
    {
        return fault("isSource", &found.read_only);
    }
    let key = &wanted["keyFormat"];
    if !key.is_null() {
        format(key, &found.key_format, name)?;
        window(key, &found, name)?;
    }
    if let Some(value) = wanted["valueFormat"].as_str()
        && found.value_format.format.name() != value
    {
        return fault("the value format", &found.value_format.format);
    }
    features(&wanted["keyFeatures"], &found.key_format, name)?;
    features(&wanted["valueFeatures"], &found.value_format, name)
}

/// Name, type and role, as one comparable text.
pub fn column_text(column: &millrace_sql::schema::Column) -> String {
    let role = match &column.role {
        Role::Key => " KEY".to_string(),
        Role::Headers { key: None } => " HEADERS".to_string(),
        Role::Headers { key: Some(key) } => format!(" HEADER('{key}')"),
        Role::Value | Role::Pseudo | Role::WindowBound => String::new(),
    };
    format!("{} {}{role}", column.name.quoted(), column.sql_type)
}

fn format(wanted: &Json, found: &FormatInfo, name: &str) -> Result<(), String> {
    if let Some(format) = wanted["format"].as_str()
        && found.format.name() != format
    {
        return Err(format!("post: the format of {name} is {}, not {format}", found.format));
    }
    Ok(())
}

fn window(wanted: &Json, found: &DataSource, name: &str) -> Result<(), String> {
    let Some(kind) = wanted["windowType"].as_str() else { return Ok(()) };
    let actual = found.window.map(|window| (window.window_type.to_string(), window.size_ms));
    let size = &wanted["windowSize"];
    let same = actual.as_ref().is_some_and(|(actual, size_ms)| {
        actual == kind && (size.is_null() || size.as_i64() == *size_ms)
    });
    if same { Ok(()) } else { Err(format!("post: the window of {name} is {actual:?}, not {wanted}")) }
}

fn features(wanted: &Json, found: &FormatInfo, name: &str) -> Result<(), String> {
    let Some(list) = wanted.as_array() else { return Ok(()) };
    let wanted: Vec<&str> = list.iter().filter_map(Json::as_str).collect();
    let feature = found.feature.map(|feature| match feature {
        SerdeFeature::WrapSingles => "WRAP_SINGLES",
        SerdeFeature::UnwrapSingles => "UNWRAP_SINGLES",
    });
    let found: Vec<&str> = feature.into_iter().collect();
    if found == wanted { Ok(()) } else { Err(format!("post: the features of {name} are {found:?}, not {wanted:?}")) }
}

fn topic(wanted: &Json, session: &Session) -> Result<(), String> {
    let name = wanted["name"].as_str().unwrap_or_default();
    // Kafka Streams' own topics, which this engine does not have.
    if name.ends_with("-repartition") || name.ends_with("-changelog") {
        return Ok(());
    }
    let found = session.bench.topics.get(name).ok_or(format!("post: there is no topic {name}"))?;
    if let Some(partitions) = wanted["partitions"].as_i64()
        && partitions != i64::from(found.partitions)
    {
        return Err(format!("post: the topic {name} has {} partitions, not {partitions}", found.partitions));
    }
    let Some(source) = session.source_of_topic(name) else {
        return Err(format!("post: nothing is known about the topic {name}"));
    };
    for (side, info) in [("keyFormat", &source.key_format), ("valueFormat", &source.value_format)] {
        let wanted = &wanted[side];
        if wanted.is_null() {
            continue;
        }
        format(wanted, info, name)?;
        let listed = wanted["features"].as_array().cloned().unwrap_or_default();
        features(&Json::Array(listed), info, name)?;
    }
    Ok(())
}
