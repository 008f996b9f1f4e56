//! What a shard counts for whoever watches it: relaxed atomics, which cost a turn nothing.
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Upper bounds double from 1 to 2^24; one more bucket takes the rest.
const BOUNDS: usize = 25;

/// How often which size was seen.
#[derive(Debug)]
pub struct Sizes {
    buckets: [AtomicU64; BOUNDS + 1],
    sum: AtomicU64,
}

impl Default for Sizes {
    fn default() -> Sizes {
        Sizes { buckets: std::array::from_fn(|_| AtomicU64::new(0)), sum: AtomicU64::new(0) }
    }
}

impl Sizes {
    pub fn record(&self, size: u64) {
        let doublings = size.max(1).checked_next_power_of_two().map_or(BOUNDS, |power| power.trailing_zeros() as usize);
        self.buckets[doublings.min(BOUNDS)].fetch_add(1, Ordering::Relaxed);
        self.sum.fetch_add(size, Ordering::Relaxed);
    }

    /// (upper bound, how many were at or below it); no bound for the last.
    pub fn cumulative(&self) -> impl Iterator<Item = (Option<u64>, u64)> {
        let mut seen = 0;
        self.buckets.iter().enumerate().map(move |(at, bucket)| {
            seen += bucket.load(Ordering::Relaxed);
            ((at < BOUNDS).then_some(1 << at), seen)
        })
    }

    pub fn sum(&self) -> u64 {
        self.sum.load(Ordering::Relaxed)
    }
}

#[derive(Debug, Default)]
pub struct ShardStats {
    /// Appends that one turn took together: what a single fsync pays for.
    pub turn_appends: Sizes,
    /// Bytes of those appends.
    pub turn_bytes: Sizes,
    failed: AtomicBool,
    full: AtomicBool,
}

impl ShardStats {
    /// A write or fsync failed, and nothing more is taken until the next start.
    pub fn has_failed(&self) -> bool {
        self.failed.load(Ordering::Relaxed)
    }

    /// Appends are refused for want of room.
    pub fn is_full(&self) -> bool {
        self.full.load(Ordering::Relaxed)
    }

    pub(crate) fn fail(&self) {
        self.failed.store(true, Ordering::Relaxed);
    }

    /// True when that is news.
    pub(crate) fn set_full(&self, full: bool) -> bool {
        self.full.swap(full, Ordering::Relaxed) != full
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_falls_under_its_bound() {
        for size in [0, 1, 2, 3, 1 << 24, (1 << 24) + 1, u64::MAX] {
            let sizes = Sizes::default();
            sizes.record(size);
            let (bound, _) = sizes.cumulative().find(|(_, count)| *count == 1).expect("it was counted");
            assert!(bound.is_none_or(|bound| size <= bound && (size <= 1 || size > bound / 2)), "{size} under {bound:?}");
            assert_eq!(bound.is_none(), size > 1 << 24);
        }
    }
}
