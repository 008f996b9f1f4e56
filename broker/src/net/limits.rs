use std::time::Duration;

/// What a listener allows its connections.
#[derive(Clone, Debug)]
pub struct Limits {
    /// `socket.request.max.bytes`
    pub request_bytes_max: i32,
    /// `connections.max.idle.ms`
    pub idle_max: Duration,
    /// `queued.max.request.bytes`, or a bound of our own where that is not set: bytes of all connections'
    /// requests under way. Above it a connection has one request under way at a time.
    pub queued_bytes_max: usize,
}

/// Requests of one connection that have an outcome but no answer yet. A driver with everything in
/// flight reaches hundreds; Kafka's own clients stay at five.
pub const PENDING_MAX: usize = 512;
/// Bytes of those requests. At least one request is always let in.
pub const PENDING_BYTES_MAX: usize = 64 << 20;
/// What `queued.max.request.bytes=-1`, Kafka's default, means here.
pub const QUEUED_BYTES_MAX: usize = 256 << 20;
/// Answered bytes that the client has not taken, above which no further request of it starts.
pub const OUTBOX_BYTES_MAX: usize = 4 << 20;
/// How long a connection whose client has said its last word waits for outcomes.
pub const HALF_CLOSED_MAX: Duration = Duration::from_secs(30);
/// What is read ahead while a request is being handled: enough for the next small ones, and for
/// noticing that the client has gone.
pub const READ_AHEAD_MAX: usize = 64 << 10;
/// How long outcomes may take when the node stops. Commits take milliseconds; whoever waits for news in
/// a long poll, or for others in a group, asks the next node.
pub const STOPPING_MAX: Duration = Duration::from_millis(1500);
