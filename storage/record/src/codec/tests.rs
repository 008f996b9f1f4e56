use bytes::BytesMut;
use proptest::prelude::*;

use super::{Codec, Level};
use crate::BatchError;

fn packed(codec: Codec, input: &[u8]) -> BytesMut {
    let mut out = BytesMut::new();
    codec.compress(input, Level::Default, &mut out);
    out
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn what_goes_in_comes_out(data in proptest::collection::vec(0u8..6, 0..100_000)) {
        for codec in Codec::ALL {
            let mut out = b"before".to_vec();
            codec.decompress(&packed(codec, &data), data.len(), &mut out).unwrap();
            prop_assert_eq!(&out[..6], b"before");
            prop_assert!(out[6..] == data[..], "{} changed the data", codec.name());
        }
    }

    #[test]
    fn garbage_is_an_error_or_bytes_but_never_more_than_the_cap(data in proptest::collection::vec(any::<u8>(), 0..2_000)) {
        for codec in Codec::ALL {
            let mut out = Vec::new();
            if codec.decompress(&data, 5_000, &mut out).is_ok() {
                prop_assert!(out.len() <= 5_000);
            }
        }
    }
}

#[test]
fn a_bomb_stops_at_the_cap() {
    let zeros = vec![0; 64 << 20];
    for codec in [Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd] {
        let bomb = packed(codec, &zeros);
        let mut out = Vec::new();
        let cap = 1 << 20;
        assert_eq!(codec.decompress(&bomb, cap, &mut out), Err(BatchError::TooLarge { cap }), "{}", codec.name());
        assert!(out.capacity() < 4 << 20, "{} took {} bytes", codec.name(), out.capacity());
        // One byte under and exactly at the true size.
        let small = packed(codec, &zeros[..1000]);
        assert!(codec.decompress(&small, 999, &mut Vec::new()).is_err());
        assert!(codec.decompress(&small, 1000, &mut Vec::new()).is_ok());
    }
}

#[test]
fn cut_streams_are_errors() {
    let data: Vec<u8> = (0..50_000u32).flat_map(|number| (number % 977).to_le_bytes()).collect();
    for codec in [Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd] {
        let whole = packed(codec, &data);
        for cut in [1, whole.len() / 3, whole.len() - 5] {
            let mut out = Vec::new();
            let got = codec.decompress(&whole[..cut], data.len(), &mut out);
            // A cut in front of a block's end can look like an end of the stream, but never like all the data.
            assert!(got.is_err() || out.len() < data.len(), "{} cut at {cut}", codec.name());
        }
    }
}

/// Compat: P14.
#[test]
fn raw_snappy_of_librdkafka_reads_like_javas() {
    let data = b"the quick brown fox ".repeat(5000);
    let raw = snap::raw::Encoder::new().compress_vec(&data).unwrap();
    let mut out = Vec::new();
    Codec::Snappy.decompress(&raw, data.len(), &mut out).unwrap();
    assert!(out == data);
    let java = packed(Codec::Snappy, &data);
    assert_eq!(&java[..8], b"\x82SNAPPY\0");
    let twice = [&java[..], &java[..]].concat();
    out.clear();
    Codec::Snappy.decompress(&twice, 2 * data.len(), &mut out).unwrap();
    assert_eq!(out.len(), 2 * data.len());
}

/// The frame header that Java's reader insists on.
#[test]
fn lz4_blocks_are_independent_and_unchecked() {
    let out = packed(Codec::Lz4, b"hello");
    assert_eq!(&out[..4], &0x184D_2204u32.to_le_bytes());
    let flags = out[4];
    assert_eq!(flags >> 6, 1, "version 01");
    assert_ne!(flags & 0x20, 0, "independent blocks");
    assert_eq!(flags & 0x14, 0, "no checksum of blocks or content");
    assert_eq!(out[5] >> 4, 4, "64 KiB blocks");
}
