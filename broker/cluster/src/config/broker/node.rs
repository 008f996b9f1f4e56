//! Who this node is and how it takes part in the cluster.
use crate::config::key::{Key, Kind::*, Valid::*};

pub(super) const KEYS: &[Key] = &[
    Key::with("process.roles", List, "broker,controller").valid(ListOf(&["broker", "controller"]))
        .doc("Roles of this process. Unlike Kafka it need not be given: a node is both."),
    Key::with("node.id", Int, "1").valid(AtLeast(0)).doc("The unique id of this node."),
    Key::unset("broker.id", Int).valid(AtLeast(0)).doc("The old name of `node.id`; read when that is not set."),
    Key::with("controller.quorum.bootstrap.servers", List, "").accepted().doc("`host:port` of the nodes to ask for the cluster's voters."),
    Key::with("controller.quorum.voters", List, "").doc("The cluster's first voters, `id@host:port`. One for now: this node."),
    Key::with("controller.listener.names", List, "").doc("Listeners that serve other nodes; they are not shown to clients."),
    Key::with("controller.quorum.election.timeout.ms", Int, "1000").valid(AtLeast(1)).accepted().doc("How long a candidate waits for votes."),
    Key::with("controller.quorum.election.backoff.max.ms", Int, "1000").valid(AtLeast(1)).accepted().doc("The longest pause after a lost election."),
    Key::with("controller.quorum.fetch.timeout.ms", Int, "2000").valid(AtLeast(1)).accepted().doc("How long a follower waits for its leader before it stands for election."),
    Key::with("controller.quorum.request.timeout.ms", Int, "2000").valid(AtLeast(1)).accepted().doc("The time limit of a request between nodes."),
    Key::with("controller.quorum.auto.join.enable", Boolean, "false").accepted().doc("A new controller asks to become a voter by itself."),
    Key::with("broker.heartbeat.interval.ms", Int, "2000").valid(AtLeast(1)).accepted().doc("How often a broker reports to the metadata leader."),
    Key::with("broker.session.timeout.ms", Int, "9000").valid(AtLeast(1)).accepted().doc("Silence after which a broker is fenced."),
    Key::unset("metadata.log.dir", String).accepted().doc("Where the metadata log lives; the first of `log.dirs` when not set."),
    Key::with("metadata.log.max.record.bytes.between.snapshots", Long, "20971520").valid(AtLeast(1)).accepted().doc("Bytes of metadata records after which a snapshot is taken."),
    Key::with("metadata.max.idle.interval.ms", Int, "500").valid(AtLeast(0)).accepted().doc("Kafka's heartbeat record in an idle metadata log. Not needed here."),
    Key::with("logging.levels", String, "info").doc("What is logged: a level, then `module=level` pairs, as in `info,millrace_log=debug`. RUST_LOG comes before it. Levels change while the node runs as Kafka's do: `kafka-configs.sh --entity-type broker-loggers`. Not a Kafka key."),
    Key::with("logging.format", String, "text").valid(OneOf(&["text", "json"])).doc("The form of log lines on standard error; `json` is one object per line. Not a Kafka key."),
    Key::unset("broker.rack", String).doc("The rack of this broker, shown to clients."),
    Key::with("unstable.api.versions.enable", Boolean, "false").accepted().doc("Advertise API versions that Kafka calls unstable. There are none."),
    Key::with("auto.create.topics.enable", Boolean, "true").doc("A client that asks for an unknown topic gets it created."),
    Key::with("delete.topic.enable", Boolean, "true").doc("Topics may be deleted."),
    Key::with("num.partitions", Int, "1").valid(AtLeast(1)).doc("Partitions of a topic that is created without saying how many."),
    Key::with("default.replication.factor", Int, "1").valid(AtLeast(1)).doc("Replicas of a topic that is created without saying how many."),
    Key::with("initial.broker.registration.timeout.ms", Int, "60000").accepted().doc("How long a starting broker waits to be registered."),
    Key::with("server.max.startup.time.ms", Long, "9223372036854775807").valid(AtLeast(0)).accepted().doc("The longest time a start may take."),
    Key::with("controlled.shutdown.enable", Boolean, "true").accepted().doc("Hand leadership over before stopping."),
];
