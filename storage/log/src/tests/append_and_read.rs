use millrace_record::{Codec, Epoch, Offset, Prefix, split};

use crate::testing::*;
use crate::{LogConfig, LogEntry, LogError, ReadError};

fn records(from: i64, count: i64) -> Vec<Kv> {
    (from..from + count).map(|n| kv(1000 + n, &format!("k{n}"), Some(&"v".repeat(20 + n as usize % 50)))).collect()
}

fn small() -> LogConfig {
    LogConfig { segment_bytes: 4000, ..config() }
}

#[test]
fn what_is_appended_is_read_across_segments_and_internal_frames() {
    let disk = MemDisk::new();
    let mut log = open(&disk, &small());
    let mut wanted = Vec::new();
    for n in 0..200 {
        if n % 7 == 0 {
            let frame = no_op(&log, n / 10);
            append_bytes(&mut log, frame).unwrap();
        }
        let records = records(log.end_offset().0, 1 + n as i64 % 4);
        wanted.extend(records.iter().cloned().enumerate().map(|(at, kv)| (log.end_offset().0 + at as i64, kv)));
        append(&mut log, n / 10, &records);
    }
    let segments = disk.paths().iter().filter(|path| path.extension().is_some_and(|suffix| suffix == "log")).count();
    assert!(segments > 5, "{segments} segments");
    for bytes_max in [0, 1, 300, 5000, 1 << 20] {
        assert!(read_by(&log.reader(), bytes_max) == wanted, "by {bytes_max}");
    }
    // From every offset: the batch that holds it.
    let reader = log.reader();
    for from in 0..log.end_offset().0 {
        let read = reader.read(Offset(from), log.end_offset(), 1, true).unwrap();
        assert!(read.first_offset.unwrap() <= Offset(from) && read.next_offset > Offset(from));
        assert_eq!(split(&read.slices[0]).count(), 1, "one batch, though it is more than one byte");
    }
}

/// Compat: F19.
#[test]
fn a_read_stops_below_upto_and_at_its_budget() {
    let disk = MemDisk::new();
    let mut log = open(&disk, &config());
    let mut sizes = Vec::new();
    for n in 0..10 {
        let bytes = batch(log.end_offset(), 0, &records(n * 3, 3));
        sizes.push(bytes.len());
        append_bytes(&mut log, bytes).unwrap();
    }
    let reader = log.reader();
    for upto in 0..30 {
        let read = reader.read(Offset(0), Offset(upto), 1 << 20, true).unwrap();
        assert_eq!(read.next_offset, Offset(upto / 3 * 3), "whole batches below {upto}");
    }
    for count in 1..10 {
        let budget: usize = sizes[..count].iter().sum();
        assert_eq!(reader.read(Offset(0), Offset(30), budget, false).unwrap().next_offset, Offset(count as i64 * 3));
        let less = reader.read(Offset(0), Offset(30), budget - 1, false).unwrap();
        assert_eq!((less.next_offset, less.bytes), (Offset(count as i64 * 3 - 3), sizes[..count - 1].iter().sum()));
    }
    let empty = reader.read(Offset(30), Offset(99), 100, true).unwrap();
    assert_eq!((empty.first_offset, empty.next_offset), (None, Offset(30)));
    for outside in [-1, 31] {
        let error = reader.read(Offset(outside), Offset(99), 100, true).unwrap_err();
        assert!(matches!(error, ReadError::OutOfRange { start: Offset(0), end: Offset(30), .. }));
    }
}

#[test]
fn a_batch_larger_than_any_buffer_is_read_whole() {
    let disk = MemDisk::new();
    let mut log = open(&disk, &LogConfig { segment_bytes: 1 << 30, ..config() });
    let large = vec![Kv { timestamp: 5, key: None, value: Some(vec![7; 3 << 20]) }];
    append(&mut log, 0, &records(0, 2));
    append(&mut log, 0, &large);
    append(&mut log, 0, &records(3, 2));
    assert_eq!(read_by(&log.reader(), 10).len(), 5);
    assert_eq!(log.entries(1, 4, 0).unwrap().len(), 1);
    assert_eq!(log.entries(2, 3, 0).unwrap()[0].bytes.len(), log.reader().read(Offset(2), Offset(3), 0, true).unwrap().bytes);
}

#[test]
fn entries_and_terms_by_index() {
    let disk = MemDisk::new();
    let mut log = open(&disk, &small());
    let mut all = Vec::new();
    for n in 0..100 {
        let bytes = if n % 10 == 0 { no_op(&log, n / 10) } else { batch(log.end_offset(), n / 10, &records(n as i64, 2)) };
        all.push(LogEntry { index: n as u64 + 1, bytes: bytes.clone() });
        append_bytes(&mut log, bytes).unwrap();
    }
    assert_eq!((log.first_index(), log.last_index()), (1, 100));
    assert_eq!(log.entries(1, 101, u64::MAX).unwrap(), all);
    assert_eq!(log.entries(37, 60, u64::MAX).unwrap(), all[36..59]);
    assert_eq!(log.entries(37, 60, 1).unwrap(), all[36..37], "at least one");
    assert_eq!(log.entries(37, 37, 1).unwrap(), []);
    assert!(matches!(log.entries(99, 102, 1), Err(LogError::Beyond { index: 101, last: 100 })));
    assert!(matches!(log.entries(0, 2, 1), Err(LogError::Removed { index: 0, first: 1 })));
    assert_eq!(log.term_of(0).unwrap(), Epoch(0));
    for entry in &all {
        assert_eq!(log.term_of(entry.index).unwrap(), Prefix::parse(&entry.bytes).unwrap().epoch);
    }
    assert!(log.term_of(101).is_err());
    assert_eq!(log.reader().epoch_end_offset(Epoch(3)), Some((Epoch(3), Offset(4 * 18))));
    assert_eq!(log.reader().epoch_of(Offset(18)), Some(Epoch(1)));
}

#[test]
fn entries_out_of_order_are_refused_and_leave_nothing() {
    let disk = MemDisk::new();
    let mut log = open(&disk, &config());
    append(&mut log, 3, &records(0, 3));
    let at = |index, offset, epoch| LogEntry { index, bytes: batch(Offset(offset), epoch, &records(0, 1)) };
    for wrong in [at(1, 3, 3), at(3, 3, 3), at(2, 2, 3), at(2, 4, 3), at(2, 3, 2)] {
        assert!(matches!(log.append(&[wrong], 0), Err(LogError::Order(_))));
    }
    let mut cut = at(2, 3, 3);
    cut.bytes.truncate(70);
    assert!(matches!(log.append(&[cut], 0), Err(LogError::Frame(_))));
    assert!(matches!(log.append(&[at(2, 3, 3), at(2, 4, 3)], 0), Err(LogError::Order(_))));
    assert_eq!(log.last_index(), 1);
    log.append(&[at(2, 3, 3), at(3, 4, 4)], 0).unwrap();
    assert_eq!(read_all(&log.reader()).len(), 5);
}

#[test]
fn segments_roll_by_bytes_by_time_and_by_a_full_index() {
    let segments = |config: &LogConfig| {
        let disk = MemDisk::new();
        let mut log = open(&disk, config);
        for n in 0..20 {
            append(&mut log, 0, &[kv(n * 100, "k", Some("value"))]);
        }
        disk.paths().iter().filter(|path| path.extension().is_some_and(|suffix| suffix == "log")).count()
    };
    assert_eq!(segments(&config()), 1);
    assert_eq!(segments(&LogConfig { segment_ms: 950, ..config() }), 2);
    assert_eq!(segments(&LogConfig { segment_bytes: 500, ..config() }), 4);
    assert_eq!(segments(&LogConfig { segment_index_bytes: 16, ..config() }), 3);
    assert_eq!(segments(&LogConfig { segment_bytes: 1, ..config() }), 20, "one batch each, whatever its size");
}

/// Compat: F11.
#[test]
fn records_are_found_by_time() {
    let disk = MemDisk::new();
    let mut log = open(&disk, &small());
    // Times that go back and forth, with ties, across batches, codecs and segments.
    let mut all = Vec::new();
    for n in 0..150i64 {
        let codec = Codec::ALL[n as usize % 5];
        let records: Vec<Kv> = (0..3).map(|at| kv((n * 37 + at * 11) % 1000 + n * 10, "k", Some("some value"))).collect();
        let base = log.end_offset();
        all.extend(records.iter().enumerate().map(|(at, kv)| (base.0 + at as i64, kv.timestamp)));
        append_bytes(&mut log, batch_of(base, 0, codec, None, &records)).unwrap();
    }
    let reader = log.reader();
    let check = |start: i64, upto: i64| {
        for timestamp in (0..2700).step_by(13).chain([i64::MIN, -1, i64::MAX]) {
            let wanted = all.iter().find(|(offset, time)| *time >= timestamp && *offset >= start && *offset < upto);
            let found = reader.offset_for_timestamp(timestamp, Offset(upto)).unwrap();
            assert_eq!(found.map(|found| (found.offset.0, found.timestamp)), wanted.copied(), "{timestamp} in {start}..{upto}");
        }
        let in_range = all.iter().filter(|(offset, _)| *offset >= start && *offset < upto);
        let wanted = in_range.rev().max_by_key(|(_, time)| *time).copied();
        let found = reader.max_timestamp(Offset(upto)).unwrap();
        assert_eq!(found.map(|found| (found.offset.0, found.timestamp)), wanted, "the greatest in {start}..{upto}");
    };
    check(0, 450);
    check(0, 200);
    check(0, 0);
    log.trim_to(Offset(222)).unwrap();
    check(222, 450);
    check(222, 300);
}

#[test]
fn a_full_disk_leaves_what_was_there_and_goes_on_when_there_is_room() {
    let disk = MemDisk::new();
    let mut log = open(&disk, &config());
    append(&mut log, 0, &records(0, 5));
    let before = read_all(&log.reader());
    disk.set_full(true);
    let bytes = batch(log.end_offset(), 0, &records(5, 2));
    let error = append_bytes(&mut log, bytes.clone()).unwrap_err();
    assert!(error.is_disk_full(), "{error}");
    assert_eq!(read_all(&log.reader()), before);
    disk.set_full(false);
    append_bytes(&mut log, bytes).unwrap();
    log.sync().unwrap();
    drop(log);
    let (log, recovered) = try_open(&disk, &config(), opening()).unwrap();
    assert_eq!((read_all(&log.reader()).len(), recovered.cut), (7, None));
}

#[test]
fn after_a_failed_sync_nothing_more_is_written() {
    let disk = MemDisk::new();
    let mut log = open(&disk, &config());
    append(&mut log, 0, &records(0, 5));
    disk.fail_syncs(true);
    assert!(matches!(log.sync(), Err(LogError::Io { .. })));
    disk.fail_syncs(false);
    let bytes = batch(log.end_offset(), 0, &records(5, 2));
    assert!(matches!(append_bytes(&mut log, bytes), Err(LogError::Stopped { .. })));
    assert!(matches!(log.sync(), Err(LogError::Stopped { .. })), "never repeated");
    assert!(matches!(log.close(), Err(LogError::Stopped { .. })));
    assert!(log.begin_flush().unwrap().run().is_err(), "and a flush does not vouch for anything");
    assert_eq!(log.synced_index(), 0);
    assert_eq!(read_all(&log.reader()).len(), 5, "reading goes on");
}

#[test]
fn a_flush_can_be_run_beside_appends() {
    let disk = MemDisk::new();
    let mut log = open(&disk, &small());
    for n in 0..60 {
        append(&mut log, 0, &records(n, 1));
    }
    let flush = log.begin_flush().unwrap();
    for n in 60..120 {
        append(&mut log, 0, &records(n, 1));
    }
    log.end_flush(flush.run().unwrap()).unwrap();
    assert_eq!(log.synced_index(), 60);
    assert!(log.unsynced_bytes() > 0);
    log.sync().unwrap();
    assert_eq!((log.synced_index(), log.unsynced_bytes()), (120, 0));
    assert!(log.begin_flush().is_none());
    let log = open(&disk.after_crash(Loss::Unsynced), &small());
    assert_eq!(read_all(&log.reader()).len(), 120);
}
