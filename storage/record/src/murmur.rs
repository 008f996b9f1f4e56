//! The hash by which Kafka's producers choose a partition for a key: the clients' own agreement, not the broker's, and
//! therefore never to be changed.

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

/// The partition of a key among `count`, as Kafka's default partitioner and Kafka Streams choose it.
pub fn partition_of_key(key: &[u8], count: i32) -> i32 {
    let count = count.max(1).unsigned_abs();
    ((murmur2(key) & 0x7fff_ffff) % count) as i32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_the_values_that_kafkas_clients_share() {
        let known: [(&[u8], i32); 6] = [
            (b"21", -973_932_308),
            (b"foobar", -790_332_482),
            (b"a-little-bit-long-string", -985_981_536),
            (b"a-little-bit-longer-string", -1_486_304_829),
            (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971),
            (b"abc", 479_470_107),
        ];
        for (key, hash) in known {
            assert_eq!(murmur2(key) as i32, hash, "{}", String::from_utf8_lossy(key));
        }
    }
}
