//! One file of the log, shared between the writer and the readers.
//!
//! * Bytes below `Live::end` are written and never change (a cut of the uncommitted end apart, which no
//!   reader below the high watermark sees).
//! * The file stays readable for as long as somebody holds the segment, even after its removal: whoever
//!   removes or replaces a segment calls `pin` first.
//! * The lock is held for a search or for publishing an append, never for I/O (loading a sealed
//!   segment's index for the first time apart).
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use millrace_record::{Frame, Offset};
use millrace_world::{Disk, File, OpenMode};
use parking_lot::RwLock;
use tracing::warn;

use crate::header::{SEGMENT_HEADER_LEN, SegmentHeader};
use crate::index::{FRONT_LEN, Front, FrontRead, IndexEntry, Sparse, Summary, decode_front};
use crate::paths::FileKind;
use crate::scan::{Crc, FrameScan};
use crate::epochs::EpochStart;
use crate::{LogError, files, index};

pub(crate) struct Segment {
    pub header: SegmentHeader,
    pub path: PathBuf,
    disk: Arc<dyn Disk>,
    file: OnceLock<Arc<dyn File>>,
    live: RwLock<Live>,
}

/// What grows with the segment.
pub(crate) struct Live {
    pub sparse: Sparse,
    /// Bytes written, the segment header included.
    pub end: u64,
    pub end_offset: Offset,
    pub last_index: u64,
    /// `i64::MIN` if there is no batch.
    pub max_timestamp: i64,
    /// -1 if there is no batch.
    pub first_timestamp: i64,
    pub last_append_ms: i64,
    /// Wall clock when the segment began, as far as is known.
    pub begun_ms: i64,
    /// Where the last entry of the sparse index points.
    pub indexed_to: u64,
}

impl Live {
    pub fn new(header: &SegmentHeader, now_ms: i64) -> Live {
        Live {
            sparse: Sparse::Memory(Vec::new()),
            end: SEGMENT_HEADER_LEN,
            end_offset: header.base_offset,
            last_index: header.first_index.saturating_sub(1),
            max_timestamp: i64::MIN,
            first_timestamp: -1,
            last_append_ms: now_ms,
            begun_ms: now_ms,
            indexed_to: SEGMENT_HEADER_LEN,
        }
    }

    pub fn from_summary(summary: &Summary, sparse: Sparse) -> Live {
        Live {
            end: summary.covers,
            end_offset: summary.end_offset,
            last_index: summary.last_index,
            max_timestamp: summary.max_timestamp,
            first_timestamp: summary.first_timestamp,
            last_append_ms: summary.last_append_ms,
            begun_ms: summary.last_append_ms,
            indexed_to: match &sparse {
                Sparse::Memory(entries) => entries.last().map_or(SEGMENT_HEADER_LEN, |entry| entry.position as u64),
                _ => summary.covers,
            },
            sparse,
        }
    }

    /// Takes in a frame of `len` bytes that lies at the end. `interval`: bytes between index entries.
    pub fn push(&mut self, header: &SegmentHeader, frame: &Frame<'_>, len: usize, interval: u64) {
        let position = self.end;
        if position - self.indexed_to > interval
            && let Sparse::Memory(entries) = &mut self.sparse
        {
            // The log rolls before any of the three would not fit.
            entries.push(IndexEntry {
                offset_delta: (frame.base_offset() - header.base_offset) as u32,
                position: position as u32,
                ordinal: (self.last_index + 1 - header.first_index) as u32,
                max_timestamp_before: self.max_timestamp,
            });
            self.indexed_to = position;
        }
        self.end += len as u64;
        self.last_index += 1;
        if let Frame::Batch(batch, _) = frame {
            self.end_offset = batch.next_offset();
            if self.max_timestamp == i64::MIN {
                self.first_timestamp = batch.max_timestamp;
            }
            self.max_timestamp = self.max_timestamp.max(batch.max_timestamp);
        }
    }

    pub fn index_entries(&self) -> usize {
        self.sparse.len()
    }
}

/// Where to begin stepping over frames.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Floor {
    pub position: u64,
    pub offset: Offset,
    pub index: u64,
    pub max_timestamp_before: i64,
}

impl Segment {
    /// Makes the file with its header. The name and the bytes are not synced.
    pub fn create(disk: &Arc<dyn Disk>, dir: &Path, header: SegmentHeader, reserve: Option<u64>, now_ms: i64) -> Result<Segment, LogError> {
        let path = FileKind::Log.path(dir, header.base_offset);
        let file = disk.open(&path, OpenMode::OpenOrCreate).map_err(LogError::io("create", &path))?;
        if let Err(error) = begin_file(file.as_ref(), &path, &header, reserve) {
            // Best effort: the next start knows such a file for what it is.
            let _ = disk.remove_file(&path);
            return Err(error);
        }
        let segment = Segment::known(disk, dir, header, Live::new(&header, now_ms));
        let _ = segment.file.set(file);
        Ok(segment)
    }

    /// A segment whose file is there; it is opened when somebody first reads it.
    pub fn known(disk: &Arc<dyn Disk>, dir: &Path, header: SegmentHeader, live: Live) -> Segment {
        let path = FileKind::Log.path(dir, header.base_offset);
        Segment { header, path, disk: disk.clone(), file: OnceLock::new(), live: RwLock::new(live) }
    }

    pub fn base_offset(&self) -> Offset {
        self.header.base_offset
    }

    pub fn live(&self) -> parking_lot::RwLockReadGuard<'_, Live> {
        self.live.read()
    }

    pub fn live_mut(&self) -> parking_lot::RwLockWriteGuard<'_, Live> {
        self.live.write()
    }

    pub fn is_cleaned(&self) -> bool {
        self.header.cleaned.is_some()
    }

    /// The open file; its header is compared when it is first opened.
    pub fn file(&self) -> Result<&Arc<dyn File>, LogError> {
        if let Some(file) = self.file.get() {
            return Ok(file);
        }
        match self.open() {
            Ok(file) => Ok(self.file.get_or_init(|| file)),
            // The name may be gone, or be another file's by now: but then it was pinned before.
            Err(error) => self.file.get().ok_or(error),
        }
    }

    fn open(&self) -> Result<Arc<dyn File>, LogError> {
        let file = match self.disk.open(&self.path, OpenMode::Write) {
            // A volume that became read-only is still read.
            Err(error) if [ErrorKind::ReadOnlyFilesystem, ErrorKind::PermissionDenied].contains(&error.kind()) => {
                self.disk.open(&self.path, OpenMode::Read)
            }
            opened => opened,
        };
        let file = file.map_err(LogError::io("open", &self.path))?;
        let mut front = [0; SEGMENT_HEADER_LEN as usize];
        let read = file.read_at(&mut front, 0).map_err(LogError::io("read", &self.path))?;
        let found = SegmentHeader::decode(&front[..read]).map_err(|why| LogError::corrupt(&self.path, 0, why))?;
        if found.identity != self.header.identity {
            let (expected, found) = (self.header.identity, found.identity);
            return Err(LogError::Foreign { path: self.path.clone(), expected, found });
        }
        if found != self.header {
            return Err(LogError::corrupt(&self.path, 0, "the segment header is another segment's"));
        }
        Ok(file)
    }

    /// The bytes of the segment's index file.
    pub fn encode_index(&self, epochs: Vec<EpochStart>) -> Vec<u8> {
        let live = self.live();
        let summary = Summary {
            identity: self.header.identity,
            generation: self.header.generation,
            base_offset: self.header.base_offset,
            covers: live.end,
            end_offset: live.end_offset,
            first_index: self.header.first_index,
            last_index: live.last_index,
            max_timestamp: live.max_timestamp,
            first_timestamp: live.first_timestamp,
            last_append_ms: live.last_append_ms,
            previous_term: self.header.previous_term,
            epochs,
        };
        index::encode(&summary, &live.sparse.to_vec())
    }

    pub fn index_path(&self) -> PathBuf {
        self.path.with_extension("index")
    }

    /// The place at or before the frame that holds `offset`.
    pub fn floor_offset(&self, offset: Offset) -> Result<Floor, LogError> {
        let delta = offset - self.base_offset();
        self.floor(|entry| entry.offset_delta as i64 <= delta)
    }

    /// The place at or before the frame with this index. Not for cleaned segments.
    pub fn floor_index(&self, index: u64) -> Result<Floor, LogError> {
        let ordinal = index.saturating_sub(self.header.first_index);
        self.floor(|entry| entry.ordinal as u64 <= ordinal)
    }

    /// A place with no batch of `timestamp` or later in front of it, and one within an interval behind it.
    pub fn floor_timestamp(&self, timestamp: i64) -> Result<Floor, LogError> {
        self.floor(|entry| entry.max_timestamp_before < timestamp)
    }

    fn floor(&self, below: impl Fn(&IndexEntry) -> bool) -> Result<Floor, LogError> {
        self.load_index()?;
        let found = self.live.read().sparse.last_where(below);
        Ok(match found {
            Some(entry) => Floor {
                position: entry.position as u64,
                offset: self.base_offset() + entry.offset_delta as i64,
                index: self.header.first_index + entry.ordinal as u64,
                max_timestamp_before: entry.max_timestamp_before,
            },
            None => Floor {
                position: SEGMENT_HEADER_LEN,
                offset: self.base_offset(),
                index: self.header.first_index,
                max_timestamp_before: i64::MIN,
            },
        })
    }

    /// Brings in the entries of a sealed segment, if they are still only in their file. A damaged file is
    /// made again from the data.
    pub fn load_index(&self) -> Result<(), LogError> {
        if !matches!(self.live.read().sparse, Sparse::Unread) {
            return Ok(());
        }
        let end = self.live.read().end;
        let sparse = match self.map_index(end)? {
            Ok(sparse) => sparse,
            // Loaded by another thread before the name went to another file.
            Err(_) if !matches!(self.live.read().sparse, Sparse::Unread) => return Ok(()),
            Err(why) => {
                warn!(path = %self.index_path().display(), why, "index file is damaged: making it again from the data");
                self.scan_index(end)?
            }
        };
        let mut live = self.live.write();
        if matches!(live.sparse, Sparse::Unread) {
            live.sparse = sparse;
        }
        Ok(())
    }

    /// Makes a sealed segment one that can be appended to again.
    pub fn make_growable(&self) -> Result<(), LogError> {
        self.load_index()?;
        let mut live = self.live.write();
        if !matches!(live.sparse, Sparse::Memory(_)) {
            let entries = live.sparse.to_vec();
            live.indexed_to = entries.last().map_or(SEGMENT_HEADER_LEN, |entry| entry.position as u64);
            live.sparse = Sparse::Memory(entries);
        }
        Ok(())
    }

    /// Opens what a reader will need, so that it stays readable once the names are gone.
    pub fn pin(&self) -> Result<(), LogError> {
        self.file()?;
        self.load_index()
    }

    fn map_index(&self, end: u64) -> Result<Result<Sparse, &'static str>, LogError> {
        let path = self.index_path();
        let Ok(file) = self.disk.open(&path, OpenMode::Read) else { return Ok(Err("it cannot be opened")) };
        let map = file.map().map_err(LogError::io("map", &path))?;
        let FrontRead::Intact(front) = decode_front(&map) else { return Ok(Err("its head is not intact")) };
        if !front.summary.is_of(&self.header) || front.summary.covers != end {
            return Ok(Err("it is another segment's"));
        }
        Ok(Sparse::from_map(map, &front).ok_or("its entries are not intact"))
    }

    fn scan_index(&self, end: u64) -> Result<Sparse, LogError> {
        let mut scan = FrameScan::new(self.file()?.clone(), &self.path, SEGMENT_HEADER_LEN, end, Crc::Verify);
        let mut live = Live::new(&self.header, 0);
        while let Some((_, frame, bytes)) = scan.next().map_err(|error| error.into_log_error(&self.path))? {
            live.push(&self.header, &frame, bytes.len(), REBUILT_INTERVAL);
        }
        Ok(live.sparse)
    }
}

/// Kafka's default; a rebuilt index need not be as dense as the lost one.
const REBUILT_INTERVAL: u64 = 4096;

/// Empties a file and gives it its header and its room.
fn begin_file(file: &dyn File, path: &Path, header: &SegmentHeader, reserve: Option<u64>) -> Result<(), LogError> {
    file.set_len(0).map_err(LogError::io("empty", path))?;
    if let Some(bytes) = reserve {
        file.allocate(bytes).map_err(LogError::io("reserve", path))?;
    }
    file.write_at(&[std::io::IoSlice::new(&header.encode())], 0).map_err(LogError::io("write", path))
}

/// Reads the head of an index file. `None`: not there, or damaged, which is the same to a caller who
/// can read the segment instead.
pub(crate) fn read_front(disk: &dyn Disk, path: &Path) -> Result<Option<Front>, LogError> {
    let Some(bytes) = files::read_front(disk, path, FRONT_LEN)? else { return Ok(None) };
    let why = match decode_front(&bytes) {
        FrontRead::Intact(front) => return Ok(Some(front)),
        FrontRead::Needs(len) => match files::read_front(disk, path, len)?.map(|bytes| decode_front(&bytes)) {
            Some(FrontRead::Intact(front)) => return Ok(Some(front)),
            _ => "the head is cut off",
        },
        FrontRead::Damaged(why) => why,
    };
    warn!(path = %path.display(), why, "index file is damaged: the segment is scanned instead");
    Ok(None)
}
