//! Plans every case of the sample corpus that needs no schema registry and no test function: what must be accepted is, with the schema
//! and formats it should have; what must be refused is, in ksqlDB's words. Holds trivially where the corpus is not at hand.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use millrace_sql::catalog::{Catalog, Effect, NoSchemas, Session, Settings, Topics, decide};
use millrace_sql::functions::Registry;
use millrace_sql::parser::{Limits, Variables, parse_raw, split};
use serde_json::Value;

/// Every topic exists, with four partitions unless the case says otherwise.
struct AllTopics(BTreeMap<String, i32>);

impl Topics for AllTopics {
    fn partitions(&self, topic: &str) -> Option<i32> {
        Some(self.0.get(topic).copied().unwrap_or(4))
    }
}

/// What a case left behind: its catalog, and the schemas of its answers.
struct Done {
    catalog: Catalog,
    /// The query's text; its schema, with keys marked when it was a pull query.
    answers: Vec<(String, String)>,
}

/// The error that stopped the case, or what it made.
fn run(case: &Value, statements: &str) -> Result<Done, String> {
    let mut done = Done { catalog: Catalog::default(), answers: Vec::new() };
    let mut settings: Settings = properties(case).into_iter().collect();
    let mut topics = AllTopics(BTreeMap::new());
    for topic in case["topics"].as_array().into_iter().flatten() {
        let partitions = topic["partitions"].as_i64().unwrap_or(1) as i32;
        topics.0.insert(topic["name"].as_str().unwrap_or_default().to_string(), partitions);
    }
    for raw in split(statements, &Limits::STANDARD).map_err(|error| error.to_string())? {
        let located = parse_raw(&raw, &Variables::default(), &Limits::STANDARD).map_err(|error| error.to_string())?;
        declare_topic(&located.statement, &mut topics);
        let functions = Registry::builtin();
        let session = Session { catalog: &done.catalog, topics: &topics, schemas: &NoSchemas, settings: &settings, functions };
        let decision = decide(&session, &located).map_err(|error| error.to_string())?;
        match &decision.effect {
            Effect::SetProperty { name, value } => settings.set(name, value),
            Effect::Pull(plan) => done.answers.push((located.text.clone(), plan.schema.to_string())),
            Effect::Push(plan) => done.answers.push((located.text.clone(), plan.schema.without_keys().to_string())),
            _ => {}
        }
        done.catalog.apply(&decision.effect);
    }
    Ok(done)
}

/// The corpus makes every topic that a statement names, with its PARTITIONS.
fn declare_topic(statement: &millrace_sql::ast::Statement, topics: &mut AllTopics) {
    use millrace_sql::ast::{PropertyValue, Statement};
    let properties = match statement {
        Statement::CreateSource(create) => &create.properties,
        _ => return,
    };
    if let (Some(PropertyValue::String(topic)), Some(PropertyValue::Number(count))) =
        (properties.get("KAFKA_TOPIC"), properties.get("PARTITIONS"))
    {
        topics.0.entry(topic.clone()).or_insert_with(|| count.parse().unwrap_or(4));
    }
}

fn properties(case: &Value) -> Vec<(String, String)> {
    let entries = case["properties"].as_object().into_iter().flatten();
    entries.map(|(name, value)| (name.clone(), value.as_str().map_or_else(|| value.to_string(), str::to_string))).collect()
}

fn corpus() -> Option<PathBuf> {
    let above = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().map(|above| above.join("../shared/ksql/public"));
    let given = std::env::var_os("CORPUS").map(PathBuf::from);
    given.into_iter().chain(above).find(|path| path.join("qtt").is_dir())
}

fn texts(case: &Value, key: &str) -> Vec<String> {
    case[key].as_array().into_iter().flatten().filter_map(|text| Some(text.as_str()?.to_string())).collect()
}

/// Formats of the registry and functions of the Java tests are other tests' matter.
fn is_out_of_reach(text: &str) -> bool {
    let upper = text.to_uppercase();
    let needs = ["AVRO", "PROTOBUF'", "JSON_SR", "SCHEMA_ID", "TEST_UD", "BAD_UDF", "THROWING", "WHENCOND", "MULTI_ARG", "VAR_ARG", "FOUR_ARG", "FIVE_ARG", "OBJ_COL_ARG", "TOSTRUCT"];
    needs.iter().any(|need| upper.contains(need))
}

fn fault(case: &Value, statements: &str) -> Option<String> {
    let expected = if case["expectedError"].is_null() { &case["expectedException"] } else { &case["expectedError"] };
    match (run(case, statements), expected.is_null()) {
        // An error at run time is not for the planner to find.
        (Ok(_), false) if expected["type"].as_str().is_some_and(|class| class.contains("StreamsException")) => None,
        (Ok(done), false) => Some(format!("was accepted, but must fail with {}\n{}", expected["message"], made(&done))),
        (Err(why), true) => Some(format!("was refused: {why}")),
        (Err(why), false) => {
            let message = expected["message"].as_str().unwrap_or_default();
            // The corpus counts lines from the failing request, this test from the case's first statement.
            let why = why.replace("line 2:", "line 1:");
            (!why.contains(&message.replace("line 2:", "line 1:"))).then(|| format!("failed with {why}\n    but must fail with {message}"))
        }
        (Ok(done), true) => post(case, &done.catalog).or_else(|| headers(case, &done)),
    }
}

/// The schema that the last statement made, for the report.
fn made(done: &Done) -> String {
    let newest = done.catalog.queries().max_by_key(|query| query.plan.id.clone());
    newest.map(|query| query.plan.sink.source.schema.to_string()).unwrap_or_else(|| done.answers.iter().map(|(_, schema)| schema.clone()).collect())
}

/// The schemas and formats that the case wants to see afterwards.
fn post(case: &Value, catalog: &Catalog) -> Option<String> {
    for wanted in case["post"]["sources"].as_array().into_iter().flatten() {
        let name = millrace_sql::name::Name::new(wanted["name"].as_str()?);
        let Some(source) = catalog.source(&name) else { return Some(format!("made no {name}")) };
        if let Some(schema) = wanted["schema"].as_str() {
            let found = source.schema.to_string();
            if plain(&found) != plain(schema) {
                return Some(format!("{name} has {found}\n    but must have {schema}"));
            }
        }
        if let Some(format) = wanted["valueFormat"].as_str()
            && format != source.value_format.format.name()
        {
            return Some(format!("{name} has value format {}, not {format}", source.value_format.format));
        }
        if let Some(format) = wanted["keyFormat"]["format"].as_str()
            && format != source.key_format.format.name()
        {
            return Some(format!("{name} has key format {}, not {format}", source.key_format.format));
        }
    }
    None
}

/// The schemas that answers announce.
fn headers(case: &Value, done: &Done) -> Option<String> {
    let answers = case["responses"].as_array().into_iter().flatten().filter_map(|response| response["query"].as_array());
    let wanted = answers.filter_map(|rows| rows.first()?["header"]["schema"].as_str());
    for (wanted, (text, found)) in wanted.zip(&done.answers) {
        if wanted != found {
            return Some(format!("{text} answers {found}\n    but must answer {wanted}"));
        }
    }
    None
}

/// Schema texts differ in quotes, in PRIMARY and in names of types.
fn plain(schema: &str) -> String {
    let folded = if schema.contains('`') { schema.to_string() } else { schema.to_uppercase() };
    let text = folded.replace('`', "").replace("PRIMARY KEY", "KEY").replace("VARCHAR", "STRING").replace("INTEGER", "INT");
    text.split_whitespace().collect::<Vec<_>>().join(" ").replace(", ", ",")
}

#[test]
fn the_sample_corpus_plans_as_ksqldb_does() {
    let Some(corpus) = corpus() else { return };
    let folders = ["qtt", "rqtt"].map(|kind| std::fs::read_dir(corpus.join(kind)).unwrap());
    let mut files: Vec<PathBuf> = folders.into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path())).collect();
    files.sort();
    let (mut count, mut faults) = (0, Vec::new());
    for path in files {
        let file: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
        for case in file["tests"].as_array().into_iter().flatten().filter(|case| case["enabled"] != Value::Bool(false)) {
            let mut formats = texts(case, "format");
            if formats.is_empty() {
                formats.push(String::new());
            }
            for format in formats {
                let statements = texts(case, "statements").join("\n").replace("{FORMAT}", &format);
                if is_out_of_reach(&statements) {
                    continue;
                }
                count += 1;
                if let Some(why) = fault(case, &statements) {
                    let file = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
                    faults.push(format!("{file} - {} {format}\n    {why}\n{statements}\n", case["name"].as_str().unwrap_or_default()));
                }
            }
        }
    }
    let report = faults.join("\n");
    if let Some(path) = std::env::var_os("PLANNER_REPORT") {
        std::fs::write(path, format!("{} of {count}\n{report}", faults.len())).unwrap();
    }
    assert!(faults.len() * 50 <= count, "{} of {count} cases do not plan as they should\n{report}", faults.len());
}
