//! Messages of the control plane: through `kafka-protocol`, behind the shape walk.
use bytes::{Bytes, BytesMut};
use kafka_protocol::protocol::{Decodable, Encodable, Message};

use crate::header::{self, Opening};
use crate::reader::Malformed;
use crate::shape::{self, Field};

/// Decodes a body whose every length has been checked first. A version newer than the codec is read as the
/// last that it knows: the table serves such a one only where nothing in the messages has changed.
pub fn decode<M: Decodable + Message>(
    shape: &[Field],
    body: &mut Bytes,
    version: i16,
    flexible: bool,
) -> Result<M, Malformed> {
    shape::check(shape, version, flexible, body)?;
    M::decode(body, version.min(M::VERSIONS.max)).map_err(|_| Malformed::Undecodable)
}

/// A response that this version cannot carry: a handler's mistake, never the client's.
#[derive(Debug, thiserror::Error)]
#[error("response of api {api_key} v{api_version} does not encode: {reason}")]
pub struct Unencodable {
    api_key: i16,
    api_version: i16,
    reason: String,
}

impl Unencodable {
    pub(crate) fn new(opening: &Opening, reason: String) -> Unencodable {
        Unencodable { api_key: opening.api_key, api_version: opening.api_version, reason }
    }
}

/// A whole response frame, length field included.
pub fn encode<M: Encodable + Message>(opening: &Opening, flexible: bool, message: &M) -> Result<Bytes, Unencodable> {
    encode_as(opening, flexible, message, opening.api_version.min(M::VERSIONS.max))
}

/// The same, with the body of another version than was asked for (ApiVersions' refusal is always v0).
pub fn encode_as<M: Encodable>(
    opening: &Opening,
    flexible: bool,
    message: &M,
    version: i16,
) -> Result<Bytes, Unencodable> {
    let refuse = |reason: String| Unencodable::new(opening, reason);
    let size = message.compute_size(version).map_err(|error| refuse(error.to_string()))?;
    let mut out = BytesMut::with_capacity(size + 9);
    header::begin_response(&mut out, opening, flexible);
    message.encode(&mut out, version).map_err(|error| refuse(error.to_string()))?;
    header::finish_response(&mut out, 0).ok_or_else(|| refuse("longer than a frame".to_owned()))?;
    Ok(out.freeze())
}
