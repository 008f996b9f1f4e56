use millrace_record::{Epoch, Offset};
use proptest::prelude::*;

use crate::testing::*;
use crate::{Begin, LogConfig, LogEntry, LogError, Replayed};

fn small() -> LogConfig {
    LogConfig { segment_bytes: 2000, ..config() }
}

#[test]
fn a_trimmed_log_starts_there_also_after_a_restart() {
    let disk = MemDisk::new();
    let mut log = open(&disk, &small());
    for n in 0..100 {
        append(&mut log, n / 30, &[kv(n as i64, "k", Some("some value"))]);
    }
    let all = read_all(&log.reader());
    let size = log.size_bytes();
    log.trim_to(Offset(55)).unwrap();
    assert!(log.size_bytes() < size * 6 / 10);
    assert_eq!(read_all(&log.reader()), all[55..]);
    assert!(log.reader().read(Offset(54), Offset(99), 1, true).is_err());
    assert!(log.first_index() > 1 && log.first_index() <= 56);
    assert_eq!(log.term_of(log.first_index() - 1).unwrap(), Epoch(1));
    assert_eq!(log.reader().epoch_end_offset(Epoch(0)), Some((Epoch(0), Offset(55))), "gone: ends where what is left begins");
    log.trim_to(Offset(20)).unwrap();
    assert_eq!(log.start_offset(), Offset(55), "never back");
    drop(log);
    let log = open(&disk.after_crash(Loss::Nothing), &small());
    assert_eq!(read_all(&log.reader()), all[55..]);
}

#[test]
fn a_log_trimmed_to_its_end_is_empty_and_goes_on() {
    let disk = MemDisk::new();
    let mut log = open(&disk, &small());
    for n in 0..50 {
        append(&mut log, 1, &[kv(n, "k", Some("some value"))]);
    }
    let reader = log.reader();
    log.trim_to(Offset(1000)).unwrap();
    assert_eq!((log.start_offset(), log.end_offset()), (Offset(50), Offset(50)));
    assert!(log.size_bytes() < 200, "the active segment went too");
    assert_eq!((log.first_index(), log.last_index()), (51, 50));
    assert_eq!(log.term_of(50).unwrap(), Epoch(1));
    append(&mut log, 2, &[kv(1, "new", None)]);
    assert_eq!(read_all(&reader).len(), 1);
    log.close().unwrap();
    drop(log);
    let log = open(&disk, &small());
    assert_eq!((log.start_offset(), log.end_offset(), log.last_index()), (Offset(50), Offset(51), 51));
}

#[test]
fn conflicting_entries_go_and_others_take_their_place() {
    for keep in [1, 5, 20, 33, 59] {
        let disk = MemDisk::new();
        let mut log = open(&disk, &small());
        for n in 0..60 {
            let bytes = batch_of(log.end_offset(), 1, millrace_record::Codec::None, Some((7, 0, n)), &[kv(n as i64, "old", Some("some value"))]);
            append_bytes(&mut log, bytes).unwrap();
        }
        log.close().unwrap();
        let all = read_all(&log.reader());
        log.truncate_from(keep + 1).unwrap();
        assert_eq!((log.last_index(), log.end_offset()), (keep, Offset(keep as i64)));
        assert_eq!(read_all(&log.reader()), all[..keep as usize]);
        assert_eq!(log.producers().views()[0].last_sequence, keep as i32 - 1);
        assert!(log.synced_index() <= keep);
        assert_eq!(log.reader().max_timestamp(Offset(99)).unwrap().unwrap().timestamp, keep as i64 - 1);
        for n in 0..30 {
            append(&mut log, 2, &[kv(n, "new", Some("another"))]);
        }
        assert_eq!(log.term_of(keep + 1).unwrap(), Epoch(2));
        let now = read_all(&log.reader());
        assert_eq!(now.len(), keep as usize + 30);
        log.sync().unwrap();
        let log = open(&disk.after_crash(Loss::Unsynced), &small());
        assert_eq!(read_all(&log.reader()), now);
    }
}

#[test]
fn the_journals_entries_are_appended_once() {
    let disk = MemDisk::new();
    let mut log = open(&disk, &small());
    for n in 0..10 {
        append(&mut log, 1, &[kv(n, "k", Some("v"))]);
    }
    let entries = log.entries(1, 11, u64::MAX).unwrap();
    for entry in &entries {
        assert_eq!(log.replay(entry.clone(), 0).unwrap(), Replayed::Present);
    }
    let next = LogEntry { index: 11, bytes: batch(Offset(10), 1, &[kv(1, "k", None)]) };
    assert_eq!(log.replay(next.clone(), 0).unwrap(), Replayed::Appended);
    assert_eq!(log.replay(next, 0).unwrap(), Replayed::Present);
    // A later leader's entry in an earlier one's place.
    let other = LogEntry { index: 8, bytes: batch(Offset(7), 2, &[kv(1, "other", None)]) };
    assert_eq!(log.replay(other, 0).unwrap(), Replayed::Replaced);
    assert_eq!((log.last_index(), log.end_offset()), (8, Offset(8)));
    // The same epoch never writes two things in one place.
    let wrong = LogEntry { index: 8, bytes: batch(Offset(7), 2, &[kv(1, "wrong", None)]) };
    assert!(matches!(log.replay(wrong, 0), Err(LogError::Corrupt { .. })));
    let hole = LogEntry { index: 10, bytes: batch(Offset(9), 2, &[kv(1, "hole", None)]) };
    assert!(matches!(log.replay(hole, 0), Err(LogError::Order(_))));
}

#[test]
fn a_reset_log_begins_elsewhere() {
    let disk = MemDisk::new();
    let mut log = open(&disk, &small());
    for n in 0..50 {
        append(&mut log, 1, &[kv(n, "k", Some("some value"))]);
    }
    let begin = Begin { offset: Offset(1000), index: 700, previous_term: Epoch(5) };
    log.reset(begin, 0).unwrap();
    assert_eq!((log.first_index(), log.last_index(), log.start_offset()), (700, 699, Offset(1000)));
    assert_eq!(log.term_of(699).unwrap(), Epoch(5));
    append(&mut log, 6, &[kv(1, "k", None)]);
    log.close().unwrap();
    drop(log);
    let log = open(&disk, &small());
    assert_eq!(read_all(&log.reader())[0].0, 1000);
    assert_eq!((log.first_index(), log.last_index()), (700, 700));
}

#[derive(Clone, Debug)]
enum Act {
    Append(u8),
    NoOp,
    Epoch,
    Truncate(u8),
    Trim(u8),
    Roll,
    Sync,
    Reopen { clean: bool },
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        8 => (1u8..6).prop_map(Act::Append),
        1 => Just(Act::NoOp),
        1 => Just(Act::Epoch),
        1 => any::<u8>().prop_map(Act::Truncate),
        1 => any::<u8>().prop_map(Act::Trim),
        1 => Just(Act::Roll),
        2 => Just(Act::Sync),
        1 => any::<bool>().prop_map(|clean| Act::Reopen { clean }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]
    /// Any row of operations, beside a plain list of entries.
    #[test]
    fn the_log_is_a_list_of_entries(acts in proptest::collection::vec(act(), 1..80)) {
        let config = LogConfig { segment_bytes: 700, ..config() };
        let disk = MemDisk::new();
        let mut log = open(&disk, &config);
        let mut entries: Vec<LogEntry> = Vec::new();
        let mut records: Vec<(u64, i64, Kv)> = Vec::new();
        let (mut epoch, mut start, mut n) = (1, 0i64, 0i64);
        for act in acts {
            match act {
                Act::Append(count) => {
                    let kvs: Vec<Kv> = (0..count as i64).map(|at| kv(n + at, &format!("{n}"), Some("value"))).collect();
                    n += 1;
                    let entry = LogEntry { index: log.last_index() + 1, bytes: batch(log.end_offset(), epoch, &kvs) };
                    records.extend(kvs.into_iter().enumerate().map(|(at, kv)| (entry.index, log.end_offset().0 + at as i64, kv)));
                    log.append(std::slice::from_ref(&entry), n).unwrap();
                    entries.push(entry);
                }
                Act::NoOp => {
                    let entry = LogEntry { index: log.last_index() + 1, bytes: no_op(&log, epoch) };
                    log.append(std::slice::from_ref(&entry), n).unwrap();
                    entries.push(entry);
                }
                Act::Epoch => epoch += 1,
                Act::Truncate(back) => {
                    let index = (log.last_index() + 1).saturating_sub(back as u64 % 6).max(log.first_index());
                    // What retention took is committed; nobody truncates below it.
                    let keeps_start = entries.iter().filter(|entry| entry.index < index).all(|_| true)
                        && records.iter().filter(|(at, offset, _)| *at >= index && *offset < start).count() == 0;
                    if keeps_start {
                        log.truncate_from(index).unwrap();
                        entries.retain(|entry| entry.index < index);
                        records.retain(|(at, _, _)| *at < index);
                        epoch += 1;
                    }
                }
                Act::Trim(part) => {
                    let to = start + (log.end_offset().0 - start) * part as i64 / 255;
                    log.trim_to(Offset(to)).unwrap();
                    start = start.max(to);
                }
                Act::Roll => log.roll(n).unwrap(),
                Act::Sync => {
                    log.sync().unwrap();
                    prop_assert_eq!(log.synced_index(), log.last_index());
                }
                Act::Reopen { clean } => {
                    if clean { log.close().unwrap() }
                    drop(log);
                    let (opened, recovered) = try_open(&disk, &config, opening()).unwrap();
                    prop_assert_eq!(recovered.cut, None);
                    if clean { prop_assert_eq!(recovered.bytes_scanned, 0) }
                    log = opened;
                }
            }
            prop_assert_eq!(log.start_offset(), Offset(start));
            let wanted: Vec<(i64, Kv)> = records.iter().filter(|(_, offset, _)| *offset >= start).map(|(_, offset, kv)| (*offset, kv.clone())).collect();
            prop_assert_eq!(read_by(&log.reader(), 300), wanted);
            let first = log.first_index();
            let present: Vec<LogEntry> = entries.iter().filter(|entry| entry.index >= first).cloned().collect();
            prop_assert_eq!(log.entries(first, log.last_index() + 1, u64::MAX).unwrap(), present);
            prop_assert_eq!(log.last_index(), entries.last().map_or(log.last_index(), |entry| entry.index));
            for entry in entries.iter().filter(|entry| entry.index >= first) {
                prop_assert_eq!(log.term_of(entry.index).unwrap(), millrace_record::Prefix::parse(&entry.bytes).unwrap().epoch);
            }
        }
    }
}
