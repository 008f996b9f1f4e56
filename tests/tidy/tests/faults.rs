//! `tests/FAULTS.md` names tests that are there, for every fault that one node can meet.
use std::collections::BTreeMap;

use millrace_tidy::{root, sources};

/// The faults of the matrix that a single node can meet, by their numbers there.
const FAULTS: &[&str] = &[
    "A1", "A2", "A3", "A7", "A8", "A9", "C3", "C4", "C6", "C8", "C9", "C10", "C18", "C19", "C20", "F1", "F2", "F3", "F4", "F5", "F6", "F7", "F8", "F11", "F13",
    "F14", "F15", "F17", "G1", "G3", "G5", "G6", "G7", "G8", "G10", "G11", "G12", "G13", "G15",
];

#[test]
fn every_fault_is_met_by_a_test_that_exists() {
    let page = std::fs::read_to_string(root().join("tests/FAULTS.md")).expect("the page of faults");
    let files: BTreeMap<String, String> = sources(".rs").into_iter().map(|source| (source.path, source.text)).collect();
    let mut said = Vec::new();
    let mut rows = Vec::new();
    for line in page.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| id")) {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let [_, id, _, tests, _] = cells[..] else { panic!("not a row of three cells: {line}") };
        rows.push(id);
        let named: Vec<&str> = tests.split('`').skip(1).step_by(2).collect();
        if named.is_empty() {
            said.push(format!("{id} names no test"));
        }
        for name in named {
            let Some((path, test)) = name.split_once("::") else {
                said.push(format!("{id}: {name} is not file::test"));
                continue;
            };
            if !files.get(path).is_some_and(|text| is_test(text, test)) {
                said.push(format!("{id}: there is no test {name}"));
            }
        }
    }
    assert_eq!(rows, FAULTS, "the rows of tests/FAULTS.md");
    assert!(said.is_empty(), "{}", said.join("\n"));
}

/// A function of this name under a test's attribute, or inside `proptest!`.
fn is_test(text: &str, name: &str) -> bool {
    let Some(at) = text.find(&format!("fn {name}(")) else { return false };
    text[..at].lines().rev().take(4).any(|line| line.contains("test]") || line.contains("#[tokio::test"))
}
