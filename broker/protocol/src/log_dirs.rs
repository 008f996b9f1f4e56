//! The answer of DescribeLogDirs up to version 5, which the generated codec does not know: every folder
//! then also says whether it takes no new partitions (KIP-1066). Ours always take them.
use bytes::{BufMut, Bytes, BytesMut};
use kafka_protocol::messages::DescribeLogDirsResponse;
use kafka_protocol::protocol::{Encodable, Message};

use crate::control::{self, Unencodable};
use crate::header::{self, Opening};
use crate::writer::Writer;

/// A whole response frame, length field included.
pub fn encode(opening: &Opening, flexible: bool, response: &DescribeLogDirsResponse) -> Result<Bytes, Unencodable> {
    let known = DescribeLogDirsResponse::VERSIONS.max;
    if opening.api_version <= known {
        return control::encode(opening, flexible, response);
    }
    let refuse = |reason: String| Unencodable::new(opening, reason);
    let mut out = BytesMut::new();
    header::begin_response(&mut out, opening, flexible);
    out.put_i32(response.throttle_time_ms);
    out.put_i16(response.error_code);
    Writer { out: &mut out, flexible }.count(response.results.len());
    for folder in &response.results {
        // In the last version that the codec knows it ends with an empty section of tags, which is the very
        // byte of "not cordoned"; the section of tags follows.
        folder.encode(&mut out, known).map_err(|error| refuse(error.to_string()))?;
        out.put_u8(0);
    }
    out.put_u8(0);
    header::finish_response(&mut out, 0).ok_or_else(|| refuse("longer than a frame".to_owned()))?;
    Ok(out.freeze())
}
