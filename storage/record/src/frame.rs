//! What a log file holds: a row of frames, each a batch of clients or an internal frame of ours.
//!
//! An internal frame has a batch's prefix (so one walker steps over both), magic 100, a CRC-32C in a
//! batch's place, then a kind byte and a payload. It takes up no offset: its base offset is the offset
//! of the next record.
use bytes::{BufMut, Bytes, BytesMut};

use crate::header::{CRC_END, LENGTH_END, MAGIC_BATCH, MAGIC_INTERNAL, Prefix};
use crate::{BatchError, BatchHeader, Epoch, Offset, stamp};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum InternalKind {
    /// First frame of a segment file; not an entry of the replicated log.
    SegmentHeader = 1,
    /// A new leader's first entry.
    NoOp = 2,
    /// A change of the replica set.
    Membership = 3,
    /// The log's start moves up to the offset in the payload.
    Trim = 4,
    /// A list of the segments that an object store holds.
    TierManifest = 5,
}

impl InternalKind {
    fn from_byte(byte: u8) -> Result<InternalKind, BatchError> {
        Ok(match byte {
            1 => InternalKind::SegmentHeader,
            2 => InternalKind::NoOp,
            3 => InternalKind::Membership,
            4 => InternalKind::Trim,
            5 => InternalKind::TierManifest,
            other => return Err(BatchError::UnknownKind(other)),
        })
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct InternalFrame<'a> {
    pub base_offset: Offset,
    pub epoch: Epoch,
    pub kind: InternalKind,
    pub payload: &'a [u8],
}

impl<'a> InternalFrame<'a> {
    /// Reads a whole internal frame. The checksum is not verified here.
    pub fn parse(frame: &'a [u8]) -> Result<InternalFrame<'a>, BatchError> {
        let prefix = Prefix::parse(frame)?;
        if prefix.magic != MAGIC_INTERNAL {
            return Err(BatchError::BadMagic(prefix.magic));
        }
        if frame.len() != prefix.frame_len() {
            return Err(BatchError::TooShort { need: prefix.frame_len(), have: frame.len() });
        }
        Ok(InternalFrame {
            base_offset: prefix.base_offset,
            epoch: prefix.epoch,
            kind: InternalKind::from_byte(frame[CRC_END])?,
            payload: &frame[CRC_END + 1..],
        })
    }

    /// The offset in a `Trim` frame.
    pub fn trim_to(&self) -> Result<Offset, BatchError> {
        match (self.kind, <[u8; 8]>::try_from(self.payload)) {
            (InternalKind::Trim, Ok(bytes)) => Ok(Offset(i64::from_be_bytes(bytes))),
            _ => Err(BatchError::BadPayload("not a trim to one offset")),
        }
    }
}

/// Builds an internal frame; `stamp` may still move it.
///
/// # Panics
/// If the payload is longer than a length field can say.
pub fn internal_frame(kind: InternalKind, base_offset: Offset, epoch: Epoch, payload: &[u8]) -> BytesMut {
    let length = CRC_END + 1 + payload.len() - LENGTH_END;
    let mut frame = BytesMut::with_capacity(LENGTH_END + length);
    frame.put_i64(base_offset.0);
    frame.put_i32(i32::try_from(length).expect("an internal payload fits a frame"));
    frame.put_i32(epoch.0);
    frame.put_i8(MAGIC_INTERNAL);
    frame.put_u32(0);
    frame.put_u8(kind as u8);
    frame.put_slice(payload);
    stamp::renew_crc(&mut frame);
    frame
}

/// A `Trim` entry: the log starts at `to` once this is committed.
pub fn trim_frame(to: Offset) -> BytesMut {
    internal_frame(InternalKind::Trim, Offset::ZERO, Epoch(0), &to.0.to_be_bytes())
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Frame<'a> {
    Batch(BatchHeader, &'a [u8]),
    Internal(InternalFrame<'a>),
}

impl<'a> Frame<'a> {
    /// Reads the frame at the start of `bytes`; also says how many bytes it takes.
    pub fn parse(bytes: &'a [u8]) -> Result<(Frame<'a>, usize), BatchError> {
        let prefix = Prefix::parse(bytes)?;
        let len = prefix.frame_len();
        let frame = bytes.get(..len).ok_or(BatchError::TooShort { need: len, have: bytes.len() })?;
        let frame = match prefix.magic {
            MAGIC_BATCH => Frame::Batch(BatchHeader::parse(frame)?, frame),
            _ => Frame::Internal(InternalFrame::parse(frame)?),
        };
        Ok((frame, len))
    }

    pub fn base_offset(&self) -> Offset {
        match self {
            Frame::Batch(header, _) => header.base_offset,
            Frame::Internal(frame) => frame.base_offset,
        }
    }

    pub fn epoch(&self) -> Epoch {
        match self {
            Frame::Batch(header, _) => header.epoch,
            Frame::Internal(frame) => frame.epoch,
        }
    }
}

/// Steps over the whole batches in `bytes`; ends after the first error, which a partial batch is too.
pub fn split(bytes: &[u8]) -> impl Iterator<Item = Result<(BatchHeader, &[u8]), BatchError>> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let item = BatchHeader::parse(rest).and_then(|header| {
            let len = header.frame_len();
            let batch = rest.get(..len).ok_or(BatchError::TooShort { need: len, have: rest.len() })?;
            rest = &rest[len..];
            Ok((header, batch))
        });
        if item.is_err() {
            rest = &[];
        }
        Some(item)
    })
}

/// `split` for shared bytes: each batch is a slice of the same allocation.
pub fn split_bytes(bytes: Bytes) -> impl Iterator<Item = Result<(BatchHeader, Bytes), BatchError>> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let item = BatchHeader::parse(&rest).and_then(|header| {
            let len = header.frame_len();
            if rest.len() < len {
                return Err(BatchError::TooShort { need: len, have: rest.len() });
            }
            Ok((header, rest.split_to(len)))
        });
        if item.is_err() {
            rest.clear();
        }
        Some(item)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{stamp, verify_crc};

    #[test]
    fn internal_frames_can_be_stamped_and_keep_their_checksum() {
        let mut frame = trim_frame(Offset(41));
        stamp(&mut frame, Offset(99), Epoch(7));
        verify_crc(&frame).unwrap();
        let (Frame::Internal(read), len) = Frame::parse(&frame).unwrap() else { panic!("a batch?") };
        assert_eq!((read.base_offset, read.epoch, len), (Offset(99), Epoch(7), frame.len()));
        assert_eq!(read.trim_to(), Ok(Offset(41)));
        for at in CRC_END..frame.len() {
            let mut broken = frame.clone();
            broken[at] ^= 1;
            assert!(verify_crc(&broken).is_err(), "a flip at {at} is seen");
        }
    }

    #[test]
    fn an_unknown_kind_is_an_error() {
        let mut frame = internal_frame(InternalKind::NoOp, Offset(0), Epoch(0), b"");
        frame[CRC_END] = 200;
        assert_eq!(Frame::parse(&frame), Err(BatchError::UnknownKind(200)));
    }
}
