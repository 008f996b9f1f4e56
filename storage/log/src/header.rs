//! The internal frame at the start of every segment file: whose it is and where it lies in the log.
//!
//! ```text
//! payload: version u8 (1) | flags u8 (1 = cleaned) | identity u128 | base offset i64 | first index u64
//!        | previous term i32 | generation u32 | end offset i64 | last index u64   (the last two: cleaned only)
//! ```
//! `first index + ordinal` is a frame's index in the replicated log, as long as the segment is not cleaned.
use bytes::{Buf, BufMut, Bytes};
use millrace_record::{Epoch, InternalFrame, InternalKind, Offset, internal_frame, verify_crc};

use crate::index::Summary;

const VERSION: u8 = 1;
const CLEANED: u8 = 1;
const PAYLOAD_LEN: usize = 2 + 16 + 8 + 8 + 4 + 4 + 8 + 8;
/// Where a segment's first entry begins.
pub(crate) const SEGMENT_HEADER_LEN: u64 = 22 + PAYLOAD_LEN as u64;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct SegmentHeader {
    pub identity: u128,
    pub base_offset: Offset,
    pub first_index: u64,
    /// The term of the entry before the first.
    pub previous_term: Epoch,
    /// How often the segment was rewritten; with the base offset it tells one file's index from another's.
    pub generation: u32,
    pub cleaned: Option<CleanedTo>,
}

/// What a cleaned segment stands for, since its frames no longer tell.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct CleanedTo {
    pub end_offset: Offset,
    pub last_index: u64,
}

impl SegmentHeader {
    pub fn encode(&self) -> Bytes {
        let mut payload = Vec::with_capacity(PAYLOAD_LEN);
        payload.put_u8(VERSION);
        payload.put_u8(if self.cleaned.is_some() { CLEANED } else { 0 });
        payload.put_u128(self.identity);
        payload.put_i64(self.base_offset.0);
        payload.put_u64(self.first_index);
        payload.put_i32(self.previous_term.0);
        payload.put_u32(self.generation);
        let to = self.cleaned.unwrap_or(CleanedTo { end_offset: Offset(0), last_index: 0 });
        payload.put_i64(to.end_offset.0);
        payload.put_u64(to.last_index);
        internal_frame(InternalKind::SegmentHeader, self.base_offset, self.previous_term, &payload).freeze()
    }

    /// The header of an uncleaned segment, as its index file vouches for it; a cleaned one says more.
    pub fn from_summary(summary: &Summary) -> Option<SegmentHeader> {
        (summary.generation == 0).then_some(SegmentHeader {
            identity: summary.identity,
            base_offset: summary.base_offset,
            first_index: summary.first_index,
            previous_term: summary.previous_term,
            generation: 0,
            cleaned: None,
        })
    }

    /// Reads and checks the first bytes of a segment file.
    pub fn decode(front: &[u8]) -> Result<SegmentHeader, String> {
        let frame = front.get(..SEGMENT_HEADER_LEN as usize).ok_or("the segment's header is cut off")?;
        verify_crc(frame).map_err(|error| error.to_string())?;
        let frame = InternalFrame::parse(frame).map_err(|error| error.to_string())?;
        if frame.kind != InternalKind::SegmentHeader || frame.payload.len() != PAYLOAD_LEN {
            return Err("the first frame is no segment header".into());
        }
        let mut payload = frame.payload;
        let version = payload.get_u8();
        if version != VERSION {
            return Err(format!("segment format {version}, which this version does not know"));
        }
        let flags = payload.get_u8();
        let header = SegmentHeader {
            identity: payload.get_u128(),
            base_offset: Offset(payload.get_i64()),
            first_index: payload.get_u64(),
            previous_term: Epoch(payload.get_i32()),
            generation: payload.get_u32(),
            cleaned: Some(CleanedTo { end_offset: Offset(payload.get_i64()), last_index: payload.get_u64() })
                .filter(|_| flags & CLEANED != 0),
        };
        Ok(header)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_back_and_notices_every_flipped_bit() {
        let mut header = SegmentHeader {
            identity: 7 << 100,
            base_offset: Offset(500),
            first_index: 40,
            previous_term: Epoch(3),
            generation: 2,
            cleaned: None,
        };
        assert_eq!(header.encode().len() as u64, SEGMENT_HEADER_LEN);
        assert_eq!(SegmentHeader::decode(&header.encode()), Ok(header));
        header.cleaned = Some(CleanedTo { end_offset: Offset(600), last_index: 90 });
        let bytes = header.encode();
        assert_eq!(SegmentHeader::decode(&bytes), Ok(header));
        // Outside the checksum lie only the stamped copies of base offset and term, which nobody reads.
        for at in (8..12).chain(16..bytes.len()) {
            let mut broken = bytes.to_vec();
            broken[at] ^= 4;
            assert!(SegmentHeader::decode(&broken).is_err(), "a flip at {at}");
        }
    }
}
