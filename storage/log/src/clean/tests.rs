use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use millrace_record::{BatchHeader, Codec, ControlType, EndTxnMarker, Epoch, Offset, ProducerId, Records, split, stamp};
use proptest::prelude::*;

use crate::testing::*;
use crate::{CleanReport, Cleanup, Log, LogConfig, LogEntry, LogError, Verdict};

fn compact() -> LogConfig {
    LogConfig { cleanup: Cleanup::COMPACT, segment_bytes: 1500, min_cleanable_dirty_ratio: 0.0, ..config() }
}

fn clean(log: &mut Log, now_ms: i64) -> Option<CleanReport> {
    let upto = log.end_offset();
    let cleaned = log.prepare_clean(now_ms, upto, 1 << 20)?.run().unwrap();
    Some(log.install_clean(cleaned).unwrap())
}

/// The records that a reader sees, headers of all batches included.
fn contents(log: &Log) -> (Vec<(i64, Kv)>, Vec<BatchHeader>) {
    let reader = log.reader();
    let read = reader.read(log.start_offset(), log.end_offset(), usize::MAX >> 1, true).unwrap();
    let headers = read.slices.iter().flat_map(|slice| split(slice).map(|item| item.unwrap().0).collect::<Vec<_>>()).collect();
    (read_all(&reader), headers)
}

#[test]
fn of_each_key_the_latest_record_stays_where_it_was() {
    let disk = MemDisk::new();
    let mut log = open(&disk, &compact());
    for n in 0..200 {
        append(&mut log, 1, &[kv(n, &format!("k{}", n % 7), Some("value value value")), kv(n, "always", Some("x"))]);
    }
    log.close().unwrap();
    let before = read_all(&log.reader());
    let (indexes, size) = (log.last_index(), log.size_bytes());
    let report = clean(&mut log, 1000).unwrap();
    assert!(report.records_removed > 300 && report.bytes_after * 3 < report.bytes_before, "{report:?}");
    assert!(log.size_bytes() < size / 2);
    let end = log.start.first_dirty.0;
    let after = read_all(&log.reader());
    let latest = |key: &Option<Vec<u8>>| before.iter().rposition(|(offset, kv)| *offset < end && kv.key == *key);
    let wanted = before.iter().enumerate().filter(|(at, (offset, kv))| *offset >= end || latest(&kv.key) == Some(*at));
    let wanted: Vec<_> = wanted.map(|(_, row)| row.clone()).collect();
    assert_eq!(after, wanted);
    // The replicated log is left with what was not cleaned.
    assert!(log.first_index() > 1 && log.last_index() == indexes);
    assert_eq!(log.term_of(log.first_index() - 1).unwrap(), Epoch(1));
    assert!(matches!(log.entries(1, 2, 1), Err(LogError::Removed { .. })));
    log.entries(log.first_index(), indexes + 1, u64::MAX).unwrap();
    // A read from a hole goes on behind it.
    assert_eq!(log.reader().read(Offset(3), Offset(400), 1, true).unwrap().first_offset.map(|offset| offset.0 >= 3), Some(true));
    // Nothing is dirty now, and nothing changes by cleaning again.
    assert_eq!(clean(&mut log, 1000), None);
    log.close().unwrap();
    drop(log);
    let (log, recovered) = try_open(&disk, &compact(), opening()).unwrap();
    assert_eq!((recovered.bytes_scanned, recovered.cut), (0, None));
    assert_eq!(read_all(&log.reader()), after);
    assert_eq!(log.last_index(), indexes);
}

#[test]
fn tombstones_stay_until_their_horizon_and_batches_say_when_that_is() {
    let disk = MemDisk::new();
    let mut log = open(&disk, &compact());
    append(&mut log, 1, &[kv(5, "a", Some("1")), kv(6, "b", None), kv(7, "c", Some("3"))]);
    append(&mut log, 1, &[kv(8, "a", None)]);
    log.roll(0).unwrap();
    let seal = |log: &mut Log| {
        append(log, 1, &[kv(1, "z", Some("z"))]);
        log.roll(0).unwrap();
    };
    seal(&mut log);
    clean(&mut log, 10_000).unwrap();
    let (records, headers) = contents(&log);
    let of = |records: &[(i64, Kv)]| records.iter().map(|(offset, kv)| (*offset, kv.timestamp)).collect::<Vec<_>>();
    assert_eq!(of(&records), [(1, 6), (2, 7), (3, 8), (4, 1)], "offsets and timestamps stay");
    assert_eq!(headers[0].delete_horizon_ms(), Some(11_000));
    assert_eq!((headers[0].base_offset, headers[0].last_offset(), headers[0].max_timestamp), (Offset(0), Offset(2), 7));
    assert_eq!(headers[2].delete_horizon_ms(), None, "no tombstone, no horizon");
    // A later cleaning before the horizon changes nothing, one at the horizon drops them.
    seal(&mut log);
    clean(&mut log, 10_999).unwrap();
    assert_eq!(contents(&log).1[0].delete_horizon_ms(), Some(11_000), "set once");
    assert_eq!(contents(&log).0.len(), 4);
    seal(&mut log);
    clean(&mut log, 11_000).unwrap();
    assert_eq!(of(&contents(&log).0), [(2, 7), (6, 1)]);
}

/// Compat: F21.
#[test]
fn duplicate_header_keys_survive_a_rewrite() {
    let disk = MemDisk::new();
    let mut log = open(&disk, &compact());
    for codec in Codec::ALL {
        let records = [kv(1, "a", Some("1")), kv(2, codec.name(), Some("2"))];
        let bytes = batch_of(log.end_offset(), 1, codec, None, &records);
        append_bytes(&mut log, bytes).unwrap();
    }
    append(&mut log, 1, &[kv(1, "a", Some("last"))]);
    log.roll(0).unwrap();
    clean(&mut log, 0).unwrap();
    let read = log.reader().read(Offset(0), log.end_offset(), 1 << 20, true).unwrap();
    let mut codecs = Vec::new();
    for (header, bytes) in read.slices.iter().flat_map(|slice| split(slice).map(Result::unwrap)) {
        codecs.push(header.attributes.codec().unwrap());
        for record in Records::open(bytes, 1 << 20).unwrap().iter() {
            let headers: Vec<_> = record.unwrap().headers.iter().collect();
            assert_eq!(headers, [(&b"h"[..], Some(&b"1"[..])), (&b"h"[..], None)]);
        }
    }
    assert_eq!(codecs[..5], Codec::ALL, "each in its own codec");
}

#[test]
fn a_producers_last_sequence_survives_even_without_its_records() {
    let disk = MemDisk::new();
    let mut log = open(&disk, &compact());
    for n in 0..6 {
        for producer in 0..3 {
            let bytes = batch_of(log.end_offset(), 1, Codec::Lz4, Some((producer, 2, n * 2)), &[kv(1, "k", Some("v")), kv(1, "j", Some("v"))]);
            append_bytes(&mut log, bytes).unwrap();
        }
    }
    log.roll(0).unwrap();
    clean(&mut log, 0).unwrap();
    let (records, headers) = contents(&log);
    assert_eq!(records.len(), 2);
    let kept: Vec<_> = headers.iter().map(|header| (header.producer_id.0, header.count, header.last_sequence())).collect();
    assert_eq!(kept, [(0, 0, 11), (1, 0, 11), (2, 2, 11)]);
    // From the log alone, without snapshots.
    let views = log.producers().views();
    log.sync().unwrap();
    drop(log);
    for path in disk.paths().iter().filter(|path| path.extension().is_some_and(|suffix| suffix == "snapshot")) {
        millrace_world::Disk::remove_file(disk.as_ref(), path).unwrap();
    }
    let log = open(&disk, &compact());
    assert_eq!(log.producers().views(), views);
}

/// Those of its batches that it may send again: whether anything was appended behind the cleaned segment, and is on disk, or not.
#[test]
fn a_producers_last_batches_are_known_after_a_cleaning_and_a_crash() {
    for (behind, trims) in [(false, false), (true, false), (true, true)] {
        let disk = MemDisk::new();
        let mut log = open(&disk, &compact());
        for n in 0..6 {
            let bytes = batch_of(log.end_offset(), 1, Codec::Lz4, Some((7, 0, n * 2)), &[kv(1, "k", Some("v")), kv(1, "j", Some("v"))]);
            append_bytes(&mut log, bytes).unwrap();
        }
        log.sync().unwrap();
        log.roll(0).unwrap();
        if behind {
            append(&mut log, 1, &[kv(1, "z", Some("z"))]);
        }
        if trims {
            log.trim_to(Offset(12)).unwrap();
        } else {
            clean(&mut log, 0).unwrap();
        }
        assert_eq!(read_all(&log.reader()).len(), if trims { 1 } else { 2 + usize::from(behind) });
        let log = open(&disk.after_crash(Loss::Unsynced), &compact());
        let again = |sequence: i32| {
            let bytes = batch_of(Offset(0), 1, Codec::Lz4, Some((7, 0, sequence)), &[kv(1, "k", Some("v")), kv(1, "j", Some("v"))]);
            log.producers().check(&BatchHeader::parse(&bytes).unwrap())
        };
        for at in 1..6 {
            assert!(matches!(again(at * 2), Verdict::Duplicate { .. }), "{at}, {behind}, {trims}: {:?}", again(at * 2));
        }
        assert!(matches!(again(12), Verdict::Append));
    }
}

#[test]
fn the_last_batch_of_a_round_stays_if_only_empty() {
    let disk = MemDisk::new();
    let mut log = open(&disk, &compact());
    append(&mut log, 1, &[kv(1, "a", Some("1"))]);
    append(&mut log, 1, &[Kv { timestamp: 9, key: None, value: Some(b"no key".to_vec()) }]);
    log.roll(0).unwrap();
    clean(&mut log, 0).unwrap();
    let (records, headers) = contents(&log);
    assert_eq!(records.len(), 1, "a record without a key goes");
    assert_eq!((headers[1].count, headers[1].base_offset, headers[1].max_timestamp), (0, Offset(1), 9));
}

fn marker(log: &mut Log, producer: i64, kind: ControlType) {
    let mut bytes = EndTxnMarker { kind, coordinator_epoch: 0 }.batch(ProducerId(producer), 0, 50);
    stamp(&mut bytes, log.end_offset(), Epoch(1));
    append_bytes(log, bytes.freeze()).unwrap();
}

fn transactional(log: &mut Log, producer: i64, sequence: i32, key: &str) {
    let mut builder = millrace_record::BatchBuilder::new(Codec::None, millrace_record::Level::Default)
        .base_offset(log.end_offset())
        .epoch(Epoch(1))
        .producer(ProducerId(producer), 0, sequence)
        .transactional(true);
    builder.push(5, Some(key.as_bytes()), Some(b"v"), &[]);
    append_bytes(log, builder.build().freeze()).unwrap();
}

#[test]
fn a_transactions_marker_goes_after_its_data_and_its_horizon() {
    let disk = MemDisk::new();
    let mut log = open(&disk, &compact());
    transactional(&mut log, 1, 0, "a");
    marker(&mut log, 1, ControlType::Commit);
    transactional(&mut log, 1, 1, "a");
    marker(&mut log, 1, ControlType::Commit);
    let seal = |log: &mut Log| {
        append(log, 1, &[kv(1, "z", Some("z"))]);
        log.roll(0).unwrap();
    };
    let markers = |log: &Log| {
        let (_, headers) = contents(log);
        headers.iter().filter(|header| header.attributes.is_control()).map(|header| (header.base_offset.0, header.delete_horizon_ms())).collect::<Vec<_>>()
    };
    seal(&mut log);
    clean(&mut log, 100).unwrap();
    assert_eq!(markers(&log), [(1, None), (3, None)], "data was there when the pass began");
    seal(&mut log);
    clean(&mut log, 200).unwrap();
    assert_eq!(markers(&log), [(1, Some(1200)), (3, None)], "the first one's data is gone");
    seal(&mut log);
    clean(&mut log, 1200).unwrap();
    assert_eq!(markers(&log), [(3, None)]);
}

#[test]
fn aborted_data_goes_and_its_marker_follows() {
    let disk = MemDisk::new();
    let mut log = open(&disk, &compact());
    append(&mut log, 1, &[kv(1, "a", Some("committed"))]);
    transactional(&mut log, 1, 0, "a");
    transactional(&mut log, 2, 0, "b");
    marker(&mut log, 1, ControlType::Abort);
    marker(&mut log, 2, ControlType::Commit);
    append(&mut log, 1, &[kv(1, "z", Some("z"))]);
    log.roll(0).unwrap();
    let upto = log.end_offset();
    let mut job = log.prepare_clean(0, upto, 1 << 20).unwrap();
    job.aborted = vec![super::AbortedTxn { producer_id: ProducerId(1), first_offset: Offset(1), last_offset: Offset(3) }];
    let cleaned = job.run().unwrap();
    log.install_clean(cleaned).unwrap();
    let (records, _) = contents(&log);
    let data: Vec<_> = records.iter().filter(|(_, kv)| kv.timestamp != 50).map(|(offset, _)| *offset).collect();
    assert_eq!(data, [0, 2, 5], "an aborted record hides no committed one");
}

#[test]
fn more_keys_than_memory_take_several_rounds() {
    let disk = MemDisk::new();
    let config = LogConfig { segment_bytes: 20_000, ..compact() };
    let mut log = open(&disk, &config);
    for n in 0..6000 {
        append(&mut log, 1, &[kv(n, &format!("key{}", n % 3000), Some("v"))]);
    }
    log.roll(0).unwrap();
    let mut rounds = 0;
    let mut first_dirty = Offset(0);
    loop {
        let upto = log.end_offset();
        let Some(job) = log.prepare_clean(0, upto, 0) else { break };
        let cleaned = job.run().unwrap();
        log.install_clean(cleaned).unwrap();
        assert!(log.start.first_dirty > first_dirty, "every round gets on");
        first_dirty = log.start.first_dirty;
        rounds += 1;
    }
    assert!(rounds > 3, "{rounds} rounds");
    let keys: Vec<i64> = read_all(&log.reader()).iter().map(|(offset, _)| *offset).collect();
    assert_eq!(keys, (3000..6000).collect::<Vec<_>>());
}

#[test]
fn a_trim_while_a_job_runs_wins() {
    let disk = MemDisk::new();
    let mut log = open(&disk, &LogConfig { cleanup: Cleanup::BOTH, ..compact() });
    for n in 0..100 {
        append(&mut log, 1, &[kv(n, &format!("{n}"), Some("value value value"))]);
    }
    let upto = log.end_offset();
    let cleaned = log.prepare_clean(0, upto, 1 << 20).unwrap().run().unwrap();
    log.trim_to(Offset(60)).unwrap();
    let wanted = read_all(&log.reader());
    log.install_clean(cleaned).unwrap();
    assert_eq!(read_all(&log.reader()), wanted);
    assert!(!disk.paths().iter().any(|path| path.to_string_lossy().ends_with(".cleaned")));
    log.close().unwrap();
    assert_eq!(read_all(&open(&disk, &compact()).reader()), wanted);
}

/// A crash in front of every change that a cleaning makes to the disk.
#[test]
fn a_crash_at_every_step_leaves_the_old_or_the_new() {
    let fill = |disk: &Arc<MemDisk>| {
        let mut log = open(disk, &compact());
        for n in 0..120 {
            append(&mut log, 1, &[kv(n, &format!("k{}", n % 50), Some("value value"))]);
        }
        log.close().unwrap();
        log
    };
    let run = |log: &mut Log| -> Result<(), LogError> {
        let upto = log.end_offset();
        let cleaned = log.prepare_clean(0, upto, 1 << 20).unwrap().run()?;
        log.install_clean(cleaned).map(drop)
    };
    let whole = MemDisk::new();
    let mut log = fill(&whole);
    let old = read_all(&log.reader());
    let before = whole.changes();
    run(&mut log).unwrap();
    let new = read_all(&log.reader());
    assert!(new.len() < old.len() * 2 / 3);
    let offsets = |rows: &[(i64, Kv)]| rows.iter().map(|(offset, _)| *offset).collect::<std::collections::BTreeSet<_>>();
    for step in 1..=whole.changes() - before {
        for loss in [Loss::Nothing, Loss::Unsynced, Loss::Half] {
            let disk = MemDisk::new();
            let mut log = fill(&disk);
            disk.stop_after(step);
            let _ = run(&mut log);
            let reader = log.reader();
            // Each group of segments is swapped by itself, so what is there lies between old and new.
            let between = |rows: &[(i64, Kv)]| offsets(rows).is_superset(&offsets(&new)) && offsets(rows).is_subset(&offsets(&old));
            assert!(between(&read_all(&reader)), "step {step}: the running log");
            let disk = disk.after_crash(loss);
            let mut log = match try_open(&disk, &compact(), opening()) {
                Ok((log, recovered)) => {
                    assert_eq!(recovered.cut, None, "step {step}, {loss:?}");
                    log
                }
                Err(error) => panic!("step {step}, {loss:?}: {error}"),
            };
            assert!(between(&read_all(&log.reader())), "step {step}, {loss:?}");
            assert_eq!(log.end_offset(), Offset(120));
            if log.prepare_clean(0, Offset(120), 1 << 20).is_some() {
                run(&mut log).unwrap();
            }
            assert_eq!(read_all(&log.reader()), new, "step {step}, {loss:?}: cleaned at last");
        }
    }
}

/// The names in the folder are synced by the swap, the bytes of the segment behind are not.
#[test]
fn a_cleaned_segment_that_is_left_as_the_last_is_followed_by_a_new_one() {
    let disk = MemDisk::new();
    let mut log = open(&disk, &compact());
    for n in 0..60 {
        append(&mut log, 3, &[kv(n, &format!("k{}", n % 5), Some("value value"))]);
    }
    log.sync().unwrap();
    log.roll(0).unwrap();
    clean(&mut log, 0).unwrap();
    let wanted = read_all(&log.reader());
    drop(log);
    let disk = disk.after_crash(Loss::Unsynced);
    let mut log = open(&disk, &compact());
    assert_eq!((log.end_offset(), log.last_index(), log.first_index()), (Offset(60), 60, 61));
    assert_eq!(log.term_of(60).unwrap(), Epoch(3));
    assert_eq!(read_all(&log.reader()), wanted);
    append(&mut log, 3, &[kv(1, "k", None)]);
    log.close().unwrap();
    assert_eq!(read_all(&open(&disk, &compact()).reader()).len(), wanted.len() + 1);
}

#[derive(Clone, Debug)]
enum Act {
    /// Keys and whether each has a value.
    Append(Vec<(u8, bool)>, usize),
    Roll,
    Clean { later_ms: i64 },
    Reopen,
}

fn act() -> impl Strategy<Value = Act> {
    let record = (0u8..6, prop::bool::weighted(0.7));
    prop_oneof![
        6 => (proptest::collection::vec(record, 1..5), 0usize..5).prop_map(|(records, codec)| Act::Append(records, codec)),
        2 => Just(Act::Roll),
        2 => (0i64..900).prop_map(|later_ms| Act::Clean { later_ms }),
        1 => Just(Act::Reopen),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]
    /// Beside a plain model: the latest per key below what was cleaned, tombstones for a second after
    /// the first cleaning that met them, all else untouched.
    #[test]
    fn cleaning_is_the_latest_per_key(acts in proptest::collection::vec(act(), 1..60)) {
        let config = LogConfig { segment_bytes: 600, ..compact() };
        let disk = MemDisk::new();
        let mut log = open(&disk, &config);
        let mut model: BTreeMap<i64, Kv> = BTreeMap::new();
        let mut first_cleaned: BTreeMap<i64, i64> = BTreeMap::new();
        let mut now_ms = 0;
        for act in acts {
            match act {
                Act::Append(records, codec) => {
                    now_ms += 1;
                    let kvs: Vec<Kv> = records.iter().map(|(key, full)| kv(now_ms, &format!("k{key}"), full.then_some("value"))).collect();
                    let base = log.end_offset();
                    model.extend(kvs.iter().cloned().enumerate().map(|(at, kv)| (base.0 + at as i64, kv)));
                    let bytes: Bytes = batch_of(base, 1, Codec::ALL[codec], Some((1, 0, base.0 as i32)), &kvs);
                    log.append(&[LogEntry { index: log.last_index() + 1, bytes }], now_ms).unwrap();
                }
                Act::Roll => log.roll(now_ms).unwrap(),
                Act::Clean { later_ms } => {
                    now_ms += later_ms;
                    if clean(&mut log, now_ms).is_some() {
                        let end = log.start.first_dirty.0;
                        let latest: BTreeMap<Vec<u8>, i64> =
                            model.range(..end).map(|(offset, kv)| (kv.key.clone().unwrap(), *offset)).collect();
                        model.retain(|offset, kv| {
                            let met = *first_cleaned.get(offset).unwrap_or(&now_ms);
                            let expired = kv.value.is_none() && met + 1000 <= now_ms;
                            *offset >= end || latest[kv.key.as_ref().unwrap()] == *offset && !expired
                        });
                        for (offset, _) in model.range(..end) {
                            first_cleaned.entry(*offset).or_insert(now_ms);
                        }
                    }
                }
                Act::Reopen => {
                    let producers = log.producers().clone();
                    log.close().unwrap();
                    drop(log);
                    log = open(&disk, &config);
                    prop_assert_eq!(log.producers(), &producers);
                }
            }
            let wanted: Vec<(i64, Kv)> = model.iter().map(|(offset, kv)| (*offset, kv.clone())).collect();
            prop_assert_eq!(read_by(&log.reader(), 200), wanted);
        }
    }
}
