use std::io::{self, IoSlice};
use std::ops::Deref;
use std::path::Path;
use std::sync::Arc;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OpenMode {
    /// Must exist; reads only.
    Read,
    /// Must exist.
    Write,
    /// Must not exist.
    CreateNew,
    /// Made if it is absent.
    OpenOrCreate,
}

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Entry {
    pub name: String,
    pub is_dir: bool,
    /// Bytes; 0 for a folder.
    pub len: u64,
}

/// Read-only contents of a whole file.
pub type Map = Box<dyn Deref<Target = [u8]> + Send + Sync>;

/// Held for as long as the value lives.
pub trait DiskLock: Send + Sync {}

/// Calls block. What was written survives a crash only after `File::sync_data`; a name that was
/// created, renamed or removed only after `sync_dir` of its folder.
pub trait Disk: Send + Sync {
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn File>>;
    fn create_dir_all(&self, path: &Path) -> io::Result<()>;
    fn remove_dir_all(&self, path: &Path) -> io::Result<()>;
    /// Replaces `to` if it is there.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    fn remove_file(&self, path: &Path) -> io::Result<()>;
    fn exists(&self, path: &Path) -> io::Result<bool>;
    /// Sorted by name, so that no caller depends on the file system's order.
    fn list(&self, dir: &Path) -> io::Result<Vec<Entry>>;
    fn sync_dir(&self, dir: &Path) -> io::Result<()>;
    /// Exclusive, against other processes too; `None` when somebody holds it.
    fn lock(&self, path: &Path) -> io::Result<Option<Box<dyn DiskLock>>>;
    /// (total bytes, free bytes) of the volume that holds `path`.
    fn space(&self, path: &Path) -> io::Result<(u64, u64)>;
}

pub trait File: Send + Sync {
    /// Fills as much of `buf` as there is; short only at the end of the file.
    fn read_at(&self, buf: &mut [u8], position: u64) -> io::Result<usize>;
    /// Writes all of `parts`, one after another, from `position` on.
    fn write_at(&self, parts: &[IoSlice<'_>], position: u64) -> io::Result<()>;
    /// fdatasync. After an error nothing may be assumed of what was written before it, and the call
    /// must never be repeated in the hope of a better answer (fsyncgate).
    fn sync_data(&self) -> io::Result<()>;
    fn len(&self) -> io::Result<u64>;
    fn set_len(&self, len: u64) -> io::Result<()>;
    /// Reserves space; the length grows to `len` and reads as zeros.
    fn allocate(&self, len: u64) -> io::Result<()>;
    /// Hint: begin writing this range back, without waiting for it.
    fn start_writeback(&self, position: u64, len: u64);
    /// The file as it is now. For sealed files only.
    fn map(&self) -> io::Result<Map>;
}

/// Makes a folder, and those above it that are missing, so that their names survive a crash.
pub fn create_dir_durably(disk: &dyn Disk, dir: &Path) -> io::Result<()> {
    let mut missing = Vec::new();
    for above in dir.ancestors() {
        if above.as_os_str().is_empty() || disk.exists(above)? {
            break;
        }
        missing.push(above);
    }
    disk.create_dir_all(dir)?;
    let synced = missing.iter().rev().try_for_each(|made| disk.sync_dir(parent_of(made)));
    if synced.is_err() {
        // A folder that is there looks durable to whoever tries again: what was made must be made once more.
        for made in missing {
            let empty = disk.list(made).is_ok_and(|entries| entries.is_empty());
            if !empty || disk.remove_dir_all(made).is_err() {
                break;
            }
        }
    }
    synced
}

/// Makes the names of a folder, of its neighbours and of all folders above durable. Whoever made them in
/// an earlier life may have died before doing so, and a folder that is there does not tell.
pub fn sync_names_above(disk: &dyn Disk, dir: &Path) -> io::Result<()> {
    for above in dir.ancestors().filter(|above| above.parent().is_some()) {
        match disk.sync_dir(parent_of(above)) {
            // A folder that we may not read is none that we made a name in, nor are those above it.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => return Ok(()),
            synced => synced?,
        }
    }
    Ok(())
}

/// The folder that holds the name of `path`.
pub fn parent_of(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}
