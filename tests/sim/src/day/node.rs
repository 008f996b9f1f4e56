//! One life of the node: from a start to a crash.
use std::future::Future;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context as Task, Poll, Waker};
use std::time::Duration;

use bytes::{Buf, BytesMut};
use millrace::api::{Client, Context, Outcome, Request};
use millrace::config::NodeConfig;
use millrace::node::{FolderLock, Node};
use millrace_cluster::Endpoint;
use millrace_cluster::config::Properties;
use millrace_protocol::header::Opening;
use millrace_protocol::messages as m;
use millrace_protocol::{Decodable, HeaderVersion, StrBytes};
use millrace_shard::{Shard, ShardSettings};
use millrace_world::{Moment, World};
use parking_lot::Mutex;

use super::groups::{Book, GROUPS, MEMBERS, member};
use crate::rng::Rng;
use crate::world::SimWorld;

const PROPERTIES: &str = "listeners=PLAINTEXT://127.0.0.1:9092\nlog.dirs=data\noffsets.topic.num.partitions=2\noffsets.topic.segment.bytes=1048576\n\
    group.initial.rebalance.delay.ms=3000\nlog.retention.check.interval.ms=300000\nlog.cleaner.backoff.ms=60000\n";

pub struct Life {
    shard: Shard,
    pub ctx: Context,
}

pub fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

pub fn topic_name(name: &str) -> m::TopicName {
    m::TopicName(text(name))
}

/// One request through its row of the table, as a connection would have it; nothing when the node went away.
pub async fn ask<R: millrace_protocol::Request>(ctx: &Context, request: &R, version: i16) -> Option<R::Response> {
    let mut body = BytesMut::new();
    request.encode(&mut body, version).expect("a client's request encodes");
    let api = millrace::api::table::find(R::KEY)?;
    let flexible = api.flexible(version);
    let opening = Opening { api_key: R::KEY, api_version: version, correlation_id: 1 };
    let frame = match (api.call)(ctx.clone(), Request { opening, flexible, body }).await.ok()? {
        Outcome::Now(frame) => frame,
        Outcome::Later(later) => later.await.ok()?,
        Outcome::Silent => return None,
    };
    let mut whole: bytes::Bytes = frame.parts.concat().into();
    // Length, correlation id, and tags where the header has them.
    whole.advance(if <R::Response as HeaderVersion>::header_version(version) >= 1 { 9 } else { 8 });
    Some(R::Response::decode(&mut whole, version).expect("an answer can be taken apart"))
}

impl Life {
    pub fn begin(world: &Arc<SimWorld>, rng: &mut Rng) -> Result<Life, String> {
        let (config, _) = NodeConfig::from_properties(Properties::parse(PROPERTIES).expect("readable properties")).expect("a good configuration");
        let (ring_bytes, direct_bytes) = (*rng.pick(&[128 << 10, 1 << 20]), *rng.pick(&[2_000, 20_000, 256 << 10]));
        let slot = Arc::new(Mutex::new(None));
        let (made, dyn_world): (_, Arc<dyn World>) = (slot.clone(), world.clone());
        let starting = async move {
            let lock = FolderLock::take(&*dyn_world.disk(), &PathBuf::from("data")).map_err(|error| error.to_string())?;
            let endpoint = Endpoint { listener: "PLAINTEXT".into(), host: "127.0.0.1".into(), port: 9092 };
            let open = |world: Arc<dyn World>, settings: ShardSettings| {
                let shard = Shard::open(world, ShardSettings { ring_bytes, direct_bytes, disk_reserve_bytes: 0, ..settings })?;
                let handle = shard.handle();
                *made.lock() = Some(shard);
                Ok(handle)
            };
            Node::start_on(dyn_world, config, lock, vec![endpoint], open).await.map_err(|error| error.to_string())
        };
        let turn = || {
            if let Some(shard) = slot.lock().as_mut() {
                work(shard);
            }
        };
        let node = world.block_on(starting, turn).ok_or("starting never ends")??;
        let shard = slot.lock().take().ok_or("the node made no shard")?;
        let client = Client { id: "day".into(), principal: "User:ANONYMOUS".into(), address: ([127, 0, 0, 1], 1).into(), listener: "PLAINTEXT".into() };
        Ok(Life { shard, ctx: Context { node, client: Arc::new(client) } })
    }

    /// Members of groups, each a task of its own that lives as long as the node.
    pub fn bring_members(&self, world: &Arc<SimWorld>, book: &Arc<Mutex<Book>>, rng: &mut Rng) {
        for group in GROUPS {
            for _ in 0..MEMBERS {
                world.spawn(Box::pin(member(self.ctx.clone(), book.clone(), group, rng.fork())));
            }
        }
    }

    /// Runs until the future has its answer, a minute at the most; nothing when it has none by then.
    pub fn drive<T>(&mut self, world: &Arc<SimWorld>, asked: impl Future<Output = T>) -> Option<T> {
        let mut asked = pin!(asked);
        let until = world.now() + Duration::from_secs(60);
        while world.now() < until {
            if let Poll::Ready(answer) = asked.as_mut().poll(&mut Task::from_waker(Waker::noop())) {
                return Some(answer);
            }
            self.settle(world);
            if let Poll::Ready(answer) = asked.as_mut().poll(&mut Task::from_waker(Waker::noop())) {
                return Some(answer);
            }
            if world.sim_disk().is_off() {
                return None;
            }
            self.step(world, until);
        }
        None
    }

    /// Time up to `until`, everything in its order.
    pub fn run_until(&mut self, world: &Arc<SimWorld>, until: Moment) {
        self.settle(world);
        while world.now() < until && !world.sim_disk().is_off() {
            self.step(world, until);
        }
    }

    /// To the next thing that is due.
    fn step(&mut self, world: &Arc<SimWorld>, until: Moment) {
        let next = world.next_timer().unwrap_or(until).min(self.shard.next_due()).min(until);
        // A due time that has passed is worth a millisecond: nothing may spin.
        world.advance(next.since(world.now()).max(Duration::from_millis(1)));
        self.shard.turn();
        self.settle(world);
    }

    fn settle(&mut self, world: &Arc<SimWorld>) {
        loop {
            let tasks = world.run_tasks(10_000);
            let worked = work(&mut self.shard);
            if (tasks == 0 && !worked) || world.sim_disk().is_off() {
                return;
            }
        }
    }
}

/// Mail and jobs, until there are none.
fn work(shard: &mut Shard) -> bool {
    let mut worked = false;
    while shard.has_mail() {
        worked = true;
        if !shard.turn() {
            break;
        }
    }
    while shard.run_job() {
        worked = true;
    }
    worked
}
