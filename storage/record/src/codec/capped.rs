//! Reading a decompressor to its end, but no further than a cap.
use std::io::Read;

use super::Codec;
use crate::BatchError;

/// What is added to the buffer at a time: small batches do not pay for large ones.
const STEP: usize = 32 << 10;

/// Appends all that `source` gives to `out`; stops with an error one byte behind `bytes_max`.
pub(super) fn read_to_end(mut source: impl Read, codec: Codec, bytes_max: usize, out: &mut Vec<u8>) -> Result<(), BatchError> {
    let start = out.len();
    let mut len = start;
    loop {
        if len - start > bytes_max {
            return Err(BatchError::TooLarge { cap: bytes_max });
        }
        if out.len() == len {
            // Doubling, but never far beyond the cap: the one byte more is how an overrun shows.
            let room = STEP.max(len - start).min((bytes_max - (len - start)).saturating_add(1));
            out.resize(len + room, 0);
        }
        match source.read(&mut out[len..]) {
            Ok(0) => {
                out.truncate(len);
                return Ok(());
            }
            Ok(count) => len += count,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(codec.undecodable(error)),
        }
    }
}
