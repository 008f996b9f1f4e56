//! Requests of every API in every version, given to their handlers on a node in this process.
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use millrace::api::table::Request;
use millrace::api::{Client, Context, Outcome};
use millrace::config::NodeConfig;
use millrace::node::{FolderLock, Node};
use millrace_cluster::Endpoint;
use millrace_cluster::config::Properties;
use millrace_protocol::header::Opening;
use millrace_world::World;
use millrace_world::production::Production;
use uuid::Uuid;

use super::{records, samples};
use crate::dice::Dice;
use crate::{Target, damage};

/// `key (2), version (2), body`: see [`samples`].
pub struct Requests {
    runtime: tokio::runtime::Runtime,
    node: Option<Running>,
    asked: usize,
}

struct Running {
    ctx: Context,
    topic_id: Uuid,
    // Behind the node: its files go when it has stopped.
    _folder: tempfile::TempDir,
}

/// A node sees so many inputs; then the next one begins with an empty folder.
const LIFE: usize = 400;
/// Some answers wait for others (a group's members), and are not waited for.
const PATIENCE: Duration = Duration::from_millis(15);

/// Memory where there is some: inputs are many, and disks are slow.
pub fn folder() -> tempfile::TempDir {
    let memory = std::path::Path::new("/dev/shm");
    let made = tempfile::Builder::new().prefix("millrace-fuzz-").tempdir_in(if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() });
    made.expect("a folder for the node's files")
}

impl Requests {
    pub fn new() -> Requests {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
        Requests { runtime, node: None, asked: 0 }
    }

    fn start(&self) -> Running {
        let folder = folder();
        let text = format!(
            "listeners=PLAINTEXT://127.0.0.1:0\nlog.dirs={}\noffsets.topic.num.partitions=2\ngroup.initial.rebalance.delay.ms=0\nsocket.request.max.bytes=1000000\n",
            folder.path().display()
        );
        let (config, _) = NodeConfig::from_properties(Properties::parse(&text).expect("readable properties")).expect("a good configuration");
        self.runtime.block_on(async {
            let world: Arc<dyn World> = Arc::new(Production::new(tokio::runtime::Handle::current()));
            let lock = FolderLock::take(&*world.disk(), &config.data_dir).expect("the folder is new");
            let endpoint = Endpoint { listener: "PLAINTEXT".into(), host: "127.0.0.1".into(), port: 9092 };
            let node = Node::start(world, config, lock, vec![endpoint]).await.expect("a node starts in an empty folder");
            let client = Client { id: "fuzz".into(), principal: "User:ANONYMOUS".into(), address: ([127, 0, 0, 1], 1).into(), listener: "PLAINTEXT".into() };
            let mut running = Running { ctx: Context { node, client: Arc::new(client) }, topic_id: Uuid::nil(), _folder: folder };
            for _ in 0..200 {
                running.ask(19, 5, &create_topic("t")).await;
                if running.ctx.node.cluster.image().topic("t").is_some() {
                    break;
                }
            }
            running.topic_id = running.ctx.node.cluster.image().topic("t").expect("it was just made").id;
            running
        })
    }
}

/// CreateTopics v5 with one topic of two partitions.
pub fn create_topic(name: &str) -> Vec<u8> {
    let mut body = vec![2, 1 + name.len() as u8];
    body.extend(name.as_bytes());
    body.extend(2_i32.to_be_bytes());
    body.extend(1_i16.to_be_bytes());
    // No assignments, no configs, no tags; the time-out; really; no tags.
    body.extend([1, 1, 0, 0, 0, 19, 136, 0, 0]);
    body
}

impl Running {
    /// Whether there was an answer.
    async fn ask(&self, key: i16, version: i16, body: &[u8]) -> bool {
        let Some(api) = millrace::api::table::find(key) else { return false };
        let opening = Opening { api_key: key, api_version: version, correlation_id: 1 };
        let request = Request { opening, flexible: api.flexible(version), body: BytesMut::from(body) };
        match tokio::time::timeout(PATIENCE, (api.call)(self.ctx.clone(), request)).await {
            Ok(Ok(Outcome::Now(_))) => true,
            Ok(Ok(Outcome::Later(later))) => matches!(tokio::time::timeout(PATIENCE, later).await, Ok(Ok(_))),
            Ok(Ok(Outcome::Silent) | Err(_)) | Err(_) => false,
        }
    }
}

impl Target for Requests {
    fn seeds(&self) -> Vec<Vec<u8>> {
        samples::samples(Uuid::nil())
    }

    fn run(&mut self, input: &[u8]) -> Result<(), String> {
        if self.asked.is_multiple_of(LIFE) {
            if let Some(node) = self.node.take() {
                let stopped = self.runtime.block_on(async { tokio::time::timeout(Duration::from_secs(10), node.ctx.node.stop()).await });
                stopped.map_err(|_| "the node does not stop")?.map_err(|error| format!("the node does not stop cleanly: {error}"))?;
            }
            self.node = Some(self.start());
        }
        self.asked += 1;
        let Some((api, version, body)) = samples::opening(input) else { return Ok(()) };
        let node = self.node.as_ref().expect("it was started above");
        self.runtime.block_on(node.ask(api.key, version, body));
        if self.asked % 50 == 0 {
            // Metadata v1 for no topic in particular: answered by whoever is well.
            let served = (0..100).any(|_| self.runtime.block_on(node.ask(3, 1, &0_i32.to_be_bytes())));
            if !served {
                return Err("the node answers no more".into());
            }
        }
        Ok(())
    }

    fn draw(&self, dice: &mut Dice, seeds: &[Vec<u8>]) -> Vec<u8> {
        let seed = dice.pick(seeds);
        let mut body = seed[4..].to_vec();
        // Requests by id name the topic that is there.
        if let Some(node) = &self.node
            && let Some(at) = body.windows(16).position(|bytes| bytes == [0; 16])
        {
            body[at..at + 16].copy_from_slice(node.topic_id.as_bytes());
        }
        if seed[..2] == [0, 0] && dice.roll(2) == 0 {
            damage_batch(&mut body, dice);
        } else {
            damage::damage(&mut body, dice, &seeds[..1]);
        }
        [&seed[..4], &body].concat()
    }
}

/// Damages the batch inside a produce request and makes its checksum right again.
pub fn damage_batch(body: &mut [u8], dice: &mut Dice) {
    let head = &samples::produced()[..17];
    let Some(begin) = body.windows(head.len()).position(|bytes| bytes == head) else { return };
    for _ in 0..=dice.roll(3) {
        let place = begin + dice.roll(body.len() - begin);
        body[place] = *dice.pick(&[0, 1, 0x7f, 0x80, 0xff, place as u8]);
    }
    if let Some(len) = body.get(begin + 8..begin + 12).and_then(|len| len.try_into().ok()).map(i32::from_be_bytes) {
        let end = usize::try_from(len).unwrap_or(0).saturating_add(begin + 12).min(body.len());
        records::mend(&mut body[begin..end]);
    }
}
