//! One executed statement as an entity.
use std::sync::Arc;

use millrace_sql::ast::Statement;
use millrace_sql::catalog::{Catalog, Effect, Settings};
use serde_json::{Value as Json, json};

use crate::host::{Executed, Outcome};
use crate::rest::error::RestError;
use crate::{Failed, Views};

pub type Ask = fn(&Arc<Views>, &Catalog, &Settings, &Statement) -> Result<Option<Json>, Failed>;

/// Nothing for statements that answer nothing (INSERT VALUES, SET, DEFINE).
pub fn of(views: &Arc<Views>, executed: &Executed, ask: Ask) -> Result<Option<Json>, RestError> {
    let mut entity = match &executed.outcome {
        Outcome::Inserted { .. } | Outcome::Session => return Ok(None),
        Outcome::Done { effect, message, query } => json!({
            "@type": "currentStatus",
            "commandId": command_id(effect),
            "commandStatus": { "status": "SUCCESS", "message": message, "queryId": query.as_ref().map(ToString::to_string) },
            "commandSequenceNumber": executed.sequence.map_or(-1, |number| number as i64),
        }),
        Outcome::Ask { catalog, settings } => match ask(views, catalog, settings, &executed.located.statement)? {
            None => return Ok(None),
            Some(entity) => entity,
        },
    };
    entity["statementText"] = json!(executed.located.text);
    entity["warnings"] = executed.warnings.iter().map(|message| json!({ "message": message })).collect();
    Ok(Some(entity))
}

fn command_id(effect: &Effect) -> String {
    match effect {
        Effect::CreateSource { source, .. } => format!("{}/{}/create", source.kind.word(), source.name.quoted()),
        Effect::StartQuery { plan, creates_source: true, .. } => {
            format!("{}/{}/create", plan.sink.source.kind.word(), plan.sink.source.name.quoted())
        }
        Effect::StartQuery { plan, .. } => format!("stream/{}/create", plan.sink.source.name.quoted()),
        Effect::AlterSource { source } => format!("{}/{}/alter", source.kind.word(), source.name.quoted()),
        Effect::DropSource { name, .. } => format!("stream/{}/drop", name.quoted()),
        Effect::Terminate { ids } => format!("terminate/{}/execute", joined(ids)),
        Effect::Pause { ids } => format!("pause/{}/execute", joined(ids)),
        Effect::Resume { ids } => format!("resume/{}/execute", joined(ids)),
        Effect::CreateType { name, .. } => format!("type/{name}/create"),
        Effect::DropType { name } => format!("type/{name}/drop"),
        _ => "cluster/nothing/execute".into(),
    }
}

fn joined(ids: &[millrace_sql::plan::QueryId]) -> String {
    ids.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}
