//! One executed statement as an entity.
use std::sync::Arc;

use millrace_sql::ast::Statement;
use millrace_sql::catalog::{Catalog, Effect, Settings};
use millrace_sql::parser::Variables;
use serde_json::{Value as Json, json};

use crate::host::{Executed, Outcome};
use crate::rest::error::RestError;
use crate::{Failed, Views};

/// What a question sees.
pub struct Asked<'a> {
    pub catalog: &'a Catalog,
    pub settings: &'a Settings,
    pub variables: &'a Variables,
}

pub type Ask = fn(&Arc<Views>, &Asked<'_>, &Statement) -> Result<Option<Json>, Failed>;

/// Nothing for statements that answer nothing (INSERT VALUES, SET, DEFINE).
pub fn of(views: &Arc<Views>, executed: &Executed, ask: Ask) -> Result<Option<Json>, RestError> {
    let mut entity = match &executed.outcome {
        Outcome::Inserted { .. } | Outcome::Session => return Ok(None),
        // CREATE .. IF NOT EXISTS of what exists.
        Outcome::Done { effect: Effect::Nothing { message }, .. } if creates_source(&executed.located.statement) => {
            json!({ "@type": "warning_entity", "message": message })
        }
        Outcome::Done { command, message, query, .. } => json!({
            "@type": "currentStatus",
            "commandId": command,
            "commandStatus": { "status": "SUCCESS", "message": message, "queryId": query.as_ref().map(ToString::to_string) },
            "commandSequenceNumber": executed.sequence.map_or(-1, |number| number as i64),
        }),
        Outcome::Closed { query } => json!({ "@type": "terminate_query", "queryId": query, "wasTerminated": true }),
        Outcome::Asserted { topic, exists } => json!({ "@type": "assert_topic", "topicName": topic, "exists": exists }),
        Outcome::Ask { catalog, settings, variables } => match ask(views, &Asked { catalog, settings, variables }, &executed.located.statement)? {
            None => return Ok(None),
            Some(entity) => entity,
        },
    };
    entity["statementText"] = json!(executed.located.text);
    entity["warnings"] = executed.warnings.iter().map(|message| json!({ "message": message })).collect();
    Ok(Some(entity))
}

fn creates_source(statement: &Statement) -> bool {
    matches!(statement, Statement::CreateSource(_) | Statement::CreateSourceAs(_))
}
