//! One connection, as one task that is polled for everything it may do next.
//!
//! Invariants: at most one handler runs; answers leave in the order in which requests came; after the
//! first fault nothing more is read, and what was already answered is still written.
use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::task::{Context as Task, Poll};

use bytes::{Buf, BytesMut};
use millrace_protocol::control;
use millrace_protocol::frame::{Frame, FrameError};
use millrace_protocol::header::{self, API_VERSIONS_KEY, Opening};
use millrace_world::{Moment, Sleep};
use tokio::net::TcpStream;

use super::Limits;
use super::inbox::Inbox;
use super::limits::{HALF_CLOSED_MAX, OUTBOX_BYTES_MAX, PENDING_BYTES_MAX, PENDING_MAX, READ_AHEAD_MAX};
use super::outbox::Outbox;
use crate::api::table::{self, Pending};
use crate::api::{Api, Client, Context, Fault, Outcome, Request, api_versions};

/// Why a connection ended.
#[derive(Debug, thiserror::Error)]
pub enum Ended {
    #[error("the client closed it")]
    ByClient,
    #[error("idle")]
    Idle,
    #[error("the node stops")]
    Stopping,
    #[error(transparent)]
    Frame(#[from] FrameError),
    #[error("unknown api key {0}")]
    UnknownApi(i16),
    #[error("{api} is not served in version {version}")]
    UnsupportedVersion { api: &'static str, version: i16 },
    #[error("{api} v{version}: {fault}")]
    Fault { api: &'static str, version: i16, fault: Fault },
    #[error("{0}")]
    Socket(#[from] io::Error),
}

/// A request that has been started, from its frame to its answer.
struct Started {
    api: &'static Api,
    version: i16,
    bytes: usize,
    at: Moment,
}

enum Answer {
    Ready(Option<Frame>),
    Waiting(Pending<Result<Frame, Fault>>),
}

pub struct Connection {
    stream: TcpStream,
    ctx: Context,
    inbox: Inbox,
    /// The handler that runs, if one does.
    handler: Option<(Started, Pending<Result<Outcome, Fault>>)>,
    answers: VecDeque<(Started, Answer)>,
    /// Bytes of the answers that are there and wait for one before them.
    ready_bytes: usize,
    /// Bytes of the requests that have begun and are not answered; also part of the node's sum.
    pending_bytes: usize,
    queued_bytes_max: usize,
    outbox: Outbox,
    idle_max: std::time::Duration,
    last_heard: Moment,
    alarm: Sleep,
    /// Set once: nothing is read or started after it.
    ending: Option<Ended>,
}

impl Connection {
    pub fn new(stream: TcpStream, ctx: Context, limits: &Limits) -> Connection {
        let now = ctx.node.world.now();
        let alarm = ctx.node.world.sleep_until(now + limits.idle_max);
        Connection {
            stream,
            inbox: Inbox::new(limits.request_bytes_max),
            handler: None,
            answers: VecDeque::new(),
            ready_bytes: 0,
            pending_bytes: 0,
            queued_bytes_max: limits.queued_bytes_max,
            outbox: Outbox::default(),
            idle_max: limits.idle_max,
            last_heard: now,
            alarm,
            ending: None,
            ctx,
        }
    }

    /// No further request is started; `poll` ends when those under way are answered.
    pub fn stop(&mut self) {
        self.ending.get_or_insert(Ended::Stopping);
    }

    /// Does all that can be done now; ready when the connection is over.
    pub fn poll(&mut self, task: &mut Task<'_>) -> Poll<Ended> {
        match self.poll_inner(task) {
            Ok(Poll::Ready(ended)) | Err(ended) => Poll::Ready(ended),
            Ok(Poll::Pending) => Poll::Pending,
        }
    }

    fn poll_inner(&mut self, task: &mut Task<'_>) -> Result<Poll<Ended>, Ended> {
        loop {
            // Requests first and the socket last, so that many small answers leave in one write.
            self.run_requests(task);
            self.collect_answers(task);
            let before = self.outbox.bytes();
            let flushed = self.outbox.poll_flush(&self.stream, task);
            self.ctx.node.metrics.unsent_bytes.sub(before - self.outbox.bytes());
            let flushed = flushed?.is_ready();
            if self.ending.is_some() && flushed && self.handler.is_none() && self.answers.is_empty() {
                return Ok(self.ending.take().map_or(Poll::Pending, Poll::Ready));
            }
            // Room that came back goes to the requests that are here already: the socket may have said its
            // last word, and would never wake us for them.
            if self.may_start() && self.inbox.holds_frame() {
                continue;
            }
            if self.may_read() {
                match self.inbox.poll_fill(&self.stream, task)? {
                    Poll::Ready(0) => self.half_closed(),
                    Poll::Ready(_) => self.last_heard = self.ctx.node.world.now(),
                    Poll::Pending => return Ok(self.poll_alarm(task)),
                }
                continue;
            }
            return Ok(self.poll_alarm(task));
        }
    }

    fn may_start(&self) -> bool {
        self.ending.is_none()
            && self.handler.is_none()
            && self.answers.len() < PENDING_MAX
            && (self.answers.is_empty() || self.has_room())
            && self.outbox.bytes() + self.ready_bytes <= OUTBOX_BYTES_MAX
    }

    fn has_room(&self) -> bool {
        self.pending_bytes < PENDING_BYTES_MAX && self.ctx.node.metrics.queued_bytes.get() < self.queued_bytes_max
    }

    /// Whether the socket is worth a look: a request could start, or there is room to read ahead of the
    /// one that runs.
    fn may_read(&self) -> bool {
        self.may_start() || (self.ending.is_none() && self.handler.is_some() && self.inbox.buffered() < READ_AHEAD_MAX)
    }

    /// Runs handlers, one after another, until one waits or there is no whole frame left.
    fn run_requests(&mut self, task: &mut Task<'_>) {
        loop {
            if let Some((_, handler)) = &mut self.handler {
                let Poll::Ready(outcome) = handler.as_mut().poll(task) else { return };
                if let Some((started, _)) = self.handler.take() {
                    self.take_outcome(started, outcome);
                }
            }
            if !self.may_start() {
                return;
            }
            match self.inbox.next_frame() {
                Ok(Some(frame)) => {
                    if let Err(ended) = self.start(frame) {
                        self.ending = Some(ended);
                    }
                }
                Ok(None) => return,
                Err(error) => self.ending = Some(error.into()),
            }
        }
    }

    fn start(&mut self, mut frame: BytesMut) -> Result<(), Ended> {
        let bytes = frame.len();
        let malformed = |fault: millrace_protocol::Malformed| Ended::Fault {
            api: "request header",
            version: 0,
            fault: fault.into(),
        };
        let opening = header::opening(&frame).map_err(malformed)?;
        let api = table::find(opening.api_key).ok_or(Ended::UnknownApi(opening.api_key))?;
        let version = opening.api_version;
        let started = Started { api, version, bytes, at: self.ctx.node.world.now() };
        if !api.versions.contains(&version) {
            if opening.api_key != API_VERSIONS_KEY {
                return Err(Ended::UnsupportedVersion { api: api.name, version });
            }
            let outcome = refuse_version(&opening);
            self.take_outcome(Started { bytes: 0, ..started }, outcome);
            return Ok(());
        }
        let flexible = api.flexible(version);
        let header = header::request(&frame, flexible).map_err(malformed)?;
        let client_id = header.client_id.unwrap_or_default();
        if client_id != self.ctx.client.id {
            let client = Client { id: client_id.to_owned(), ..Client::clone(&self.ctx.client) };
            self.ctx.client = Arc::new(client);
        }
        let body_at = header.body_at;
        frame.advance(body_at);
        let request = Request { opening, flexible, body: frame };
        self.pending_bytes += bytes;
        self.ctx.node.metrics.queued_bytes.add(bytes);
        self.handler = Some((started, (api.call)(self.ctx.clone(), request)));
        Ok(())
    }

    fn take_outcome(&mut self, started: Started, outcome: Result<Outcome, Fault>) {
        let answer = match outcome {
            Ok(Outcome::Now(frame)) => {
                self.ready_bytes += frame.len();
                Answer::Ready(Some(frame))
            }
            Ok(Outcome::Later(waiting)) => Answer::Waiting(waiting),
            Ok(Outcome::Silent) => Answer::Ready(None),
            Err(fault) => {
                self.fault(&started, fault);
                Answer::Ready(None)
            }
        };
        self.answers.push_back((started, answer));
    }

    fn fault(&mut self, started: &Started, fault: Fault) {
        self.ending = Some(Ended::Fault { api: started.api.name, version: started.version, fault });
    }

    /// Moves answers, in order, to the outbox for as long as the next one is there.
    fn collect_answers(&mut self, task: &mut Task<'_>) {
        while let Some((started, answer)) = self.answers.front_mut() {
            let frame = match answer {
                Answer::Ready(frame) => {
                    self.ready_bytes -= frame.as_ref().map_or(0, Frame::len);
                    frame.take()
                }
                Answer::Waiting(waiting) => match waiting.as_mut().poll(task) {
                    Poll::Pending => return,
                    Poll::Ready(Ok(frame)) => Some(frame),
                    Poll::Ready(Err(fault)) => {
                        let ended = Ended::Fault { api: started.api.name, version: started.version, fault };
                        self.ending = Some(ended);
                        // What was asked after a request that failed without an answer gets none either.
                        self.answers.clear();
                        self.handler = None;
                        return;
                    }
                },
            };
            let out = frame.as_ref().map_or(0, Frame::len);
            let done = started.bytes.min(self.pending_bytes);
            self.pending_bytes -= done;
            self.ctx.node.metrics.queued_bytes.sub(done);
            let took = self.ctx.node.world.now().since(started.at);
            self.ctx.node.metrics.requests.record(started.api.key, started.bytes, out, took);
            if let Some(frame) = frame {
                self.ctx.node.metrics.unsent_bytes.add(out);
                self.outbox.push(frame);
            }
            self.answers.pop_front();
        }
    }

    /// The client will not ask for more, but may still read what it asked for.
    fn half_closed(&mut self) {
        self.ending = Some(Ended::ByClient);
        let world = &self.ctx.node.world;
        self.alarm = world.sleep_until(world.now() + HALF_CLOSED_MAX);
    }

    fn poll_alarm(&mut self, task: &mut Task<'_>) -> Poll<Ended> {
        while self.alarm.as_mut().poll(task).is_ready() {
            if let Some(ended) = self.ending.take() {
                return Poll::Ready(ended);
            }
            let world = self.ctx.node.world.clone();
            let quiet = self.handler.is_none() && self.answers.is_empty() && self.outbox.is_empty();
            let due = self.last_heard + self.idle_max;
            if due <= world.now() {
                if quiet {
                    return Poll::Ready(Ended::Idle);
                }
                self.last_heard = world.now();
            }
            self.alarm = world.sleep_until(self.last_heard + self.idle_max);
        }
        Poll::Pending
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.ctx.node.metrics.queued_bytes.sub(self.pending_bytes);
        self.ctx.node.metrics.unsent_bytes.sub(self.outbox.bytes());
    }
}

/// The answer to an ApiVersions request from the future: in the encoding of v0, which everybody reads.
fn refuse_version(opening: &Opening) -> Result<Outcome, Fault> {
    let frame = control::encode_as(opening, false, &api_versions::unsupported(), 0)?;
    Ok(Outcome::Now(frame.into()))
}
