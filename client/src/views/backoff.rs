//! Pauses between attempts to reach a node that is away.
//!
//! Whatever broke one subscription mostly broke thousands at once. Were all of them to try again in step, the node would meet them all
//! at the moment at which it comes back: each pause is drawn by chance.
use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::Duration;

const FIRST: Duration = Duration::from_millis(20);
const LONGEST: Duration = Duration::from_secs(1);

/// Doubled from one attempt to the next, up to a second; drawn between the half and the whole of that.
pub(super) struct Backoff {
    whole: Duration,
    chance: u64,
}

impl Backoff {
    /// One that goes its own way.
    pub(super) fn new() -> Backoff {
        // The standard library's source of chance: no two of its states are alike.
        Backoff::seeded(RandomState::new().build_hasher().finish())
    }

    fn seeded(chance: u64) -> Backoff {
        Backoff { whole: FIRST, chance }
    }

    /// How long to wait before the next attempt.
    pub(super) fn next(&mut self) -> Duration {
        let half = self.whole / 2;
        self.whole = (self.whole * 2).min(LONGEST);
        half + half.mul_f64(self.draw())
    }

    /// At least 0, below 1 (SplitMix64).
    fn draw(&mut self) -> f64 {
        self.chance = self.chance.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.chance ^ (self.chance >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_a_second_and_lie_between_half_and_whole() {
        for seed in 0..200 {
            let mut backoff = Backoff::seeded(seed);
            let mut whole = FIRST;
            for _ in 0..20 {
                let pause = backoff.next();
                assert!(pause >= whole / 2 && pause <= whole, "{pause:?} of {whole:?}");
                whole = (whole * 2).min(LONGEST);
            }
        }
    }

    /// A thousand subscribers of a node that was away for some seconds: of any 50 ms no more than a fifth of them chose the same.
    #[test]
    fn those_who_were_broken_off_together_do_not_come_back_in_step() {
        let mut slots = std::collections::BTreeMap::<u128, usize>::new();
        for _ in 0..1000 {
            let mut backoff = Backoff::new();
            let waited: Duration = (0..8).map(|_| backoff.next()).sum();
            *slots.entry(waited.as_millis() / 50).or_default() += 1;
        }
        let most = slots.values().max().copied().unwrap_or_default();
        assert!(most < 200, "{slots:?}");
    }
}
