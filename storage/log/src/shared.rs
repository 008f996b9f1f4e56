//! What the writer publishes and readers see.
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use arc_swap::ArcSwap;
use millrace_record::Offset;
use parking_lot::RwLock;

use crate::epochs::Epochs;
use crate::segment::Segment;

/// Oldest first; never empty. The last one is active.
pub(crate) type Segments = Vec<Arc<Segment>>;

pub(crate) struct Shared {
    segments: ArcSwap<Segments>,
    start: AtomicI64,
    end: AtomicI64,
    /// Locked for a search or one more entry.
    pub epochs: RwLock<Epochs>,
}

impl Shared {
    pub fn new(segments: Segments, start: Offset, end: Offset, epochs: Epochs) -> Shared {
        assert!(!segments.is_empty(), "a log has an active segment");
        Shared {
            segments: ArcSwap::from_pointee(segments),
            start: AtomicI64::new(start.0),
            end: AtomicI64::new(end.0),
            epochs: RwLock::new(epochs),
        }
    }

    pub fn segments(&self) -> Arc<Segments> {
        self.segments.load_full()
    }

    pub fn set_segments(&self, segments: Segments) {
        assert!(!segments.is_empty(), "a log has an active segment");
        self.segments.store(Arc::new(segments));
    }

    pub fn start(&self) -> Offset {
        Offset(self.start.load(Ordering::Acquire))
    }

    pub fn set_start(&self, start: Offset) {
        self.start.store(start.0, Ordering::Release);
    }

    pub fn end(&self) -> Offset {
        Offset(self.end.load(Ordering::Acquire))
    }

    /// After the bytes are written and the segment knows of them.
    pub fn set_end(&self, end: Offset) {
        self.end.store(end.0, Ordering::Release);
    }
}
