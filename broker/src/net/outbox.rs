//! Answers on their way out.
use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use millrace_protocol::frame::Frame;
use tokio::net::TcpStream;

/// Slices per write.
const SLICES_MAX: usize = 64;

#[derive(Default)]
pub struct Outbox {
    parts: VecDeque<Bytes>,
    bytes: usize,
}

impl Outbox {
    pub fn push(&mut self, frame: Frame) {
        self.bytes += frame.len();
        self.parts.extend(frame.parts.into_iter().filter(|part| !part.is_empty()));
    }

    pub fn bytes(&self) -> usize {
        self.bytes
    }

    pub fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// Writes until all is gone or the socket takes no more.
    pub fn poll_flush(&mut self, stream: &TcpStream, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.parts.is_empty() {
            ready!(stream.poll_write_ready(task))?;
            let mut slices = [IoSlice::new(&[]); SLICES_MAX];
            let mut count = 0;
            for (slice, part) in slices.iter_mut().zip(&self.parts) {
                *slice = IoSlice::new(part);
                count += 1;
            }
            match stream.try_write_vectored(&slices[..count]) {
                Ok(0) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Ok(n) => self.written(n),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
        Poll::Ready(Ok(()))
    }

    fn written(&mut self, mut n: usize) {
        self.bytes -= n;
        while let Some(part) = self.parts.front_mut() {
            if n < part.len() {
                part.advance(n);
                return;
            }
            n -= part.len();
            self.parts.pop_front();
        }
    }
}
