//! A frame: an int32 length, then that many bytes.
use bytes::Bytes;

/// The int32 before every frame.
pub const LENGTH_BYTES: usize = 4;

#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum FrameError {
    #[error("a frame announces a negative length ({0})")]
    Negative(i32),
    #[error("a frame of {len} bytes is above socket.request.max.bytes ({max})")]
    TooLarge { len: i32, max: i32 },
}

/// How long the frame at the head of `buffered` is, without its length field; `None` until that is known.
pub fn length(buffered: &[u8], max: i32) -> Result<Option<usize>, FrameError> {
    let Some((head, _)) = buffered.split_first_chunk::<LENGTH_BYTES>() else { return Ok(None) };
    let len = i32::from_be_bytes(*head);
    match usize::try_from(len) {
        Err(_) => Err(FrameError::Negative(len)),
        Ok(_) if len > max => Err(FrameError::TooLarge { len, max }),
        Ok(len) => Ok(Some(len)),
    }
}

/// A response on its way out: small buffers of our own between slices of the log.
#[derive(Clone, Default, Debug)]
pub struct Frame {
    pub parts: Vec<Bytes>,
}

impl Frame {
    pub fn len(&self) -> usize {
        self.parts.iter().map(Bytes::len).sum()
    }
    pub fn is_empty(&self) -> bool {
        self.parts.iter().all(Bytes::is_empty)
    }
}

impl From<Bytes> for Frame {
    fn from(whole: Bytes) -> Frame {
        Frame { parts: vec![whole] }
    }
}
