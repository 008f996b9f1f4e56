//! Compatibility bugs that other brokers shipped, collected before this one was written: each has a test here,
//! whose doc comment says `Compat:` and the bug's id. V: framing and versions, M: metadata, topics and configs,
//! P: produce, F: fetch and offsets, G: groups. (Transactions, security and tools have lists of their own.)
use std::collections::BTreeSet;

use millrace_tidy::sources;

/// Letter, and how many there are.
const LISTS: &[(char, u32)] = &[('V', 21), ('M', 19), ('P', 14), ('F', 23), ('G', 17)];

/// Of what is not there yet, and why.
const LATER: &[(&str, &str)] = &[("G15", "consumer groups of KIP-848"), ("G17", "streams groups")];

#[test]
fn every_known_bug_has_a_test() {
    let mut told = BTreeSet::new();
    for source in [".rs", ".go", ".java", ".py", ".mjs"].into_iter().flat_map(sources) {
        for line in source.text.lines().filter(|line| line.trim_start().starts_with("//") || line.trim_start().starts_with('#')) {
            let Some((_, ids)) = line.split_once("Compat: ") else { continue };
            let words = ids.split(|letter: char| !letter.is_ascii_alphanumeric());
            told.extend(words.filter(|word| word.len() <= 3 && word.starts_with(char::is_uppercase) && word.ends_with(|last: char| last.is_ascii_digit())).map(str::to_owned));
        }
    }
    let all: BTreeSet<String> = LISTS.iter().flat_map(|(letter, count)| (1..=*count).map(move |number| format!("{letter}{number}"))).collect();
    let later: BTreeSet<String> = LATER.iter().map(|(id, _)| (*id).to_owned()).collect();
    let missing: Vec<_> = all.iter().filter(|id| !told.contains(*id) && !later.contains(*id)).collect();
    assert!(missing.is_empty(), "no test says `Compat:` and one of {missing:?}");
    let unknown: Vec<_> = told.difference(&all).chain(told.intersection(&later)).collect();
    assert!(unknown.is_empty(), "{unknown:?} are no ids of the lists, or are not for later any more");
}
