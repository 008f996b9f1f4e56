//! Running a decompressor to its end, but no further than a cap.
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
        make_room(out, len, start, bytes_max)?;
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

/// Sees to it that `out` goes on behind `len`. What was put there began at `start`; an error if that is
/// more than `bytes_max` already. The room doubles, but ends one byte behind the cap: that byte is how an
/// overrun shows.
pub(super) fn make_room(out: &mut Vec<u8>, len: usize, start: usize, bytes_max: usize) -> Result<(), BatchError> {
    let done = len - start;
    if done > bytes_max {
        return Err(BatchError::TooLarge { cap: bytes_max });
    }
    if out.len() == len {
        let room = STEP.max(done).min((bytes_max - done).saturating_add(1));
        out.resize(len + room, 0);
    }
    Ok(())
}
