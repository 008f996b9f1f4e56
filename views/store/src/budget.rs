//! Memory for resident rows, shared by all stores of a node: each that is open has as much of it as any other.
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

pub struct RowBudget {
    bytes: usize,
    stores: AtomicUsize,
}

impl RowBudget {
    pub fn new(bytes: usize) -> Arc<RowBudget> {
        Arc::new(RowBudget { bytes, stores: AtomicUsize::new(0) })
    }

    pub(crate) fn join(&self) {
        self.stores.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn leave(&self) {
        self.stores.fetch_sub(1, Ordering::Relaxed);
    }

    pub(crate) fn share(&self) -> usize {
        self.bytes / self.stores.load(Ordering::Relaxed).max(1)
    }
}
