//! Topics that clients made by asking for them, while they are new.
//!
//! Kafka makes such a topic behind the client's back: Metadata says that it has no leader until the client has
//! asked again, a retry's pause later. Clients are built around that pause, and records with a shorter time
//! limit run out of it (rust-rdkafka's tests count on it). The topic itself can be written to at once.
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use millrace_world::Moment;

/// What clients wait before they ask again.
const PAUSE: Duration = Duration::from_millis(100);

/// Holds a name for no longer than the pause.
#[derive(Default)]
pub struct FreshTopics(Mutex<Vec<(String, Moment)>>);

impl FreshTopics {
    pub fn add(&self, name: String, now: Moment) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push((name, now));
    }

    /// The names that are still new.
    pub fn at(&self, now: Moment) -> Vec<String> {
        let mut fresh = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        fresh.retain(|(_, made)| now < *made + PAUSE);
        fresh.iter().map(|(name, _)| name.clone()).collect()
    }
}
