//! What the broker counts. Counting is a relaxed atomic add and never a lock; `render` makes the
//! Prometheus text of it. Names are declared once, in `table`.
mod disk;
mod histogram;
mod requests;
mod table;
mod text;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

pub use disk::Metered;
pub use histogram::Histogram;
pub use requests::Requests;
pub use table::{METRICS, Metric, MetricKind, named};
pub use text::Text;

/// A number that only grows.
#[derive(Default)]
pub struct Counter(AtomicU64);

impl Counter {
    pub fn add(&self, n: u64) {
        self.0.fetch_add(n, Ordering::Relaxed);
    }
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

#[derive(Default)]
pub struct Connections {
    opened: Counter,
    closed: Counter,
}

impl Connections {
    pub fn opened(&self) {
        self.opened.add(1);
    }
    pub fn closed(&self) {
        self.closed.add(1);
    }
    pub fn open_now(&self) -> u64 {
        // Read in this order: a connection that closes in between is not counted below zero.
        let closed = self.closed.get();
        self.opened.get().saturating_sub(closed)
    }
}

/// A number that goes up and down.
#[derive(Default)]
pub struct Gauge(AtomicU64);

impl Gauge {
    pub fn add(&self, n: usize) {
        self.0.fetch_add(n as u64, Ordering::Relaxed);
    }
    /// Never more than was added.
    pub fn sub(&self, n: usize) {
        self.0.fetch_sub(n as u64, Ordering::Relaxed);
    }
    pub fn get(&self) -> usize {
        self.0.load(Ordering::Relaxed) as usize
    }
}

#[derive(Default)]
pub struct Metrics {
    pub requests: Requests,
    /// Bytes of requests that have begun and are not answered.
    pub queued_bytes: Gauge,
    /// Bytes of answers that clients have not taken yet.
    pub unsent_bytes: Gauge,
    pub connections: Connections,
    /// Bytes of accepted batches.
    pub produced_bytes: Counter,
    pub produced_records: Counter,
    /// Batches that were refused.
    pub produce_failures: Counter,
    /// Bytes of records handed to consumers.
    pub fetched_bytes: Counter,
    pub fetch_failures: Counter,
    /// Of the journal, of segments, of whatever else is made durable.
    pub fsync: Arc<Histogram>,
}

impl Metrics {
    /// All of it, in the Prometheus text format.
    pub fn render(&self, text: &mut Text) {
        self.requests.render(text);
        text.value("millrace_queued_request_bytes", &[], self.queued_bytes.get());
        text.value("millrace_unsent_response_bytes", &[], self.unsent_bytes.get());
        text.value("millrace_connections", &[], self.connections.open_now());
        text.value("millrace_connections_opened_total", &[], self.connections.opened.get());
        text.value("millrace_produced_bytes_total", &[], self.produced_bytes.get());
        text.value("millrace_produced_records_total", &[], self.produced_records.get());
        text.value("millrace_produce_failures_total", &[], self.produce_failures.get());
        text.value("millrace_fetched_bytes_total", &[], self.fetched_bytes.get());
        text.value("millrace_fetch_failures_total", &[], self.fetch_failures.get());
        text.histogram("millrace_fsync_seconds", &[], &self.fsync);
    }
}
