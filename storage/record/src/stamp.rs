//! The few bytes of a finished batch that a broker writes, and the checksum that guards the rest.
use crate::header::{self, Attributes, CRC_END, HEADER_LEN, MAGIC_BATCH, PREFIX_LEN, Prefix, TimestampType};
use crate::{BatchError, Epoch, Offset};

/// CRC-32C over all that follows the CRC field. `frame` is one whole batch or internal frame.
pub fn compute_crc(frame: &[u8]) -> u32 {
    crc32c::crc32c(&frame[CRC_END..])
}

/// Checks that `frame` is exactly one batch or internal frame and that its checksum holds.
pub fn verify_crc(frame: &[u8]) -> Result<(), BatchError> {
    let prefix = Prefix::parse(frame)?;
    if prefix.frame_len() != frame.len() {
        return Err(BatchError::TooShort { need: prefix.frame_len(), have: frame.len() });
    }
    let stored = header::i32_at(frame, PREFIX_LEN) as u32;
    let computed = compute_crc(frame);
    if stored == computed { Ok(()) } else { Err(BatchError::BadCrc { stored, computed }) }
}

/// Gives a batch or internal frame its place in the log. Both fields lie outside the checksum.
///
/// # Panics
/// If `frame` is shorter than a frame's prefix: callers hold a parsed frame.
pub fn stamp(frame: &mut [u8], base_offset: Offset, epoch: Epoch) {
    frame[0..8].copy_from_slice(&base_offset.0.to_be_bytes());
    frame[12..16].copy_from_slice(&epoch.0.to_be_bytes());
}

/// Makes `ms` the time of all records of the batch (LogAppendTime) and renews the checksum.
pub fn stamp_append_time(batch: &mut [u8], ms: i64) {
    set_max_timestamp(batch, TimestampType::LogAppend, ms);
}

/// Sets the timestamp type and the max timestamp; renews the checksum only if something changed.
///
/// # Panics
/// If `batch` is shorter than a batch header: callers hold a parsed batch.
pub fn set_max_timestamp(batch: &mut [u8], kind: TimestampType, ms: i64) {
    let attributes = Attributes(header::i16_at(batch, 21));
    let wanted = attributes.with_timestamp_type(kind);
    if attributes == wanted && header::i64_at(batch, 35) == ms {
        return;
    }
    batch[21..23].copy_from_slice(&wanted.0.to_be_bytes());
    batch[35..43].copy_from_slice(&ms.to_be_bytes());
    renew_crc(batch);
}

pub(crate) fn renew_crc(frame: &mut [u8]) {
    debug_assert!(frame[16] as i8 != MAGIC_BATCH || frame.len() >= HEADER_LEN);
    let crc = compute_crc(frame);
    frame[PREFIX_LEN..CRC_END].copy_from_slice(&crc.to_be_bytes());
}
