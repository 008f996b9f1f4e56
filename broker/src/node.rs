//! What a node consists of, and the order in which it comes up:
//! lock the folder, shard, metadata log, image, partitions. Listeners and coordinators come behind it.
use std::path::{Path, PathBuf};
use std::sync::Arc;

use millrace_cluster::config::BrokerSettings;
use millrace_cluster::decide::{Cluster, Decision, Registration, register};
use millrace_cluster::{Endpoint, Record};
use millrace_record::Offset;
use millrace_shard::{Pace, Plant, Shard, ShardError, ShardHandle, ShardSettings};
use millrace_world::{Disk, DiskLock, World};
use parking_lot::Mutex;
use uuid::Uuid;

use crate::api::{ApiError, FetchSessions, FreshTopics, ProducerIds};
use crate::cluster::ClusterLog;
use crate::config::NodeConfig;
use crate::coordinators::{Coordinators, coordinator_config};
use crate::folded::FoldedError;
use crate::identity::{Identity, IdentityError};
use crate::metrics::{Metered, Metrics, Text};
use crate::partitions::{Partitions, Reconciler, metadata_spec};

/// Why a node does not come up.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("{}: another process uses this folder", .0.display())]
    InUse(PathBuf),
    #[error("{}: {source}", path.display())]
    Folder { path: PathBuf, source: std::io::Error },
    #[error(transparent)]
    Identity(#[from] IdentityError),
    #[error("storage: {0}")]
    Shard(#[from] ShardError),
    #[error("metadata: {0}")]
    Metadata(#[from] FoldedError),
}

/// The services that handlers use. One per process (per simulated node), shared behind an `Arc`.
pub struct Node {
    pub world: Arc<dyn World>,
    pub config: NodeConfig,
    pub metrics: Metrics,
    pub cluster: ClusterLog,
    pub partitions: Partitions,
    pub producer_ids: ProducerIds,
    pub coordinators: Coordinators,
    pub fetch_sessions: FetchSessions,
    pub fresh_topics: FreshTopics,
    reconciler: Reconciler,
    shard: ShardHandle,
    /// What the shard was told last.
    pace: Mutex<Pace>,
    _lock: FolderLock,
}

/// The data folder is this process's alone, for as long as this lives.
pub struct FolderLock(#[expect(dead_code, reason = "it is the holding that counts")] Box<dyn DiskLock>);

impl FolderLock {
    /// Makes the folder if it is absent.
    pub fn take(disk: &dyn Disk, dir: &Path) -> Result<FolderLock, StartError> {
        disk.create_dir_all(dir).map_err(folder(dir))?;
        let lock = disk.lock(&dir.join(".lock")).map_err(folder(dir))?;
        lock.map(FolderLock).ok_or_else(|| StartError::InUse(dir.to_path_buf()))
    }
}

fn folder(path: &Path) -> impl FnOnce(std::io::Error) -> StartError {
    let path = path.to_path_buf();
    move |source| StartError::Folder { path, source }
}

impl Node {
    /// Brings the node up to where listeners may be opened on it. `endpoints` are what clients will be
    /// told.
    pub async fn start(
        world: Arc<dyn World>,
        config: NodeConfig,
        lock: FolderLock,
        endpoints: Vec<Endpoint>,
    ) -> Result<Arc<Node>, StartError> {
        Node::start_on(world, config, lock, endpoints, Shard::start).await
    }

    /// The same on a shard that `open` makes: a simulator turns it by hand.
    pub async fn start_on(
        world: Arc<dyn World>,
        config: NodeConfig,
        lock: FolderLock,
        endpoints: Vec<Endpoint>,
        open: impl FnOnce(Arc<dyn World>, ShardSettings) -> Result<ShardHandle, ShardError>,
    ) -> Result<Arc<Node>, StartError> {
        let metrics = Metrics::default();
        let world: Arc<dyn World> = Arc::new(Metered::new(world, metrics.fsync.clone()));
        let disk = world.disk();
        let dir = config.data_dir.clone();
        let identity = Identity::read(&*disk, &dir, config.node_id)?;
        let partitions_dir = dir.join("partitions");
        disk.create_dir_all(&partitions_dir).map_err(folder(&partitions_dir))?;

        let shard = open(world.clone(), shard_settings(&config))?;
        let metadata = shard.open_partition(metadata_spec(&partitions_dir, config.node_id, &config.settings().layers)).await?;
        let cluster = ClusterLog::load(metadata, config.node_id, config.fixed.clone())?;
        if let Some(identity) = &identity {
            identity.agrees_with(cluster.image().cluster_id())?;
        }
        let node = Node {
            reconciler: Reconciler::new(shard.clone(), partitions_dir.clone(), config.node_id),
            coordinators: Coordinators::new(world.clone()),
            world,
            metrics,
            cluster,
            partitions: Partitions::default(),
            producer_ids: ProducerIds::default(),
            fetch_sessions: FetchSessions::new(config.fetch_session_slots()),
            fresh_topics: FreshTopics::default(),
            shard,
            pace: Mutex::new(pace(&config.settings())),
            config,
            _lock: lock,
        };
        node.register(endpoints).await?;
        node.cluster.keep_short(node.world.wall_ms()).await;
        if let (None, Some(cluster_id)) = (identity, node.cluster.image().cluster_id()) {
            let identity = Identity { cluster_id, node_id: node.config.node_id, directory_id: node.new_id() };
            identity.write(&*disk, &dir)?;
        }
        let image = node.cluster.image();
        node.shard.bury_leftovers(partitions_dir.clone()).await?;
        node.reconciler.clear_leftovers(&*disk, &image).map_err(folder(&partitions_dir))?;
        node.reconcile().await;
        node.reconciler.forget_others().await?;
        Ok(Arc::new(node))
    }

    /// Says who this node is; on a new cluster, also keeps the metadata log's own group number back.
    async fn register(&self, endpoints: Vec<Endpoint>) -> Result<(), FoldedError> {
        let registration = Registration { node_id: self.config.node_id, rack: self.config.rack.clone(), endpoints };
        let question = |cluster: Cluster<'_>| {
            let mut decision = register(cluster, registration, &mut || self.new_id());
            if cluster.image.next_group().0 == 0 {
                decision.records.push(Record::Groups { next: 1 });
            }
            decision
        };
        self.cluster.decide(question, self.world.wall_ms()).await.map(drop)
    }

    /// Changes the cluster. The answer comes when the change is committed and this node matches it, so
    /// that a topic can be used when its creation is answered.
    ///
    /// A caller may go away at any point (its connection broke): what was written is carried out all the same.
    pub async fn change<R>(self: &Arc<Self>, question: impl FnOnce(Cluster<'_>) -> Decision<R>) -> Result<R, ApiError> {
        let before = self.cluster.image();
        let mut unfinished = Unfinished(Some(self.clone()));
        let decided = self.cluster.decide(question, self.world.wall_ms()).await;
        if let Ok((_, image)) = &decided
            && !Arc::ptr_eq(&before, image)
        {
            self.reconcile().await;
            self.cluster.keep_short(self.world.wall_ms()).await;
        }
        unfinished.0 = None;
        Ok(decided?.0)
    }

    async fn reconcile(&self) {
        let gone = self.reconciler.run(&self.cluster, &self.partitions).await;
        let pace = self.cluster.look(|cluster| pace(&cluster.settings()));
        let news = std::mem::replace(&mut *self.pace.lock(), pace.clone()) != pace;
        if news && let Err(error) = self.shard.set_pace(pace).await {
            tracing::error!(%error, "new settings of the storage did not take effect");
        }
        let config = || self.cluster.look(|cluster| coordinator_config(&cluster.settings()));
        self.coordinators.follow(&self.partitions, config, &gone);
    }

    /// A random (version 4) id.
    pub fn new_id(&self) -> Uuid {
        let bits = u128::from(self.world.random()) << 64 | u128::from(self.world.random());
        uuid::Builder::from_random_bytes(bits.to_be_bytes()).into_uuid()
    }

    /// Resolves when the storage has ended by itself: a bug stopped its thread. A node of one never loses
    /// its lead otherwise, and nothing here can bring it back.
    pub async fn storage_ended(&self) {
        let partition = self.cluster.partition();
        while partition.beyond(Offset(i64::MAX)).await.is_leader {}
    }

    /// What the storage was told last of the settings that may change while it runs.
    pub fn pace(&self) -> Pace {
        self.pace.lock().clone()
    }

    /// Whether clients are served, or why not.
    pub fn is_ready(&self) -> Result<(), &'static str> {
        match () {
            () if self.shard.stats().has_failed() => Err("a write or fsync failed; the log says which. Nothing more is written until a restart"),
            () if !self.cluster.partition().state().is_leader => Err("the metadata log has no leader"),
            () => Ok(()),
        }
    }

    /// The metrics that are not counted but looked up.
    pub fn render_state(&self, text: &mut Text) {
        let directory = self.partitions.directory();
        let mut topics: Vec<_> = directory.topics().collect();
        topics.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        let open: Vec<_> = topics
            .iter()
            .flat_map(|topic| (0i32..).zip(&topic.partitions).map(|(index, open)| (&*topic.name, index.to_string(), open)))
            .filter_map(|(topic, index, open)| Some((topic, index, open.as_ref()?, open.as_ref()?.state())))
            .collect();
        text.value("millrace_topics", &[], topics.len());
        text.value("millrace_partitions", &[], open.len());
        text.value("millrace_fetch_sessions", &[], self.fetch_sessions.len());
        for (topic, index, partition, _) in &open {
            text.value("millrace_log_size_bytes", &[topic, index], partition.size_bytes());
        }
        for (topic, index, _, state) in &open {
            text.value("millrace_log_start_offset", &[topic, index], state.start);
        }
        for (topic, index, _, state) in &open {
            text.value("millrace_log_end_offset", &[topic, index], state.end);
        }
        for (topic, index, _, state) in &open {
            text.value("millrace_log_high_watermark", &[topic, index], state.high_watermark);
        }
        for (topic, index, _, state) in &open {
            text.value("millrace_is_leader", &[topic, index], u8::from(state.is_leader));
        }
        for (topic, index, _, state) in &open {
            text.value("millrace_raft_term", &[topic, index], state.leader_epoch);
        }
        for (topic, index, _, state) in &open {
            text.value("millrace_raft_uncommitted_records", &[topic, index], state.end.0 - state.high_watermark.0);
        }
        let stats = self.shard.stats();
        text.sizes("millrace_turn_appends", &[], &stats.turn_appends);
        text.sizes("millrace_turn_append_bytes", &[], &stats.turn_bytes);
        text.value("millrace_disk_failed", &[], u8::from(stats.has_failed()));
        text.value("millrace_disk_full", &[], u8::from(stats.is_full()));
        self.coordinators.render(&directory, text);
    }

    /// Flushes and closes the storage. Listeners must have stopped.
    pub async fn stop(&self) -> Result<(), ShardError> {
        self.shard.stop().await
    }
}

/// A change whose caller went away in the middle of it. A task of its own waits for the commit and
/// brings the node in line.
struct Unfinished(Option<Arc<Node>>);

impl Drop for Unfinished {
    fn drop(&mut self) {
        let Some(node) = self.0.take() else { return };
        node.clone().world.spawn(Box::pin(async move {
            // A decision without records waits for all before it, and publishes what they led to.
            let nothing = |_: Cluster<'_>| Decision::only_reply(());
            if let Err(error) = node.cluster.decide(nothing, node.world.wall_ms()).await {
                tracing::warn!(%error, "a change that nobody waits for may not have been written");
            }
            node.reconcile().await;
        }));
    }
}

fn pace(settings: &BrokerSettings<'_>) -> Pace {
    Pace {
        clean_check_ms: u64::try_from(settings.number("log.cleaner.backoff.ms")).unwrap_or(0),
        clean_map_bytes: usize::try_from(settings.number("log.cleaner.dedupe.buffer.size")).unwrap_or(usize::MAX),
        producer_expiration_ms: settings.number("producer.id.expiration.ms"),
    }
}

fn shard_settings(config: &NodeConfig) -> ShardSettings {
    let settings = config.settings();
    let Pace { clean_check_ms, clean_map_bytes, producer_expiration_ms } = pace(&settings);
    let positive = |name| u64::try_from(settings.number(name)).unwrap_or(0);
    ShardSettings {
        journal_dir: config.data_dir.join("journal"),
        ring_bytes: 32 << 20,
        direct_bytes: 128 << 10,
        turn_bytes_max: 8 << 20,
        checkpoint_ms: 1_000,
        retention_delay_ms: positive("log.initial.task.delay.ms"),
        retention_check_ms: positive("log.retention.check.interval.ms"),
        clean_check_ms,
        clean_map_bytes,
        producer_expiration_ms,
        disk_reserve_bytes: 64 << 20,
        plant: Plant::Nothing,
    }
}
