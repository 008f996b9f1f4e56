//! Reads a corpus directory: `qtt/*.json`, `rqtt/*.json`, `sql/**/*.sql`; any of them may be missing.
//!
//! Invariants: the text of every number survives (`1.10` stays `1.10`); cases come in a fixed order; a file or a case that is not of
//! the format is a case that fails with the reason, and stops no other.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value as Json};

use crate::case::{Case, Expected, Header, Kind, RecordNode, RestNode, TopicNode, Window};
use crate::session::DEFAULT_PARTITIONS;
use crate::{needs, script};

/// There is no such folder.
#[derive(Debug, thiserror::Error)]
#[error("{path}: {source}")]
pub struct LoadError {
    path: PathBuf,
    source: std::io::Error,
}

/// Every case of the corpus, expanded; disabled cases are included and marked.
pub fn load(root: &Path) -> Result<Vec<Case>, LoadError> {
    fs::read_dir(root).map_err(|source| LoadError { path: root.to_path_buf(), source })?;
    let mut cases = Vec::new();
    for kind in [Kind::Qtt, Kind::Rqtt, Kind::Sql] {
        let extension = if kind == Kind::Sql { "sql" } else { "json" };
        for path in files(&root.join(kind.name()), extension) {
            match fs::read_to_string(&path) {
                Ok(text) if kind == Kind::Sql => cases.extend(script::cases(&stem(&path), &text)),
                Ok(text) => json_file(kind, &stem(&path), &text, &mut cases),
                Err(error) => cases.push(Case::unreadable(kind, stem(&path), error.to_string())),
            }
        }
    }
    number_repeats(&mut cases);
    Ok(cases)
}

/// Two blocks of a script may share a name: the later ones get a number.
fn number_repeats(cases: &mut [Case]) {
    let mut seen: BTreeMap<(Kind, String), u32> = BTreeMap::new();
    for case in cases {
        let times = seen.entry((case.kind, case.name.clone())).or_default();
        *times += 1;
        if *times > 1 {
            case.name = format!("{} #{times}", case.name);
        }
    }
}

/// All files below a folder; what cannot be listed is not there. Linked folders are not followed: they may lead in circles.
fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                folders.push(path);
            } else if path.is_file() && path.extension().is_some_and(|found| found == extension) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

fn stem(path: &Path) -> String {
    path.file_stem().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

fn json_file(kind: Kind, file: &str, text: &str, cases: &mut Vec<Case>) {
    let parsed: Json = match serde_json::from_str(&strip_comments(text)) {
        Ok(parsed) => parsed,
        Err(error) => return cases.push(Case::unreadable(kind, file, format!("not JSON: {error}"))),
    };
    let Some(tests) = parsed["tests"].as_array() else {
        return cases.push(Case::unreadable(kind, file, "the file has no array 'tests'"));
    };
    for (number, test) in tests.iter().enumerate() {
        let name = test["name"].as_str().map_or_else(|| format!("{file} - test {}", number + 1), |name| format!("{file} - {name}"));
        let before = cases.len();
        if let Err(why) = expand(kind, &name, test, cases) {
            cases.truncate(before);
            cases.push(Case::unreadable(kind, name, why));
        }
    }
}

/// `//` and `/* */` outside strings, which the upstream files hold.
fn strip_comments(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text.chars().peekable();
    let mut quoted = false;
    while let Some(c) = rest.next() {
        match c {
            '\\' if quoted => {
                out.push(c);
                out.extend(rest.next());
                continue;
            }
            '"' => quoted = !quoted,
            '/' if !quoted && rest.peek() == Some(&'/') => {
                while rest.peek().is_some_and(|next| *next != '\n') {
                    rest.next();
                }
                continue;
            }
            '/' if !quoted && rest.peek() == Some(&'*') => {
                rest.next();
                let mut last = ' ';
                for next in rest.by_ref() {
                    if last == '*' && next == '/' {
                        break;
                    }
                    last = next;
                }
                continue;
            }
            _ => {}
        }
        out.push(c);
    }
    out
}

/// The texts of a list that may be missing.
fn strings(test: &Json, field: &str) -> Result<Vec<String>, String> {
    let text = |item: &Json| item.as_str().map(str::to_string).ok_or_else(|| format!("'{field}' holds {item}, which is no text"));
    list(test, field)?.iter().map(text).collect()
}

fn list<'a>(test: &'a Json, field: &str) -> Result<&'a [Json], String> {
    match &test[field] {
        Json::Null => Ok(&[]),
        Json::Array(items) => Ok(items),
        other => Err(format!("'{field}' is no list but {other}")),
    }
}

fn expand(kind: Kind, name: &str, test: &Json, cases: &mut Vec<Case>) -> Result<(), String> {
    if !test.is_object() {
        return Err(format!("a case is an object, not {test}"));
    }
    let formats = match strings(test, "format")? {
        none if none.is_empty() => vec![None],
        some => some.into_iter().map(Some).collect(),
    };
    let configs: Vec<Option<&Json>> = match test["config"].as_array() {
        Some(list) if !list.is_empty() => list.iter().map(Some).collect(),
        _ => vec![None],
    };
    let empty = Map::new();
    let properties = test["properties"].as_object().unwrap_or(&empty);
    for format in &formats {
        for config in &configs {
            let mut full = name.to_string();
            if let Some(format) = format {
                full.push_str(&format!(" - {format}"));
            }
            let mut settings = Vec::new();
            for (key, value) in properties {
                let placeholder = value.as_str().is_some_and(|text| text.eq_ignore_ascii_case("{config}"));
                match config {
                    Some(config) if placeholder => {
                        full.push_str(&format!(" - {key}={}", plain_text(config)));
                        settings.push((key.clone(), plain_text(config)));
                    }
                    _ => settings.push((key.clone(), plain_text(value))),
                }
            }
            cases.push(normalise(kind, full, format.as_deref(), settings, test)?);
        }
    }
    Ok(())
}

fn normalise(
    kind: Kind,
    name: String,
    format: Option<&str>,
    properties: Vec<(String, String)>,
    test: &Json,
) -> Result<Case, String> {
    let statements: Vec<String> = strings(test, "statements")?
        .into_iter()
        .map(|text| format.map_or(text.clone(), |format| text.replace("{FORMAT}", format)))
        .collect();
    let partitions = if kind == Kind::Rqtt { DEFAULT_PARTITIONS } else { 1 };
    let topics: Vec<TopicNode> = list(test, "topics")?
        .iter()
        .map(|topic| TopicNode {
            name: topic["name"].as_str().unwrap_or_default().to_string(),
            partitions: topic["partitions"].as_i64().and_then(|n| i32::try_from(n).ok()).unwrap_or(partitions),
            schema: !topic["valueSchema"].is_null() || !topic["keySchema"].is_null(),
        })
        .collect();
    let error = if kind == Kind::Rqtt { &test["expectedError"] } else { &test["expectedException"] };
    if !(error.is_null() || error.is_object()) {
        return Err(format!("the failure that is expected is no object but {error}"));
    }
    let expected = error.is_object().then(|| Expected {
        class: error["type"].as_str().map(str::to_string),
        message: error["message"].as_str().map(str::to_string),
        status: error["status"].as_u64(),
    });
    let (needs, rung) = needs::of(&needs::Subject {
        statements: &statements,
        properties: &properties,
        registers_schema: topics.iter().any(|topic| topic.schema),
        failing: expected.is_some(),
    });
    let exact = !properties.iter().any(|(key, value)| key == "use.exact.numeric.comparison" && value == "false");
    Ok(Case {
        enabled: test["enabled"] != Json::Bool(false),
        statements,
        properties,
        topics,
        inputs: records(test, "inputs")?,
        outputs: records(test, "outputs")?,
        expected,
        post: test["post"].clone(),
        rest: RestNode {
            responses: test["responses"].as_array().cloned().unwrap_or_default(),
            query_first: test["inputConditions"]["waitForActivePushQuery"] == Json::Bool(true),
            verify_order: test["outputConditions"]["verifyOrder"] == Json::Bool(true),
            also_proto: test["testPullWithProtoFormat"] == Json::Bool(true),
        },
        exact_numbers: exact,
        needs,
        rung,
        ..Case::new(kind, name)
    })
}

fn plain_text(value: &Json) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_string)
}

fn records(test: &Json, field: &str) -> Result<Vec<RecordNode>, String> {
    list(test, field)?.iter().map(|node| record(node, field == "inputs")).collect()
}

fn record(node: &Json, input: bool) -> Result<RecordNode, String> {
    let timestamp = match &node["timestamp"] {
        Json::Null => input.then_some(0),
        Json::Number(text) => Some(text.as_str().parse::<i64>().map_err(|_| format!("timestamp {text}"))?),
        other => return Err(format!("timestamp {other}")),
    };
    let window = node["window"].as_object().map(|window| Window {
        start: window.get("start").and_then(Json::as_i64).unwrap_or(0),
        end: window.get("end").and_then(Json::as_i64).unwrap_or(0),
        session: window.get("type").and_then(Json::as_str).is_some_and(|kind| kind.eq_ignore_ascii_case("session")),
    });
    let headers = node["headers"].as_array().into_iter().flatten().map(|header| Header {
        key: header["KEY"].as_str().unwrap_or_default().to_string(),
        value: header["VALUE"].as_str().map(str::to_string),
    });
    Ok(RecordNode {
        topic: node["topic"].as_str().ok_or("a record without a topic")?.to_string(),
        key: node["key"].clone(),
        value: node["value"].clone(),
        timestamp,
        window,
        headers: headers.collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expanded(text: &str) -> Vec<Case> {
        let mut cases = Vec::new();
        expand(Kind::Qtt, "f - n", &serde_json::from_str(text).unwrap(), &mut cases).unwrap();
        cases
    }

    #[test]
    fn comments_go_but_not_inside_strings() {
        let text = "{\"a\": \"x // y\", // gone\n \"b\": /* gone */ 1.10}";
        let parsed: Json = serde_json::from_str(&strip_comments(text)).unwrap();
        assert_eq!(parsed["a"], "x // y");
        assert_eq!(parsed["b"].to_string(), "1.10");
    }

    #[test]
    fn formats_and_configs_multiply() {
        let cases = expanded(
            r#"{"name": "n", "format": ["JSON", "AVRO"], "config": [true, false],
                "properties": {"p": "{CONFIG}"}, "statements": ["CREATE {FORMAT};"]}"#,
        );
        let names: Vec<_> = cases.iter().map(|case| case.name.as_str()).collect();
        assert_eq!(names, ["f - n - JSON - p=true", "f - n - JSON - p=false", "f - n - AVRO - p=true", "f - n - AVRO - p=false"]);
        assert_eq!(cases[2].statements, ["CREATE AVRO;"]);
    }

    #[test]
    fn an_input_without_a_timestamp_is_at_zero_an_output_at_any() {
        let cases = expanded(r#"{"name": "n", "statements": [], "inputs": [{"topic": "t"}], "outputs": [{"topic": "t"}]}"#);
        assert_eq!(cases[0].inputs[0].timestamp, Some(0));
        assert_eq!(cases[0].outputs[0].timestamp, None);
    }
}
