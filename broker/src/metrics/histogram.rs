//! Latencies in buckets that double.
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Upper bounds double from 64 us to about 67 s; one more bucket takes the rest.
const FIRST_BOUND_US: u64 = 64;
const BOUNDS: usize = 21;

#[derive(Default)]
pub struct Histogram {
    buckets: [AtomicU64; BOUNDS + 1],
    sum_ns: AtomicU64,
}

impl Histogram {
    pub fn record(&self, took: Duration) {
        let us = took.as_micros().min(u64::MAX as u128) as u64;
        let doublings = us.div_ceil(FIRST_BOUND_US).max(1).next_power_of_two().trailing_zeros() as usize;
        self.buckets[doublings.min(BOUNDS)].fetch_add(1, Ordering::Relaxed);
        self.sum_ns.fetch_add(took.as_nanos().min(u64::MAX as u128) as u64, Ordering::Relaxed);
    }

    /// (upper bound in seconds, observations at or below it), the last bound being infinite.
    pub fn cumulative(&self) -> impl Iterator<Item = (f64, u64)> {
        let mut sum = 0;
        self.buckets.iter().enumerate().map(move |(at, bucket)| {
            sum += bucket.load(Ordering::Relaxed);
            let bound = if at == BOUNDS { f64::INFINITY } else { (FIRST_BOUND_US << at) as f64 / 1e6 };
            (bound, sum)
        })
    }

    pub fn sum_seconds(&self) -> f64 {
        self.sum_ns.load(Ordering::Relaxed) as f64 / 1e9
    }

    pub fn count(&self) -> u64 {
        self.buckets.iter().map(|bucket| bucket.load(Ordering::Relaxed)).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_observation_falls_under_its_bound() {
        for us in [0, 1, 64, 65, 128, 129, 1_000, 70_000_000] {
            let histogram = Histogram::default();
            histogram.record(Duration::from_micros(us));
            let (bound, _) = histogram.cumulative().find(|(_, count)| *count == 1).expect("counted");
            let seconds = us as f64 / 1e6;
            assert!(seconds <= bound && (bound <= 64e-6 || bound.is_infinite() || seconds > bound / 2.0), "{us} in {bound}");
        }
    }
}
