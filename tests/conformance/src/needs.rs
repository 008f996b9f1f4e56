//! What a case needs, read off its text: formats, features, and the rung of the ladder it stands on.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use regex::Regex;

pub struct Subject<'a> {
    pub statements: &'a [String],
    pub properties: &'a [(String, String)],
    pub registers_schema: bool,
    pub failing: bool,
}

static FORMAT: LazyLock<Regex> = LazyLock::new(|| pattern(r"\b(KEY_FORMAT|VALUE_FORMAT|FORMAT)\s*=\s*'([^']*)'"));
static STRING: LazyLock<Regex> = LazyLock::new(|| pattern(r"'(?:[^']|'')*'"));
static COMMENT: LazyLock<Regex> = LazyLock::new(|| pattern(r"--[^\n]*|(?s:/\*.*?\*/)"));
static CALL: LazyLock<Regex> = LazyLock::new(|| pattern(r"\b([A-Za-z_]\w*)\s*\("));

/// Feature name and the text that shows it, over statements without strings and comments.
static FEATURES: LazyLock<Vec<(&'static str, Regex)>> = LazyLock::new(|| {
    [
        ("join", r"\bJOIN\b"),
        ("join:stream-stream", r"\bWITHIN\b"),
        ("join:left", r"\bLEFT\b[\s\w]*JOIN"),
        ("join:right", r"\bRIGHT\b[\s\w]*JOIN"),
        ("join:full", r"\bFULL\b[\s\w]*JOIN"),
        ("window", r"\bWINDOW\s+(\w+\s+)?(TUMBLING|HOPPING|SESSION)\b"),
        ("window:tumbling", r"\bWINDOW\s+(\w+\s+)?TUMBLING\b"),
        ("window:hopping", r"\bWINDOW\s+(\w+\s+)?HOPPING\b"),
        ("window:session", r"\bWINDOW\s+(\w+\s+)?SESSION\b"),
        ("windowed-source", r"\bWINDOW_TYPE\b"),
        ("emit-final", r"\bEMIT\s+FINAL\b"),
        ("grace", r"\bGRACE\s+PERIOD\b"),
        ("group-by", r"\bGROUP\s+BY\b"),
        ("partition-by", r"\bPARTITION\s+BY\b"),
        ("having", r"\bHAVING\b"),
        ("insert-into", r#"\bINSERT\s+INTO\s+[\w`"]+\s+(WITH\s*\(|SELECT)"#),
        ("insert-values", r#"\bINSERT\s+INTO\s+[\w`"]+\s*(\([^)]*\))?\s*VALUES"#),
        ("lambda", r"=>"),
        ("udtf", r"\b(EXPLODE|CUBE_EXPLODE|TEST_UDTF|THROWING_UDTF)\s*\("),
        ("headers", r"\bHEADERS?\b"),
        ("rowpartition", r"\bROWPARTITION\b|\bROWOFFSET\b"),
        ("types", r"\bCREATE\s+TYPE\b"),
        ("source-readonly", r"\bCREATE\s+(OR\s+REPLACE\s+)?SOURCE\b"),
        ("or-replace", r"\bOR\s+REPLACE\b"),
        ("alter", r"\bALTER\s+(STREAM|TABLE)\b"),
        ("assert", r"\bASSERT\b"),
        ("struct", r"\bSTRUCT\b|->"),
        ("decimal", r"\bDECIMAL\b"),
        ("timestamp-column", r"\bTIMESTAMP\s*="),
        ("pull-query", r"^\s*SELECT\b"),
        ("push-query", r"^\s*SELECT\b(?s:.*)\bEMIT\s+CHANGES\b"),
    ]
    .into_iter()
    .map(|(name, text)| (name, pattern(text)))
    .collect()
});

/// Functions that exist in ksqlDB's own test classes only.
const TEST_FUNCTIONS: &[&str] = &[
    "BAD_UDF", "BAD_TEST_UDF", "THROWING_UDTF", "WHENCONDITION", "WHENRESULT", "MULTI_ARG", "VAR_ARG", "MID_VAR_ARG",
    "FOUR_ARG", "FIVE_ARG", "GENERIC_VAR_ARG", "OBJ_COL_ARG", "TOSTRUCT", "TOMAP", "TOLIST", "TOSTRING",
];

fn pattern(text: &str) -> Regex {
    #[expect(clippy::expect_used, reason = "the patterns are constants of this file")]
    Regex::new(&format!("(?i){text}")).expect("a valid pattern")
}

/// The needs, sorted, and the rung.
pub fn of(subject: &Subject) -> (Vec<String>, &'static str) {
    let mut formats = BTreeSet::new();
    let mut needs = BTreeSet::new();
    let mut calls = BTreeSet::new();
    for statement in subject.statements {
        let bare = COMMENT.replace_all(statement, " ");
        for found in FORMAT.captures_iter(&bare) {
            let format = found[2].to_uppercase();
            if found[1].eq_ignore_ascii_case("VALUE_FORMAT") || format != "KAFKA" {
                formats.insert(format);
            }
        }
        let unquoted = STRING.replace_all(&bare, "''");
        for (name, shape) in FEATURES.iter() {
            if shape.is_match(&unquoted) {
                needs.insert((*name).to_string());
            }
        }
        calls.extend(CALL.captures_iter(&unquoted).map(|call| call[1].to_uppercase()));
    }
    for (key, value) in subject.properties {
        if key.starts_with("ksql.persistence.default.format") {
            formats.insert(value.to_uppercase());
        }
    }
    if needs.contains("push-query") {
        needs.remove("pull-query");
    }
    let registry = subject.registers_schema || ["AVRO", "PROTOBUF", "JSON_SR"].iter().any(|name| formats.contains(*name));
    if registry {
        needs.insert("schema-registry".to_string());
    }
    if calls.iter().any(|call| call.starts_with("TEST_UD") || TEST_FUNCTIONS.contains(&call.as_str())) {
        needs.insert("test-udf".to_string());
    }
    if subject.failing {
        needs.insert("error".to_string());
    }
    let rung = rung(&formats, &needs, registry);
    (formats.into_iter().chain(needs).collect(), rung)
}

/// The first thing that an engine may lack.
fn rung(formats: &BTreeSet<String>, needs: &BTreeSet<String>, registry: bool) -> &'static str {
    let format = |name: &str| formats.contains(name);
    let need = |name: &str| needs.contains(name);
    match () {
        () if need("test-udf") => "9-test-udf",
        () if format("PROTOBUF") || format("PROTOBUF_NOSR") => "8-protobuf",
        () if format("AVRO") => "7-avro",
        () if format("JSON_SR") || registry => "6-json-sr",
        () if need("join") => "5-join",
        () if need("window") || need("windowed-source") || need("emit-final") => "4-window",
        () if need("group-by") => "3-aggregate",
        () if format("DELIMITED") || format("KAFKA") => "2-delimited/kafka",
        () => "1-json-stateless",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn needs(statement: &str) -> (Vec<String>, &'static str) {
        of(&Subject { statements: &[statement.to_string()], properties: &[], registers_schema: false, failing: false })
    }

    #[test]
    fn formats_and_features_are_read_off_the_text() {
        let (needs, rung) = needs("CREATE STREAM s WITH (value_format='avro') AS SELECT 'GROUP BY' FROM a JOIN b WITHIN 1 DAY;");
        assert_eq!(needs, ["AVRO", "join", "join:stream-stream", "schema-registry"]);
        assert_eq!(rung, "7-avro");
    }
}
