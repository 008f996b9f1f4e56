//! Which crate may use which: the arrows of ARCHITECTURE.md, checked against every Cargo.toml.
use std::collections::{BTreeMap, BTreeSet};

use millrace_tidy::sources;

/// Crate, and what of ours it may name in `[dependencies]`. Tests and benches may use everything; nothing may use them.
const ARROWS: &[(&str, &[&str])] = &[
    ("millrace-world", &[]),
    ("millrace-record", &[]),
    ("millrace-log", &["world", "record"]),
    ("millrace-journal", &["world", "record"]),
    ("millrace-replica", &["world", "record", "log"]),
    ("millrace-fold", &["world", "record"]),
    ("millrace-shard", &["world", "record", "log", "journal", "replica", "fold"]),
    ("millrace-protocol", &["record"]),
    ("millrace-cluster", &["world", "record", "fold", "protocol"]),
    ("millrace-coordinator", &["world", "record", "fold", "protocol"]),
    ("millrace-proto", &[]),
    ("millrace-sql", &[]),
    ("millrace-formats", &["sql"]),
    ("millrace-engine", &["world", "record", "fold", "shard", "sql", "formats"]),
    ("millrace-store", &["engine"]),
    ("millrace-serve", &["world", "record", "fold", "shard", "proto", "sql", "formats", "engine", "store"]),
    (
        "millrace",
        &["world", "record", "log", "journal", "shard", "fold", "protocol", "cluster", "coordinator", "sql", "formats", "engine", "store", "serve", "cli"],
    ),
    ("millrace-client", &["proto", "protocol", "record"]),
    ("millrace-cli", &["client", "sql", "log", "record", "world", "cluster"]),
];

struct Manifest {
    package: String,
    path: String,
    ours: BTreeSet<String>,
    others: BTreeSet<String>,
}

fn manifests() -> Vec<Manifest> {
    let read = |source: millrace_tidy::Source| {
        let mut section = String::new();
        let mut manifest = Manifest { package: String::new(), path: source.path.clone(), ours: BTreeSet::new(), others: BTreeSet::new() };
        for line in source.text.lines().map(str::trim) {
            if let Some(name) = line.strip_prefix('[') {
                section = name.trim_end_matches(']').to_owned();
            } else if section == "package" && line.starts_with("name ") {
                manifest.package = line.split('"').nth(1).unwrap_or_default().to_owned();
            } else if section == "dependencies" {
                let name = line.split(['.', ' ', '=']).next().unwrap_or_default();
                match name.strip_prefix("millrace") {
                    Some(rest) => manifest.ours.insert(rest.trim_start_matches('-').to_owned()),
                    None if !name.is_empty() && !name.starts_with('#') => manifest.others.insert(name.to_owned()),
                    None => false,
                };
            }
        }
        manifest
    };
    sources("Cargo.toml").into_iter().filter(|source| source.path != "Cargo.toml").map(read).collect()
}

fn is_test(manifest: &Manifest) -> bool {
    manifest.path.starts_with("tests/") || manifest.path.starts_with("benches/")
}

#[test]
fn crates_use_only_what_the_arrows_allow() {
    let arrows: BTreeMap<&str, &[&str]> = ARROWS.iter().copied().collect();
    let mut said = Vec::new();
    for manifest in manifests().iter().filter(|manifest| !is_test(manifest)) {
        let Some(allowed) = arrows.get(manifest.package.as_str()) else {
            said.push(format!("{} is not in the table of arrows", manifest.package));
            continue;
        };
        for used in manifest.ours.iter().filter(|used| !allowed.contains(&used.as_str())) {
            said.push(format!("{} uses {}: no such arrow", manifest.package, if used.is_empty() { "millrace" } else { used }));
        }
    }
    assert!(said.is_empty(), "{}", said.join("\n"));
}

#[test]
fn the_arrows_have_no_circle() {
    fn visit<'a>(name: &'a str, arrows: &BTreeMap<&'a str, &'a [&'a str]>, path: &mut Vec<&'a str>) {
        assert!(!path.contains(&name), "a circle: {path:?} and again {name}");
        path.push(name);
        for next in arrows.get(name).copied().unwrap_or_default() {
            visit(next, arrows, path);
        }
        path.pop();
    }
    let arrows: BTreeMap<&str, &[&str]> = ARROWS.iter().map(|(name, to)| (name.trim_start_matches("millrace").trim_start_matches('-'), *to)).collect();
    for name in arrows.keys() {
        visit(name, &arrows, &mut Vec::new());
    }
}

#[test]
fn nothing_that_ships_uses_the_tests() {
    let tests: BTreeSet<String> = manifests().iter().filter(|manifest| is_test(manifest)).map(|manifest| manifest.package.clone()).collect();
    for manifest in manifests().iter().filter(|manifest| !is_test(manifest)) {
        let uses = manifest.ours.iter().find(|used| tests.contains(&format!("millrace-{used}")));
        assert!(uses.is_none(), "{} uses {uses:?}", manifest.package);
    }
}

/// Heavy or pervasive crates, and who alone may name them.
const KEPT: &[(&str, &[&str])] = &[
    ("raft", &["millrace-replica"]),
    ("rocksdb", &["millrace-store"]),
    ("memmap2", &["millrace-world", "millrace-log"]),
    ("tokio", &["millrace-world", "millrace", "millrace-serve", "millrace-client", "millrace-cli"]),
    ("kafka-protocol", &["millrace-protocol", "millrace-coordinator", "millrace-cluster", "millrace", "millrace-client"]),
    ("clap", &["millrace", "millrace-cli"]),
    ("axum", &["millrace", "millrace-serve"]),
    ("tonic", &["millrace-proto", "millrace-serve", "millrace-client"]),
];

#[test]
fn heavy_crates_stay_where_they_belong() {
    let manifests = manifests();
    let mut said = Vec::new();
    for (name, owners) in KEPT {
        for manifest in manifests.iter().filter(|manifest| !is_test(manifest) && manifest.others.contains(*name)) {
            if !owners.contains(&manifest.package.as_str()) {
                said.push(format!("{} names {name}, which is kept to {owners:?}", manifest.package));
            }
        }
    }
    assert!(said.is_empty(), "{}", said.join("\n"));
}
