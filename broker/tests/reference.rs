//! The committed reference pages say what the tables say. `BLESS=1` writes them anew.
use std::fmt::Write;
use std::fs;
use std::path::Path;

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
fn metrics() {
    let mut page = "# Metrics\n\nMade from `broker/src/metrics/table.rs`; served at `/metrics` of `http.listener`.\n\n\
        | name | kind | labels | meaning |\n|---|---|---|---|\n"
        .to_owned();
    for metric in METRICS {
        writeln!(page, "| `{}` | {} | {} | {} |", metric.name, metric.kind.name(), metric.labels.join(", "), metric.help).expect("a string");
    }
    judge("metrics.md", &page);
}
