//! Fetch (1), v4 to v18. Records leave as slices of what the log handed out.
mod request;
mod response;
#[cfg(test)]
mod tests;

pub use request::{FetchPartition, FetchRequest, FetchTopic, ForgottenTopic};
pub use response::{AbortedTransaction, DivergingEpoch, FetchResponse, PartitionData, TopicData};

const FLEXIBLE_FROM: i16 = 12;
const TOPIC_IDS_FROM: i16 = 13;
