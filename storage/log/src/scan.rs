//! Stepping over the frames of a segment file in order, a large read at a time.
use std::path::Path;
use std::sync::Arc;

use millrace_record::{Frame, PREFIX_LEN, Prefix, verify_crc};
use millrace_world::File;

use crate::LogError;

/// Bytes of the first read, which may be all that is wanted, and of those after some doublings. A larger
/// frame gets a larger one.
const CHUNK_FIRST: usize = 16 << 10;
const CHUNK_MAX: usize = 256 << 10;

/// Whether each frame's checksum is compared.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Crc {
    Verify,
    /// The bytes were verified since they were last read from the disk, or the reader will.
    Trust,
}

/// Reads `position..end`. Nothing beyond `end` is looked at, and no length is believed that leads there.
pub(crate) struct FrameScan<'a> {
    file: Arc<dyn File>,
    path: &'a Path,
    crc: Crc,
    /// Where the next frame begins.
    position: u64,
    end: u64,
    chunk: usize,
    buffer: Vec<u8>,
    buffer_at: u64,
    filled: usize,
}

/// A frame with its position and its bytes.
pub(crate) type Scanned<'a> = (u64, Frame<'a>, &'a [u8]);

/// Where and why frames stopped making sense.
#[derive(Debug)]
pub(crate) struct Broken {
    pub position: u64,
    pub why: String,
}

#[derive(Debug)]
pub(crate) enum ScanError {
    Broken(Broken),
    Log(LogError),
}

impl ScanError {
    /// For readers of bytes that must be whole.
    pub fn into_log_error(self, path: &Path) -> LogError {
        match self {
            ScanError::Broken(broken) => LogError::corrupt(path, broken.position, broken.why),
            ScanError::Log(error) => error,
        }
    }
}

impl<'a> FrameScan<'a> {
    pub fn new(file: Arc<dyn File>, path: &'a Path, position: u64, end: u64, crc: Crc) -> FrameScan<'a> {
        FrameScan { file, path, crc, position, end, chunk: CHUNK_FIRST, buffer: Vec::new(), buffer_at: position, filled: 0 }
    }

    pub fn position(&self) -> u64 {
        self.position
    }

    /// The next frame; `None` at the end.
    pub fn next(&mut self) -> Result<Option<Scanned<'_>>, ScanError> {
        if self.position >= self.end {
            return Ok(None);
        }
        let at = self.position;
        let broken = |why: String| ScanError::Broken(Broken { position: at, why });
        if !self.hold(PREFIX_LEN)? {
            return Err(broken("a frame's first bytes are cut off".into()));
        }
        let prefix = Prefix::parse(self.held(PREFIX_LEN)).map_err(|error| broken(error.to_string()))?;
        let len = prefix.frame_len();
        if len as u64 > self.end - at {
            return Err(broken(format!("a frame of {len} bytes, and {} are there", self.end - at)));
        }
        if !self.hold(len)? {
            return Err(broken("the file is shorter than it was".into()));
        }
        self.position += len as u64;
        let from = (at - self.buffer_at) as usize;
        let bytes = &self.buffer[from..from + len];
        if self.crc == Crc::Verify {
            verify_crc(bytes).map_err(|error| broken(error.to_string()))?;
        }
        let (frame, _) = Frame::parse(bytes).map_err(|error| broken(error.to_string()))?;
        Ok(Some((at, frame, bytes)))
    }

    fn held(&self, len: usize) -> &[u8] {
        let from = (self.position - self.buffer_at) as usize;
        &self.buffer[from..from + len]
    }

    /// Sees to it that `len` bytes from the position on are in the buffer; false if the file ends before.
    fn hold(&mut self, len: usize) -> Result<bool, ScanError> {
        let from = (self.position - self.buffer_at) as usize;
        if self.filled >= from + len {
            return Ok(true);
        }
        let kept = self.filled.saturating_sub(from);
        self.buffer.copy_within(self.filled - kept..self.filled, 0);
        self.buffer_at = self.position;
        let want = (len.max(self.chunk) as u64).min(self.end - self.position) as usize;
        self.chunk = (self.chunk * 2).min(CHUNK_MAX);
        if self.buffer.len() < want {
            self.buffer.resize(want, 0);
        }
        let read = self.file.read_at(&mut self.buffer[kept..want], self.position + kept as u64);
        self.filled = kept + read.map_err(|error| ScanError::Log(LogError::io("read", self.path)(error)))?;
        Ok(self.filled >= len)
    }
}
