use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use crate::{Disk, Moment};

pub type Task = Pin<Box<dyn Future<Output = ()> + Send + 'static>>;
pub type Sleep = Pin<Box<dyn Future<Output = ()> + Send + Sync + 'static>>;

/// What a node may ask of the outside. Shared by every part of it as `Arc<dyn World>`.
pub trait World: Send + Sync + 'static {
    /// The monotonic clock: for waiting and for measuring.
    fn now(&self) -> Moment;
    /// The wall clock, in milliseconds since the Unix epoch: for timestamps in records.
    fn wall_ms(&self) -> i64;
    /// 64 fresh random bits.
    fn random(&self) -> u64;
    /// Resolves at `deadline`, or at once if that is past.
    fn sleep_until(&self, deadline: Moment) -> Sleep;
    /// Runs a task beside the caller. Dropped with the world.
    fn spawn(&self, task: Task);
    fn disk(&self) -> Arc<dyn Disk>;
}
