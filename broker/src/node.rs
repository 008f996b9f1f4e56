//! What a node consists of, and the order in which it comes up.
use std::sync::Arc;

use millrace_world::World;

use crate::metrics::Metrics;

/// The services that handlers use. One per process (per simulated node), shared behind an `Arc`.
pub struct Node {
    pub world: Arc<dyn World>,
    pub metrics: Metrics,
}
