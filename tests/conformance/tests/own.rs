//! Cases of our own, in the corpus' format: what the documented rules say about records, joins, windows, keys and formats, put down as
//! the outputs that they must give. `conformance tests/conformance/own` runs the same.
use std::path::Path;

use millrace_conformance::report::Verdict;
use millrace_conformance::{load, run};

#[test]
fn every_case_passes() {
    let cases = load::load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("own")).unwrap();
    assert!(cases.len() > 100, "{} cases", cases.len());
    let failed: Vec<String> = cases
        .iter()
        .filter_map(|case| match run::run(case) {
            Verdict::Pass => None,
            other => Some(format!("{}: {other:?}", case.name)),
        })
        .collect();
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}
