//! Where each key was last written, in bounded memory: keys are known by a 128-bit hash.
//!
//! The hash is SipHash-2-4 with 128 bits, keyed with the log's identity; two keys of one log sharing it
//! is as unlikely as with the MD5 that Kafka uses. An entry takes 24 bytes; the table grows by doubling
//! up to what it may have, and then takes no more keys: the rest of the log waits for another round.
use millrace_record::Offset;

const ENTRY_LEN: usize = size_of::<Entry>();
/// Share of the table that may be taken, in tenths.
const LOAD_TENTHS: usize = 9;
const SLOTS_MIN: usize = 1 << 10;

#[derive(Clone, Copy, Default)]
struct Entry {
    hash: [u64; 2],
    /// One more than the offset; 0 in a free place.
    offset_plus_one: i64,
}

pub(super) struct KeyMap {
    seed: [u64; 2],
    table: Vec<Entry>,
    taken: usize,
    slots_max: usize,
}

impl KeyMap {
    pub fn new(identity: u128, bytes_max: usize) -> KeyMap {
        // The largest power of two that fits, so that doubling ends there.
        let fits = (bytes_max / ENTRY_LEN).max(SLOTS_MIN);
        let slots_max = 1 << fits.ilog2();
        let seed = [identity as u64, (identity >> 64) as u64];
        KeyMap { seed, table: vec![Entry::default(); SLOTS_MIN], taken: 0, slots_max }
    }

    /// False if there is no more room; an offset of a key that is known always finds some.
    pub fn put(&mut self, key: &[u8], offset: Offset) -> bool {
        let hash = self.hash(key);
        let mut slot = self.slot(hash);
        if self.table[slot].offset_plus_one == 0 {
            if (self.taken + 1) * 10 > self.table.len() * LOAD_TENTHS {
                if self.table.len() == self.slots_max {
                    return false;
                }
                self.grow();
                slot = self.slot(hash);
            }
            self.taken += 1;
        }
        self.table[slot] = Entry { hash, offset_plus_one: offset.0 + 1 };
        true
    }

    /// Where the key was last put.
    pub fn get(&self, key: &[u8]) -> Option<Offset> {
        let entry = self.table[self.slot(self.hash(key))];
        (entry.offset_plus_one != 0).then(|| Offset(entry.offset_plus_one - 1))
    }

    fn hash(&self, key: &[u8]) -> [u64; 2] {
        siphash128(self.seed, key)
    }

    /// The place of a hash, or the free one where it would go.
    fn slot(&self, hash: [u64; 2]) -> usize {
        let mask = self.table.len() - 1;
        let mut slot = hash[0] as usize & mask;
        // Ends: the table is never full.
        while self.table[slot].offset_plus_one != 0 && self.table[slot].hash != hash {
            slot = (slot + 1) & mask;
        }
        slot
    }

    fn grow(&mut self) {
        let doubled = vec![Entry::default(); self.table.len() * 2];
        for entry in std::mem::replace(&mut self.table, doubled) {
            if entry.offset_plus_one != 0 {
                let slot = self.slot(entry.hash);
                self.table[slot] = entry;
            }
        }
    }
}

/// SipHash-2-4 with a result of 128 bits, after the algorithm's published description.
fn siphash128(seed: [u64; 2], bytes: &[u8]) -> [u64; 2] {
    let mut state = Sip([
        seed[0] ^ 0x736f_6d65_7073_6575,
        seed[1] ^ 0x646f_7261_6e64_6f6d ^ 0xee,
        seed[0] ^ 0x6c79_6765_6e65_7261,
        seed[1] ^ 0x7465_6462_7974_6573,
    ]);
    let (words, rest) = bytes.as_chunks::<8>();
    for word in words {
        state.absorb(u64::from_le_bytes(*word));
    }
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    last[7] = bytes.len() as u8;
    state.absorb(u64::from_le_bytes(last));
    state.0[2] ^= 0xee;
    let low = state.squeeze();
    state.0[1] ^= 0xdd;
    [low, state.squeeze()]
}

struct Sip([u64; 4]);

impl Sip {
    fn absorb(&mut self, word: u64) {
        self.0[3] ^= word;
        self.round();
        self.round();
        self.0[0] ^= word;
    }

    fn squeeze(&mut self) -> u64 {
        for _ in 0..4 {
            self.round();
        }
        self.0[0] ^ self.0[1] ^ self.0[2] ^ self.0[3]
    }

    fn round(&mut self) {
        let [mut a, mut b, mut c, mut d] = self.0;
        a = a.wrapping_add(b);
        b = b.rotate_left(13) ^ a;
        a = a.rotate_left(32);
        c = c.wrapping_add(d);
        d = d.rotate_left(16) ^ c;
        a = a.wrapping_add(d);
        d = d.rotate_left(21) ^ a;
        c = c.wrapping_add(b);
        b = b.rotate_left(17) ^ c;
        c = c.rotate_left(32);
        self.0 = [a, b, c, d];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first of the published test vectors: key 00 01 .. 0f, inputs of no bytes and of the byte 00.
    #[test]
    fn hashes_as_published() {
        let seed = [0x0706_0504_0302_0100, 0x0f0e_0d0c_0b0a_0908];
        let hex = |hash: [u64; 2]| hash.iter().flat_map(|word| word.to_le_bytes()).map(|byte| format!("{byte:02x}")).collect::<String>();
        assert_eq!(hex(siphash128(seed, b"")), "a3817f04ba25a8e66df67214c7550293");
        assert_eq!(hex(siphash128(seed, &[0])), "da87c1d86b99af44347659119b22fc45");
    }

    #[test]
    fn remembers_the_last_offset_of_each_key_until_it_is_full() {
        let mut map = KeyMap::new(5, 4096 * ENTRY_LEN + 100);
        let key = |n: i64| n.to_be_bytes();
        let mut fit = 0;
        while map.put(&key(fit), Offset(fit)) {
            fit += 1;
        }
        assert_eq!(fit as usize, 4096 * LOAD_TENTHS / 10);
        for n in 0..fit {
            assert!(map.put(&key(n), Offset(n + 1_000_000)), "a known key needs no room");
        }
        for n in 0..fit {
            assert_eq!(map.get(&key(n)), Some(Offset(n + 1_000_000)));
        }
        assert_eq!(map.get(&key(fit)), None);
    }
}
