//! Which keys were never put: a filter over all keys of a store that began empty, so that a new key costs no look into the database.
//!
//! A Bloom filter in blocks of one cache line: a key sets eight bits of one block. It grows by further parts, each four times as large
//! as the one before, because the keys of those that are full are not known any more.
//! Invariant: a key that was put is never called absent. Absences: no removal; a key that was deleted may still be there.
use millrace_engine::state::TableId;

/// What is known of each table of a store that began empty. One whose rows are put before anybody asks for one gets no filter: mostly
/// nobody will.
#[derive(Default)]
pub struct Tables(Vec<(TableId, Option<Seen>)>);

impl Tables {
    fn of(&mut self, table: TableId, begin: impl FnOnce() -> Option<Seen>) -> Option<&mut Seen> {
        let at = self.0.iter().position(|(known, _)| *known == table).unwrap_or_else(|| {
            self.0.push((table, begin()));
            self.0.len() - 1
        });
        self.0[at].1.as_mut()
    }

    /// `false`: no such key was put, nor prefix noted.
    pub fn may_have(&mut self, table: TableId, key: &[u8]) -> bool {
        self.of(table, || Some(Seen::default())).is_none_or(|seen| seen.may_have(Seen::hash(key)))
    }

    pub fn add(&mut self, table: TableId, key: &[u8]) {
        if let Some(seen) = self.of(table, || None) {
            seen.add(Seen::hash(key));
        }
    }

    pub fn bytes(&self) -> usize {
        self.0.iter().filter_map(|(_, seen)| seen.as_ref()).map(Seen::bytes).sum()
    }
}

/// One cache line.
const BLOCK_BITS: usize = 512;
type Block = [u64; BLOCK_BITS / 64];
/// Blocks of the first part: 4 KiB.
const FIRST_BLOCKS: usize = 64;
const GROWTH: usize = 4;
/// At twelve bits a key about one absent key in a hundred looks present.
const BITS_PER_KEY: usize = 12;

struct Part {
    blocks: Vec<Block>,
    /// How many more keys it takes.
    room: usize,
}

impl Part {
    fn new(blocks: usize) -> Part {
        Part { blocks: vec![Block::default(); blocks], room: blocks * BLOCK_BITS / BITS_PER_KEY }
    }

    fn block_of(&self, hash: u64) -> usize {
        // The upper half chooses the block; the mask comes from the other one.
        (((hash >> 32) * self.blocks.len() as u64) >> 32) as usize
    }

    fn has(&self, hash: u64) -> bool {
        let block = &self.blocks[self.block_of(hash)];
        mask(hash).iter().zip(block).all(|(bit, word)| word & bit != 0)
    }

    fn add(&mut self, hash: u64) {
        let at = self.block_of(hash);
        self.blocks[at].iter_mut().zip(mask(hash)).for_each(|(word, bit)| *word |= bit);
        self.room = self.room.saturating_sub(1);
    }
}

/// One bit of each word, from the lower half of the hash: as in Putze, Sanders and Singler's blocked filters.
fn mask(hash: u64) -> Block {
    const ODD: [u32; 8] = [0x47b6_137b, 0x4497_4d91, 0x8824_ad5b, 0xa2b7_289d, 0x7054_95c7, 0x2df1_424b, 0x9efc_4947, 0x5c6b_fb31];
    ODD.map(|odd| 1 << ((hash as u32).wrapping_mul(odd) >> 26))
}

#[derive(Default)]
struct Seen {
    /// The newest, which is the largest, last.
    parts: Vec<Part>,
}

impl Seen {
    /// The same in every run: nothing that is told depends on it, and the simulator repeats itself.
    fn hash(key: &[u8]) -> u64 {
        use std::hash::{BuildHasher, Hasher};
        let mut hasher = foldhash::quality::FixedState::default().build_hasher();
        hasher.write(key);
        hasher.finish()
    }

    /// `false`: certainly not.
    fn may_have(&self, hash: u64) -> bool {
        self.parts.iter().rev().any(|part| part.has(hash))
    }

    fn add(&mut self, hash: u64) {
        if self.may_have(hash) {
            return;
        }
        if self.parts.last().is_none_or(|part| part.room == 0) {
            let blocks = self.parts.last().map_or(FIRST_BLOCKS, |part| part.blocks.len() * GROWTH);
            self.parts.push(Part::new(blocks));
        }
        if let Some(part) = self.parts.last_mut() {
            part.add(hash);
        }
    }

    fn bytes(&self) -> usize {
        self.parts.iter().map(|part| part.blocks.len() * size_of::<Block>()).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_put_is_never_absent_and_few_others_look_present() {
        let key = |number: u32| Seen::hash(format!("user-{number:07}").as_bytes());
        let mut seen = Seen::default();
        assert!(!seen.may_have(key(0)));
        for number in 0..200_000 {
            seen.add(key(number));
            assert!(seen.may_have(key(number)));
        }
        assert!((0..200_000).all(|number| seen.may_have(key(number))));
        let wrong = (200_000..400_000).filter(|number| seen.may_have(key(*number))).count();
        assert!(wrong < 8_000, "{wrong} of 200,000 absent keys look present");
        assert!(seen.bytes() < 1 << 21, "{} bytes", seen.bytes());
    }

    #[test]
    fn a_table_that_is_asked_too_late_is_not_known() {
        let (early, late) = (TableId(1), TableId(2));
        let mut tables = Tables::default();
        assert!(!tables.may_have(early, b"a"));
        tables.add(early, b"a");
        tables.add(late, b"a");
        assert!(tables.may_have(early, b"a") && !tables.may_have(early, b"b"));
        assert!(tables.may_have(late, b"a") && tables.may_have(late, b"b"));
    }
}
