//! Record batches as producers send them.
use bytes::BytesMut;
use millrace_record::{BatchBuilder, Codec, EndTxnMarker, Level, Origin, ProducerId, Records, Rules, TimestampType, admit, compute_crc, split};

use crate::dice::Dice;
use crate::{Target, damage};

/// `flags (1) ++ batch`: what the topic asks, then the bytes.
pub struct Batches;

const BATCH_BYTES_MAX: usize = 1 << 20;
/// Where the checksum lies in a batch, and where what it covers begins.
const CRC_AT: usize = 17;
const CRC_FROM: usize = 21;

pub fn batch(codec: Codec, records: usize, value_bytes: usize) -> Vec<u8> {
    let mut builder = BatchBuilder::new(codec, Level::Default).producer(ProducerId(7), 0, 0);
    for number in 0..records {
        let value = format!("{number}:").repeat(value_bytes / 2);
        let headers: &[(&[u8], Option<&[u8]>)] = &[(b"h", Some(b"v")), (b"", None)];
        let key = number.to_string();
        builder.push(1_700_000_000_000 + number as i64, Some(key.as_bytes()), Some(value.as_bytes()), if number % 2 == 0 { headers } else { &[] });
    }
    builder.build().to_vec()
}

/// Makes a damaged batch pass the first checks, so that what lies behind them is reached.
pub fn mend(batch: &mut [u8]) {
    if batch.len() < CRC_FROM {
        return;
    }
    let len = (batch.len() - 12) as i32;
    batch[8..12].copy_from_slice(&len.to_be_bytes());
    let crc = compute_crc(batch);
    batch[CRC_AT..CRC_FROM].copy_from_slice(&crc.to_be_bytes());
}

fn rules(flags: u8) -> Rules {
    let other = [None, Some((Codec::Zstd, Level::Default)), Some((Codec::None, Level::Default)), Some((Codec::Lz4, Level::Default))];
    Rules {
        origin: if flags & 1 == 0 { Origin::Client } else { Origin::Broker },
        allow_zstd: flags & 2 == 0,
        compacted: flags & 4 != 0,
        timestamp_type: if flags & 8 == 0 { TimestampType::Create } else { TimestampType::LogAppend },
        timestamp_before_max_ms: i64::MAX,
        timestamp_after_max_ms: i64::MAX,
        now_ms: 1_700_000_000_000,
        batch_bytes_max: BATCH_BYTES_MAX,
        segment_bytes: BATCH_BYTES_MAX,
        decompressed_bytes_max: BATCH_BYTES_MAX,
        compression: other[usize::from(flags >> 4) % other.len()],
    }
}

impl Target for Batches {
    fn seeds(&self) -> Vec<Vec<u8>> {
        let mut seeds = Vec::new();
        for codec in [Codec::None, Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd] {
            for (records, bytes) in [(1, 10), (3, 200), (200, 4), (2, 60_000)] {
                seeds.push([vec![0], batch(codec, records, bytes)].concat());
            }
        }
        let marker = EndTxnMarker { kind: millrace_record::ControlType::Commit, coordinator_epoch: 3 };
        seeds.push([&[1][..], &marker.batch(ProducerId(7), 0, 1_700_000_000_000)].concat());
        seeds
    }

    fn run(&mut self, input: &[u8]) -> Result<(), String> {
        let Some((flags, batch)) = input.split_first() else { return Ok(()) };
        for part in split(batch).take(64) {
            let Ok((_, part)) = part else { break };
            let Ok(records) = Records::open(part, BATCH_BYTES_MAX) else { continue };
            for record in records.iter() {
                let Ok(record) = record else { break };
                let _ = record.headers.iter().count();
            }
        }
        let rules = rules(*flags);
        if let Ok((admitted, header)) = admit(BytesMut::from(batch), &rules) {
            let whole = Records::open(&admitted, BATCH_BYTES_MAX).map_err(|error| format!("admitted, and cannot be opened: {error}"))?;
            let mut count = 0;
            for record in whole.iter() {
                record.map_err(|error| format!("admitted, and record {count} cannot be read: {error}"))?;
                count += 1;
            }
            if count != header.count {
                return Err(format!("admitted with {count} records, its header says {}", header.count));
            }
        }
        Ok(())
    }

    fn draw(&self, dice: &mut Dice, seeds: &[Vec<u8>]) -> Vec<u8> {
        let mut input = dice.pick(seeds).clone();
        damage::damage(&mut input, dice, seeds);
        if dice.roll(4) > 0 && !input.is_empty() {
            input[0] = dice.byte();
            mend(&mut input[1..]);
        }
        input
    }
}
