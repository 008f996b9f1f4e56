use millrace_record::{BatchBuilder, BatchHeader, Codec, ControlType, EndTxnMarker, Epoch, Level, Offset, ProducerId};

use super::{Producers, Verdict};

/// A batch of `count` records at `offset`.
fn batch(offset: i64, epoch: i16, sequence: i32, count: usize) -> BatchHeader {
    let mut builder = BatchBuilder::new(Codec::None, Level::Default).base_offset(Offset(offset)).producer(ProducerId(7), epoch, sequence);
    for _ in 0..count {
        builder.push(1000 + offset, None, Some(b"v"), &[]);
    }
    BatchHeader::parse(&builder.build()).unwrap()
}

fn after(batches: &[BatchHeader]) -> Producers {
    let mut producers = Producers::default();
    for header in batches {
        assert_eq!(producers.check(header), Verdict::Append, "{header:?}");
        producers.apply(header);
    }
    producers
}

#[test]
fn repeats_of_the_last_five_get_their_old_offset_and_older_ones_are_out_of_order() {
    let batches: Vec<_> = (0..7).map(|n| batch(n * 3, 0, n as i32 * 3, 3)).collect();
    let producers = after(&batches);
    for (n, header) in batches.iter().enumerate() {
        match producers.check(header) {
            Verdict::Duplicate { base_offset, last_offset, timestamp } => {
                assert!(n >= 2);
                assert_eq!((base_offset, last_offset), (header.base_offset, header.last_offset()));
                assert_eq!(timestamp, header.max_timestamp);
            }
            verdict => {
                assert!(n < 2);
                assert_eq!(verdict, Verdict::OutOfOrder { expected: 21, found: n as i32 * 3 });
            }
        }
    }
    assert_eq!(producers.check(&batch(99, 0, 22, 1)), Verdict::OutOfOrder { expected: 21, found: 22 });
    // The same first sequence with another count is no repeat.
    assert_eq!(producers.check(&batch(99, 0, 18, 2)), Verdict::OutOfOrder { expected: 21, found: 18 });
}

#[test]
fn epochs_fence_and_begin_at_zero() {
    let mut producers = after(&[batch(0, 3, 0, 5)]);
    assert_eq!(producers.check(&batch(5, 2, 5, 1)), Verdict::FencedEpoch { current: 3 });
    assert_eq!(producers.check(&batch(5, 4, 5, 1)), Verdict::OutOfOrder { expected: 0, found: 5 });
    let next = batch(5, 4, 0, 1);
    assert_eq!(producers.check(&next), Verdict::Append);
    producers.apply(&next);
    assert_eq!(producers.check(&batch(6, 3, 5, 1)), Verdict::FencedEpoch { current: 4 });
    assert_eq!(producers.views()[0].epoch, 4);
}

#[test]
fn an_unknown_producer_may_begin_anywhere_and_sequences_wrap() {
    let producers = after(&[batch(0, 0, i32::MAX - 1, 2), batch(2, 0, 0, 4)]);
    assert_eq!(producers.check(&batch(6, 0, 4, 1)), Verdict::Append);
    // A batch across the wrap.
    let producers = after(&[batch(0, 0, i32::MAX, 3)]);
    assert_eq!(producers.check(&batch(3, 0, 2, 1)), Verdict::Append);
    assert_eq!(producers.views()[0].last_sequence, 1);
}

#[test]
fn applying_ahead_of_the_log_counts_once() {
    let header = batch(0, 0, 0, 3);
    let mut producers = after(&[header]);
    let before = producers.clone();
    producers.apply(&header);
    assert_eq!(producers, before);
    assert_eq!(producers.applied_to(), Offset(3));
}

#[test]
fn expires_by_the_last_batch_but_not_inside_a_transaction() {
    let mut producers = after(&[batch(0, 0, 0, 1)]);
    producers.expire(1000 + 99, 100);
    assert_eq!(producers.len(), 1);
    producers.expire(1000 + 100, 100);
    assert!(producers.is_empty());

    let mut builder = BatchBuilder::new(Codec::None, Level::Default).base_offset(Offset(1)).producer(ProducerId(8), 0, 0).transactional(true);
    builder.push(1000, None, None, &[]);
    producers.apply(&BatchHeader::parse(&builder.build()).unwrap());
    assert_eq!(producers.first_open_txn(), Some(Offset(1)));
    producers.expire(i64::MAX, 100);
    assert_eq!(producers.len(), 1);
    let marker = EndTxnMarker { kind: ControlType::Commit, coordinator_epoch: 5 };
    let mut bytes = marker.batch(ProducerId(8), 0, 2000);
    millrace_record::stamp(&mut bytes, Offset(2), millrace_record::Epoch(0));
    producers.apply_marker(&BatchHeader::parse(&bytes).unwrap(), marker);
    assert_eq!(producers.first_open_txn(), None);
    assert_eq!(producers.views()[0].coordinator_epoch, 5);
}

#[test]
fn a_snapshot_reads_back_and_a_damaged_one_does_not() {
    let producers = after(&(0..6).map(|n| batch(n, 1, n as i32, 1)).collect::<Vec<_>>());
    let bytes = producers.encode(Epoch(4));
    assert_eq!(Producers::decode(&bytes), Some((producers, Epoch(4))));
    for at in 0..bytes.len() {
        let mut broken = bytes.clone();
        broken[at] ^= 1;
        assert_eq!(Producers::decode(&broken), None, "a flip at {at}");
        assert_eq!(Producers::decode(&bytes[..at]), None, "cut at {at}");
    }
}

#[test]
fn a_million_producers_are_forgotten_when_their_time_is_over() {
    let mut producers = Producers::default();
    for id in 0..1_000_000 {
        let mut header = batch(id, 0, 0, 1);
        header.producer_id = ProducerId(id);
        header.max_timestamp = 1_000 + id;
        producers.apply(&header);
    }
    assert_eq!(producers.len(), 1_000_000);
    producers.expire(1_000_000 + 1_000 + 500_000, 1_000_000);
    assert!((499_999..=500_000).contains(&producers.len()), "half of them, not {}", producers.len());
    producers.expire(i64::MAX, 1_000_000);
    assert!(producers.is_empty());
}
