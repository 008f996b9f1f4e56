//! A world whose disk keeps every change in memory: what a start would do to a data folder, without doing it.
//!
//! Must hold: nothing below is ever written, made, renamed or removed; whoever reads sees its own changes over what lies
//! below. Memory grows with what is changed (whole pages), never with what is read.
//!
//! Absences: space that runs out, and names that a crash would lose. Locks are the real ones where their file is there.
use std::collections::{BTreeMap, HashMap};
use std::io::{self, IoSlice};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::{Disk, DiskLock, Entry, File, Map, Moment, OpenMode, Sleep, Task, World, parent_of};

/// The world below, but for its disk.
pub struct Rehearsal {
    below: Arc<dyn World>,
    disk: Arc<Overlay>,
}

impl Rehearsal {
    pub fn new(below: Arc<dyn World>) -> Rehearsal {
        let disk = Arc::new(Overlay { below: below.disk(), over: Mutex::default() });
        Rehearsal { below, disk }
    }
}

impl World for Rehearsal {
    fn now(&self) -> Moment {
        self.below.now()
    }

    fn wall_ms(&self) -> i64 {
        self.below.wall_ms()
    }

    fn random(&self) -> u64 {
        self.below.random()
    }

    fn sleep_until(&self, deadline: Moment) -> Sleep {
        self.below.sleep_until(deadline)
    }

    fn spawn(&self, task: Task) {
        self.below.spawn(task);
    }

    fn disk(&self) -> Arc<dyn Disk> {
        self.disk.clone()
    }
}

/// What stands at a path in place of what lies below.
enum Over {
    Gone,
    /// Made here: holds only what is laid over it.
    Folder,
    /// A folder of the disk below that was renamed to here.
    Moved(PathBuf),
    File(Arc<Paged>),
}

/// Where a path leads.
enum Found {
    Nothing,
    Folder,
    File(Arc<Paged>),
    Below(PathBuf),
}

struct Overlay {
    below: Arc<dyn Disk>,
    over: Mutex<BTreeMap<PathBuf, Over>>,
}

struct FreeLock;
impl DiskLock for FreeLock {}

fn absent(path: &Path) -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, format!("{} is not there", path.display()))
}

impl Overlay {
    fn over(&self) -> MutexGuard<'_, BTreeMap<PathBuf, Over>> {
        // Every change is one insertion or removal: a thread that panicked leaves nothing half done.
        self.over.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn find(over: &BTreeMap<PathBuf, Over>, path: &Path) -> Found {
        for above in path.ancestors() {
            let exact = above == path;
            match over.get(above) {
                None => {}
                Some(Over::Folder) if exact => return Found::Folder,
                Some(Over::File(file)) if exact => return Found::File(file.clone()),
                // Joined with nothing it would end in a slash, as a folder.
                Some(Over::Moved(below)) if exact => return Found::Below(below.clone()),
                Some(Over::Moved(below)) => return path.strip_prefix(above).map_or(Found::Nothing, |rest| Found::Below(below.join(rest))),
                Some(Over::Gone | Over::Folder | Over::File(_)) => return Found::Nothing,
            }
        }
        Found::Below(path.to_owned())
    }

    fn is_there(&self, found: &Found) -> io::Result<bool> {
        match found {
            Found::Nothing => Ok(false),
            Found::Folder | Found::File(_) => Ok(true),
            Found::Below(below) => self.below.exists(below),
        }
    }
}

/// What is laid over anything below `path`.
fn inside(over: &BTreeMap<PathBuf, Over>, path: &Path) -> Vec<PathBuf> {
    over.keys().filter(|other| other.starts_with(path) && *other != path).cloned().collect()
}

impl Disk for Overlay {
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn File>> {
        let mut over = self.over();
        let found = Overlay::find(&over, path);
        let there = self.is_there(&found)?;
        let file = match (found, mode) {
            (_, OpenMode::CreateNew) if there => return Err(io::ErrorKind::AlreadyExists.into()),
            (Found::Folder, _) => return Err(io::ErrorKind::IsADirectory.into()),
            (Found::File(file), _) => file,
            (Found::Below(below), _) if there => {
                // Permissions and folders are found out here, as an open would.
                let len = self.below.open(&below, OpenMode::Read)?.len()?;
                Arc::new(Paged { below: Some((self.below.clone(), below)), pages: Mutex::new(Pages { len, under: len, changed: HashMap::new() }) })
            }
            (_, OpenMode::Read | OpenMode::Write) => return Err(absent(path)),
            (_, OpenMode::CreateNew | OpenMode::OpenOrCreate) => {
                if !self.is_there(&Overlay::find(&over, parent_of(path)))? {
                    return Err(absent(parent_of(path)));
                }
                Arc::new(Paged { below: None, pages: Mutex::default() })
            }
        };
        over.insert(path.to_owned(), Over::File(file.clone()));
        Ok(file)
    }

    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        let mut over = self.over();
        for above in path.ancestors() {
            if above.as_os_str().is_empty() || self.is_there(&Overlay::find(&over, above))? {
                break;
            }
            over.insert(above.to_owned(), Over::Folder);
        }
        Ok(())
    }

    fn remove_dir_all(&self, path: &Path) -> io::Result<()> {
        let mut over = self.over();
        for other in inside(&over, path) {
            over.remove(&other);
        }
        over.insert(path.to_owned(), Over::Gone);
        Ok(())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut over = self.over();
        let found = Overlay::find(&over, from);
        if !self.is_there(&found)? {
            return Err(absent(from));
        }
        for other in inside(&over, to) {
            over.remove(&other);
        }
        let moved = match found {
            Found::File(file) => Over::File(file),
            Found::Below(below) => Over::Moved(below),
            Found::Folder | Found::Nothing => Over::Folder,
        };
        for other in inside(&over, from) {
            if let (Some(what), Ok(rest)) = (over.remove(&other), other.strip_prefix(from)) {
                over.insert(to.join(rest), what);
            }
        }
        over.insert(to.to_owned(), moved);
        over.insert(from.to_owned(), Over::Gone);
        Ok(())
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        let mut over = self.over();
        if !self.is_there(&Overlay::find(&over, path))? {
            return Err(absent(path));
        }
        over.insert(path.to_owned(), Over::Gone);
        Ok(())
    }

    fn exists(&self, path: &Path) -> io::Result<bool> {
        let over = self.over();
        self.is_there(&Overlay::find(&over, path))
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<Entry>> {
        let over = self.over();
        let mut entries = match Overlay::find(&over, dir) {
            Found::Nothing => return Err(absent(dir)),
            Found::File(_) => return Err(io::ErrorKind::NotADirectory.into()),
            Found::Folder => Vec::new(),
            Found::Below(below) => self.below.list(&below)?,
        };
        for (path, what) in over.iter().filter(|(path, _)| path.parent() == Some(dir)) {
            let Some(name) = path.file_name().map(|name| name.to_string_lossy().into_owned()) else { continue };
            entries.retain(|entry| entry.name != name);
            match what {
                Over::Gone => {}
                Over::Folder => entries.push(Entry { name, is_dir: true, len: 0 }),
                Over::File(file) => entries.push(Entry { name, is_dir: false, len: file.pages().len }),
                Over::Moved(below) => {
                    let found = self.below.list(parent_of(below))?.into_iter().find(|entry| below.file_name().is_some_and(|own| *own == *entry.name));
                    entries.extend(found.map(|entry| Entry { name, ..entry }));
                }
            }
        }
        entries.sort();
        Ok(entries)
    }

    fn sync_dir(&self, _: &Path) -> io::Result<()> {
        Ok(())
    }

    fn lock(&self, path: &Path) -> io::Result<Option<Box<dyn DiskLock>>> {
        if self.below.exists(path)? { self.below.lock(path) } else { Ok(Some(Box::new(FreeLock))) }
    }

    fn space(&self, path: &Path) -> io::Result<(u64, u64)> {
        // A folder that was made here would lie on the volume of the nearest one that is there.
        let there = path.ancestors().find(|above| self.below.exists(above).unwrap_or(false));
        self.below.space(there.filter(|above| !above.as_os_str().is_empty()).unwrap_or(Path::new(".")))
    }
}

const PAGE: u64 = 4096;

/// A file of the disk below (or none) with changed pages over it. It is opened for each read, so that a folder of ten
/// thousand files needs no ten thousand descriptors.
struct Paged {
    below: Option<(Arc<dyn Disk>, PathBuf)>,
    pages: Mutex<Pages>,
}

#[derive(Default)]
struct Pages {
    len: u64,
    /// So many bytes of the file below still show.
    under: u64,
    changed: HashMap<u64, Box<[u8]>>,
}

impl Paged {
    fn pages(&self) -> MutexGuard<'_, Pages> {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Fills `buf` from below, with zeros where that has ended.
    fn fill(&self, pages: &Pages, buf: &mut [u8], position: u64) -> io::Result<()> {
        buf.fill(0);
        let Some((disk, path)) = &self.below else { return Ok(()) };
        let shown = usize::try_from(pages.under.saturating_sub(position)).unwrap_or(usize::MAX).min(buf.len());
        if shown > 0 {
            disk.open(path, OpenMode::Read)?.read_at(&mut buf[..shown], position)?;
        }
        Ok(())
    }
}

impl File for Paged {
    fn read_at(&self, buf: &mut [u8], position: u64) -> io::Result<usize> {
        let pages = self.pages();
        let length = usize::try_from(pages.len.saturating_sub(position)).unwrap_or(usize::MAX).min(buf.len());
        let buf = &mut buf[..length];
        self.fill(&pages, buf, position)?;
        let end = position + length as u64;
        for number in position / PAGE..end.div_ceil(PAGE) {
            let Some(page) = pages.changed.get(&number) else { continue };
            let (from, to) = (position.max(number * PAGE), end.min((number + 1) * PAGE));
            buf[(from - position) as usize..(to - position) as usize].copy_from_slice(&page[(from - number * PAGE) as usize..(to - number * PAGE) as usize]);
        }
        Ok(length)
    }

    fn write_at(&self, parts: &[IoSlice<'_>], position: u64) -> io::Result<()> {
        let mut pages = self.pages();
        let mut at = position;
        for part in parts {
            let mut left: &[u8] = part;
            while !left.is_empty() {
                let (number, within) = (at / PAGE, (at % PAGE) as usize);
                let (now, rest) = left.split_at(left.len().min(PAGE as usize - within));
                if !pages.changed.contains_key(&number) {
                    let mut page = vec![0; PAGE as usize].into_boxed_slice();
                    self.fill(&pages, &mut page, number * PAGE)?;
                    pages.changed.insert(number, page);
                }
                if let Some(page) = pages.changed.get_mut(&number) {
                    page[within..within + now.len()].copy_from_slice(now);
                }
                at += now.len() as u64;
                left = rest;
            }
        }
        pages.len = pages.len.max(at);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.pages().len)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut pages = self.pages();
        // What is cut off must read as zeros if the file grows again.
        pages.under = pages.under.min(len);
        pages.changed.retain(|number, _| number * PAGE < len);
        if let Some(page) = pages.changed.get_mut(&(len / PAGE)) {
            page[(len % PAGE) as usize..].fill(0);
        }
        pages.len = len;
        Ok(())
    }

    fn allocate(&self, len: u64) -> io::Result<()> {
        let mut pages = self.pages();
        pages.len = pages.len.max(len);
        Ok(())
    }

    fn start_writeback(&self, _: u64, _: u64) {}

    fn map(&self) -> io::Result<Map> {
        {
            let pages = self.pages();
            if let (Some((disk, path)), true) = (&self.below, pages.changed.is_empty() && pages.under == pages.len) {
                return disk.open(path, OpenMode::Read)?.map();
            }
        }
        let mut bytes = vec![0; self.len()? as usize];
        let read = self.read_at(&mut bytes, 0)?;
        bytes.truncate(read);
        Ok(Box::new(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::production::Files;

    fn overlay() -> Overlay {
        Overlay { below: Arc::new(Files), over: Mutex::default() }
    }

    fn names(disk: &dyn Disk, dir: &Path) -> Vec<String> {
        disk.list(dir).unwrap().into_iter().map(|entry| entry.name).collect()
    }

    fn text(disk: &dyn Disk, path: &Path) -> Vec<u8> {
        let file = disk.open(path, OpenMode::Read).unwrap();
        let mut bytes = vec![7; file.len().unwrap() as usize + 3];
        let read = file.read_at(&mut bytes, 0).unwrap();
        bytes.truncate(read);
        bytes
    }

    #[test]
    fn changes_are_seen_and_the_disk_keeps_what_it_had() {
        let dir = tempfile::tempdir().unwrap();
        let (file, gone, folder) = (dir.path().join("file"), dir.path().join("gone"), dir.path().join("folder"));
        std::fs::write(&file, vec![b'a'; 10_000]).unwrap();
        std::fs::write(&gone, "x").unwrap();
        std::fs::create_dir(&folder).unwrap();
        std::fs::write(folder.join("inner"), "inner").unwrap();

        let disk = overlay();
        let open = disk.open(&file, OpenMode::Write).unwrap();
        open.write_at(&[IoSlice::new(b"bb"), IoSlice::new(b"cc")], 4094).unwrap();
        open.set_len(9_000).unwrap();
        open.allocate(9_500).unwrap();
        let mut expected = vec![b'a'; 9_000];
        expected[4094..4098].copy_from_slice(b"bbcc");
        expected.resize(9_500, 0);
        assert_eq!(text(&disk, &file), expected);
        assert_eq!(&**open.map().unwrap(), &expected[..]);

        disk.remove_file(&gone).unwrap();
        assert!(disk.open(&gone, OpenMode::Write).is_err());
        disk.open(&folder.join("new"), OpenMode::CreateNew).unwrap().write_at(&[IoSlice::new(b"new")], 0).unwrap();
        let moved = dir.path().join("moved");
        disk.rename(&folder, &moved).unwrap();
        assert_eq!(names(&disk, dir.path()), ["file", "moved"]);
        assert_eq!(names(&disk, &moved), ["inner", "new"]);
        assert_eq!((text(&disk, &moved.join("inner")), text(&disk, &moved.join("new"))), (b"inner".to_vec(), b"new".to_vec()));
        assert!(!disk.exists(&folder.join("inner")).unwrap());
        disk.create_dir_all(&folder.join("deep/er")).unwrap();
        assert_eq!(names(&disk, &folder), ["deep"], "a folder that is made where one went is empty");
        disk.remove_dir_all(&moved).unwrap();
        assert!(disk.list(&moved).is_err());

        assert_eq!(std::fs::read(&file).unwrap(), vec![b'a'; 10_000]);
        assert_eq!(names(&Files, dir.path()), ["file", "folder", "gone"]);
        assert_eq!(names(&Files, &folder), ["inner"]);
    }

    #[test]
    fn a_file_takes_the_place_of_another() {
        let dir = tempfile::tempdir().unwrap();
        let (old, draft) = (dir.path().join("old"), dir.path().join("draft"));
        std::fs::write(&old, "old").unwrap();
        let disk = overlay();
        disk.open(&draft, OpenMode::OpenOrCreate).unwrap().write_at(&[IoSlice::new(b"newer")], 0).unwrap();
        disk.rename(&draft, &old).unwrap();
        assert_eq!(text(&disk, &old), b"newer");
        assert_eq!(names(&disk, dir.path()), ["old"]);
        std::fs::write(&draft, "below").unwrap();
        let disk = overlay();
        disk.rename(&draft, &old).unwrap();
        assert_eq!((text(&disk, &old), names(&disk, dir.path())), (b"below".to_vec(), vec!["old".to_owned()]));
    }
}
