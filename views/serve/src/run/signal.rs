//! Waiting for a condition that somebody else makes true.
use std::future::poll_fn;
use std::task::{Poll, Waker};

use parking_lot::Mutex;

/// Whoever changes what others wait for calls `notify` after the change; a waiter then looks again.
#[derive(Default)]
pub struct Signal(Mutex<Vec<Waker>>);

impl Signal {
    pub fn notify(&self) {
        let waiting = std::mem::take(&mut *self.0.lock());
        for waker in waiting {
            waker.wake();
        }
    }

    /// Waits until `look` finds something.
    pub async fn until<T>(&self, mut look: impl FnMut() -> Option<T>) -> T {
        poll_fn(|context| {
            if let Some(found) = look() {
                return Poll::Ready(found);
            }
            self.0.lock().push(context.waker().clone());
            // Changed between the look and the registration?
            match look() {
                Some(found) => Poll::Ready(found),
                None => Poll::Pending,
            }
        })
        .await
    }
}
