//! Expected JSON against actual JSON, by the rules of the Java harness: the expected side drives.

use serde_json::Value as Json;

use crate::case::RecordNode;
use crate::number::Exact;

/// How numbers that are not integers compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Numbers {
    /// Equal in value and in scale, unless one side is written with an exponent.
    Exact,
    /// Within 1e-6: formats whose doubles the harness sees as doubles.
    Tolerant,
}

const TOLERANCE: f64 = 1e-6;

/// A record that a query wrote, decoded.
#[derive(Clone, Debug)]
pub struct Actual {
    pub key: Json,
    pub value: Json,
    pub timestamp: i64,
    pub window: Option<crate::case::Window>,
    /// Key and base64 value.
    pub headers: Vec<(String, Option<String>)>,
}

pub fn same(actual: &Json, expected: &Json, numbers: Numbers) -> bool {
    match expected {
        Json::Null => actual.is_null(),
        Json::Bool(flag) => actual == &Json::Bool(*flag),
        Json::Number(number) => match actual {
            Json::Number(found) => same_number(found.as_str(), number.as_str(), numbers),
            _ => false,
        },
        Json::String(text) => match actual {
            Json::Number(found) => {
                let (Some(found), Some(wanted)) = (Exact::parse(found.as_str()), Exact::parse(text)) else { return false };
                found.same_value(&wanted)
            }
            _ => actual.as_str() == Some(text),
        },
        Json::Array(items) => actual.as_array().is_some_and(|found| {
            found.len() == items.len() && found.iter().zip(items).all(|(found, wanted)| same(found, wanted, numbers))
        }),
        Json::Object(fields) => actual.as_object().is_some_and(|found| {
            let field = |name: &str| match found.get(name) {
                None | Some(Json::Null) => found.get(&name.to_uppercase()).unwrap_or(&Json::Null),
                Some(value) => value,
            };
            found.len() == fields.len() && fields.iter().all(|(name, wanted)| same(field(name), wanted, numbers))
        }),
    }
}

fn same_number(actual: &str, expected: &str, numbers: Numbers) -> bool {
    let (Some(actual), Some(expected)) = (Exact::parse(actual), Exact::parse(expected)) else { return false };
    if actual.same_value(&expected) {
        // An actual integer is compared by value alone, as Java compares longs.
        return numbers == Numbers::Tolerant
            || actual.integer
            || actual.scientific
            || expected.scientific
            || (!expected.integer && actual.scale() == expected.scale());
    }
    numbers == Numbers::Tolerant && actual.near(&expected, TOLERANCE)
}

/// What a topic's records compare under.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    pub key: Numbers,
    pub value: Numbers,
    /// A case without inputs writes 0 where it means any time.
    pub inserts_only: bool,
}

/// Why `actual` is not the `expected` record, if it is not.
pub fn record(actual: &Actual, expected: &RecordNode, rules: Rules) -> Result<(), String> {
    if !same(&actual.key, &expected.key, rules.key) {
        return Err(format!("key is {} not {}", actual.key, expected.key));
    }
    if !same(&actual.value, &expected.value, rules.value) {
        return Err(format!("value is {} not {}", actual.value, expected.value));
    }
    if actual.window != expected.window {
        return Err(format!("window is {:?} not {:?}", actual.window, expected.window));
    }
    if let Some(wanted) = expected.timestamp
        && wanted != actual.timestamp
        && !(rules.inserts_only && wanted == 0)
    {
        return Err(format!("timestamp is {} not {wanted}", actual.timestamp));
    }
    let wanted: Vec<_> = expected.headers.iter().map(|header| (header.key.clone(), header.value.clone())).collect();
    if actual.headers != wanted {
        return Err(format!("headers are {:?} not {wanted:?}", actual.headers));
    }
    Ok(())
}

/// All records of one topic: as many, in the same order.
pub fn topic(actual: &[Actual], expected: &[&RecordNode], rules: Rules) -> Result<(), String> {
    for (at, (found, wanted)) in actual.iter().zip(expected).enumerate() {
        record(found, wanted, rules).map_err(|why| format!("{}[{at}]: {why}", wanted.topic))?;
    }
    if actual.len() != expected.len() {
        let name = expected.first().map_or("?", |wanted| wanted.topic.as_str());
        let extra = actual.get(expected.len()).map_or(String::new(), |found| {
            format!("; next is {} = {} at {}", found.key, found.value, found.timestamp)
        });
        return Err(format!("{name}: {} records, not {}{extra}", actual.len(), expected.len()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn equal(actual: &str, expected: &str, numbers: Numbers) -> bool {
        same(&serde_json::from_str(actual).unwrap(), &serde_json::from_str(expected).unwrap(), numbers)
    }

    #[test]
    fn numbers_keep_their_scale() {
        for (actual, expected, exact) in [
            ("5", "5.0", true),
            ("5.0", "5", false),
            ("1.1", "1.10", false),
            ("1.10", "1.10", true),
            ("1E2", "100.0", true),
            ("0.3", "0.30000000000000004", false),
        ] {
            assert_eq!(equal(actual, expected, Numbers::Exact), exact, "{actual} against {expected}");
        }
        assert!(equal("0.3", "0.30000000000000004", Numbers::Tolerant));
    }

    #[test]
    fn objects_count_their_fields_and_fold_names() {
        assert!(equal(r#"{"A": 1}"#, r#"{"a": 1}"#, Numbers::Exact));
        assert!(!equal(r#"{"A": null, "B": null}"#, r#"{"A": null}"#, Numbers::Exact));
        assert!(!equal("null", r#"{"A": null}"#, Numbers::Exact));
        assert!(!equal("0", "null", Numbers::Exact));
        assert!(equal("[1, [2]]", "[1, [2]]", Numbers::Exact));
        assert!(!equal("[2, 1]", "[1, 2]", Numbers::Exact));
    }
}
