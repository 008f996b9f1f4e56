//! Produce (0), v3 to v13. Batches stay where the socket put them.
mod request;
mod response;
#[cfg(test)]
mod tests;

pub use request::{PartitionData, ProduceRequest, TopicData};
pub use response::{PartitionResponse, ProduceResponse, RecordError, TopicResponse};

const FLEXIBLE_FROM: i16 = 9;
const TOPIC_IDS_FROM: i16 = 13;
