//! The one small file beside the segments: where the log starts, and how far compaction got.
//!
//! ```text
//! "MRST" | version u16 | start offset i64 | first dirty offset i64 | crc of all before u32
//! ```
use std::path::Path;

use bytes::{Buf, BufMut};
use millrace_record::Offset;
use millrace_world::Disk;
use tracing::error;

use crate::files::{self, Durability};
use crate::{LogError, paths};

const MAGIC: &[u8; 4] = b"MRST";
const VERSION: u16 = 1;
const LEN: usize = 26;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct StartFile {
    /// Records below are deleted, whether or not their bytes are still there.
    pub start: Offset,
    /// Compaction looked at every record below.
    pub first_dirty: Offset,
}

impl StartFile {
    pub fn store(&self, disk: &dyn Disk, dir: &Path) -> Result<(), LogError> {
        files::replace(disk, &paths::start_path(dir), &self.encode(), Durability::Synced)
    }

    /// `None` if there is no such file. A damaged one is reported and taken for the log's first byte:
    /// deleted records may show again, which is the lesser evil beside a log that does not open.
    pub fn load(disk: &dyn Disk, dir: &Path) -> Result<Option<StartFile>, LogError> {
        let path = paths::start_path(dir);
        let Some(bytes) = files::read(disk, &path)? else { return Ok(None) };
        let found = StartFile::decode(&bytes);
        if found.is_none() {
            error!(path = %path.display(), "the log's start file is damaged: the log starts at its first byte again");
        }
        Ok(found)
    }

    fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(LEN);
        out.put_slice(MAGIC);
        out.put_u16(VERSION);
        out.put_i64(self.start.0);
        out.put_i64(self.first_dirty.0);
        out.put_u32(crc32fast::hash(&out));
        out
    }

    fn decode(bytes: &[u8]) -> Option<StartFile> {
        let (front, mut crc) = bytes.split_at_checked(LEN - 4).filter(|(_, crc)| crc.len() == 4)?;
        if crc.get_u32() != crc32fast::hash(front) || &front[..4] != MAGIC || front[4..6] != VERSION.to_be_bytes() {
            return None;
        }
        let mut fields = &front[6..];
        Some(StartFile { start: Offset(fields.get_i64()), first_dirty: Offset(fields.get_i64()) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_back_and_notices_damage() {
        let file = StartFile { start: Offset(12), first_dirty: Offset(99) };
        let bytes = file.encode();
        assert_eq!(StartFile::decode(&bytes), Some(file));
        for at in 0..bytes.len() {
            let mut broken = bytes.clone();
            broken[at] ^= 1;
            assert_eq!(StartFile::decode(&broken), None);
            assert_eq!(StartFile::decode(&bytes[..at]), None);
        }
    }
}
