use bytes::BytesMut;
use proptest::prelude::*;

use super::*;
use crate::stamp::renew_crc;
use crate::{Attributes, Headers, Offset, ProducerId};

const NOW: i64 = 1_700_000_000_000;

fn rules() -> Rules {
    Rules {
        origin: Origin::Client,
        allow_zstd: true,
        compacted: false,
        timestamp_type: TimestampType::Create,
        timestamp_before_max_ms: i64::MAX,
        timestamp_after_max_ms: 3_600_000,
        now_ms: NOW,
        batch_bytes_max: 1 << 20,
        segment_bytes: 1 << 30,
        decompressed_bytes_max: 10 << 20,
        compression: None,
    }
}

fn batch(codec: Codec, count: usize) -> BytesMut {
    let mut builder = BatchBuilder::new(codec, Level::Default);
    for n in 0..count {
        let key = format!("key{n}");
        builder.push(NOW + n as i64, Some(key.as_bytes()), Some(b"value"), &[(b"h", Some(b"1")), (b"h", None)]);
    }
    builder.build()
}

/// Changes the header and makes the checksum right again.
fn with(mut batch: BytesMut, change: impl FnOnce(&mut BatchHeader)) -> BytesMut {
    let mut header = BatchHeader::parse(&batch).unwrap();
    change(&mut header);
    let first: &mut [u8; HEADER_LEN] = (&mut batch[..HEADER_LEN]).try_into().unwrap();
    header.write(first);
    renew_crc(&mut batch);
    batch
}

fn refusal(batch: &[u8], rules: &Rules) -> Refused {
    validate(batch, rules).expect_err("it is refused")
}

#[track_caller]
fn is_invalid(batch: &[u8], rules: &Rules, says: &str) {
    match refusal(batch, rules) {
        Refused::InvalidRecord { message, .. } => assert!(message.contains(says), "{message}"),
        other => panic!("{other}"),
    }
}

/// (offset delta, timestamp, key, value, headers) of each.
type Rows = Vec<(i32, i64, Option<Vec<u8>>, Option<Vec<u8>>, usize)>;

fn rows(batch: &[u8]) -> Rows {
    let records = Records::open(batch, 10 << 20).unwrap();
    let header = *records.header();
    let row = |record: Record<'_>| {
        let (key, value) = (record.key.map(<[u8]>::to_vec), record.value.map(<[u8]>::to_vec));
        (record.offset_delta, header.timestamp_of(&record), key, value, record.headers.len())
    };
    records.iter().map(|record| row(record.unwrap())).collect()
}

#[test]
fn a_good_batch_of_any_codec_is_taken_byte_for_byte() {
    for codec in Codec::ALL {
        let bytes = batch(codec, 10);
        let (taken, header) = admit(bytes.clone(), &rules()).unwrap();
        assert_eq!(taken, bytes, "{}", codec.name());
        assert_eq!((header.count, header.max_timestamp), (10, NOW + 9));
    }
}

#[test]
fn exactly_one_batch_of_format_two() {
    is_invalid(b"", &rules(), "there is none");
    let one = batch(Codec::None, 1);
    is_invalid(&[&one[..], &one[..]].concat(), &rules(), "exactly one");
    is_invalid(&[&one[..], &[0]].concat(), &rules(), "exactly one");
    for magic in [0, 1] {
        let mut old = one.clone();
        old[16] = magic;
        is_invalid(&old, &rules(), "no longer written");
    }
    let mut internal = one.clone();
    internal[16] = 100;
    is_invalid(&internal, &rules(), "unknown message format");
    for cut in [1, 16, 17, 60, one.len() - 1] {
        assert!(matches!(refusal(&one[..cut], &rules()), Refused::Corrupt(_)), "cut at {cut}");
    }
    for length in [-1, 0, 48, i32::MAX] {
        let mut wrong = one.clone();
        wrong[8..12].copy_from_slice(&length.to_be_bytes());
        assert!(matches!(refusal(&wrong, &rules()), Refused::Corrupt(_)), "length {length}");
    }
}

#[test]
fn counts_and_offsets_must_agree() {
    let wrong = |change: fn(&mut BatchHeader)| with(batch(Codec::None, 3), change);
    is_invalid(&wrong(|header| header.last_offset_delta = -1), &rules(), "last offset delta");
    is_invalid(&wrong(|header| header.count = 0), &rules(), "0 records");
    is_invalid(&wrong(|header| header.count = -1), &rules(), "-1 records");
    is_invalid(&wrong(|header| header.count = 2), &rules(), "takes up 3");
    for codec in Codec::ALL {
        let fewer = with(batch(codec, 3), |header| (header.count, header.last_offset_delta) = (2, 1));
        is_invalid(&fewer, &rules(), "bytes remain");
        let more = with(batch(codec, 3), |header| (header.count, header.last_offset_delta) = (4, 3));
        is_invalid(&more, &rules(), "record 3");
        let many = with(batch(codec, 3), |header| (header.count, header.last_offset_delta) = (i32::MAX, i32::MAX - 1));
        is_invalid(&many, &rules(), "record 3");
    }
}

#[test]
fn what_only_the_broker_may_write() {
    let control = with(batch(Codec::None, 1), |header| header.attributes = header.attributes.with_control(true));
    is_invalid(&control, &rules(), "control");
    assert!(validate(&control, &Rules { origin: Origin::Broker, compacted: true, ..rules() }).is_ok());
    is_invalid(&with(batch(Codec::None, 1), |header| header.base_offset = Offset(5)), &rules(), "base offset");
    let no_sequence = with(batch(Codec::None, 1), |header| header.producer_id = ProducerId(4));
    is_invalid(&no_sequence, &rules(), "sequence -1");
}

#[test]
fn sizes() {
    let bytes = batch(Codec::None, 3);
    let limit = |max| Rules { batch_bytes_max: max, ..rules() };
    assert!(validate(&bytes, &limit(bytes.len())).is_ok());
    assert_eq!(refusal(&bytes, &limit(bytes.len() - 1)), Refused::TooLarge { bytes: bytes.len(), max: bytes.len() - 1 });
    let small_segment = Rules { segment_bytes: 10, ..rules() };
    assert_eq!(refusal(&bytes, &small_segment), Refused::LargerThanSegment { bytes: bytes.len(), max: 10 });
    // A compressed bomb: small on the wire.
    let mut builder = BatchBuilder::new(Codec::Zstd, Level::Default);
    builder.push(NOW, None, Some(&vec![0; 20 << 20]), &[]);
    is_invalid(&builder.build(), &rules(), "decompresses to more than");
    // Within its limit compressed, but not as the topic stores it.
    let mut builder = BatchBuilder::new(Codec::Zstd, Level::Default);
    builder.push(NOW, None, Some(&vec![0; 2 << 20]), &[]);
    let plain = Rules { compression: Some((Codec::None, Level::Default)), ..rules() };
    assert!(matches!(admit(builder.build(), &plain), Err(Refused::TooLarge { .. })));
}

/// Compat: P12.
#[test]
fn zstd_needs_a_client_that_knows_it_and_unknown_codecs_are_refused() {
    let old = Rules { allow_zstd: false, ..rules() };
    assert!(matches!(refusal(&batch(Codec::Zstd, 1), &old), Refused::UnsupportedCompression(_)));
    assert!(validate(&batch(Codec::Lz4, 1), &old).is_ok());
    let unknown = with(batch(Codec::None, 1), |header| header.attributes = Attributes(5));
    assert!(matches!(refusal(&unknown, &rules()), Refused::UnsupportedCompression(_)));
}

/// Compat: P6.
#[test]
fn a_compacted_topic_names_each_record_without_a_key() {
    for codec in Codec::ALL {
        let mut builder = BatchBuilder::new(codec, Level::Default);
        for key in [Some(&b"a"[..]), None, Some(&b""[..]), None] {
            builder.push(NOW, key, Some(b"v"), &[]);
        }
        let bytes = builder.build();
        assert!(validate(&bytes, &rules()).is_ok());
        let Refused::InvalidRecord { records, message } = refusal(&bytes, &Rules { compacted: true, ..rules() }) else { panic!() };
        assert_eq!(records.iter().map(|record| record.index).collect::<Vec<_>>(), [1, 3]);
        assert!(message.starts_with("2 records"), "{message}");
    }
}

#[test]
fn timestamps_must_lie_within_the_topics_bounds() {
    let bounds = Rules { timestamp_before_max_ms: 1000, timestamp_after_max_ms: 500, ..rules() };
    let at = |times: &[i64]| {
        let mut builder = BatchBuilder::new(Codec::None, Level::Default);
        times.iter().for_each(|&time| builder.push(time, None, None, &[]));
        builder.build()
    };
    assert!(validate(&at(&[NOW - 1000, NOW + 500, NO_TIMESTAMP]), &bounds).is_ok());
    for outside in [NOW - 1001, NOW + 501, 0, i64::MIN, i64::MAX, -2] {
        let Refused::InvalidTimestamp { records, .. } = refusal(&at(&[NOW, outside]), &bounds) else { panic!("{outside}") };
        assert_eq!(records[0].index, 1);
    }
    // Times do not matter where the broker writes its own.
    let append = Rules { timestamp_type: TimestampType::LogAppend, ..bounds };
    let (bytes, header) = admit(at(&[0, 7]), &append).unwrap();
    assert_eq!((header.max_timestamp, header.attributes.timestamp_type()), (NOW, TimestampType::LogAppend));
    assert!(rows(&bytes).iter().all(|row| row.1 == NOW));
    verify_crc(&bytes).unwrap();
    // And a client does not claim to be the broker.
    let claims = with(at(&[0]), |header| header.attributes = header.attributes.with_timestamp_type(TimestampType::LogAppend));
    assert!(matches!(refusal(&claims, &append), Refused::InvalidTimestamp { .. }));
}

/// Compat: P7.
#[test]
fn a_max_timestamp_that_the_client_left_unset_is_made_right() {
    for wrong in [-1, 0, NOW + 50] {
        let bytes = with(batch(Codec::Lz4, 3), |header| header.max_timestamp = wrong);
        let (taken, header) = admit(bytes, &rules()).unwrap();
        assert_eq!(header.max_timestamp, NOW + 2);
        verify_crc(&taken).unwrap();
    }
}

#[test]
fn the_topics_codec_replaces_the_producers_and_nothing_else_changes() {
    for from in Codec::ALL {
        for to in Codec::ALL {
            let bytes = with(batch(from, 20), |header| {
                (header.producer_id, header.producer_epoch, header.base_sequence) = (ProducerId(8), 2, 40);
            });
            let wanted = Rules { compression: Some((to, Level::Default)), ..rules() };
            let (taken, header) = admit(bytes.clone(), &wanted).unwrap();
            assert_eq!(header.attributes.codec(), Ok(to));
            assert_eq!((header.producer_id, header.producer_epoch, header.base_sequence), (ProducerId(8), 2, 40));
            assert_eq!(rows(&taken), rows(&bytes));
            assert_eq!(from == to, taken == bytes);
            verify_crc(&taken).unwrap();
        }
    }
}

#[test]
fn records_that_are_not_numbered_in_order_are_numbered_anew() {
    for codec in Codec::ALL {
        let mut builder = BatchBuilder::new(codec, Level::Default);
        for n in 0..4i64 {
            builder.push_at(0, NOW + n, Some(&[n as u8]), None, Headers::NONE);
        }
        let bytes = with(builder.build(), |header| header.last_offset_delta = 3);
        let (taken, header) = admit(bytes, &rules()).unwrap();
        assert_eq!(header.attributes.codec(), Ok(codec));
        assert_eq!(rows(&taken).iter().map(|row| (row.0, row.1 - NOW)).collect::<Vec<_>>(), [(0, 0), (1, 1), (2, 2), (3, 3)]);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]
    /// A flipped byte is noticed; if the checksum is made right again, the batch is refused or is whole.
    #[test]
    fn hostile_bytes_never_panic(codec in 0usize..5, at: prop::sample::Index, byte: u8, repair: bool, cut: prop::sample::Index) {
        let mut bytes = batch(Codec::ALL[codec], 5);
        let place = at.index(bytes.len());
        let same = bytes[place] == byte;
        bytes[place] = byte;
        if repair { renew_crc(&mut bytes) }
        if cut.index(4) == 0 { bytes.truncate(cut.index(bytes.len())) }
        if let Ok((taken, header)) = admit(bytes, &rules()) {
            prop_assert!(same || repair || place < 17, "a flip at {} was not noticed", place);
            verify_crc(&taken).unwrap();
            prop_assert_eq!(rows(&taken).len(), header.count as usize);
        }
    }

    #[test]
    fn garbage_never_panics(mut bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        if bytes.len() > 61 {
            bytes[16] = 2;
            let length = (bytes.len() - 12) as i32;
            bytes[8..12].copy_from_slice(&length.to_be_bytes());
            renew_crc(&mut bytes);
        }
        let _ = validate(&bytes, &rules());
    }
}
