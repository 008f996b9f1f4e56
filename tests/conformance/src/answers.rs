//! Answers of a server against those that a case expects: the expected side drives, and names only what it cares for.

use serde_json::{Map, Value as Json};

use crate::case::Expected;
use crate::http::Answer;
use crate::number::Exact;
use crate::report::OTHER_WORDS;

/// How a field's name ends when only the beginning of its value is given.
const STARTS_WITH: &str = "|starts_with";

/// Whether every field that is expected is there.
pub fn matches(actual: &Json, expected: &Json, statement: &str) -> bool {
    match (actual, expected) {
        (Json::Object(found), Json::Object(wanted)) => wanted.iter().all(|(name, wanted)| field(found, name, wanted, statement)),
        (Json::Array(found), Json::Array(wanted)) => {
            found.len() == wanted.len() && found.iter().zip(wanted).all(|(found, wanted)| matches(found, wanted, statement))
        }
        (Json::String(found), Json::String(wanted)) => *found == wanted.replace("{STATEMENT}", statement),
        (Json::Number(found), Json::Number(wanted)) => match (Exact::parse(found.as_str()), Exact::parse(wanted.as_str())) {
            (Some(found), Some(wanted)) => found.integer == wanted.integer && found.same_value(&wanted),
            _ => false,
        },
        (found, wanted) => found == wanted,
    }
}

fn field(found: &Map<String, Json>, name: &str, wanted: &Json, statement: &str) -> bool {
    match name.strip_suffix(STARTS_WITH) {
        None => found.get(name).is_some_and(|found| matches(found, wanted, statement)),
        Some(name) => match (found.get(name).and_then(Json::as_str), wanted.as_str()) {
            (Some(found), Some(wanted)) => found.starts_with(wanted),
            _ => false,
        },
    }
}

/// A query's rows: as many, each with what is expected of it; the columns in any order unless `ordered`.
pub fn rows(actual: &[Json], expected: &[Json], statement: &str, ordered: bool) -> Result<(), String> {
    let mut left: Vec<&Json> = actual.iter().filter_map(|row| row.get("row")?.get("columns")).collect();
    for (at, wanted) in expected.iter().enumerate() {
        let found = actual.get(at).ok_or_else(|| format!("row {at} is missing: {wanted}; the answer is {}", shown(actual)))?;
        let columns = wanted.get("row").and_then(|row| row.get("columns"));
        let (Some(columns), false) = (columns, ordered) else {
            if !matches(found, wanted, statement) {
                return Err(format!("row {at} is {found}, not {wanted}"));
            }
            continue;
        };
        let mut rest = wanted.clone();
        if let Some(row) = rest.get_mut("row").and_then(Json::as_object_mut) {
            row.remove("columns");
        }
        if !matches(found, &rest, statement) {
            return Err(format!("row {at} is {found}, not {wanted}"));
        }
        let place = left.iter().position(|found| matches(found, columns, statement));
        left.remove(place.ok_or_else(|| format!("no row has the columns {columns}; the answer is {}", shown(actual)))?);
    }
    match actual.get(expected.len()) {
        None => Ok(()),
        Some(extra) => Err(format!("{} rows, not {}; next is {extra}", actual.len(), expected.len())),
    }
}

fn shown(rows: &[Json]) -> String {
    let text = Json::Array(rows.to_vec()).to_string();
    text.chars().take(600).collect()
}

/// The rows of an answer; one that was cut off has no end, which is put there.
pub fn rows_of(body: &str) -> Result<Vec<Json>, String> {
    let text = body.trim_end().trim_end_matches(',');
    let closed = if text.ends_with(']') && serde_json::from_str::<Json>(text).is_ok() { text.to_string() } else { format!("{text}]") };
    serde_json::from_str(&closed).map_err(|error| format!("not an array of rows: {error}: {body}"))
}

/// A failed request against the failure that the case demands.
pub fn refused(answer: &Answer, expected: &Expected, statement: &str) -> Result<(), String> {
    let body: Json = serde_json::from_str(&answer.body).map_err(|error| format!("not an error's body: {error}: {}", answer.body))?;
    let message = body["message"].as_str().unwrap_or_default();
    if let Some(status) = expected.status
        && status != u64::from(answer.status)
    {
        return Err(format!("status {} not {status}: {message}", answer.status));
    }
    if let Some(wanted) = &expected.message
        && !message.contains(wanted.as_str())
    {
        return Err(format!("{OTHER_WORDS}: {message:?} where {wanted:?} was expected"));
    }
    let kind = body["@type"].as_str().unwrap_or_default();
    match expected.class.as_deref().and_then(|class| class.rsplit('.').next()) {
        Some("KsqlStatementErrorMessage") if kind != "statement_error" => Err(format!("the error is a {kind}: {message}")),
        // The statement is compared as a text without the space around it: secrets in it are masked, and none of them is expected.
        Some("KsqlStatementErrorMessage") if body["statementText"].as_str().map(str::trim) != Some(statement.trim()) => {
            Err(format!("the error is about {} not {statement}", body["statementText"]))
        }
        Some("KsqlErrorMessage") if kind != "generic_error" => Err(format!("the error is a {kind}: {message}")),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_what_is_expected_is_compared() {
        let actual = json!({"header": {"queryId": "query_12", "schema": "`A` INTEGER"}});
        assert!(matches(&actual, &json!({"header": {"schema": "`A` INTEGER"}}), ""));
        assert!(matches(&actual, &json!({"header": {"queryId|starts_with": "query_"}}), ""));
        assert!(!matches(&actual, &json!({"header": {"queryId|starts_with": "transient"}}), ""));
        assert!(!matches(&actual, &json!({"header": {"other": null}}), ""));
        assert!(!matches(&json!([1]), &json!([1, 2]), ""));
    }

    #[test]
    fn an_integer_is_not_a_decimal() {
        let number = |text: &str| serde_json::from_str::<Json>(text).unwrap();
        assert!(!matches(&number("1"), &number("1.0"), ""));
        assert!(matches(&number("1.0"), &number("1.0"), ""));
        assert!(!matches(&number("1.1"), &number("1.0"), ""));
    }

    #[test]
    fn rows_come_in_any_order_but_all_of_them() {
        let row = |n: i32| json!({"row": {"columns": [n]}});
        let expected = [row(1), row(2), row(2)];
        assert!(rows(&[row(2), row(1), row(2)], &expected, "", false).is_ok());
        assert!(rows(&[row(2), row(1), row(2)], &expected, "", true).is_err());
        assert!(rows(&[row(2), row(1), row(1)], &expected, "", false).is_err());
        assert!(rows(&[row(2), row(1)], &expected, "", false).is_err());
        assert!(rows(&[row(2), row(1), row(2), row(3)], &expected, "", false).is_err());
    }

    #[test]
    fn an_answer_that_was_cut_off_is_read_as_far_as_it_came() {
        assert_eq!(rows_of("[{\"a\":1},\n{\"b\":2}").unwrap().len(), 2);
        assert_eq!(rows_of("[{\"a\":[1]}]\n").unwrap().len(), 1);
    }
}
