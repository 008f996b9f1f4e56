//! What is written reads back as it was: on statements of every kind, and on the corpora when they are at hand.

use std::path::{Path, PathBuf};

use crate::ast::Statement;
use crate::parser::{Limits, Variables, parse, split};

fn round_trip(text: &str) -> Result<usize, String> {
    let statements = parse(text, &mut Variables::default(), &Limits::STANDARD).map_err(|error| error.to_string())?;
    for located in &statements {
        let written = located.statement.to_string();
        let again = parse(&format!("{written};"), &mut Variables::default(), &Limits::STANDARD)
            .map_err(|error| format!("{written}\n  does not read back: {error}"))?;
        let again: Vec<Statement> = again.into_iter().map(|located| located.statement).collect();
        if again != std::slice::from_ref(&located.statement) {
            return Err(format!("{written}\n  reads back as {again:?}"));
        }
    }
    Ok(statements.len())
}

#[test]
fn every_kind_of_statement_reads_back() {
    let text = include_str!("every_statement.sql");
    assert_eq!(round_trip(text).unwrap_or_else(|why| panic!("{why}")), 76);
}

#[test]
fn a_source_named_like_a_listing_is_described_by_itself() {
    assert_eq!(round_trip("DESCRIBE `TABLES` EXTENDED; DESCRIBE `STREAMS`; DESCRIBE TABLES;").unwrap_or_else(|why| panic!("{why}")), 3);
}

#[test]
fn layout_is_that_of_listings() {
    let text = "create table output with (key_format='KAFKA') as select f1 k1, count(*) total from test t group by f1, f2 emit changes;";
    let statements = parse(text, &mut Variables::default(), &Limits::STANDARD).unwrap();
    let expected = "CREATE TABLE OUTPUT WITH (KEY_FORMAT='KAFKA') AS SELECT\n  F1 K1,\n  COUNT(*) TOTAL\nFROM TEST T\nGROUP BY F1, F2\nEMIT CHANGES";
    assert_eq!(statements[0].statement.to_string(), expected);
}

/// The corpora lie beside the project when it is checked as a whole; without them these tests hold trivially.
fn shared(folder: &str) -> Option<PathBuf> {
    let found = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().map(|above| above.join("../shared").join(folder)).find(|path| path.exists());
    found.or_else(|| std::env::var_os("SHARED").map(|shared| PathBuf::from(shared).join(folder)).filter(|path| path.exists()))
}

fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = std::fs::read_dir(folder)
        .map(|entries| entries.filter_map(|entry| Some(entry.ok()?.path())).collect())
        .unwrap_or_default();
    found.retain(|path| path.extension().is_some_and(|found| found == extension));
    found.sort();
    found
}

#[test]
fn scripts_of_the_seeds_read_back() {
    let Some(folder) = shared("seeds/ksql") else { return };
    let mut failed = Vec::new();
    for path in files(&folder, "sql") {
        let text = std::fs::read_to_string(&path).unwrap();
        for raw in split(&text, &Limits::STANDARD).unwrap() {
            // Some scripts hold printed answers, and one a query for another database.
            let is_sql = raw.text.starts_with(|first: char| first.is_ascii_alphabetic()) && !raw.text.contains("ORDER BY");
            if let (Err(why), true) = (round_trip(raw.text), is_sql) {
                failed.push(format!("{}: {why}", path.display()));
            }
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

#[test]
fn scripts_of_the_corpus_read_back() {
    let Some(folder) = shared("ksql/public/sql") else { return };
    for path in files(&folder, "sql") {
        let text = std::fs::read_to_string(&path).unwrap();
        round_trip(&text).unwrap_or_else(|why| panic!("{}: {why}", path.display()));
    }
}

#[test]
fn statements_of_the_corpus_read_back() {
    let Some(public) = shared("ksql/public") else { return };
    let mut failed = Vec::new();
    for path in ["qtt", "rqtt"].iter().flat_map(|kind| files(&public.join(kind), "json")) {
        let text = std::fs::read_to_string(&path).unwrap();
        let file: serde_json::Value = serde_json::from_str(&text).unwrap();
        for case in file["tests"].as_array().into_iter().flatten() {
            let must_fail = !case["expectedException"].is_null() || !case["expectedError"].is_null();
            let statements: Vec<&str> = case["statements"].as_array().into_iter().flatten().filter_map(|text| text.as_str()).collect();
            if let (Err(why), false) = (round_trip(&statements.join("\n")), must_fail) {
                failed.push(format!("{} {}: {why}", path.display(), case["name"]));
            }
        }
    }
    assert!(failed.is_empty(), "{} failed\n{}", failed.len(), failed.join("\n"));
}
