//! How files look: short, documented, without loose ends.
use millrace_tidy::{Exception, judge, sources};

/// Past this a file is split by event.
const LINES_MAX: usize = 600;

const LONG: &[Exception] = &[];

#[test]
fn files_stay_short() {
    let long = sources(".rs").into_iter().filter_map(|source| {
        let lines = source.text.lines().count();
        (lines > LINES_MAX).then(|| (source.path.clone(), String::new(), format!("{}: {lines} lines", source.path)))
    });
    if let Err(said) = judge(&long.collect::<Vec<_>>(), LONG) {
        panic!("files above {LINES_MAX} lines {said}");
    }
}

/// From this length on a file needs a head that says what it is for; the root of a crate always does.
const HEADED_FROM: usize = 180;

#[test]
fn crates_and_long_files_say_what_they_are() {
    let must = |source: &millrace_tidy::Source| {
        let root = source.path.ends_with("src/lib.rs") || source.path.ends_with("src/main.rs");
        root || (!source.is_test() && source.text.lines().count() >= HEADED_FROM)
    };
    let silent: Vec<_> = sources(".rs").into_iter().filter(|source| must(source) && !source.text.starts_with("//!")).map(|source| source.path).collect();
    assert!(silent.is_empty(), "files without a `//!` head:\n  {}", silent.join("\n  "));
}

/// Spelt in pieces, so that this file passes its own rule.
fn loose_ends() -> Vec<String> {
    [("TO", "DO"), ("FIX", "ME"), ("XX", "X:"), ("HA", "CK:"), ("to", "do!("), ("unimple", "mented!("), ("db", "g!("), ("#[igno", "re"), ("not yet imple", "mented")]
        .map(|(head, tail)| format!("{head}{tail}"))
        .to_vec()
}

#[test]
fn no_loose_ends() {
    let mut said = Vec::new();
    for source in sources(".rs").iter().chain(&sources(".sh")).chain(&sources("Makefile")) {
        for (number, line) in source.text.lines().enumerate() {
            if let Some(word) = loose_ends().iter().find(|word| line.contains(word.as_str())) {
                said.push(format!("{}:{}: {word}", source.path, number + 1));
            }
        }
    }
    assert!(said.is_empty(), "loose ends:\n  {}", said.join("\n  "));
}

/// Crates that read what others wrote: bytes off the wire or off a disk.
const READERS: &[&str] = &["storage/", "broker/", "views/", "client/"];

const UNWRAPPED: &[Exception] = &[];

/// `expect` says which invariant holds and stays; a bare `unwrap` says nothing.
#[test]
fn nothing_that_reads_foreign_bytes_unwraps() {
    let mut breaches = Vec::new();
    for source in sources(".rs").into_iter().filter(|source| !source.is_test() && READERS.iter().any(|folder| source.path.starts_with(folder))) {
        for (number, line) in source.shipped() {
            if line.contains(".unwrap()") || line.contains("unwrap_unchecked") {
                breaches.push((source.path.clone(), String::new(), format!("{}:{number}: {}", source.path, line.trim())));
            }
        }
    }
    if let Err(said) = judge(&breaches, UNWRAPPED) {
        panic!("unwraps in shipped code {said}");
    }
}

#[test]
fn expectations_say_what_holds() {
    let mut said = Vec::new();
    for source in sources(".rs").into_iter().filter(|source| !source.is_test()) {
        for (number, line) in source.shipped() {
            // A parser's own `expect` gives back a Result; the panicking one is not followed by `?`.
            if let Some((_, message)) = line.split_once(".expect(\"")
                && !message.contains("\")?")
                && message.split('"').next().unwrap_or_default().split_whitespace().count() < 3
            {
                said.push(format!("{}:{number}: {}", source.path, line.trim()));
            }
        }
    }
    assert!(said.is_empty(), "expectations that do not say why they hold:\n  {}", said.join("\n  "));
}

#[test]
fn manifests_inherit_from_the_workspace() {
    for source in sources("Cargo.toml").into_iter().filter(|source| source.path != "Cargo.toml") {
        for line in ["edition.workspace = true", "license.workspace = true", "publish.workspace = true", "[lints]\nworkspace = true"] {
            assert!(source.text.contains(line), "{} lacks `{}`", source.path, line.replace('\n', " "));
        }
        for line in source.text.lines().filter(|line| line.contains("version = \"")) {
            panic!("{}: {line}: versions live in the root manifest", source.path);
        }
    }
}

#[test]
fn no_path_of_a_developers_machine() {
    let homes = [("/ho", "me/"), ("/ro", "ot/"), ("/wo", "rk/"), ("/tmp", "/w/")].map(|(head, tail)| format!("{head}{tail}"));
    let mut said = Vec::new();
    for source in sources(".rs").iter().chain(&sources(".sh")).chain(&sources(".md")).chain(&sources("Makefile")) {
        for (number, line) in source.text.lines().enumerate() {
            if homes.iter().any(|home| line.contains(home.as_str())) {
                said.push(format!("{}:{}: {}", source.path, number + 1, line.trim()));
            }
        }
    }
    assert!(said.is_empty(), "paths of one machine:\n  {}", said.join("\n  "));
}
