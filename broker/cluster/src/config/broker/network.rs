//! Sockets and the threads behind them.
use crate::config::key::{Key, Kind::*, Valid::*};

const INT_MAX: &str = "2147483647";

pub(super) const KEYS: &[Key] = &[
    Key::with("listeners", List, "PLAINTEXT://127.0.0.1:9092").valid(NonEmptyList)
        .doc("Where to listen: `NAME://host:port`. Kafka's default binds every interface; this one binds loopback, because an open port should be a choice."),
    Key::unset("advertised.listeners", List).doc("Addresses handed to clients; `listeners` when not set."),
    Key::with("http.listener", String, "127.0.0.1:8088").doc("`host:port` of the HTTP listener (REST, `/metrics`, health). Empty switches it off. Not a Kafka key."),
    Key::with("grpc.listener", String, "127.0.0.1:8090").doc("`host:port` of the gRPC listener (views). Empty switches it off. Not a Kafka key."),
    Key::with("http.max.connections", Int, "16384").valid(AtLeast(1)).doc("The most connections of `http.listener`, within `max.connections`. More wait to be accepted. Not a Kafka key."),
    Key::with("grpc.max.connections", Int, "16384").valid(AtLeast(1)).doc("The same for `grpc.listener`. Not a Kafka key."),
    Key::with("listener.security.protocol.map", List, "SASL_SSL:SASL_SSL,PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT")
        .doc("The security protocol of each listener name."),
    Key::unset("inter.broker.listener.name", String).accepted().doc("The listener that brokers use among themselves."),
    Key::with("security.inter.broker.protocol", String, "PLAINTEXT").valid(OneOf(&["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"])).accepted()
        .doc("The protocol among brokers when no listener is named for it."),
    Key::with("num.network.threads", Int, "3").valid(AtLeast(1)).live().accepted().doc("Kafka's socket threads. The runtime here sizes itself."),
    Key::with("num.io.threads", Int, "8").valid(AtLeast(1)).live().accepted().doc("Kafka's request threads. The runtime here sizes itself."),
    Key::with("background.threads", Int, "10").valid(AtLeast(1)).live().accepted().doc("Kafka's threads for other work. The runtime here sizes itself."),
    Key::with("queued.max.requests", Int, "500").valid(AtLeast(1)).accepted().doc("Requests that may wait before Kafka stops reading sockets. Here each connection has its own bound."),
    Key::with("queued.max.request.bytes", Long, "-1").doc("The same bound in bytes."),
    Key::with("socket.send.buffer.bytes", Int, "102400").valid(AtLeast(-1)).accepted().doc("The sockets' send buffer; -1 is the system's default."),
    Key::with("socket.receive.buffer.bytes", Int, "102400").valid(AtLeast(-1)).accepted().doc("The sockets' receive buffer; -1 is the system's default."),
    Key::with("socket.request.max.bytes", Int, "104857600").valid(AtLeast(1)).doc("The largest request; a larger one closes the connection."),
    Key::with("socket.listen.backlog.size", Int, "50").valid(AtLeast(1)).accepted().doc("Connections that may wait to be accepted."),
    Key::with("max.connections", Int, INT_MAX).valid(AtLeast(0)).live().doc("The most connections of this broker, on all of its listeners. Beyond it nobody more is let in until somebody leaves."),
    Key::with("max.connections.per.ip", Int, INT_MAX).valid(AtLeast(0)).live().doc("The most connections of one address. One more is closed at once."),
    Key::with("max.connections.per.ip.overrides", String, "").live().doc("Exceptions from that, `address:count`, separated by commas. Addresses, not host names."),
    Key::with("max.connection.creation.rate", Int, INT_MAX).valid(AtLeast(0)).live().doc("New connections per second. Faster ones wait to be let in."),
    Key::with("connections.max.idle.ms", Long, "600000").doc("A connection silent for so long is closed."),
    Key::with("connection.failed.authentication.delay.ms", Int, "100").valid(AtLeast(0)).accepted().doc("How long a failed authentication waits for its answer."),
    Key::with("request.timeout.ms", Int, "30000").valid(AtLeast(0)).accepted().doc("The time limit of a request between brokers."),
    Key::with("fetch.max.bytes", Int, "57671680").valid(AtLeast(1024)).doc("The largest answer to a fetch, whatever the client asks for."),
    Key::with("max.incremental.fetch.session.cache.slots", Int, "1000").valid(AtLeast(0)).doc("Fetch sessions kept; more clients than that fetch without one."),
    Key::with("max.request.partition.size.limit", Int, "2000").valid(AtLeast(1)).doc("Partitions in one page of DescribeTopicPartitions."),
];
