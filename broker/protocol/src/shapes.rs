//! The shapes of the requests that pass through `kafka-protocol`. Produce and Fetch have codecs of
//! their own. A test encodes every version of every message here and holds the walk against it.
use crate::shape::{
    BOOL, BYTES, FLOAT64, Field, INT8, INT16, INT32, INT32S, INT64, STRING, STRINGS, UUID, optional, structs,
};

pub const LIST_OFFSETS: &[Field] = &[
    INT32,
    INT8.since(2),
    structs(&[STRING, structs(&[INT32, INT32.since(4), INT64])]),
    INT32.since(10),
];
pub const METADATA: &[Field] = &[
    structs(&[UUID.since(10), STRING]),
    BOOL.since(4),
    BOOL.since(8).until(10),
    BOOL.since(8),
];
pub const OFFSET_COMMIT: &[Field] = &[
    STRING,
    INT32,
    STRING,
    STRING.since(7),
    INT64.until(4),
    structs(&[STRING, structs(&[INT32, INT64, INT32.since(6), STRING])]),
];
pub const OFFSET_FETCH: &[Field] = &[
    STRING.until(7),
    structs(&[STRING, INT32S]).until(7),
    structs(&[STRING, STRING.since(9), INT32.since(9), structs(&[STRING, INT32S])]).since(8),
    BOOL.since(7),
];
pub const FIND_COORDINATOR: &[Field] = &[STRING.until(3), INT8.since(1), STRINGS.since(4)];
pub const JOIN_GROUP: &[Field] = &[
    STRING,
    INT32,
    INT32.since(1),
    STRING,
    STRING.since(5),
    STRING,
    structs(&[STRING, BYTES]),
    STRING.since(8),
];
pub const HEARTBEAT: &[Field] = &[STRING, INT32, STRING, STRING.since(3)];
pub const LEAVE_GROUP: &[Field] =
    &[STRING, STRING.until(2), structs(&[STRING, STRING, STRING.since(5)]).since(3)];
pub const SYNC_GROUP: &[Field] =
    &[STRING, INT32, STRING, STRING.since(3), STRING.since(5), STRING.since(5), structs(&[STRING, BYTES])];
pub const DESCRIBE_GROUPS: &[Field] = &[STRINGS, BOOL.since(3)];
pub const LIST_GROUPS: &[Field] = &[STRINGS.since(4), STRINGS.since(5)];
pub const DELETE_GROUPS: &[Field] = &[STRINGS];
pub const OFFSET_DELETE: &[Field] = &[STRING, structs(&[STRING, structs(&[INT32])])];
pub const SASL_HANDSHAKE: &[Field] = &[STRING];
pub const SASL_AUTHENTICATE: &[Field] = &[BYTES];
pub const API_VERSIONS: &[Field] = &[STRING.since(3), STRING.since(3)];
pub const CREATE_TOPICS: &[Field] = &[
    structs(&[STRING, INT32, INT16, structs(&[INT32, INT32S]), structs(&[STRING, STRING])]),
    INT32,
    BOOL,
];
pub const DELETE_TOPICS: &[Field] = &[structs(&[STRING, UUID]).since(6), STRINGS.until(5), INT32];
pub const DELETE_RECORDS: &[Field] = &[structs(&[STRING, structs(&[INT32, INT64])]), INT32];
pub const CREATE_PARTITIONS: &[Field] = &[structs(&[STRING, INT32, structs(&[INT32S])]), INT32, BOOL];
pub const INIT_PRODUCER_ID: &[Field] = &[STRING, INT32, INT64.since(3), INT16.since(3)];
pub const OFFSET_FOR_LEADER_EPOCH: &[Field] =
    &[INT32.since(3), structs(&[STRING, structs(&[INT32, INT32, INT32])])];
pub const DESCRIBE_CONFIGS: &[Field] = &[structs(&[INT8, STRING, STRINGS]), BOOL, BOOL.since(3)];
pub const ALTER_CONFIGS: &[Field] = &[structs(&[INT8, STRING, structs(&[STRING, STRING])]), BOOL];
pub const INCREMENTAL_ALTER_CONFIGS: &[Field] =
    &[structs(&[INT8, STRING, structs(&[STRING, INT8, STRING])]), BOOL];
pub const LIST_CONFIG_RESOURCES: &[Field] = &[crate::shape::INT8S.since(1)];
pub const DESCRIBE_LOG_DIRS: &[Field] = &[structs(&[STRING, INT32S])];
pub const ALTER_REPLICA_LOG_DIRS: &[Field] = &[structs(&[STRING, structs(&[STRING, INT32S])])];
pub const ELECT_LEADERS: &[Field] = &[INT8.since(1), structs(&[STRING, INT32S]), INT32];
pub const ALTER_PARTITION_REASSIGNMENTS: &[Field] =
    &[INT32, BOOL.since(1), structs(&[STRING, structs(&[INT32, INT32S])])];
pub const LIST_PARTITION_REASSIGNMENTS: &[Field] = &[INT32, structs(&[STRING, INT32S])];
pub const DESCRIBE_QUORUM: &[Field] = &[structs(&[STRING, structs(&[INT32])])];
pub const DESCRIBE_CLUSTER: &[Field] = &[BOOL, INT8.since(1), BOOL.since(2)];
pub const DESCRIBE_PRODUCERS: &[Field] = &[structs(&[STRING, INT32S])];
pub const DESCRIBE_TOPIC_PARTITIONS: &[Field] = &[structs(&[STRING]), INT32, optional(&[STRING, INT32])];
pub const DESCRIBE_CLIENT_QUOTAS: &[Field] = &[structs(&[STRING, INT8, STRING]), BOOL];
pub const ALTER_CLIENT_QUOTAS: &[Field] =
    &[structs(&[structs(&[STRING, STRING]), structs(&[STRING, FLOAT64, BOOL])]), BOOL];
pub const DESCRIBE_ACLS: &[Field] = &[INT8, STRING, INT8, STRING, STRING, INT8, INT8];
pub const CREATE_ACLS: &[Field] = &[structs(&[INT8, STRING, INT8, STRING, STRING, INT8, INT8])];
pub const DELETE_ACLS: &[Field] = &[structs(DESCRIBE_ACLS)];
pub const UPDATE_FEATURES: &[Field] =
    &[INT32, structs(&[STRING, INT16, BOOL.until(0), INT8.since(1)]), BOOL.since(1)];
