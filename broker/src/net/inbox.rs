//! Bytes as they arrive, and the frames in them.
use std::io;
use std::task::{Context, Poll, ready};

use bytes::{Buf, BytesMut};
use millrace_protocol::frame::{self, FrameError, LENGTH_BYTES};
use tokio::net::TcpStream;

/// Room for a read while no large frame is under way.
const READ_ROOM: usize = 64 << 10;
/// The most that is set aside on a client's word alone; beyond it, room follows the bytes received.
const TRUST_MAX: usize = 2 << 20;

pub struct Inbox {
    buffer: BytesMut,
    request_bytes_max: i32,
}

impl Inbox {
    pub fn new(request_bytes_max: i32) -> Inbox {
        Inbox { buffer: BytesMut::new(), request_bytes_max }
    }

    /// Bytes that no handler has seen yet.
    pub fn buffered(&self) -> usize {
        self.buffer.len()
    }

    /// Whether `next_frame` has something to say.
    pub fn holds_frame(&self) -> bool {
        match frame::length(&self.buffer, self.request_bytes_max) {
            Ok(Some(len)) => self.buffer.len() >= LENGTH_BYTES + len,
            Ok(None) => false,
            Err(_) => true,
        }
    }

    /// The next whole frame, without its length field, in memory that nobody else holds.
    pub fn next_frame(&mut self) -> Result<Option<BytesMut>, FrameError> {
        let Some(len) = frame::length(&self.buffer, self.request_bytes_max)? else { return Ok(None) };
        if self.buffer.len() < LENGTH_BYTES + len {
            return Ok(None);
        }
        self.buffer.advance(LENGTH_BYTES);
        Ok(Some(self.buffer.split_to(len)))
    }

    /// Takes in what the socket has. `Ok` says how many bytes came; 0 is the end.
    pub fn poll_fill(&mut self, stream: &TcpStream, task: &mut Context<'_>) -> Poll<io::Result<usize>> {
        loop {
            ready!(stream.poll_read_ready(task))?;
            self.make_room();
            match stream.try_read_buf(&mut self.buffer) {
                Ok(n) => return Poll::Ready(Ok(n)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }

    fn make_room(&mut self) {
        let have = self.buffer.len();
        // A length that is out of bounds is refused by `next_frame`; here it only asks for no room.
        let missing = match frame::length(&self.buffer, self.request_bytes_max) {
            Ok(Some(len)) => (LENGTH_BYTES + len).saturating_sub(have),
            Ok(None) | Err(_) => 0,
        };
        let free = self.buffer.capacity() - have;
        if missing > free {
            self.buffer.reserve(missing.min(TRUST_MAX.max(have)));
        } else if free < READ_ROOM / 16 {
            self.buffer.reserve(READ_ROOM);
        }
    }
}
