//! The files in a log's folder.
//!
//! ```text
//! 00000000000000001200.log       a segment: frames from offset 1200 on
//! 00000000000000001200.index     its sparse index and summary; can be rebuilt from the .log
//! 00000000000000001200.snapshot  the producers' state as it was at offset 1200; can be rebuilt
//! start                          where the log starts and how far it is cleaned
//! *.cleaned                      being written by compaction: worth nothing after a crash
//! *.swap                         written and durable: takes the place of the segments it was made from
//! *.tmp                          being written, to be renamed
//! *.deleted                      a segment that the log let go of; stays for a while, and goes with the next start
//! ```
use std::path::{Path, PathBuf};

use millrace_record::Offset;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum FileKind {
    Log,
    Index,
    Snapshot,
    Cleaned,
    Swap,
}

impl FileKind {
    const ALL: [(FileKind, &'static str); 5] = [
        (FileKind::Log, ".log"),
        (FileKind::Index, ".index"),
        (FileKind::Snapshot, ".snapshot"),
        (FileKind::Cleaned, ".cleaned"),
        (FileKind::Swap, ".swap"),
    ];

    pub fn path(self, dir: &Path, at: Offset) -> PathBuf {
        let (_, suffix) = FileKind::ALL[self as usize];
        dir.join(format!("{:020}{suffix}", at.0))
    }

    /// What a file's name says; `None` for names that are not a log's.
    pub fn parse(name: &str) -> Option<(FileKind, Offset)> {
        let (stem, kind) = FileKind::ALL.iter().find_map(|(kind, suffix)| Some((name.strip_suffix(suffix)?, *kind)))?;
        let digits = stem.len() == 20 && stem.bytes().all(|byte| byte.is_ascii_digit());
        let at = stem.parse().ok().filter(|_| digits)?;
        Some((kind, Offset(at)))
    }
}

pub(crate) fn start_path(dir: &Path) -> PathBuf {
    dir.join("start")
}

const TEMPORARY_SUFFIX: &str = ".tmp";
const DELETED_SUFFIX: &str = ".deleted";

/// Whether a file of this name is worth nothing to a log that is being opened.
pub(crate) fn is_left_over(name: &str) -> bool {
    name.ends_with(TEMPORARY_SUFFIX) || name.ends_with(DELETED_SUFFIX)
}

pub(crate) fn temporary(path: &Path) -> PathBuf {
    with_suffix(path, TEMPORARY_SUFFIX)
}

pub(crate) fn deleted(path: &Path) -> PathBuf {
    with_suffix(path, DELETED_SUFFIX)
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_os_string();
    name.push(suffix);
    PathBuf::from(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_back_and_others_are_left_alone() {
        for (kind, _) in FileKind::ALL {
            let path = kind.path(Path::new("/d"), Offset(i64::MAX));
            let name = path.file_name().unwrap().to_str().unwrap();
            assert_eq!(FileKind::parse(name), Some((kind, Offset(i64::MAX))));
        }
        for name in ["start", "12.log", "00000000000000000012.log.deleted", "0000000000000000000x.log", "+0000000000000000001.log", "99999999999999999999.log"] {
            assert_eq!(FileKind::parse(name), None, "{name}");
        }
    }
}
