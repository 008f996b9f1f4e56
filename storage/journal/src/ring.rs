//! The ring file: frames at growing positions, each stored at its position modulo the ring's size.
use std::io::IoSlice;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use millrace_world::File;

use crate::{FRAME_BYTES_MAX, JournalError};

pub(crate) const PAGE: u64 = 4096;
const MAGIC: u32 = u32::from_le_bytes(*b"MRJ1");
const HEADER: usize = 28;
static ZEROS: [u8; PAGE as usize] = [0; PAGE as usize];

pub(crate) struct Ring {
    pub file: Arc<dyn File>,
    pub path: PathBuf,
    pub id: u64,
    /// A multiple of `PAGE`.
    pub size: u64,
}

/// What stands at a position.
pub(crate) enum Found {
    Frame { payload: Bytes, next: u64 },
    /// Torn, old, or never written.
    Nothing,
}

pub(crate) fn frame_bytes(payload: usize) -> u64 {
    ((HEADER + payload) as u64).next_multiple_of(PAGE)
}

impl Ring {
    /// The biggest payload of one frame: four of them fit.
    pub fn frame_bytes_max(&self) -> usize {
        FRAME_BYTES_MAX.min((self.size / 4) as usize - HEADER)
    }

    /// Writes the frame, padded to whole pages. Not synced yet.
    pub fn write(&self, position: u64, sequence: u64, payload: &[u8]) -> Result<(), JournalError> {
        assert!(payload.len() <= self.frame_bytes_max(), "the caller keeps frames below the limit");
        assert!(position.is_multiple_of(PAGE));
        let mut header = [0; HEADER];
        header[0..4].copy_from_slice(&MAGIC.to_le_bytes());
        header[8..16].copy_from_slice(&self.id.to_le_bytes());
        header[16..24].copy_from_slice(&sequence.to_le_bytes());
        header[24..28].copy_from_slice(&(payload.len() as u32).to_le_bytes());
        let checksum = checksum(&header, payload);
        header[4..8].copy_from_slice(&checksum.to_le_bytes());

        let total = frame_bytes(payload.len());
        let padding = total as usize - HEADER - payload.len();
        let place = position % self.size;
        // The header never straddles the end: places are multiples of a page.
        let before_end = (self.size - place).min(total) as usize;
        let head = (before_end - HEADER).min(payload.len());
        let head_padding = before_end - HEADER - head;
        let parts = [IoSlice::new(&header), IoSlice::new(&payload[..head]), IoSlice::new(&ZEROS[..head_padding])];
        self.write_at(&parts, place)?;
        if (before_end as u64) < total {
            assert!(head_padding == 0 || head == payload.len());
            let parts = [IoSlice::new(&payload[head..]), IoSlice::new(&ZEROS[..padding - head_padding])];
            self.write_at(&parts, 0)?;
        }
        Ok(())
    }

    fn write_at(&self, parts: &[IoSlice<'_>], place: u64) -> Result<(), JournalError> {
        self.file.write_at(parts, place).map_err(|e| JournalError::io(&self.path, e))
    }

    pub fn sync(&self) -> Result<(), JournalError> {
        self.file.sync_data().map_err(|e| JournalError::io(&self.path, e))
    }

    /// The frame with this very sequence at this position, if it is whole.
    pub fn read(&self, position: u64, sequence: u64) -> Result<Found, JournalError> {
        let Some((found, length, checksum)) = self.header(position)? else { return Ok(Found::Nothing) };
        if found != sequence {
            return Ok(Found::Nothing);
        }
        self.body(position, sequence, length, checksum)
    }

    /// The sequence of a whole frame later than `sequence` that begins within the next frame's reach
    /// of `position`. Its presence proves that what should stand at `position` was acknowledged.
    pub fn later_frame(&self, position: u64, sequence: u64) -> Result<Option<u64>, JournalError> {
        let reach = (frame_bytes(self.frame_bytes_max()) + PAGE).min(self.size);
        let chunk_pages: u64 = 64;
        let mut chunk = vec![0; (chunk_pages * PAGE) as usize];
        let mut at = position + PAGE;
        while at < position + reach {
            let place = at % self.size;
            let length = (chunk_pages * PAGE).min(self.size - place).min(position + reach - at) as usize;
            self.read_exact(&mut chunk[..length], place)?;
            for page in (0..length).step_by(PAGE as usize) {
                let Some((found, length, checksum)) = self.parse(&chunk[page..page + HEADER]) else { continue };
                if found <= sequence || found - sequence > self.size / PAGE {
                    continue;
                }
                if let Found::Frame { .. } = self.body(at + page as u64, found, length, checksum)? {
                    return Ok(Some(found));
                }
            }
            at += length as u64;
        }
        Ok(None)
    }

    /// Whether any frame of any ring begins here: for a ring that should be fresh.
    pub fn looks_used(&self) -> Result<bool, JournalError> {
        let mut magic = [0; 4];
        self.read_exact(&mut magic, 0)?;
        Ok(magic == MAGIC.to_le_bytes())
    }

    fn header(&self, position: u64) -> Result<Option<(u64, usize, u32)>, JournalError> {
        let mut header = [0; HEADER];
        self.read_exact(&mut header, position % self.size)?;
        Ok(self.parse(&header))
    }

    fn parse(&self, header: &[u8]) -> Option<(u64, usize, u32)> {
        let u32_at = |at: usize| u32::from_le_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
        let u64_at = |at: usize| u64::from(u32_at(at)) | u64::from(u32_at(at + 4)) << 32;
        let length = u32_at(24) as usize;
        let ours = u32_at(0) == MAGIC && u64_at(8) == self.id && length <= self.frame_bytes_max();
        ours.then(|| (u64_at(16), length, u32_at(4)))
    }

    fn body(&self, position: u64, sequence: u64, length: usize, expected: u32) -> Result<Found, JournalError> {
        let place = position % self.size + HEADER as u64;
        let mut payload = BytesMut::zeroed(length);
        let head = ((self.size - place) as usize).min(length);
        self.read_exact(&mut payload[..head], place)?;
        if head < length {
            self.read_exact(&mut payload[head..], 0)?;
        }
        let mut header = [0; HEADER];
        header[8..16].copy_from_slice(&self.id.to_le_bytes());
        header[16..24].copy_from_slice(&sequence.to_le_bytes());
        header[24..28].copy_from_slice(&(length as u32).to_le_bytes());
        if checksum(&header, &payload) != expected {
            return Ok(Found::Nothing);
        }
        Ok(Found::Frame { payload: payload.freeze(), next: position + frame_bytes(length) })
    }

    fn read_exact(&self, into: &mut [u8], place: u64) -> Result<(), JournalError> {
        let read = self.file.read_at(into, place).map_err(|e| JournalError::io(&self.path, e))?;
        if read < into.len() {
            return Err(JournalError::corrupt(&self.path, format!("it is shorter than its {} bytes", self.size)));
        }
        Ok(())
    }
}

fn checksum(header: &[u8; HEADER], payload: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&header[8..]);
    hasher.update(payload);
    hasher.finalize()
}

pub(crate) fn ring_path(dir: &Path) -> PathBuf {
    dir.join("ring")
}
