use super::{FLEXIBLE_FROM, TOPIC_IDS_FROM};
use crate::reader::{Malformed, Reader};
use crate::topic::TopicRef;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FetchRequest {
    /// -1 for consumers.
    pub replica_id: i32,
    pub max_wait_ms: i32,
    pub min_bytes: i32,
    pub max_bytes: i32,
    /// 1 = read_committed.
    pub isolation_level: i8,
    /// 0 where there is no session.
    pub session_id: i32,
    /// -1 = without a session, or the end of one; 0 = a new one.
    pub session_epoch: i32,
    pub topics: Vec<FetchTopic>,
    pub forgotten: Vec<ForgottenTopic>,
    pub rack_id: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FetchTopic {
    pub topic: TopicRef,
    pub partitions: Vec<FetchPartition>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FetchPartition {
    pub index: i32,
    /// -1 where the client does not know it.
    pub current_leader_epoch: i32,
    pub fetch_offset: i64,
    /// -1 where nothing was fetched before.
    pub last_fetched_epoch: i32,
    pub max_bytes: i32,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForgottenTopic {
    pub topic: TopicRef,
    pub partitions: Vec<i32>,
}

impl FetchRequest {
    pub fn decode(body: &[u8], version: i16) -> Result<FetchRequest, Malformed> {
        let flexible = version >= FLEXIBLE_FROM;
        let by_id = version >= TOPIC_IDS_FROM;
        let mut reader = Reader::new(body);
        let mut replica_id = if version <= 14 { reader.int32()? } else { -1 };
        let max_wait_ms = reader.int32()?;
        let min_bytes = reader.int32()?;
        let max_bytes = reader.int32()?;
        let isolation_level = reader.int8()?;
        let (session_id, session_epoch) =
            if version >= 7 { (reader.int32()?, reader.int32()?) } else { (0, -1) };
        let mut topics = Vec::new();
        for _ in 0..reader.count(flexible)?.ok_or(Malformed::Null)? {
            topics.push(topic(&mut reader, version)?);
        }
        let mut forgotten = Vec::new();
        if version >= 7 {
            for _ in 0..reader.count(flexible)?.ok_or(Malformed::Null)? {
                let topic = TopicRef::read(&mut reader, flexible, by_id)?;
                let mut partitions = Vec::new();
                for _ in 0..reader.count(flexible)?.ok_or(Malformed::Null)? {
                    partitions.push(reader.int32()?);
                }
                reader.skip_tagged(flexible)?;
                forgotten.push(ForgottenTopic { topic, partitions });
            }
        }
        let rack_id = if version >= 11 { reader.text(flexible)?.unwrap_or_default().to_owned() } else { String::new() };
        if flexible {
            reader.tagged(|tag, value, _| {
                // ReplicaState (v15+), where followers say who they are.
                if tag == 1 && version >= 15 {
                    replica_id = Reader::new(value).int32()?;
                }
                Ok(())
            })?;
        }
        Ok(FetchRequest {
            replica_id,
            max_wait_ms,
            min_bytes,
            max_bytes,
            isolation_level,
            session_id,
            session_epoch,
            topics,
            forgotten,
            rack_id,
        })
    }
}

fn topic(reader: &mut Reader<'_>, version: i16) -> Result<FetchTopic, Malformed> {
    let flexible = version >= FLEXIBLE_FROM;
    let topic = TopicRef::read(reader, flexible, version >= TOPIC_IDS_FROM)?;
    let mut partitions = Vec::new();
    for _ in 0..reader.count(flexible)?.ok_or(Malformed::Null)? {
        let index = reader.int32()?;
        let current_leader_epoch = if version >= 9 { reader.int32()? } else { -1 };
        let fetch_offset = reader.int64()?;
        let last_fetched_epoch = if version >= 12 { reader.int32()? } else { -1 };
        if version >= 5 {
            // A follower's log start; consumers send -1.
            reader.int64()?;
        }
        let max_bytes = reader.int32()?;
        reader.skip_tagged(flexible)?;
        partitions.push(FetchPartition { index, current_leader_epoch, fetch_offset, last_fetched_epoch, max_bytes });
    }
    reader.skip_tagged(flexible)?;
    Ok(FetchTopic { topic, partitions })
}
