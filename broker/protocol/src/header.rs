//! Request headers v1 and v2, and the response headers v0 and v1.
use bytes::{BufMut, BytesMut};

use crate::reader::{Malformed, Reader};

/// ApiVersions: the one API whose response header never became flexible, so that a client can read
/// the answer before it knows what the broker speaks.
pub const API_VERSIONS_KEY: i16 = 18;

/// What every request begins with, whatever its header's version.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Opening {
    pub api_key: i16,
    pub api_version: i16,
    pub correlation_id: i32,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RequestHeader<'a> {
    pub opening: Opening,
    pub client_id: Option<&'a str>,
    /// Where the body begins in the frame.
    pub body_at: usize,
}

/// Reads the eight bytes that tell which header version follows.
pub fn opening(frame: &[u8]) -> Result<Opening, Malformed> {
    let mut reader = Reader::new(frame);
    Ok(Opening { api_key: reader.int16()?, api_version: reader.int16()?, correlation_id: reader.int32()? })
}

/// Reads the whole header. The client id keeps its int16 length even in the flexible header.
pub fn request(frame: &[u8], flexible: bool) -> Result<RequestHeader<'_>, Malformed> {
    let mut reader = Reader::new(frame);
    let opening =
        Opening { api_key: reader.int16()?, api_version: reader.int16()?, correlation_id: reader.int32()? };
    let client_id = reader.text(false)?;
    reader.skip_tagged(flexible)?;
    Ok(RequestHeader { opening, client_id, body_at: reader.position() })
}

/// Writes a response header behind a length field that `finish` fills in.
pub fn begin_response(out: &mut BytesMut, opening: &Opening, flexible: bool) {
    out.put_i32(0);
    out.put_i32(opening.correlation_id);
    if flexible && opening.api_key != API_VERSIONS_KEY {
        out.put_u8(0);
    }
}

/// Fills in the length of a frame that began in `out` and goes on for `beyond` bytes in other buffers.
/// `None` if that is more than a frame can say.
pub fn finish_response(out: &mut BytesMut, beyond: usize) -> Option<()> {
    let len = i32::try_from((out.len() - 4).checked_add(beyond)?).ok()?;
    out[..4].copy_from_slice(&len.to_be_bytes());
    Some(())
}
