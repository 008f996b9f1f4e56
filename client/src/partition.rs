//! Which partition a record goes to when the caller does not say: as Kafka's own producer.
//!
//! A key decides by murmur2; records without a key stay on one partition until about a batch is full, then move on.
use std::hash::{BuildHasher, Hasher};

/// Kafka's murmur2 of a key (seed 0x9747b28c), as an unsigned number.
pub fn murmur2(data: &[u8]) -> u32 {
    const MIX: u32 = 0x5bd1_e995;
    let mut hash = 0x9747_b28c_u32 ^ data.len() as u32;
    let mut words = data.chunks_exact(4);
    for word in &mut words {
        let mut k = u32::from_le_bytes([word[0], word[1], word[2], word[3]]).wrapping_mul(MIX);
        k ^= k >> 24;
        hash = hash.wrapping_mul(MIX) ^ k.wrapping_mul(MIX);
    }
    let rest = words.remainder();
    for (at, byte) in rest.iter().enumerate() {
        hash ^= u32::from(*byte) << (8 * at);
    }
    if !rest.is_empty() {
        hash = hash.wrapping_mul(MIX);
    }
    hash ^= hash >> 13;
    hash = hash.wrapping_mul(MIX);
    hash ^ (hash >> 15)
}

/// The partition of a key among `count`.
pub(crate) fn of_key(key: &[u8], count: i32) -> i32 {
    let count = count.max(1).unsigned_abs();
    ((murmur2(key) & 0x7fff_ffff) % count) as i32
}

/// Where records without a key go.
pub(crate) struct Sticky {
    at: u64,
    bytes: usize,
}

impl Sticky {
    pub(crate) fn new() -> Self {
        // The start differs from process to process, so that many producers do not all fill partition 0 first.
        Self { at: std::hash::RandomState::new().build_hasher().finish(), bytes: 0 }
    }

    pub(crate) fn next(&mut self, bytes: usize, batch_bytes: usize, count: i32) -> i32 {
        self.bytes += bytes;
        if self.bytes > batch_bytes {
            self.at = self.at.wrapping_add(1);
            self.bytes = bytes;
        }
        (self.at % u64::from(count.max(1).unsigned_abs())) as i32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The values that Kafka's own unit test of its murmur2 lists.
    #[test]
    fn murmur2_agrees_with_kafka() {
        let cases: [(&[u8], i32); 6] = [
            (b"21", -973_932_308),
            (b"foobar", -790_332_482),
            (b"a-little-bit-long-string", -985_981_536),
            (b"a-little-bit-longer-string", -1_486_304_829),
            (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971),
            (b"abc", 479_470_107),
        ];
        for (key, hash) in cases {
            assert_eq!(murmur2(key) as i32, hash, "{}", String::from_utf8_lossy(key));
        }
    }

    #[test]
    fn keyless_records_move_on_when_a_batch_is_full() {
        let mut sticky = Sticky { at: 0, bytes: 0 };
        let seen: Vec<i32> = (0..9).map(|_| sticky.next(10, 30, 3)).collect();
        assert_eq!(seen, [0, 0, 0, 1, 1, 1, 2, 2, 2]);
    }
}
