//! Files of the machine, by position, so that one handle serves many threads.
use std::fs::{self, OpenOptions};
use std::io::{self, IoSlice};
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use crate::{Disk, DiskLock, Entry, File, Map, OpenMode};

/// The most parts that one pwritev takes (IOV_MAX on Linux).
const PARTS_MAX: usize = 1024;

pub struct Files;

struct OpenFile(fs::File);

struct Lock(#[expect(dead_code, reason = "the lock is the open file")] fs::File);
impl DiskLock for Lock {}

impl Disk for Files {
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn File>> {
        let mut options = OpenOptions::new();
        options.read(true);
        match mode {
            OpenMode::Read => {}
            OpenMode::Write => {
                options.write(true);
            }
            OpenMode::CreateNew => {
                options.write(true).create_new(true);
            }
            OpenMode::OpenOrCreate => {
                options.write(true).create(true).truncate(false);
            }
        }
        Ok(Arc::new(OpenFile(options.open(path)?)))
    }

    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        fs::create_dir_all(path)
    }

    fn remove_dir_all(&self, path: &Path) -> io::Result<()> {
        fs::remove_dir_all(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn exists(&self, path: &Path) -> io::Result<bool> {
        path.try_exists()
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<Entry>> {
        let mut entries = Vec::new();
        for entry in fs::read_dir(dir)? {
            let entry = entry?;
            let about = match entry.metadata() {
                Ok(about) => about,
                // Removed between the listing and the look at it.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(error),
            };
            let is_dir = about.is_dir();
            entries.push(Entry {
                name: entry.file_name().to_string_lossy().into_owned(),
                is_dir,
                len: if is_dir { 0 } else { about.len() },
            });
        }
        entries.sort();
        Ok(entries)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        fs::File::open(dir)?.sync_all()
    }

    fn lock(&self, path: &Path) -> io::Result<Option<Box<dyn DiskLock>>> {
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Box::new(Lock(file)))),
            Err(fs::TryLockError::WouldBlock) => Ok(None),
            Err(fs::TryLockError::Error(error)) => Err(error),
        }
    }

    fn space(&self, path: &Path) -> io::Result<(u64, u64)> {
        let file = fs::File::open(path)?;
        let mut about = std::mem::MaybeUninit::<libc::statvfs>::uninit();
        // SAFETY: the descriptor is open for the length of the call, which fills `about` or fails.
        let about = unsafe {
            check(libc::fstatvfs(file.as_raw_fd(), about.as_mut_ptr()))?;
            about.assume_init()
        };
        Ok((about.f_blocks * about.f_frsize, about.f_bavail * about.f_frsize))
    }
}

impl OpenFile {
    fn fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

impl File for OpenFile {
    fn read_at(&self, buf: &mut [u8], position: u64) -> io::Result<usize> {
        let mut filled = 0;
        while filled < buf.len() {
            match self.0.read_at(&mut buf[filled..], position + filled as u64) {
                Ok(0) => break,
                Ok(n) => filled += n,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(filled)
    }

    fn write_at(&self, parts: &[IoSlice<'_>], position: u64) -> io::Result<()> {
        let mut at = position;
        for parts in parts.chunks(PARTS_MAX) {
            at += self.write_some(parts, at)?;
        }
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }

    fn allocate(&self, len: u64) -> io::Result<()> {
        let len = libc::off_t::try_from(len).map_err(|_| io::Error::from(io::ErrorKind::FileTooLarge))?;
        // posix_fallocate answers with the error itself and leaves errno alone.
        // SAFETY: the descriptor is open for the length of the call.
        match unsafe { libc::posix_fallocate(self.fd(), 0, len) } {
            0 => Ok(()),
            error => Err(io::Error::from_raw_os_error(error)),
        }
    }

    fn start_writeback(&self, position: u64, len: u64) {
        // SAFETY: the descriptor is open for the length of the call. A hint: its answer is not needed,
        // since an error of the writing itself comes back from `sync_data`.
        unsafe {
            libc::sync_file_range(self.fd(), position as i64, len as i64, libc::SYNC_FILE_RANGE_WRITE);
        }
    }

    fn map(&self) -> io::Result<Map> {
        if self.0.metadata()?.len() == 0 {
            return Ok(Box::new(Vec::new()));
        }
        // SAFETY: only sealed files are mapped, and those are never written or cut again.
        Ok(Box::new(unsafe { memmap2::Mmap::map(&self.0)? }))
    }
}

impl OpenFile {
    /// All of `parts`, however many calls the system needs for them; the bytes written.
    fn write_some(&self, parts: &[IoSlice<'_>], position: u64) -> io::Result<u64> {
        let total: usize = parts.iter().map(|part| part.len()).sum();
        let mut written = 0;
        while written < total {
            let n = if written == 0 {
                // SAFETY: `parts` are live slices, IoSlice has iovec's layout, and there are at most IOV_MAX.
                unsafe { libc::pwritev(self.fd(), parts.as_ptr().cast(), parts.len() as i32, position as i64) }
            } else {
                // A short write is rare (a signal, a nearly full disk): go on part by part.
                let (part, skip) = part_at(parts, written);
                self.0.write_at(&part[skip..], position + written as u64).map_or(-1, |n| n as isize)
            };
            match n {
                0 => return Err(io::ErrorKind::WriteZero.into()),
                n if n > 0 => written += n as usize,
                _ => {
                    let error = io::Error::last_os_error();
                    if error.kind() != io::ErrorKind::Interrupted {
                        return Err(error);
                    }
                }
            }
        }
        Ok(total as u64)
    }
}

/// The part that holds byte `at` of the concatenation, and where in it.
fn part_at<'a>(parts: &'a [IoSlice<'a>], mut at: usize) -> (&'a [u8], usize) {
    for part in parts {
        if at < part.len() {
            return (part, at);
        }
        at -= part.len();
    }
    (&[], 0)
}

fn check(answer: libc::c_int) -> io::Result<()> {
    if answer == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_land_one_after_another_even_past_the_systems_limit() {
        let dir = tempfile::tempdir().unwrap();
        let file = Files.open(&dir.path().join("f"), OpenMode::CreateNew).unwrap();
        let bytes: Vec<Vec<u8>> = (0..2500u32).map(|n| n.to_be_bytes().to_vec()).collect();
        let parts: Vec<IoSlice> = bytes.iter().map(|b| IoSlice::new(b)).collect();
        file.write_at(&parts, 3).unwrap();
        let mut read = vec![0; 10_003 + 10];
        assert_eq!(file.read_at(&mut read, 0).unwrap(), 10_003);
        assert_eq!(&read[3..10_003], &bytes.concat()[..]);
        assert_eq!(file.len().unwrap(), 10_003);
    }

    #[test]
    fn allocated_space_reads_as_zeros_and_maps() {
        let dir = tempfile::tempdir().unwrap();
        let file = Files.open(&dir.path().join("f"), OpenMode::OpenOrCreate).unwrap();
        assert!(file.map().unwrap().is_empty());
        file.allocate(8192).unwrap();
        file.write_at(&[IoSlice::new(b"end")], 8189).unwrap();
        file.sync_data().unwrap();
        let map = file.map().unwrap();
        assert_eq!((map.len(), &map[..2], &map[8189..]), (8192, &[0u8, 0][..], &b"end"[..]));
    }

    #[test]
    fn a_second_lock_is_refused_until_the_first_is_dropped() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(".lock");
        let first = Files.lock(&path).unwrap();
        assert!(first.is_some());
        assert!(Files.lock(&path).unwrap().is_none());
        drop(first);
        assert!(Files.lock(&path).unwrap().is_some());
    }

    #[test]
    fn open_modes_hold() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f");
        assert!(Files.open(&path, OpenMode::Write).is_err());
        Files.open(&path, OpenMode::CreateNew).unwrap();
        assert!(Files.open(&path, OpenMode::CreateNew).is_err());
        let read = Files.open(&path, OpenMode::Read).unwrap();
        assert!(read.write_at(&[IoSlice::new(b"x")], 0).is_err());
        assert_eq!(Files.list(dir.path()).unwrap(), [Entry { name: "f".into(), is_dir: false, len: 0 }]);
        let (total, free) = Files.space(dir.path()).unwrap();
        assert!(total >= free && free > 0);
    }
}
