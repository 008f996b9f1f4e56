/// What the broker's configs say about groups. Times in milliseconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CoordinatorConfig {
    pub initial_rebalance_delay_ms: i64,
    pub session_timeout_min_ms: i32,
    pub session_timeout_max_ms: i32,
    /// The most members of a group.
    pub group_size_max: usize,
    pub offset_metadata_bytes_max: usize,
    /// The most that one commit may add to the log, in bytes.
    pub commit_bytes_max: usize,
    pub offsets_retention_ms: i64,
    pub expiry_interval_ms: i64,
}

impl CoordinatorConfig {
    /// How long a new member may wait for its first rebalance before it is taken for gone. A constant
    /// in Kafka, too.
    pub(crate) const NEW_MEMBER_JOIN_TIMEOUT_MS: i64 = 300_000;

    /// More protocols than any client has; choosing one compares every member's with every other's.
    pub(crate) const PROTOCOLS_MAX: usize = 100;
}
