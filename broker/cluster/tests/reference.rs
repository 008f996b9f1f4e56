//! The committed reference page says what the table says. `BLESS=1` writes it anew.
use std::fs;
use std::path::Path;

use millrace_cluster::config::{Effect, TOPIC, broker_keys};

#[test]
fn reference_page_is_fresh() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../reference/configs.md");
    let page = millrace_cluster::config::reference_page();
    if std::env::var_os("BLESS").is_some() {
        fs::create_dir_all(path.parent().expect("a parent")).expect("create broker/reference");
        fs::write(&path, &page).expect("write the page");
    }
    let committed = fs::read_to_string(&path).unwrap_or_default();
    assert!(committed == page, "broker/reference/configs.md is stale: run BLESS=1 cargo test -p millrace-cluster reference");
}

/// What the table calls working is asked for by name somewhere, and what it calls accepted is not.
#[test]
fn effects_are_true() {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut text = String::new();
    for folder in ["../src", "src/decide", "../../views/sql/src"] {
        read_all(&manifest.join(folder), &mut text);
    }
    let behind_a_topic_key = |name: &str| TOPIC.iter().any(|key| key.synonyms.iter().any(|synonym| synonym.name == name));
    // Read when `log.dirs` is not set.
    let behind_another = |name: &str| name == "log.dir";
    for key in broker_keys().filter(|key| !behind_a_topic_key(key.name) && !behind_another(key.name)) {
        let named = text.contains(&format!("\"{}\"", key.name));
        match key.effect {
            Effect::Works => assert!(named, "{} is said to work, and nothing reads it", key.name),
            Effect::Accepted => assert!(!named, "{} is said to have no effect, and something reads it", key.name),
            Effect::Refused => {}
        }
    }
}

fn read_all(folder: &Path, text: &mut String) {
    for entry in fs::read_dir(folder).expect("a source folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            read_all(&path, text);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            let source = fs::read_to_string(&path).expect("a source file");
            text.push_str(&if path.ends_with("catalog/properties.rs") { without_lists(&source) } else { source });
        }
    }
}

/// The views' properties without the lists of names that scripts set and nothing follows.
fn without_lists(source: &str) -> String {
    let mut kept = source.to_owned();
    for list in ["const ACCEPTED: &[&str] = &[", "const CLIENTS: &[&str] = &[", "const FIXED: &[&str] = &["] {
        let from = kept.find(list).unwrap_or_else(|| panic!("{list} is not there any more: name the list that took its place"));
        let to = from + kept[from..].find("];").expect("a list ends");
        kept.replace_range(from..to, "");
    }
    kept
}
