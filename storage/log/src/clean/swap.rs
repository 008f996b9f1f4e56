//! Putting a rewritten segment in the place of those it was made from, so that a crash at any step
//! leaves either the old ones or the new one.
//!
//! ```text
//! write  BASE.cleaned, sync it          a crash: removed at the next start
//! rename BASE.cleaned -> BASE.swap, sync the folder        from here on the new one counts
//! rename the old segments' files to *.deleted, sync the folder     a crash: done again at the next start
//! rename BASE.swap -> BASE.log, sync the folder
//! ```
//! `BASE.swap` itself says, in its segment header, up to where it replaces what is there. Several are
//! swapped together, so that the folder is synced three times and not three times each.
use std::ops::Range;
use std::path::{Path, PathBuf};

use millrace_record::Offset;
use millrace_world::Disk;
use tracing::info;

use crate::error::SYNC;
use crate::header::{SEGMENT_HEADER_LEN, SegmentHeader};
use crate::paths::FileKind;
use crate::{LogError, files};

/// The renames that make the new segments count, and all that follows from it. The ranges of offsets
/// that they stand for do not overlap. Answers the files that wait for their removal.
pub(super) fn swap(disk: &dyn Disk, dir: &Path, ranges: &[Range<Offset>]) -> Result<Vec<PathBuf>, LogError> {
    for range in ranges {
        let (cleaned, swap) = (FileKind::Cleaned.path(dir, range.start), FileKind::Swap.path(dir, range.start));
        disk.rename(&cleaned, &swap).map_err(LogError::io("rename", &cleaned))?;
    }
    disk.sync_dir(dir).map_err(LogError::io(SYNC, dir))?;
    finish(disk, dir, ranges)
}

fn finish(disk: &dyn Disk, dir: &Path, ranges: &[Range<Offset>]) -> Result<Vec<PathBuf>, LogError> {
    let mut doomed = Vec::new();
    if ranges.is_empty() {
        return Ok(doomed);
    }
    for entry in disk.list(dir).map_err(LogError::io("list", dir))? {
        let Some((kind, at)) = FileKind::parse(&entry.name) else { continue };
        if !ranges.iter().any(|range| range.contains(&at)) {
            continue;
        }
        let path = dir.join(&entry.name);
        match kind {
            // That of the old BASE.log goes too: it vouches for other bytes.
            FileKind::Index => files::remove(disk, &path)?,
            FileKind::Log => doomed.extend(files::doom(disk, &path)?),
            FileKind::Snapshot | FileKind::Cleaned | FileKind::Swap => {}
        }
    }
    disk.sync_dir(dir).map_err(LogError::io(SYNC, dir))?;
    for range in ranges {
        let (swap, log) = (FileKind::Swap.path(dir, range.start), FileKind::Log.path(dir, range.start));
        disk.rename(&swap, &log).map_err(LogError::io("rename", &swap))?;
    }
    disk.sync_dir(dir).map_err(LogError::io(SYNC, dir))?;
    Ok(doomed)
}

/// Finishes the swaps that a crash interrupted, and removes what was not ready to be swapped.
pub(crate) fn finish_swaps(disk: &dyn Disk, dir: &Path) -> Result<(), LogError> {
    let mut ranges = Vec::new();
    for entry in disk.list(dir).map_err(LogError::io("list", dir))? {
        let path = dir.join(&entry.name);
        match FileKind::parse(&entry.name) {
            Some((FileKind::Cleaned, _)) => files::remove(disk, &path)?,
            Some((FileKind::Swap, base)) => {
                let front = files::read_front(disk, &path, SEGMENT_HEADER_LEN)?.unwrap_or_default();
                let header = SegmentHeader::decode(&front).map_err(|why| LogError::corrupt(&path, 0, why))?;
                let to = header.cleaned.filter(|_| header.base_offset == base);
                let to = to.ok_or_else(|| LogError::corrupt(&path, 0, "it is not a cleaned segment of that offset"))?;
                info!(path = %path.display(), "finishing a swap that was interrupted");
                ranges.push(base..to.end_offset);
            }
            _ => {}
        }
    }
    // What they replaced is left over, and removed with all that is.
    finish(disk, dir, &ranges).map(drop)
}
