//! Bounded waits.
use std::time::{Duration, Instant};

/// Asks `ready` every 20 ms until it gives something, and fails the test after `limit` with what was awaited.
#[track_caller]
pub fn wait_for<T>(what: &str, limit: Duration, mut ready: impl FnMut() -> Option<T>) -> T {
    let until = Instant::now() + limit;
    loop {
        if let Some(found) = ready() {
            return found;
        }
        assert!(Instant::now() < until, "{what} did not happen within {limit:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[should_panic(expected = "the moon did not happen within 50ms")]
    fn a_wait_ends_and_says_for_what() {
        wait_for("the moon", Duration::from_millis(50), || None::<()>);
    }
}
