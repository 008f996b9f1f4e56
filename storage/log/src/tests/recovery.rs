use std::path::PathBuf;
use std::sync::Arc;

use millrace_record::{Offset, ProducerId};
use proptest::prelude::*;

use crate::testing::*;
use crate::{Log, LogConfig, LogError, Opening};

fn small() -> LogConfig {
    LogConfig { segment_bytes: 3000, ..config() }
}

/// A log of several segments, synced and closed or not.
fn filled(disk: &Arc<MemDisk>, batches: i64) -> Log {
    let mut log = open(disk, &small());
    for n in 0..batches {
        let records = [kv(n, &format!("k{n}"), Some("value value value")), kv(n, "j", None)];
        let bytes = batch_of(log.end_offset(), 1, millrace_record::Codec::None, Some((n % 3, 0, n as i32 / 3 * 2)), &records);
        append_bytes(&mut log, bytes).unwrap();
    }
    log
}

fn files(disk: &MemDisk, suffix: &str) -> Vec<PathBuf> {
    disk.paths().into_iter().filter(|path| path.extension().is_some_and(|found| found == suffix)).collect()
}

#[test]
fn a_closed_log_opens_without_reading_data() {
    let disk = MemDisk::new();
    let mut log = filled(&disk, 300);
    log.close().unwrap();
    let (wanted, producers) = (read_all(&log.reader()), log.producers().clone());
    drop(log);
    let before = disk.bytes_read();
    let (mut log, recovered) = try_open(&disk, &small(), opening()).unwrap();
    assert_eq!((recovered.cut, recovered.bytes_scanned), (None, 0));
    let read = disk.bytes_read() - before;
    let segments = files(&disk, "log").len() as u64;
    assert!(segments > 10);
    assert!(read < segments * 1000 + 5000, "{read} bytes read for {segments} segments");
    assert_eq!(log.producers(), &producers);
    assert_eq!((log.synced_index(), log.unsynced_bytes()), (300, 0));
    assert_eq!(read_all(&log.reader()), wanted);
    // And goes on as if nothing had been.
    append(&mut log, 2, &[kv(9, "k", None)]);
    assert_eq!(log.reader().epoch_end_offset(millrace_record::Epoch(1)).unwrap().1, Offset(600));
    assert_eq!(read_all(&log.reader()).len(), 601);
}

#[test]
fn a_killed_process_loses_nothing() {
    let disk = MemDisk::new();
    let log = filled(&disk, 300);
    let (wanted, producers) = (read_all(&log.reader()), log.producers().clone());
    let (log, recovered) = try_open(&disk.after_crash(Loss::Nothing), &small(), opening()).unwrap();
    assert_eq!(recovered.cut, None);
    assert_eq!(read_all(&log.reader()), wanted);
    assert_eq!(log.producers(), &producers);
    assert_eq!(log.synced_index(), 0, "and claims nothing to be durable that it did not sync");
}

#[test]
fn the_tail_cut_at_every_byte_leaves_the_batches_in_front_of_the_cut() {
    let disk = MemDisk::new();
    let mut log = filled(&disk, 12);
    log.sync().unwrap();
    drop(log);
    let path = files(&disk, "log").pop().unwrap();
    let whole = disk.bytes(&path);
    let mut ends = vec![crate::header::SEGMENT_HEADER_LEN as usize];
    while let Ok(prefix) = millrace_record::Prefix::parse(&whole[*ends.last().unwrap()..]) {
        ends.push(ends.last().unwrap() + prefix.frame_len());
    }
    assert!(ends.len() > 3);
    let full = open(&disk, &small()).end_offset().0;
    for len in 0..=whole.len() {
        let disk = disk.after_crash(Loss::Nothing);
        disk.set_bytes(&path, whole[..len].to_vec());
        for index in files(&disk, "index") {
            millrace_world::Disk::remove_file(disk.as_ref(), &index).unwrap();
        }
        let (mut log, recovered) = try_open(&disk, &small(), opening()).unwrap();
        let lost = ends.iter().filter(|&&end| end > len).count().min(ends.len() - 1) as i64;
        assert_eq!(log.end_offset().0, full - 2 * lost, "cut at {len}");
        assert_eq!(recovered.cut.is_some(), !ends.contains(&len), "cut at {len}");
        assert_eq!(read_all(&log.reader()).len() as i64, full - 2 * lost);
        append(&mut log, 1, &[kv(1, "new", Some("value"))]);
        log.close().unwrap();
        let again = open(&disk, &small());
        assert_eq!(read_all(&again.reader()).len() as i64, full - 2 * lost + 1);
    }
}

#[test]
fn damage_below_what_is_known_to_be_durable_is_an_error_and_changes_nothing() {
    let disk = MemDisk::new();
    let mut log = filled(&disk, 12);
    log.sync().unwrap();
    let last = log.last_index();
    drop(log);
    let path = files(&disk, "log").pop().unwrap();
    let whole = disk.bytes(&path);
    for index in files(&disk, "index") {
        millrace_world::Disk::remove_file(disk.as_ref(), &index).unwrap();
    }
    let opening = Opening { durable_index: last, ..opening() };
    let mut broken: Vec<Vec<u8>> = (0..whole.len()).step_by(7).map(|len| whole[..len].to_vec()).collect();
    for at in (0..whole.len()).step_by(5) {
        let mut flipped = whole.clone();
        flipped[at] ^= 0x20;
        broken.push(flipped);
        let mut zeroed = whole.clone();
        zeroed[at..].fill(0);
        broken.push(zeroed);
    }
    let mut refused = 0;
    for bytes in broken {
        disk.set_bytes(&path, bytes.clone());
        let changes = disk.changes();
        match try_open(&disk, &small(), opening) {
            // The copies of base offset and term in front of the segment header are read by nobody, and a
            // later epoch is as good as the one that was; neither is under a checksum.
            Ok((log, _)) => assert_eq!((log.last_index(), read_all(&log.reader()).len()), (last, 24)),
            Err(LogError::Corrupt { .. }) => {
                refused += 1;
                assert_eq!(disk.changes(), changes, "a refusal leaves everything as it is");
                assert_eq!(disk.bytes(&path), bytes);
            }
            Err(error) => panic!("{error}"),
        }
    }
    assert!(refused > 100, "{refused}");
}

#[test]
fn a_hole_in_a_sealed_segment_is_seen_when_it_is_read_and_never_served() {
    let disk = MemDisk::new();
    let mut log = filled(&disk, 100);
    log.close().unwrap();
    drop(log);
    let path = &files(&disk, "log")[1];
    let mut bytes = disk.bytes(path);
    let middle = bytes.len() / 2;
    bytes[middle..middle + 40].fill(0);
    disk.set_bytes(path, bytes);
    let log = open(&disk, &small());
    let reader = log.reader();
    let mut from = Offset(0);
    let error = loop {
        match reader.read(from, log.end_offset(), 500, true) {
            Ok(read) => from = read.next_offset,
            Err(error) => break error,
        }
    };
    assert!(error.to_string().contains("corrupt"), "{error}");
    assert!(from > Offset(0));
}

#[test]
fn a_sealed_segment_cut_short_or_gone_is_corruption() {
    let disk = MemDisk::new();
    let mut log = filled(&disk, 100);
    log.close().unwrap();
    drop(log);
    let logs = files(&disk, "log");
    for path in &logs[1..] {
        let short = disk.after_crash(Loss::Nothing);
        let bytes = short.bytes(path);
        short.set_bytes(path, bytes[..bytes.len() - 1].to_vec());
        assert!(matches!(try_open(&short, &small(), opening()), Err(LogError::Corrupt { .. })), "{}", path.display());
    }
    let gone = disk.after_crash(Loss::Nothing);
    millrace_world::Disk::remove_file(gone.as_ref(), &logs[2]).unwrap();
    assert!(matches!(try_open(&gone, &small(), opening()), Err(LogError::Corrupt { .. })));
}

#[test]
fn damaged_or_missing_side_files_are_made_again() {
    let disk = MemDisk::new();
    let mut log = filled(&disk, 100);
    log.close().unwrap();
    let (wanted, producers) = (read_all(&log.reader()), log.producers().clone());
    let timestamps = log.reader().offset_for_timestamp(50, Offset(200)).unwrap();
    drop(log);
    for suffix in ["index", "snapshot"] {
        for path in files(&disk, suffix) {
            for damage in 0..3 {
                let disk = disk.after_crash(Loss::Nothing);
                let mut bytes = disk.bytes(&path);
                match damage {
                    0 => millrace_world::Disk::remove_file(disk.as_ref(), &path).unwrap(),
                    1 => disk.set_bytes(&path, bytes[..bytes.len() / 2].to_vec()),
                    _ => {
                        let last = bytes.len() - 1;
                        bytes[last] ^= 1;
                        disk.set_bytes(&path, bytes);
                    }
                }
                let mut log = open(&disk, &small());
                assert_eq!(read_all(&log.reader()), wanted, "{}", path.display());
                assert_eq!(log.producers(), &producers);
                assert_eq!(log.reader().offset_for_timestamp(50, Offset(200)).unwrap(), timestamps);
                log.close().unwrap();
                let (_, recovered) = try_open(&disk, &small(), opening()).unwrap();
                assert_eq!(recovered.bytes_scanned, 0, "and once closed it is whole again");
            }
        }
    }
}

#[test]
fn a_segment_that_is_gone_is_missed_by_its_index_file() {
    let disk = MemDisk::new();
    filled(&disk, 100).close().unwrap();
    let last = files(&disk, "log").pop().unwrap();
    millrace_world::Disk::remove_file(disk.as_ref(), &last).unwrap();
    let error = try_open(&disk, &small(), opening()).err().unwrap();
    assert!(error.to_string().contains("the segment is gone"), "{error}");
}

/// After a crash whose journal is lost, what looks torn may have been acknowledged.
#[test]
fn nothing_is_torn_where_nobody_knows_what_was_acknowledged() {
    let disk = MemDisk::new();
    drop(filled(&disk, 12));
    let unknown = Opening { may_be_torn: false, ..opening() };
    let path = files(&disk, "log").pop().unwrap();
    let whole = disk.bytes(&path);
    disk.set_bytes(&path, whole[..whole.len() - 1].to_vec());
    let changes = disk.changes();
    let error = try_open(&disk, &small(), unknown).err().unwrap();
    assert!(error.to_string().contains("the journal that would say"), "{error}");
    assert_eq!(disk.changes(), changes, "a refusal leaves everything as it is");
    disk.set_bytes(&path, whole);
    assert!(try_open(&disk, &small(), unknown).is_ok());
}

#[test]
fn another_logs_files_are_refused() {
    let disk = MemDisk::new();
    let mut log = filled(&disk, 10);
    log.sync().unwrap();
    for closed in [false, true] {
        if closed {
            log.close().unwrap();
        }
        let stranger = Opening { identity: 43, ..opening() };
        let error = try_open(&disk, &small(), stranger).err().unwrap();
        assert!(matches!(error, LogError::Foreign { expected: 43, found: 42, .. }), "{error}");
    }
}

#[test]
fn segments_that_changed_places_are_not_read() {
    let disk = MemDisk::new();
    let mut log = filled(&disk, 100);
    log.close().unwrap();
    drop(log);
    // Of the same length, so that only their headers tell.
    let logs = files(&disk, "log");
    let (one, two) = (1..logs.len()).flat_map(|a| (1..a).map(move |b| (a, b))).find(|&(a, b)| disk.bytes(&logs[a]).len() == disk.bytes(&logs[b]).len()).unwrap();
    let (first, second) = (disk.bytes(&logs[one]), disk.bytes(&logs[two]));
    disk.set_bytes(&logs[one], second);
    disk.set_bytes(&logs[two], first);
    let log = open(&disk, &small());
    let reader = log.reader();
    let mut from = Offset(0);
    let error = loop {
        match reader.read(from, log.end_offset(), 500, true) {
            Ok(read) => from = read.next_offset,
            Err(error) => break error,
        }
    };
    assert!(error.to_string().contains("another segment"), "{error}");
}

#[test]
fn a_thousand_segments_open_by_their_index_files_alone() {
    let disk = MemDisk::new();
    let config = LogConfig { segment_bytes: 1, ..config() };
    let mut log = open(&disk, &config);
    for n in 0..1000 {
        append(&mut log, 1, &[kv(n, "k", Some(&"v".repeat(2000)))]);
    }
    log.close().unwrap();
    let size = log.size_bytes();
    drop(log);
    let before = disk.bytes_read();
    let (log, recovered) = try_open(&disk, &config, opening()).unwrap();
    let read = disk.bytes_read() - before;
    assert_eq!((log.end_offset(), recovered.bytes_scanned), (Offset(1000), 0));
    assert!(read < size / 10, "{read} bytes of {size}");
}

/// A full disk left the file of a segment that was not begun; later the log grew past its offset.
#[test]
fn what_a_failed_roll_left_is_removed() {
    for closed in [false, true] {
        let disk = MemDisk::new();
        let mut log = open(&disk, &small());
        for n in 0..30 {
            append(&mut log, 1, &[kv(n, "k", Some("value value value"))]);
        }
        if closed { log.close().unwrap() } else { log.sync().unwrap() }
        let wanted = read_all(&log.reader());
        drop(log);
        let path = std::path::Path::new(DIR).join(format!("{:020}.log", 29));
        millrace_world::Disk::open(disk.as_ref(), &path, millrace_world::OpenMode::CreateNew).unwrap();
        let mut log = open(&disk, &small());
        assert_eq!(read_all(&log.reader()), wanted);
        assert!(!disk.paths().contains(&path));
        for n in 0..30 {
            append(&mut log, 1, &[kv(n, "k", Some("value value value"))]);
        }
        log.close().unwrap();
        assert_eq!(read_all(&open(&disk, &small()).reader()).len(), 60);
    }
}

#[test]
fn reserved_space_is_no_torn_tail() {
    let config = LogConfig { preallocate: true, ..small() };
    let disk = MemDisk::new();
    let mut log = open(&disk, &config);
    for n in 0..100 {
        append(&mut log, 0, &[kv(n, "k", Some("value"))]);
    }
    log.sync().unwrap();
    let path = files(&disk, "log").pop().unwrap();
    assert_eq!(disk.bytes(&path).len(), 3000);
    drop(log);
    let (mut log, recovered) = try_open(&disk, &config, opening()).unwrap();
    assert_eq!((log.end_offset(), recovered.cut), (Offset(100), None));
    log.close().unwrap();
    drop(log);
    let (log, recovered) = try_open(&disk, &config, opening()).unwrap();
    assert_eq!((log.end_offset(), recovered.cut), (Offset(100), None));
}

/// Every change that an append, a roll, a sync, a trim or a truncation makes to the disk, and a crash in
/// front of each: what was synced is there, nothing else than what was appended is there, in order.
#[test]
fn a_crash_at_every_step_keeps_what_was_synced() {
    let run = |disk: &Arc<MemDisk>, synced: &mut i64, trimmed: &mut i64| -> Result<(), LogError> {
        let (mut log, _) = try_open(disk, &small(), opening())?;
        for n in 0..60 {
            let bytes = batch(log.end_offset(), 1, &[kv(n, &format!("k{}", log.end_offset().0), Some("value value"))]);
            append_bytes(&mut log, bytes)?;
            if n % 5 == 0 {
                log.sync()?;
                *synced = log.end_offset().0;
            }
            if n == 40 {
                *synced = (*synced).min(35);
                log.truncate_from(36)?;
            }
            if n % 25 == 24 {
                *trimmed = log.end_offset().0 - 10;
                log.trim_to(Offset(*trimmed))?;
            }
        }
        log.close()?;
        *synced = log.end_offset().0;
        Ok(())
    };
    let whole = MemDisk::new();
    run(&whole, &mut 0, &mut 0).unwrap();
    for step in 1..=whole.changes() {
        for loss in [Loss::Nothing, Loss::Unsynced, Loss::Half] {
            let disk = MemDisk::new();
            disk.stop_after(step);
            let (mut synced, mut trimmed) = (0, 0);
            let finished = run(&disk, &mut synced, &mut trimmed).is_ok();
            let disk = disk.after_crash(loss);
            let (mut log, _) = match try_open(&disk, &small(), opening()) {
                Ok(opened) => opened,
                Err(error) => panic!("step {step}, {loss:?}: {error}"),
            };
            let start = log.start_offset().0;
            assert!(log.end_offset().0 >= synced, "step {step}, {loss:?}: {} of {synced}", log.end_offset());
            assert!(start <= trimmed && (!finished || start == trimmed));
            for (at, (offset, record)) in read_all(&log.reader()).into_iter().enumerate() {
                assert_eq!(offset, start + at as i64);
                assert_eq!(record.key, Some(format!("k{offset}").into_bytes()));
            }
            append(&mut log, 1, &[kv(1, "more", None)]);
            log.close().unwrap();
            let (_, recovered) = try_open(&disk, &small(), opening()).unwrap();
            assert_eq!((recovered.bytes_scanned, recovered.cut), (0, None));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    /// Whatever is done to one byte anywhere: the log opens or says that it is corrupt, and what it serves
    /// is what was written.
    #[test]
    fn no_flipped_byte_is_ever_served(file in any::<prop::sample::Index>(), at in any::<prop::sample::Index>(), bit in 0u8..8, closed: bool) {
        let disk = MemDisk::new();
        let mut log = filled(&disk, 60);
        if closed { log.close().unwrap() } else { log.sync().unwrap() }
        let wanted = read_all(&log.reader());
        drop(log);
        let paths = disk.paths();
        let path: &PathBuf = file.get(&paths);
        let mut bytes = disk.bytes(path);
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        disk.set_bytes(path, bytes);
        if let Ok((log, _)) = try_open(&disk, &small(), opening()) {
            let mut from = log.start_offset();
            let mut served = 0;
            while let Ok(read) = log.reader().read(from, log.end_offset(), 1000, true) {
                if read.first_offset.is_none() { break }
                from = read.next_offset;
                served = from.0 as usize;
            }
            prop_assert!(served <= wanted.len());
            for (offset, kv) in wanted.iter().take(served) {
                let read = log.reader().read(Offset(*offset), Offset(served as i64), 1, true).unwrap();
                let records = millrace_record::Records::open(&read.slices[0], 1 << 20).unwrap();
                let found = records.iter().map(Result::unwrap).find(|record| records.header().offset_of(record).0 == *offset).unwrap();
                prop_assert_eq!(found.key.map(<[u8]>::to_vec), kv.key.clone());
                prop_assert_eq!(found.value.map(<[u8]>::to_vec), kv.value.clone());
            }
        }
    }
}

#[test]
fn producers_survive_a_crash_with_all_five_batches() {
    let disk = MemDisk::new();
    let log = filled(&disk, 50);
    let views = log.producers().views();
    assert_eq!(views.iter().map(|view| view.id).collect::<Vec<_>>(), [ProducerId(0), ProducerId(1), ProducerId(2)]);
    let producers = log.producers().clone();
    drop(log);
    let log = open(&disk.after_crash(Loss::Nothing), &small());
    assert_eq!(log.producers(), &producers);
}

#[test]
fn after_a_crash_only_the_newest_segments_are_read() {
    let disk = MemDisk::new();
    let mut log = open(&disk, &small());
    for n in 0..300 {
        let records = [kv(n, "k", Some("value value value"))];
        let bytes = batch_of(log.end_offset(), 1, millrace_record::Codec::None, Some((n % 3, 0, n as i32 / 3)), &records);
        // As a leader does that takes a batch before it appends it.
        let header = millrace_record::BatchHeader::parse(&bytes).unwrap();
        log.producers_mut().apply(&header);
        append_bytes(&mut log, bytes).unwrap();
        if n % 10 == 0 {
            log.sync().unwrap();
        }
    }
    let (size, producers) = (log.size_bytes(), log.producers().clone());
    drop(log);
    let (log, recovered) = try_open(&disk.after_crash(Loss::Nothing), &small(), opening()).unwrap();
    assert_eq!(log.producers(), &producers);
    assert!(size > 20_000 && recovered.bytes_scanned < 10_000, "{} of {size}", recovered.bytes_scanned);
}

#[test]
fn a_snapshot_of_a_history_that_was_truncated_is_not_taken() {
    let disk = MemDisk::new();
    let mut log = open(&disk, &small());
    let put = |log: &mut Log, epoch: i32, producer: i64| {
        let bytes = batch_of(log.end_offset(), epoch, millrace_record::Codec::None, Some((producer, 0, 0)), &[kv(1, "k", Some("v"))]);
        append_bytes(log, bytes).unwrap();
    };
    put(&mut log, 1, 1);
    put(&mut log, 1, 2);
    log.close().unwrap();
    let snapshot = files(&disk, "snapshot").pop().unwrap();
    let bytes = disk.bytes(&snapshot);
    log.truncate_from(2).unwrap();
    assert!(files(&disk, "snapshot").is_empty());
    put(&mut log, 2, 3);
    log.sync().unwrap();
    // The removal of the file's name was not yet on the disk when the power went.
    let file = millrace_world::Disk::open(disk.as_ref(), &snapshot, millrace_world::OpenMode::CreateNew).unwrap();
    file.write_at(&[std::io::IoSlice::new(&bytes)], 0).unwrap();
    let log = open(&disk, &small());
    let ids: Vec<i64> = log.producers().views().iter().map(|view| view.id.0).collect();
    assert_eq!(ids, [1, 3]);
}

#[test]
fn a_first_segment_that_went_missing_is_noticed() {
    let disk = MemDisk::new();
    let mut log = filled(&disk, 100);
    log.close().unwrap();
    drop(log);
    let first = files(&disk, "log").remove(0);
    millrace_world::Disk::remove_file(disk.as_ref(), &first).unwrap();
    let Err(refused) = try_open(&disk, &small(), opening()) else { panic!("a log without its first segment was opened") };
    assert!(refused.to_string().contains("the first segment that is there begins at"), "{refused}");
}

#[test]
fn a_batch_that_damage_turned_into_another_frame_is_missed() {
    let disk = MemDisk::new();
    let mut log = filled(&disk, 100);
    log.close().unwrap();
    drop(log);
    let first = files(&disk, "log").remove(0);
    let mut bytes = disk.bytes(&first);
    // The first batch behind the segment's header: its magic lies outside its checksum.
    let at = (0..bytes.len() - 16).find(|at| *at > 16 && bytes[at + 16] == 2 && bytes[*at..at + 8] == [0; 8]).expect("a batch at offset 0");
    bytes[at + 16] = millrace_record::MAGIC_INTERNAL as u8;
    disk.set_bytes(&first, bytes);
    let log = open(&disk, &small());
    let read = log.reader().read(Offset(0), log.end_offset(), 1 << 20, true);
    assert!(read.is_err(), "damage was stepped over: {read:?}");
}
