//! Waiting for watermarks without polling. A waiter owns one [`Bell`] and hangs it on as many
//! partitions as it likes; any of them that moves rings it. It then looks for itself: a ring says
//! "something moved", never what, so one that comes too often costs a look and nothing else.
//!
//! Invariant: whoever hangs its bell first and looks second misses nothing, because a partition
//! publishes its watermark before it rings.
use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Poll, Waker};

use parking_lot::Mutex;

#[derive(Clone, Default)]
pub struct Bell(Arc<Rung>);

#[derive(Default)]
struct Rung {
    rung: AtomicBool,
    waker: Mutex<Option<Waker>>,
}

impl Bell {
    pub fn new() -> Self {
        Bell::default()
    }

    /// Waits until it rings, and silences it again. For one waiter at a time.
    pub async fn rung(&self) {
        poll_fn(|context| {
            if self.0.rung.swap(false, Ordering::AcqRel) {
                return Poll::Ready(());
            }
            *self.0.waker.lock() = Some(context.waker().clone());
            // Rung between the look and the registration?
            if self.0.rung.swap(false, Ordering::AcqRel) {
                return Poll::Ready(());
            }
            Poll::Pending
        })
        .await;
    }

    /// For those who want to stop a waiter by hand.
    pub fn ring(&self) {
        if !self.0.rung.swap(true, Ordering::AcqRel) {
            let waker = self.0.waker.lock().take();
            if let Some(waker) = waker {
                waker.wake();
            }
        }
    }
}

/// The place of one partition where bells hang.
#[derive(Default)]
pub(crate) struct BellRope {
    /// How many hang here; spares the shard the lock where nobody waits.
    count: AtomicUsize,
    bells: Mutex<Vec<(u64, Bell)>>,
}

/// A bell hangs for as long as this lives.
pub struct BellHook {
    rope: Arc<BellRope>,
    number: u64,
}

impl BellRope {
    pub fn hang(self: &Arc<Self>, bell: &Bell) -> BellHook {
        let mut bells = self.bells.lock();
        let number = bells.last().map_or(0, |(last, _)| last + 1);
        bells.push((number, bell.clone()));
        self.count.store(bells.len(), Ordering::SeqCst);
        BellHook { rope: self.clone(), number }
    }

    pub fn pull(&self) {
        if self.count.load(Ordering::SeqCst) == 0 {
            return;
        }
        for (_, bell) in self.bells.lock().iter() {
            bell.ring();
        }
    }
}

impl Drop for BellHook {
    fn drop(&mut self) {
        let mut bells = self.rope.bells.lock();
        bells.retain(|(number, _)| *number != self.number);
        self.rope.count.store(bells.len(), Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[test]
    fn rings_once_for_many_pulls_and_from_any_rope() {
        let (left, right) = (Arc::new(BellRope::default()), Arc::new(BellRope::default()));
        let bell = Bell::new();
        let _left = left.hang(&bell);
        let _right = right.hang(&bell);
        assert!(bell.rung().now_or_never().is_none());
        left.pull();
        right.pull();
        assert!(bell.rung().now_or_never().is_some());
        assert!(bell.rung().now_or_never().is_none());
        right.pull();
        assert!(bell.rung().now_or_never().is_some());
    }

    #[test]
    fn an_unhooked_bell_is_silent() {
        let rope = Arc::new(BellRope::default());
        let (first, second) = (Bell::new(), Bell::new());
        let first_hook = rope.hang(&first);
        let _second_hook = rope.hang(&second);
        drop(first_hook);
        rope.pull();
        assert!(first.rung().now_or_never().is_none());
        assert!(second.rung().now_or_never().is_some());
        assert_eq!(rope.count.load(Ordering::SeqCst), 1);
    }
}
