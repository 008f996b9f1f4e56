//! Opening a log: what is on disk, made whole or refused.
//!
//! * A segment is taken as its index file says as far as that covers it, and scanned from there on: a
//!   log that was closed reads no data at all.
//! * Bytes that do not make a frame are the torn end of a crash if nobody vouches for them, and are cut
//!   off with all behind them. If an intact index file covers them or behind them, or the caller says
//!   that the entry had reached the disk or that nothing can be torn, they are corruption: an error, and nothing is touched.
//! * Finishing what a crash interrupted (a swap of compaction, a removal) comes first and is repeatable.
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use millrace_record::{Epoch, Frame, InternalKind, Offset};
use millrace_world::{Disk, File, OpenMode};
use tracing::{info, warn};

use crate::epochs::{EpochStart, Epochs};
use crate::error::SYNC;
use crate::header::{SEGMENT_HEADER_LEN, SegmentHeader};
use crate::index::{Front, Sparse};
use crate::paths::FileKind;
use crate::scan::{Broken, Crc, FrameScan, ScanError};
use crate::segment::{Live, Segment, read_front};
use crate::start::StartFile;
use crate::{LogConfig, LogError, Opening, clean, files, paths};

/// What `Log::open` found.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Recovered {
    /// The torn end of a crash, removed.
    pub cut: Option<Cut>,
    /// Bytes of log data that were read to get here; 0 after a clean stop.
    pub bytes_scanned: u64,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Cut {
    /// The first entry that is gone.
    pub index: u64,
    pub bytes: u64,
    pub why: String,
}

/// The parts of an opened log.
pub(crate) struct Found {
    pub segments: Vec<Arc<Segment>>,
    pub epochs: Epochs,
    pub start: StartFile,
    /// Whether that is what the disk says.
    pub start_stored: bool,
    /// Entries up to here are covered by intact index files: they were synced.
    pub covered_index: u64,
    /// Segments with bytes that no index file covers, and how many bytes it does cover.
    pub unsynced: Vec<(Arc<Segment>, u64)>,
    pub recovered: Recovered,
}

pub(crate) fn recover(disk: &Arc<dyn Disk>, dir: &Path, config: &LogConfig, opening: &Opening) -> Result<Found, LogError> {
    disk.create_dir_all(dir).map_err(LogError::io("create", dir))?;
    clean::finish_swaps(disk.as_ref(), dir)?;
    let mut listing = list(disk.as_ref(), dir)?;
    let start = StartFile::load(disk.as_ref(), dir)?;
    if let Some(start) = start {
        remove_below(disk.as_ref(), dir, start.start, &mut listing)?;
    }
    let (epochs, recovered) = (Epochs::default(), Recovered::default());
    let mut recovery = Recovery { disk, dir, config, opening, epochs, unsynced: Vec::new(), recovered };
    let looks = recovery.look(&listing)?;
    let covered_index = looks.iter().filter_map(|look| Some(look.front.as_ref()?.summary.last_index)).max().unwrap_or(0);
    recovery.look_for_lost(&listing)?;
    let durable_index = covered_index.max(opening.durable_index);
    let mut segments = recovery.segments(looks, durable_index)?;
    if segments.is_empty() && durable_index >= opening.begin.index {
        return Err(LogError::corrupt(dir, 0, format!("no segment is left, and entries up to {durable_index} were on disk")));
    }
    if let Some(header) = recovery.next_segment(&segments) {
        let reserve = config.preallocate.then_some(config.segment_bytes);
        let segment = Arc::new(Segment::create(disk, dir, header, reserve, opening.now_ms)?);
        recovery.unsynced.push((segment.clone(), 0));
        segments.push(segment);
    }
    let last = segments.last().expect("one was just made sure of");
    last.make_growable()?;
    let last_index = last.live().last_index;
    if last_index < durable_index {
        let position = last.live().end;
        let why = format!("the log ends with entry {last_index}, and entries up to {durable_index} were on disk");
        return Err(LogError::corrupt(&last.path, position, why));
    }
    let base = segments[0].base_offset();
    if let Some(StartFile { start, .. }) = start.filter(|file| file.start < base) {
        let why = format!("the log starts at offset {start}, and the first segment that is there begins at {base}");
        return Err(LogError::corrupt(&segments[0].path, 0, why));
    }
    let start_stored = start.is_some();
    let start = start.unwrap_or(StartFile { start: base, first_dirty: base });
    let start = StartFile { start: start.start.max(base), first_dirty: start.first_dirty.max(base) };
    let end = last.live().end_offset;
    if start.start > end {
        let why = format!("the log ends at offset {end}, and it starts at {}", start.start);
        return Err(LogError::corrupt(&last.path, last.live().end, why));
    }
    let Recovery { mut epochs, unsynced, recovered, .. } = recovery;
    epochs.trim_to(start.start, segments[0].header.first_index);
    Ok(Found { segments, epochs, start, start_stored, covered_index, unsynced, recovered })
}

/// Base offset and length of every segment file, in order.
type Listing = BTreeMap<Offset, u64>;

fn list(disk: &dyn Disk, dir: &Path) -> Result<Listing, LogError> {
    let mut listing = Listing::new();
    for entry in disk.list(dir).map_err(LogError::io("list", dir))? {
        if paths::is_left_over(&entry.name) {
            files::remove(disk, &dir.join(&entry.name))?;
        }
        if let Some((FileKind::Log, base)) = FileKind::parse(&entry.name) {
            listing.insert(base, entry.len);
        }
    }
    Ok(listing)
}

/// Goes on with a trim that a crash interrupted: segments that lie wholly below the start.
fn remove_below(disk: &dyn Disk, dir: &Path, start: Offset, listing: &mut Listing) -> Result<(), LogError> {
    while let Some((&base, _)) = listing.first_key_value()
        && listing.keys().nth(1).is_some_and(|&next| next <= start)
    {
        info!(dir = %dir.display(), base = base.0, "removing a segment below the log's start");
        files::remove(disk, &FileKind::Index.path(dir, base))?;
        files::remove(disk, &FileKind::Log.path(dir, base))?;
        listing.remove(&base);
    }
    Ok(())
}

/// One segment file before its frames are looked at.
struct Look {
    base: Offset,
    len: u64,
    /// Of an intact index file that belongs to this log and place, and does not say more than is there.
    front: Option<Front>,
}

struct Recovery<'a> {
    disk: &'a Arc<dyn Disk>,
    dir: &'a Path,
    config: &'a LogConfig,
    opening: &'a Opening,
    epochs: Epochs,
    unsynced: Vec<(Arc<Segment>, u64)>,
    recovered: Recovered,
}

impl Recovery<'_> {
    /// The segment to begin: the first one of an empty log, or one behind a cleaned segment that a crash
    /// left as the last. What is cleaned knows its last entry by its header, and takes no more.
    fn next_segment(&self, segments: &[Arc<Segment>]) -> Option<SegmentHeader> {
        let begin = self.opening.begin;
        let (base_offset, first_index, previous_term) = match segments.last() {
            None => (begin.offset, begin.index, begin.previous_term),
            Some(last) if last.is_cleaned() => {
                let latest = self.epochs.latest().unwrap_or(last.header.previous_term);
                (last.live().end_offset, last.live().last_index + 1, latest)
            }
            Some(_) => return None,
        };
        Some(SegmentHeader { identity: self.opening.identity, base_offset, first_index, previous_term, generation: 0, cleaned: None })
    }

    fn look(&self, listing: &Listing) -> Result<Vec<Look>, LogError> {
        let mut looks = Vec::with_capacity(listing.len());
        for (&base, &len) in listing {
            let path = FileKind::Index.path(self.dir, base);
            let front = read_front(self.disk.as_ref(), &path)?;
            if let Some(Front { summary, .. }) = &front {
                if summary.identity != self.opening.identity {
                    let (expected, found) = (self.opening.identity, summary.identity);
                    return Err(LogError::Foreign { path, expected, found });
                }
                if summary.base_offset != base {
                    return Err(LogError::corrupt(&path, 0, format!("it is the index of a segment at {}", summary.base_offset)));
                }
                if summary.covers > len {
                    let log = FileKind::Log.path(self.dir, base);
                    return Err(LogError::corrupt(&log, len, format!("the file ends here, and {} bytes were on disk", summary.covers)));
                }
            }
            looks.push(Look { base, len, front });
        }
        Ok(looks)
    }

    /// Behind the last segment an index file goes, durably, before its segment does: one that is alone there vouches for a lost one.
    fn look_for_lost(&self, listing: &Listing) -> Result<(), LogError> {
        for entry in self.disk.list(self.dir).map_err(LogError::io("list", self.dir))? {
            let Some((FileKind::Index, base)) = FileKind::parse(&entry.name) else { continue };
            if listing.last_key_value().is_some_and(|(&last, _)| base <= last) {
                continue;
            }
            let front = read_front(self.disk.as_ref(), &self.dir.join(&entry.name))?;
            if let Some(Front { summary, .. }) = front.filter(|front| front.summary.identity == self.opening.identity) {
                let why = format!("the segment is gone, and its index file says that entries up to {} were in it", summary.last_index);
                return Err(LogError::corrupt(&FileKind::Log.path(self.dir, base), 0, why));
            }
        }
        Ok(())
    }

    /// Takes the segments in order, up to the first byte that makes no sense.
    fn segments(&mut self, looks: Vec<Look>, durable_index: u64) -> Result<Vec<Arc<Segment>>, LogError> {
        let mut segments: Vec<Arc<Segment>> = Vec::with_capacity(looks.len());
        let last = looks.len().saturating_sub(1);
        for (at, look) in looks.iter().enumerate() {
            let before = segments.last().map(|segment| (segment.live().end_offset, segment.live().last_index + 1));
            let (segment, broken) = self.segment(look, before, at == last)?;
            if segment.is_none() && before.is_some_and(|(end_offset, _)| look.base < end_offset) && self.is_unbegun(look)? {
                let path = FileKind::Log.path(self.dir, look.base);
                warn!(path = %path.display(), "removing what a failed roll left; the log went on in the segment before");
                files::remove(self.disk.as_ref(), &path)?;
                continue;
            }
            segments.extend(segment);
            let Some(broken) = broken else { continue };
            let index = match segments.last() {
                Some(segment) => segment.live().last_index + 1,
                None => self.opening.begin.index,
            };
            let path = FileKind::Log.path(self.dir, look.base);
            if index <= durable_index {
                return Err(LogError::corrupt(&path, broken.position, broken.why));
            }
            if !self.opening.may_be_torn {
                let Broken { position, why } = broken;
                let why = format!("{why}; the journal that would say whether this was acknowledged is not there. If what lies from here on may be lost, cut the file here");
                return Err(LogError::corrupt(&path, position, why));
            }
            let kept = segments.last().filter(|segment| segment.base_offset() == look.base);
            self.cut(kept.map(Arc::as_ref), &looks[at..], index, broken)?;
            break;
        }
        Ok(segments)
    }

    /// Whether a file never got as far as to have a segment's header.
    fn is_unbegun(&self, look: &Look) -> Result<bool, LogError> {
        let path = FileKind::Log.path(self.dir, look.base);
        let front = files::read_front(self.disk.as_ref(), &path, SEGMENT_HEADER_LEN)?.unwrap_or_default();
        Ok(look.front.is_none() && SegmentHeader::decode(&front).is_err())
    }

    /// Removes what is torn: the rest of a segment of which something is kept, and all segments behind.
    fn cut(&mut self, kept: Option<&Segment>, looks: &[Look], index: u64, broken: Broken) -> Result<(), LogError> {
        let whole_files = if kept.is_some() { &looks[1..] } else { looks };
        let mut bytes: u64 = whole_files.iter().map(|look| look.len).sum();
        // Newest first: what a crash in the middle leaves is still a log without holes.
        for look in whole_files.iter().rev() {
            files::remove(self.disk.as_ref(), &FileKind::Index.path(self.dir, look.base))?;
            files::remove(self.disk.as_ref(), &FileKind::Log.path(self.dir, look.base))?;
        }
        self.disk.sync_dir(self.dir).map_err(LogError::io(SYNC, self.dir))?;
        if let Some(segment) = kept {
            bytes += looks[0].len - broken.position;
            // Durably: the segment may be sealed next, and what is behind its end must not come back.
            let file = segment.file()?;
            file.set_len(broken.position).and_then(|()| file.sync_data()).map_err(LogError::io("cut", &segment.path))?;
        }
        warn!(dir = %self.dir.display(), index, bytes, why = broken.why, "the log's end was torn by a crash and is cut off");
        self.recovered.cut = Some(Cut { index, bytes, why: broken.why });
        Ok(())
    }

    /// One segment, and why its frames end before the file does. No segment if its very header is torn,
    /// or if it does not follow on the one before.
    fn segment(&mut self, look: &Look, before: Option<(Offset, u64)>, is_last: bool) -> Result<(Option<Arc<Segment>>, Option<Broken>), LogError> {
        let whole = look.front.as_ref().filter(|front| front.summary.covers == look.len && !is_last);
        // An index file vouches for an uncleaned segment's header too: nothing of the segment is read.
        if let Some(header) = whole.and_then(|front| SegmentHeader::from_summary(&front.summary)) {
            return Ok(self.sealed(header, before, whole));
        }
        let path = FileKind::Log.path(self.dir, look.base);
        let file = self.disk.open(&path, OpenMode::Write).map_err(LogError::io("open", &path))?;
        let header = match self.read_header(&file, &path, look)? {
            Ok(header) => header,
            Err(broken) => return Ok((None, Some(broken))),
        };
        if whole.is_some_and(|front| front.summary.is_of(&header)) {
            return Ok(self.sealed(header, before, whole));
        }
        if let Some(broken) = gap(&header, before) {
            return Ok((None, Some(broken)));
        }
        let live = self.covered(look, &header)?;
        let covers = live.as_ref().map_or(0, |live| live.end);
        let live = live.unwrap_or_else(|| Live::new(&header, self.opening.now_ms));
        let (live, broken) = self.scan(&file, &path, &header, live, look.len)?;
        let end = live.end;
        let segment = Arc::new(Segment::known(self.disk, self.dir, header, live));
        if end > covers || !is_last {
            self.unsynced.push((segment.clone(), covers));
        }
        Ok((Some(segment), broken))
    }

    /// A segment that its index file covers to the last byte.
    fn sealed(&mut self, header: SegmentHeader, before: Option<(Offset, u64)>, front: Option<&Front>) -> (Option<Arc<Segment>>, Option<Broken>) {
        let broken = gap(&header, before);
        let Some(front) = front.filter(|_| broken.is_none()) else { return (None, broken) };
        self.note_epochs(&front.summary.epochs);
        let live = Live::from_summary(&front.summary, Sparse::Unread);
        (Some(Arc::new(Segment::known(self.disk, self.dir, header, live))), None)
    }

    fn read_header(&self, file: &Arc<dyn File>, path: &Path, look: &Look) -> Result<Result<SegmentHeader, Broken>, LogError> {
        let mut front = [0; SEGMENT_HEADER_LEN as usize];
        let read = file.read_at(&mut front, 0).map_err(LogError::io("read", path))?;
        let header = match SegmentHeader::decode(&front[..read]) {
            Ok(header) => header,
            Err(why) => return Ok(Err(Broken { position: 0, why })),
        };
        if header.identity != self.opening.identity {
            let (expected, found) = (self.opening.identity, header.identity);
            return Err(LogError::Foreign { path: path.to_path_buf(), expected, found });
        }
        if header.base_offset != look.base {
            let why = format!("it is the segment of offset {}", header.base_offset);
            return Err(LogError::corrupt(path, 0, why));
        }
        Ok(Ok(header))
    }

    /// What the index file knows of a segment that is scanned from there on; `None` if it is damaged.
    fn covered(&mut self, look: &Look, header: &SegmentHeader) -> Result<Option<Live>, LogError> {
        let Some(front) = look.front.as_ref().filter(|front| front.summary.is_of(header)) else { return Ok(None) };
        let path = FileKind::Index.path(self.dir, look.base);
        let bytes = files::read(self.disk.as_ref(), &path)?.unwrap_or_default();
        let Some(entries) = Sparse::from_bytes(&bytes, front) else {
            warn!(path = %path.display(), "index file is damaged: the segment is scanned instead");
            return Ok(None);
        };
        self.note_epochs(&front.summary.epochs);
        Ok(Some(Live::from_summary(&front.summary, Sparse::Memory(entries))))
    }

    fn note_epochs(&mut self, starts: &[EpochStart]) {
        for start in starts {
            self.epochs.note(start.epoch, start.offset, start.index);
        }
    }

    /// Steps over the frames behind what `live` knows.
    fn scan(&mut self, file: &Arc<dyn File>, path: &Path, header: &SegmentHeader, mut live: Live, len: u64) -> Result<(Live, Option<Broken>), LogError> {
        let from = live.end;
        let mut scan = FrameScan::new(file.clone(), path, from, len, Crc::Verify);
        let mut broken = loop {
            let (position, frame, bytes) = match scan.next() {
                Ok(Some(next)) => next,
                Ok(None) => break None,
                Err(ScanError::Broken(broken)) => break Some(broken),
                Err(ScanError::Log(error)) => return Err(error),
            };
            let latest = self.epochs.latest().unwrap_or(header.previous_term);
            if let Err(why) = follows(header, &live, latest, &frame) {
                break Some(Broken { position, why });
            }
            self.epochs.note(frame.epoch(), frame.base_offset(), live.last_index + 1);
            live.push(header, &frame, bytes.len(), self.config.index_interval_bytes);
        };
        self.recovered.bytes_scanned += live.end - from;
        if let Some(to) = header.cleaned {
            // It was synced before it took its place: whatever is wrong with it is no torn end.
            if let Some(Broken { position, why }) = broken {
                return Err(LogError::corrupt(path, position, why));
            }
            (live.end_offset, live.last_index) = (to.end_offset, to.last_index);
        } else if broken.is_some() && self.reserved(file, path, live.end, len)? {
            broken = None;
        }
        Ok((live, broken))
    }

    /// Whether the rest of the file is nothing but space that was reserved for it.
    fn reserved(&self, file: &Arc<dyn File>, path: &Path, from: u64, len: u64) -> Result<bool, LogError> {
        let mut buffer = vec![0; 64 << 10];
        let mut at = from;
        while at < len {
            let part = (len - at).min(buffer.len() as u64) as usize;
            let read = file.read_at(&mut buffer[..part], at).map_err(LogError::io("read", path))?;
            if read == 0 || buffer[..read].iter().any(|&byte| byte != 0) {
                return Ok(false);
            }
            at += read as u64;
        }
        Ok(self.config.preallocate)
    }
}

/// Why a segment cannot be the one behind `before` (end offset, next index).
fn gap(header: &SegmentHeader, before: Option<(Offset, u64)>) -> Option<Broken> {
    let (end_offset, next_index) = before?;
    if (header.base_offset, header.first_index) == (end_offset, next_index) {
        return None;
    }
    let why = format!("it begins at entry {} and the segment before ends in front of {next_index}", header.first_index);
    Some(Broken { position: 0, why })
}

/// Whether a frame can stand behind what was read before it.
fn follows(header: &SegmentHeader, live: &Live, latest: Epoch, frame: &Frame<'_>) -> Result<(), String> {
    let (base, epoch) = (frame.base_offset(), frame.epoch());
    let in_place = if header.cleaned.is_some() { base >= live.end_offset } else { base == live.end_offset };
    if !in_place {
        return Err(format!("offset {base} where {} comes next", live.end_offset));
    }
    if epoch < latest {
        return Err(format!("epoch {epoch} behind {latest}"));
    }
    match frame {
        Frame::Batch(batch, _) if batch.last_offset_delta < 0 => Err("a batch that takes up no offset".into()),
        Frame::Internal(frame) if frame.kind == InternalKind::SegmentHeader => Err("a segment header inside a segment".into()),
        _ => Ok(()),
    }
}
