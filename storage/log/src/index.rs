//! The sparse index of a segment, and the file it is kept in.
//!
//! One entry serves three searches: by offset, by replicated index (as ordinal of the frame) and by
//! time (the greatest timestamp in front of the position, which only grows). The file also carries a
//! summary, so that opening a log reads one page per sealed segment and no data.
//!
//! ```text
//!   0 "MRIX" | 4 version u16 | 6 reserved u16 | 8 generation u32 | 12 entries u32 | 16 epochs u32 | 20 identity u128
//!  36 base offset i64 | 44 covers u64 (bytes of the segment) | 52 end offset i64 | 60 first index u64 | 68 last index u64
//!  76 max timestamp i64 | 84 first timestamp i64 | 92 last append i64 | 100 previous term i32 | 104 crc of the entries u32
//! 108 epochs: epoch i32, offset i64, index u64 each | crc of all before u32
//!     entries: offset delta u32, position u32, ordinal u32, greatest timestamp before i64 each
//! ```
//! A segment's index file is written only after the bytes it covers were synced: what an intact file
//! covers was on the disk.
use bytes::{Buf, BufMut};
use millrace_record::{Epoch, Offset};
use millrace_world::Map;

use crate::epochs::EpochStart;
use crate::header::SegmentHeader;

const MAGIC: &[u8; 4] = b"MRIX";
const VERSION: u16 = 1;
const HEAD_LEN: usize = 108;
const EPOCH_LEN: usize = 20;
const ENTRY_LEN: usize = 20;
/// A segment does not see so many elections; more is damage.
const EPOCHS_MAX: usize = 1 << 20;
/// Read at once when a log is opened: the head and some two hundred epochs.
pub(crate) const FRONT_LEN: u64 = 4096;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct IndexEntry {
    /// From the segment's base offset.
    pub offset_delta: u32,
    pub position: u32,
    /// Frames in front of the position, the segment header not counted.
    pub ordinal: u32,
    /// The greatest timestamp of the batches in front of the position.
    pub max_timestamp_before: i64,
}

/// What is known of a segment without reading it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Summary {
    pub identity: u128,
    pub generation: u32,
    pub base_offset: Offset,
    /// Bytes of the segment that the index knows.
    pub covers: u64,
    pub end_offset: Offset,
    pub first_index: u64,
    pub last_index: u64,
    /// `i64::MIN` if there is no batch.
    pub max_timestamp: i64,
    /// The max timestamp of the first batch; -1 if there is none.
    pub first_timestamp: i64,
    /// Wall clock of the last append.
    pub last_append_ms: i64,
    /// The term of the entry before the first.
    pub previous_term: Epoch,
    /// Epochs that began in this segment, and the one that was under way when it began.
    pub epochs: Vec<EpochStart>,
}

impl Summary {
    /// Whether this is the index of the segment with that header.
    pub fn is_of(&self, header: &SegmentHeader) -> bool {
        (self.identity, self.base_offset, self.first_index, self.generation)
            == (header.identity, header.base_offset, header.first_index, header.generation)
    }
}

/// A file's worth of index.
pub(crate) fn encode(summary: &Summary, entries: &[IndexEntry]) -> Vec<u8> {
    let mut body = Vec::with_capacity(entries.len() * ENTRY_LEN);
    for entry in entries {
        body.put_u32(entry.offset_delta);
        body.put_u32(entry.position);
        body.put_u32(entry.ordinal);
        body.put_i64(entry.max_timestamp_before);
    }
    let mut out = Vec::with_capacity(HEAD_LEN + summary.epochs.len() * EPOCH_LEN + 4 + body.len());
    out.put_slice(MAGIC);
    out.put_u16(VERSION);
    out.put_u16(0);
    out.put_u32(summary.generation);
    out.put_u32(entries.len() as u32);
    out.put_u32(summary.epochs.len() as u32);
    out.put_u128(summary.identity);
    out.put_i64(summary.base_offset.0);
    out.put_u64(summary.covers);
    out.put_i64(summary.end_offset.0);
    out.put_u64(summary.first_index);
    out.put_u64(summary.last_index);
    out.put_i64(summary.max_timestamp);
    out.put_i64(summary.first_timestamp);
    out.put_i64(summary.last_append_ms);
    out.put_i32(summary.previous_term.0);
    out.put_u32(crc32fast::hash(&body));
    debug_assert_eq!(out.len(), HEAD_LEN);
    for start in &summary.epochs {
        out.put_i32(start.epoch.0);
        out.put_i64(start.offset.0);
        out.put_u64(start.index);
    }
    out.put_u32(crc32fast::hash(&out));
    out.extend_from_slice(&body);
    out
}

/// Where things lie in an index file whose head was read and found intact.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Front {
    pub summary: Summary,
    entries: usize,
    entries_at: usize,
    entries_crc: u32,
}

pub(crate) enum FrontRead {
    Intact(Front),
    /// The front is longer than the bytes given.
    Needs(u64),
    Damaged(&'static str),
}

pub(crate) fn decode_front(bytes: &[u8]) -> FrontRead {
    let Some(mut head) = bytes.get(..HEAD_LEN) else { return FrontRead::Damaged("cut off") };
    if &head[..4] != MAGIC {
        return FrontRead::Damaged("not an index file");
    }
    head.advance(4);
    if head.get_u16() != VERSION {
        return FrontRead::Damaged("another version");
    }
    head.advance(2);
    let generation = head.get_u32();
    let entries = head.get_u32() as usize;
    let epochs = head.get_u32() as usize;
    if epochs > EPOCHS_MAX {
        return FrontRead::Damaged("more epochs than can be");
    }
    let crc_at = HEAD_LEN + epochs * EPOCH_LEN;
    let entries_at = crc_at + 4;
    let Some(mut crc) = bytes.get(crc_at..entries_at) else {
        let whole_file = (bytes.len() as u64) < FRONT_LEN;
        return if whole_file { FrontRead::Damaged("cut off") } else { FrontRead::Needs(entries_at as u64) };
    };
    if crc.get_u32() != crc32fast::hash(&bytes[..crc_at]) {
        return FrontRead::Damaged("the head's checksum is wrong");
    }
    let summary = Summary {
        generation,
        identity: head.get_u128(),
        base_offset: Offset(head.get_i64()),
        covers: head.get_u64(),
        end_offset: Offset(head.get_i64()),
        first_index: head.get_u64(),
        last_index: head.get_u64(),
        max_timestamp: head.get_i64(),
        first_timestamp: head.get_i64(),
        last_append_ms: head.get_i64(),
        previous_term: Epoch(head.get_i32()),
        epochs: bytes[HEAD_LEN..crc_at]
            .chunks_exact(EPOCH_LEN)
            .map(|mut raw| EpochStart { epoch: Epoch(raw.get_i32()), offset: Offset(raw.get_i64()), index: raw.get_u64() })
            .collect(),
    };
    FrontRead::Intact(Front { summary, entries, entries_at, entries_crc: head.get_u32() })
}

/// A segment's entries: growing in memory while it is active, mapped from its file afterwards.
pub(crate) enum Sparse {
    Memory(Vec<IndexEntry>),
    Mapped { map: Map, at: usize, len: usize },
    /// In a file that nobody needed yet.
    Unread,
}

impl Sparse {
    /// Takes a whole index file; `None` if the entries are not what the front promised.
    pub fn from_map(map: Map, front: &Front) -> Option<Sparse> {
        let bytes = map.get(front.entries_at..front.entries_at.checked_add(front.entries.checked_mul(ENTRY_LEN)?)?)?;
        let intact = crc32fast::hash(bytes) == front.entries_crc;
        intact.then(|| Sparse::Mapped { at: front.entries_at, len: front.entries, map })
    }

    /// The same, read into memory: for a segment that is going to grow.
    pub fn from_bytes(bytes: &[u8], front: &Front) -> Option<Vec<IndexEntry>> {
        let bytes = bytes.get(front.entries_at..front.entries_at.checked_add(front.entries.checked_mul(ENTRY_LEN)?)?)?;
        let intact = crc32fast::hash(bytes) == front.entries_crc;
        intact.then(|| bytes.chunks_exact(ENTRY_LEN).map(decode_entry).collect())
    }

    pub fn len(&self) -> usize {
        match self {
            Sparse::Memory(entries) => entries.len(),
            Sparse::Mapped { len, .. } => *len,
            Sparse::Unread => 0,
        }
    }

    fn get(&self, at: usize) -> IndexEntry {
        match self {
            Sparse::Memory(entries) => entries[at],
            Sparse::Mapped { map, at: first, .. } => decode_entry(&map[first + at * ENTRY_LEN..][..ENTRY_LEN]),
            Sparse::Unread => unreachable!("an unread index has no entries"),
        }
    }

    /// The last entry for which `below` holds; entries for which it holds come first.
    pub fn last_where(&self, below: impl Fn(&IndexEntry) -> bool) -> Option<IndexEntry> {
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = (low + high) / 2;
            if below(&self.get(middle)) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low.checked_sub(1).map(|last| self.get(last))
    }

    pub fn to_vec(&self) -> Vec<IndexEntry> {
        (0..self.len()).map(|at| self.get(at)).collect()
    }
}

fn decode_entry(mut raw: &[u8]) -> IndexEntry {
    IndexEntry {
        offset_delta: raw.get_u32(),
        position: raw.get_u32(),
        ordinal: raw.get_u32(),
        max_timestamp_before: raw.get_i64(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(epochs: usize) -> (Summary, Vec<IndexEntry>) {
        let summary = Summary {
            identity: 9,
            generation: 1,
            base_offset: Offset(100),
            covers: 5000,
            end_offset: Offset(200),
            first_index: 10,
            last_index: 60,
            max_timestamp: 77,
            first_timestamp: 5,
            last_append_ms: 6,
            previous_term: Epoch(2),
            epochs: (0..epochs)
                .map(|n| EpochStart { epoch: Epoch(n as i32), offset: Offset(n as i64), index: n as u64 })
                .collect(),
        };
        let entries = (1..=100u32).map(|n| IndexEntry {
            offset_delta: n,
            position: n * 50,
            ordinal: n / 2,
            max_timestamp_before: n as i64 / 10,
        });
        (summary, entries.collect())
    }

    #[test]
    fn reads_back_from_memory_and_from_a_map() {
        for epochs in [0, 1, 500] {
            let (summary, entries) = sample(epochs);
            let file = encode(&summary, &entries);
            let front = match decode_front(&file[..file.len().min(FRONT_LEN as usize)]) {
                FrontRead::Intact(front) => front,
                FrontRead::Needs(len) => match decode_front(&file[..len as usize]) {
                    FrontRead::Intact(front) => front,
                    _ => panic!("with the bytes it asked for"),
                },
                FrontRead::Damaged(why) => panic!("{why}"),
            };
            assert_eq!(front.summary, summary);
            assert_eq!(Sparse::from_bytes(&file, &front).unwrap(), entries);
            let mapped = Sparse::from_map(Box::new(file), &front).unwrap();
            assert_eq!(mapped.to_vec(), entries);
            assert_eq!(mapped.last_where(|entry| entry.position <= 149), Some(entries[1]));
            assert_eq!(mapped.last_where(|entry| entry.position <= 10), None);
        }
    }

    #[test]
    fn any_flipped_or_missing_byte_is_noticed() {
        let (summary, entries) = sample(3);
        let file = encode(&summary, &entries);
        let intact = |bytes: &[u8]| match decode_front(bytes) {
            FrontRead::Intact(front) => Sparse::from_bytes(bytes, &front).is_some(),
            _ => false,
        };
        assert!(intact(&file));
        for at in 0..file.len() {
            let mut broken = file.clone();
            broken[at] ^= 0x10;
            assert!(!intact(&broken), "a flip at {at}");
            assert!(!intact(&file[..at]), "cut at {at}");
        }
    }
}
