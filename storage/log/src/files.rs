//! Small files that are replaced as a whole.
use std::io::IoSlice;
use std::path::{Path, PathBuf};

use millrace_world::{Disk, OpenMode};

use crate::error::SYNC;
use crate::{LogError, paths};

/// Longest small file that is read into memory. A sparse index of a 2 GiB segment at Kafka's default
/// interval has 10 MiB; an interval of 0 (an entry per batch) can have more.
const SMALL_FILE_BYTES_MAX: u64 = 1 << 30;

pub(crate) enum Durability {
    /// On the disk when the call returns, name included.
    Synced,
    /// May be lost or torn in a power failure; the reader can tell and can do without.
    Relaxed,
}

/// Writes `bytes` under another name and renames that to `path`: a reader finds the old or the new file.
pub(crate) fn replace(disk: &dyn Disk, path: &Path, bytes: &[u8], durability: Durability) -> Result<(), LogError> {
    let temporary = paths::temporary(path);
    let file = disk.open(&temporary, OpenMode::OpenOrCreate).map_err(LogError::io("create", &temporary))?;
    file.set_len(0).map_err(LogError::io("empty", &temporary))?;
    file.write_at(&[IoSlice::new(bytes)], 0).map_err(LogError::io("write", &temporary))?;
    if let Durability::Synced = durability {
        file.sync_data().map_err(LogError::io(SYNC, &temporary))?;
    }
    disk.rename(&temporary, path).map_err(LogError::io("rename", &temporary))?;
    if let (Durability::Synced, Some(dir)) = (durability, path.parent()) {
        disk.sync_dir(dir).map_err(LogError::io(SYNC, dir))?;
    }
    Ok(())
}

/// The whole file; `None` if it is not there.
pub(crate) fn read(disk: &dyn Disk, path: &Path) -> Result<Option<Vec<u8>>, LogError> {
    read_front(disk, path, SMALL_FILE_BYTES_MAX)
}

/// The first `bytes_max` bytes of a file; `None` if it is not there.
pub(crate) fn read_front(disk: &dyn Disk, path: &Path, bytes_max: u64) -> Result<Option<Vec<u8>>, LogError> {
    let file = match disk.open(path, OpenMode::Read) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(LogError::io("open", path)(error)),
    };
    let len = file.len().map_err(LogError::io("measure", path))?.min(bytes_max);
    let mut bytes = vec![0; len as usize];
    let read = file.read_at(&mut bytes, 0).map_err(LogError::io("read", path))?;
    bytes.truncate(read);
    Ok(Some(bytes))
}

/// Gives a segment's file the name under which it waits for its removal, and answers that. `None` if it is
/// gone already.
pub(crate) fn doom(disk: &dyn Disk, path: &Path) -> Result<Option<PathBuf>, LogError> {
    let doomed = paths::deleted(path);
    match disk.rename(path, &doomed) {
        Ok(()) => Ok(Some(doomed)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(LogError::io("rename", path)(error)),
    }
}

/// Removes a file that may be gone already.
pub(crate) fn remove(disk: &dyn Disk, path: &Path) -> Result<(), LogError> {
    match disk.remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(LogError::io("remove", path)(error)),
        _ => Ok(()),
    }
}
