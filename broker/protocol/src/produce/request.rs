use bytes::{Buf, BytesMut};

use super::{FLEXIBLE_FROM, TOPIC_IDS_FROM};
use crate::reader::{Malformed, Reader};
use crate::topic::TopicRef;

#[derive(Debug, PartialEq, Eq)]
pub struct ProduceRequest {
    pub transactional_id: Option<String>,
    pub acks: i16,
    pub timeout_ms: i32,
    pub topics: Vec<TopicData>,
}

#[derive(Debug, PartialEq, Eq)]
pub struct TopicData {
    pub topic: TopicRef,
    pub partitions: Vec<PartitionData>,
}

#[derive(Debug, PartialEq, Eq)]
pub struct PartitionData {
    pub index: i32,
    /// The batches as they came, in the frame's own memory. Null and empty are one.
    pub records: BytesMut,
}

impl ProduceRequest {
    /// Cuts the batches out of `body` without copying them.
    pub fn decode(mut body: BytesMut, version: i16) -> Result<ProduceRequest, Malformed> {
        let (mut request, lengths) = walk(&body, version)?;
        // Where the records lie; the walk went forward only, so cutting does too.
        let mut lengths = lengths.into_iter();
        let mut at = 0;
        for partition in request.topics.iter_mut().flat_map(|topic| &mut topic.partitions) {
            if let Some((start, len)) = lengths.next() {
                body.advance(start - at);
                partition.records = body.split_to(len);
                at = start + len;
            }
        }
        Ok(request)
    }
}

type Span = (usize, usize);

fn walk(body: &[u8], version: i16) -> Result<(ProduceRequest, Vec<Span>), Malformed> {
    let flexible = version >= FLEXIBLE_FROM;
    let mut reader = Reader::new(body);
    let mut spans = Vec::new();
    let transactional_id = reader.text(flexible)?.map(str::to_owned);
    let acks = reader.int16()?;
    let timeout_ms = reader.int32()?;
    let mut topics = Vec::new();
    for _ in 0..reader.count(flexible)?.ok_or(Malformed::Null)? {
        let topic = TopicRef::read(&mut reader, flexible, version >= TOPIC_IDS_FROM)?;
        let mut partitions = Vec::new();
        for _ in 0..reader.count(flexible)?.ok_or(Malformed::Null)? {
            let index = reader.int32()?;
            let len = reader.bytes(flexible)?.map_or(0, <[u8]>::len);
            spans.push((reader.position() - len, len));
            reader.skip_tagged(flexible)?;
            partitions.push(PartitionData { index, records: BytesMut::new() });
        }
        reader.skip_tagged(flexible)?;
        topics.push(TopicData { topic, partitions });
    }
    reader.skip_tagged(flexible)?;
    Ok((ProduceRequest { transactional_id, acks, timeout_ms, topics }, spans))
}
