//! The ring and its checkpoint on a disk in memory that keeps what it is told.
use std::collections::BTreeMap;
use std::io::{self, IoSlice};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use millrace_world::{Disk, DiskLock, Entry, File, Map, OpenMode};
use parking_lot::Mutex;

use crate::{GroupId, HardState, Journal, JournalError, Replay, TurnFrame};

#[derive(Clone, Default)]
struct Memory(Arc<Mutex<BTreeMap<PathBuf, Arc<Bytes>>>>);

#[derive(Default)]
struct Bytes(Mutex<Vec<u8>>);

impl File for Bytes {
    fn read_at(&self, buf: &mut [u8], position: u64) -> io::Result<usize> {
        let bytes = self.0.lock();
        let from = (position as usize).min(bytes.len());
        let length = buf.len().min(bytes.len() - from);
        buf[..length].copy_from_slice(&bytes[from..from + length]);
        Ok(length)
    }
    fn write_at(&self, parts: &[IoSlice<'_>], position: u64) -> io::Result<()> {
        let mut bytes = self.0.lock();
        let mut at = position as usize;
        for part in parts {
            if bytes.len() < at + part.len() {
                bytes.resize(at + part.len(), 0);
            }
            bytes[at..at + part.len()].copy_from_slice(part);
            at += part.len();
        }
        Ok(())
    }
    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.lock().len() as u64)
    }
    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.lock().resize(len as usize, 0);
        Ok(())
    }
    fn allocate(&self, len: u64) -> io::Result<()> {
        let mut bytes = self.0.lock();
        let grown = bytes.len().max(len as usize);
        bytes.resize(grown, 0);
        Ok(())
    }
    fn start_writeback(&self, _position: u64, _len: u64) {}
    fn map(&self) -> io::Result<Map> {
        Ok(Box::new(self.0.lock().clone()))
    }
}

impl Disk for Memory {
    fn open(&self, path: &Path, _mode: OpenMode) -> io::Result<Arc<dyn File>> {
        Ok(self.0.lock().entry(path.to_path_buf()).or_default().clone())
    }
    fn create_dir_all(&self, _path: &Path) -> io::Result<()> {
        Ok(())
    }
    fn remove_dir_all(&self, _path: &Path) -> io::Result<()> {
        Ok(())
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut files = self.0.lock();
        let file = files.remove(from).ok_or(io::ErrorKind::NotFound)?;
        files.insert(to.to_path_buf(), file);
        Ok(())
    }
    fn remove_file(&self, path: &Path) -> io::Result<()> {
        self.0.lock().remove(path).map(drop).ok_or(io::ErrorKind::NotFound.into())
    }
    fn exists(&self, path: &Path) -> io::Result<bool> {
        Ok(self.0.lock().contains_key(path))
    }
    fn list(&self, _dir: &Path) -> io::Result<Vec<Entry>> {
        Ok(Vec::new())
    }
    fn sync_dir(&self, _dir: &Path) -> io::Result<()> {
        Ok(())
    }
    fn lock(&self, _path: &Path) -> io::Result<Option<Box<dyn DiskLock>>> {
        Ok(None)
    }
    fn space(&self, _path: &Path) -> io::Result<(u64, u64)> {
        Ok((0, 0))
    }
}

const RING: u64 = 64 << 10;
const GROUP: GroupId = GroupId(3);

fn open(disk: &Memory) -> Result<(Journal, Replay), JournalError> {
    Journal::open(Arc::new(disk.clone()), Path::new("journal"), RING, 0x1234_5678_9abc_def0)
}

fn entry(index: u64, bytes: usize) -> TurnFrame {
    let mut frame = TurnFrame::default();
    frame.entry(GROUP, index, &vec![index as u8; bytes]);
    frame
}

fn indexes(replay: &Replay) -> Vec<u64> {
    replay.groups.get(&GROUP).map(|group| group.entries.iter().map(|entry| entry.index).collect()).unwrap_or_default()
}

fn ring(disk: &Memory) -> Arc<Bytes> {
    disk.0.lock()[Path::new("journal/ring")].clone()
}

#[test]
fn what_was_written_is_read_back() {
    let disk = Memory::default();
    let (mut journal, replay) = open(&disk).unwrap();
    assert_eq!(replay, Replay { is_new: true, ..Replay::default() });
    let mut frame = entry(1, 100);
    frame.hard_state(GROUP, HardState { term: 2, vote: 1, commit: 0 });
    journal.write(&frame).unwrap();
    journal.write(&entry(2, 5_000)).unwrap();
    let (_, replay) = open(&disk).unwrap();
    assert_eq!(replay.frames, 2);
    assert_eq!(indexes(&replay), [1, 2]);
    assert_eq!(replay.groups[&GROUP].hard_state.term, 2);
    assert_eq!(&replay.groups[&GROUP].entries[1].bytes[..], &[2; 5_000][..]);
}

#[test]
fn a_later_entry_with_the_same_index_replaces_and_a_sync_settles() {
    let disk = Memory::default();
    let (mut journal, _) = open(&disk).unwrap();
    for index in [1, 2, 3, 2] {
        journal.write(&entry(index, 10)).unwrap();
    }
    assert_eq!(indexes(&open(&disk).unwrap().1), [1, 2]);
    let mut frame = TurnFrame::default();
    frame.synced(GROUP, 1);
    journal.write(&frame).unwrap();
    let replay = open(&disk).unwrap().1;
    assert_eq!((indexes(&replay), replay.groups[&GROUP].synced), (vec![2], 1));
    let mut frame = TurnFrame::default();
    frame.removed(GROUP);
    journal.write(&frame).unwrap();
    assert!(open(&disk).unwrap().1.groups.is_empty());
}

#[test]
fn the_ring_comes_round_behind_its_checkpoints() {
    let disk = Memory::default();
    let (mut journal, _) = open(&disk).unwrap();
    for index in 1..200 {
        let frame = entry(index, (index as usize * 977) % 12_000);
        if !journal.has_room(frame.len()) {
            assert!(matches!(journal.write(&frame), Err(JournalError::Full)));
            let mut groups = TurnFrame::default();
            groups.synced(GROUP, index - 1);
            journal.checkpoint().write(journal.head(), &groups).unwrap();
            journal.checkpointed(journal.head());
        }
        journal.write(&frame).unwrap();
        let replay = open(&disk).unwrap().1;
        let group = &replay.groups[&GROUP];
        assert_eq!(indexes(&replay), (group.synced + 1..=index).collect::<Vec<_>>());
    }
}

#[test]
fn a_torn_last_frame_is_cut_and_written_over() {
    for torn_at in [0, 4, 8, 16, 24, 30, 4_000, 4_200] {
        let disk = Memory::default();
        let (mut journal, _) = open(&disk).unwrap();
        journal.write(&entry(1, 10)).unwrap();
        journal.write(&entry(2, 5_000)).unwrap();
        ring(&disk).0.lock()[4096 + torn_at] ^= 0x55;
        let (mut journal, replay) = open(&disk).unwrap();
        assert_eq!(indexes(&replay), [1], "torn at {torn_at}");
        journal.write(&entry(2, 20)).unwrap();
        assert_eq!(indexes(&open(&disk).unwrap().1), [1, 2]);
    }
}

#[test]
fn a_bad_frame_before_a_good_one_is_corruption() {
    for damaged in [4, 8, 16, 24, 40] {
        let disk = Memory::default();
        let (mut journal, _) = open(&disk).unwrap();
        for index in 1..=3 {
            journal.write(&entry(index, 10)).unwrap();
        }
        ring(&disk).0.lock()[4096 + damaged] ^= 1;
        let refused = open(&disk).err().expect("a start on a damaged ring is refused");
        assert!(matches!(refused, JournalError::Corrupt { .. }), "byte {damaged}: {refused}");
    }
}

#[test]
fn a_damaged_checkpoint_is_refused_wherever_it_is_damaged() {
    let disk = Memory::default();
    let (mut journal, _) = open(&disk).unwrap();
    journal.write(&entry(1, 10)).unwrap();
    let file = disk.0.lock()[Path::new("journal/checkpoint")].clone();
    let length = file.0.lock().len();
    for at in 0..length {
        file.0.lock()[at] ^= 1;
        assert!(matches!(open(&disk), Err(JournalError::Corrupt { .. })), "byte {at}");
        file.0.lock()[at] ^= 1;
    }
    disk.remove_file(Path::new("journal/checkpoint")).unwrap();
    assert!(matches!(open(&disk), Err(JournalError::Corrupt { .. })), "a used ring without a checkpoint");
}

#[test]
fn records_cannot_pose_as_frames() {
    let disk = Memory::default();
    let (mut journal, _) = open(&disk).unwrap();
    journal.write(&entry(1, 10)).unwrap();
    journal.write(&entry(2, 10)).unwrap();
    // Another ring's frames, in the place of a torn one and behind it.
    let other = Memory::default();
    let (mut stranger, _) = Journal::open(Arc::new(other.clone()), Path::new("journal"), RING, 1).unwrap();
    for index in 1..=3 {
        stranger.write(&entry(index, 10)).unwrap();
    }
    let strange = ring(&other).0.lock()[4096..12_288].to_vec();
    ring(&disk).0.lock()[4096..12_288].copy_from_slice(&strange);
    assert_eq!(indexes(&open(&disk).unwrap().1), [1]);
}
