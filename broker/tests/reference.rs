//! The committed reference pages say what the tables say. `BLESS=1` writes them anew.
use std::fmt::Write;
use std::fs;
use std::path::Path;

use millrace::api::errors::{ERRORS, kafka_name};
use millrace::api::table::APIS;
use millrace::metrics::METRICS;

fn judge(name: &str, page: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("reference").join(name);
    if std::env::var_os("BLESS").is_some() {
        fs::write(&path, page).expect("the page can be written");
    }
    let committed = fs::read_to_string(&path).unwrap_or_default();
    assert!(committed == page, "broker/reference/{name} is stale: run BLESS=1 cargo test -p millrace --test reference");
}

#[test]
fn apis() {
    let mut page = "# Kafka APIs that this broker speaks\n\nMade from `broker/src/api/table.rs`. What is not here is not advertised.\n\n\
        | key | API | versions | flexible from |\n|---|---|---|---|\n"
        .to_owned();
    for api in APIS {
        let (min, max) = (api.versions.start(), api.versions.end());
        let flexible = if api.flexible_from == i16::MAX { "never".to_owned() } else { api.flexible_from.to_string() };
        writeln!(page, "| {} | {} | {min}-{max} | {flexible} |", api.key, api.name).expect("a string");
    }
    page.push_str("\nProduce is advertised from version 0, as Kafka does: librdkafka compresses only then. Versions 0-2 are refused.\n");
    judge("apis.md", &page);
}

#[test]
fn errors() {
    let mut page = "# Error codes\n\nMade from `broker/src/api/errors.rs`: every code that this broker answers with. *Again*: the same request may succeed later, \
        and clients repeat it by themselves.\n\n| code | name | again | when |\n|---|---|---|---|\n"
        .to_owned();
    for row in ERRORS {
        let again = if row.code.is_retriable() { "yes" } else { "" };
        writeln!(page, "| {} | {} | {again} | {} |", row.code.code(), kafka_name(row.code), row.when).expect("a string");
    }
    judge("errors.md", &page);
}

/// A code that is answered has a row, and a row's code is answered.
#[test]
fn the_table_of_errors_is_whole() {
    let mut sources = String::new();
    read_all(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut sources);
    let mut named: Vec<&str> = sources.split("ErrorCode::").skip(1).map(|rest| rest.split(|c: char| !c.is_ascii_alphanumeric()).next().unwrap_or_default()).collect();
    named.retain(|name| name.starts_with(|c: char| c.is_ascii_uppercase()));
    named.sort_unstable();
    named.dedup();
    let mut rows: Vec<String> = ERRORS.iter().map(|row| format!("{:?}", row.code)).collect();
    rows.sort_unstable();
    assert_eq!(named, rows, "left: codes that broker/src names; right: rows of broker/src/api/errors.rs");
}

fn read_all(folder: &Path, text: &mut String) {
    for entry in fs::read_dir(folder).expect("a source folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            read_all(&path, text);
        } else if path.extension().is_some_and(|ending| ending == "rs") && !path.ends_with("api/errors.rs") {
            text.push_str(&fs::read_to_string(&path).expect("a source file"));
        }
    }
}

#[test]
fn metrics() {
    let mut page = "# Metrics\n\nMade from `broker/src/metrics/table.rs`; served at `/metrics` of `http.listener`.\n\n\
        | name | kind | labels | meaning |\n|---|---|---|---|\n"
        .to_owned();
    for metric in METRICS {
        writeln!(page, "| `{}` | {} | {} | {} |", metric.name, metric.kind.name(), metric.labels.join(", "), metric.help).expect("a string");
    }
    judge("metrics.md", &page);
}
