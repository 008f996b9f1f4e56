//! Style and dependency rules as tests, so that nobody argues in review.
//!
//! The rules read the text of the workspace and nothing else: they run in a second and need no build of what they judge.
//! A rule that must bend lists the place **and the reason** beside it; an exception that is no longer needed fails too.
//!
//! Absences: no parser. Test code is recognised by its attributes and file names, which our own style makes sure of.
use std::path::{Path, PathBuf};

/// The workspace's root.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).expect("tests/tidy lies two folders below the root").to_owned()
}

/// One file of the workspace.
pub struct Source {
    /// Path below the root, with `/`.
    pub path: String,
    /// Its whole text.
    pub text: String,
}

impl Source {
    /// True for files that hold tests only.
    pub fn is_test(&self) -> bool {
        let name = self.path.rsplit('/').next().unwrap_or_default();
        self.path.starts_with("tests/")
            || self.path.starts_with("benches/")
            || self.path.contains("/tests/")
            || self.path.contains("/testing/")
            || self.path.contains("/benches/")
            || self.path.contains("/examples/")
            || name == "tests.rs"
            || name.ends_with("_test.rs")
            || name.ends_with("_tests.rs")
    }

    /// The lines that ship, numbered from 1: without comments and without `#[cfg(test)]` items.
    pub fn shipped(&self) -> Vec<(usize, String)> {
        let mut kept = Vec::new();
        let mut lines = self.text.lines().enumerate().peekable();
        while let Some((number, line)) = lines.next() {
            let bare = line.trim_start();
            if bare.starts_with("#[cfg(test)]") || bare.starts_with("#[cfg(any(test") {
                skip_item(&mut lines);
                continue;
            }
            if bare.starts_with("//") {
                continue;
            }
            let code = bare.split_once(" // ").map_or(bare, |(code, _)| code);
            kept.push((number + 1, code.to_owned()));
        }
        kept
    }
}

/// Skips attributes and the item they stand on, to its `;` or its closing brace.
fn skip_item<'a>(lines: &mut std::iter::Peekable<impl Iterator<Item = (usize, &'a str)>>) {
    let mut depth = 0_i32;
    let mut opened = false;
    for (_, line) in lines.by_ref() {
        let bare = line.trim_start();
        if bare.starts_with("//") || bare.starts_with("#[") {
            continue;
        }
        // Braces in strings come in pairs nearly always; an odd one would make the rule too lenient for one file.
        depth += line.matches('{').count() as i32 - line.matches('}').count() as i32;
        opened |= line.contains('{');
        if (opened && depth <= 0) || (!opened && line.trim_end().ends_with(';')) {
            return;
        }
    }
}

/// Every file with this ending, build output and hidden folders left out, in a stable order.
pub fn sources(ending: &str) -> Vec<Source> {
    let root = root();
    let mut found = Vec::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("the workspace can be read").map(|entry| entry.expect("its entries too")) {
            let path = entry.path();
            let name = entry.file_name().to_string_lossy().into_owned();
            if path.is_dir() {
                if !name.starts_with('.') && name != "target" && name != "millrace-data" && name != "node_modules" {
                    folders.push(path);
                }
            } else if name.ends_with(ending) {
                let text = std::fs::read_to_string(&path).expect("sources are text");
                let below = path.strip_prefix(&root).expect("found below the root").to_string_lossy().replace('\\', "/");
                found.push(Source { path: below, text });
            }
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

/// One permitted breach of a rule.
pub struct Exception {
    /// Where: a path, or the beginning of paths when it ends in `/`.
    pub place: &'static str,
    /// What is permitted there; empty: the rule as a whole.
    pub word: &'static str,
    /// Why.
    pub reason: &'static str,
}

impl Exception {
    fn covers(&self, path: &str, word: &str) -> bool {
        let here = if self.place.ends_with('/') { path.starts_with(self.place) } else { path == self.place };
        here && (self.word.is_empty() || self.word == word)
    }
}

/// Breaches (path, word, what to print) that no exception covers, and exceptions that cover nothing.
pub fn judge(breaches: &[(String, String, String)], exceptions: &[Exception]) -> Result<(), String> {
    let mut said = Vec::new();
    for (path, word, text) in breaches {
        if !exceptions.iter().any(|exception| exception.covers(path, word)) {
            said.push(text.clone());
        }
    }
    for exception in exceptions {
        assert!(!exception.reason.is_empty(), "{} has no reason", exception.place);
        if !breaches.iter().any(|(path, word, _)| exception.covers(path, word)) {
            said.push(format!("the exception for {} ({:?}) is not needed any more", exception.place, exception.word));
        }
    }
    if said.is_empty() { Ok(()) } else { Err(format!("{}:\n  {}", said.len(), said.join("\n  "))) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shipped_lines_leave_out_comments_and_tests() {
        let text = "//! doc\nuse a;\nlet x = 1; // why\n#[cfg(test)]\n#[path = \"t.rs\"]\nmod tests;\nfn f() {}\n#[cfg(test)]\nmod more {\n    fn g() { x.unwrap() }\n}\nfn h() {}\n";
        let source = Source { path: "storage/x/src/lib.rs".into(), text: text.into() };
        let lines: Vec<_> = source.shipped().into_iter().map(|(number, line)| format!("{number}:{line}")).collect();
        assert_eq!(lines, ["2:use a;", "3:let x = 1;", "7:fn f() {}", "12:fn h() {}"]);
    }

    #[test]
    fn an_exception_without_a_breach_is_reported() {
        let exceptions = [Exception { place: "a/", word: "", reason: "it is so" }];
        assert!(judge(&[("a/b.rs".into(), "w".into(), "text".into())], &exceptions).is_ok());
        assert!(judge(&[], &exceptions).is_err());
        assert!(judge(&[("c.rs".into(), "w".into(), "text".into())], &exceptions).is_err());
    }
}
