//! Which partition a record goes to when the caller does not say: as Kafka's own producer.
//!
//! A key decides by murmur2; records without a key stay on one partition until about a batch is full, then move on.
use std::hash::{BuildHasher, Hasher};

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

    #[test]
    fn keyless_records_move_on_when_a_batch_is_full() {
        let mut sticky = Sticky { at: 0, bytes: 0 };
        let seen: Vec<i32> = (0..9).map(|_| sticky.next(10, 30, 3)).collect();
        assert_eq!(seen, [0, 0, 0, 1, 1, 1, 2, 2, 2]);
    }
}
