use std::sync::atomic::{AtomicBool, Ordering};

use millrace_record::{Offset, Records, split};

use crate::testing::*;
use crate::{Cleanup, LogConfig, LogReader, ReadError};

/// Reads all it can again and again: every batch whole, every record what was written at its offset.
fn check(reader: &LogReader, stop: &AtomicBool) -> usize {
    let mut passes = 0;
    while !stop.load(Ordering::Relaxed) || passes == 0 {
        let mut from = reader.start_offset();
        loop {
            let read = match reader.read(from, reader.end_offset(), 3000, true) {
                Ok(read) => read,
                // The log was trimmed past us.
                Err(ReadError::OutOfRange { start, .. }) if start > from => {
                    from = start;
                    continue;
                }
                Err(error) => panic!("at {from}: {error}"),
            };
            if read.first_offset.is_none() {
                break;
            }
            for (header, bytes) in read.slices.iter().flat_map(|slice| split(slice).map(Result::unwrap)) {
                for record in Records::open(bytes, 1 << 20).unwrap().iter() {
                    let record = record.unwrap();
                    let offset = header.offset_of(&record);
                    assert_eq!(record.value.unwrap(), format!("value at {offset}").as_bytes());
                }
            }
            assert!(read.next_offset > from);
            from = read.next_offset;
        }
        let _ = reader.offset_for_timestamp(from.0 / 2, reader.end_offset()).unwrap();
        passes += 1;
    }
    passes
}

#[test]
fn readers_on_other_threads_see_whole_batches_while_the_log_rolls_trims_and_is_cleaned() {
    let dir = tempfile::tempdir().unwrap();
    let disk = std::sync::Arc::new(millrace_world::production::Files);
    let config = LogConfig { cleanup: Cleanup::BOTH, segment_bytes: 5000, min_cleanable_dirty_ratio: 0.1, ..config() };
    let (mut log, _) = crate::Log::open(disk, dir.path(), config, opening()).unwrap();
    let reader = log.reader();
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let readers: Vec<_> = (0..3).map(|_| scope.spawn(|| check(&reader, &stop))).collect();
        for n in 0..3000 {
            let base = log.end_offset().0;
            let record = |offset: i64| kv(offset, &format!("k{}", offset % 97), Some(&format!("value at {offset}")));
            append(&mut log, n / 500, &[record(base), record(base + 1)]);
            if n % 100 == 99 {
                let upto = log.end_offset();
                if let Some(job) = log.prepare_clean(0, upto, 1 << 20) {
                    let cleaned = job.run().unwrap();
                    log.install_clean(cleaned).unwrap();
                }
            }
            if n % 300 == 299 {
                log.trim_to(Offset(base / 2)).unwrap();
                log.sync().unwrap();
            }
        }
        stop.store(true, Ordering::Relaxed);
        for handle in readers {
            assert!(handle.join().unwrap() > 0);
        }
    });
}
