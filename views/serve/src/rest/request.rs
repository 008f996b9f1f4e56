//! The body of /ksql and of the queries.
use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::future::{Either, select};
use millrace_sql::catalog::properties;
use serde::Deserialize;
use serde_json::Value as Json;

use crate::Views;
use crate::rest::error::{BAD_REQUEST, COMMAND_TIMEOUT, RestError};

/// /query-stream names two of the fields otherwise. What is not known is not looked at.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Body {
    #[serde(alias = "sql")]
    ksql: Option<String>,
    #[serde(alias = "properties")]
    streams_properties: Option<BTreeMap<String, Json>>,
    session_variables: Option<BTreeMap<String, Json>>,
    command_sequence_number: Option<i64>,
}

#[derive(Debug)]
pub struct KsqlRequest {
    pub ksql: String,
    body: Body,
}

impl KsqlRequest {
    pub fn parse(bytes: &[u8]) -> Result<KsqlRequest, RestError> {
        let mut body: Body = serde_json::from_slice(bytes).map_err(|error| RestError::malformed(&error))?;
        match body.ksql.take() {
            Some(ksql) => Ok(KsqlRequest { ksql, body }),
            None => Err(RestError::generic(BAD_REQUEST, "the request has no statement: the field 'ksql' (/query-stream: 'sql') is missing")),
        }
    }

    pub fn properties(&self) -> BTreeMap<String, String> {
        texts(self.body.streams_properties.as_ref())
    }

    pub fn variables(&self) -> BTreeMap<String, String> {
        texts(self.body.session_variables.as_ref())
    }

    /// Waits until the command that the client wants to have been carried out has been.
    pub async fn wait(&self, views: &Views) -> Result<(), RestError> {
        let Some(number) = self.body.command_sequence_number else { return Ok(()) };
        let ms = properties::number(views.server_settings(), "ksql.server.command.response.timeout.ms").unwrap_or(5000.0);
        let world = views.outside().world();
        let deadline = world.sleep_until(world.now() + Duration::from_millis(ms.max(0.0) as u64));
        match select(Box::pin(views.carried_out(number)), deadline).await {
            Either::Left(_) => Ok(()),
            Either::Right(_) => Err(RestError::generic(
                COMMAND_TIMEOUT,
                format!("Timed out while waiting for a previous command to execute. command sequence number: {number}"),
            )),
        }
    }
}

/// Properties may come as strings, numbers or booleans.
fn texts(given: Option<&BTreeMap<String, Json>>) -> BTreeMap<String, String> {
    let text = |value: &Json| value.as_str().map_or_else(|| value.to_string(), str::to_string);
    given.into_iter().flatten().filter(|(_, value)| !value.is_null()).map(|(name, value)| (name.clone(), text(value))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_names_of_the_fields_are_known() {
        let old = KsqlRequest::parse(br#"{"ksql":"LIST STREAMS;","streamsProperties":{"a":1,"b":true,"c":"d","e":null},"more":[]}"#);
        let old = old.ok().unwrap();
        assert_eq!(old.ksql, "LIST STREAMS;");
        assert_eq!(old.properties(), BTreeMap::from([("a".into(), "1".into()), ("b".into(), "true".into()), ("c".into(), "d".into())]));
        let new = KsqlRequest::parse(br#"{"sql":"SELECT 1;","properties":{},"sessionVariables":{"v":"x"}}"#).ok().unwrap();
        assert_eq!(new.variables(), BTreeMap::from([("v".into(), "x".into())]));
    }

    #[test]
    fn what_is_no_request_is_said_to_be_none() {
        let said = |bytes: &[u8]| KsqlRequest::parse(bytes).err().unwrap().message().to_string();
        assert!(said(b"{").starts_with("Malformed JSON"));
        assert!(said(b"[]").starts_with("Malformed JSON"));
        assert!(said(b"{\"ksql\":\"\xff\"}").starts_with("Malformed JSON"));
        assert!(said(b"{}").contains("'ksql'"));
        assert!(said(&[b"{\"ksql\":".as_slice(), &[b'['; 100_000]].concat()).starts_with("Malformed JSON"));
    }
}
