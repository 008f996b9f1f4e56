//! What a broker does with each batch, in nanoseconds: `cargo bench -p millrace-record`.
use std::hint::black_box;
use std::time::Instant;

use millrace_record::{BatchBuilder, Codec, Epoch, Level, Offset, Origin, Records, Rules, TimestampType, stamp, validate, verify_crc};

const NOW: i64 = 1_700_000_000_000;

fn main() {
    let rules = Rules {
        origin: Origin::Client,
        allow_zstd: true,
        compacted: false,
        timestamp_type: TimestampType::Create,
        timestamp_before_max_ms: i64::MAX,
        timestamp_after_max_ms: i64::MAX,
        now_ms: NOW,
        batch_bytes_max: 64 << 20,
        segment_bytes: 1 << 30,
        decompressed_bytes_max: 64 << 20,
        compression: None,
    };
    for (count, size) in [(1usize, 100usize), (10, 100), (1000, 100), (1000, 1024)] {
        for codec in Codec::ALL {
            let mut builder = BatchBuilder::new(codec, Level::Default);
            for n in 0..count {
                let value: Vec<u8> = (0..size).map(|at| b'a' + ((n * 7 + at * at) % 23) as u8).collect();
                builder.push(NOW + n as i64, Some(&n.to_be_bytes()), Some(&value), &[]);
            }
            let mut batch = builder.build();
            let name = format!("{count:>5} x {size:>4} {:<6} {:>8} bytes", codec.name(), batch.len());
            let validated = time(|| drop(black_box(validate(black_box(&batch), &rules)).unwrap()));
            let checked = time(|| black_box(verify_crc(black_box(&batch))).unwrap());
            let walked = time(|| {
                let records = Records::open(black_box(&batch), 64 << 20).unwrap();
                assert_eq!(records.iter().filter(|record| record.is_ok()).count(), count);
            });
            let stamped = time(|| stamp(black_box(&mut batch), Offset(77), Epoch(3)));
            let each = validated / count as f64;
            println!("{name}: validate {validated:>10.0} ns ({each:>6.1} a record), crc {checked:>8.0}, walk {walked:>9.0}, stamp {stamped:>4.1}");
        }
    }
}

/// Nanoseconds of one call: the median of some rounds.
fn time(mut call: impl FnMut()) -> f64 {
    let mut rounds: Vec<f64> = (0..9)
        .map(|_| {
            let began = Instant::now();
            let mut calls = 0u32;
            while began.elapsed().as_millis() < 10 {
                for _ in 0..4 {
                    call();
                }
                calls += 4;
            }
            began.elapsed().as_nanos() as f64 / calls as f64
        })
        .collect();
    rounds.sort_by(f64::total_cmp);
    rounds[rounds.len() / 2]
}
