//! AlterReplicaLogDirs (34): a node has one folder, so a replica can only be told to stay where it is.
use std::path::Path;

use millrace_protocol::ErrorCode;
use millrace_protocol::messages::alter_replica_log_dirs_response::{
    AlterReplicaLogDirPartitionResult, AlterReplicaLogDirTopicResult,
};
use millrace_protocol::messages::{AlterReplicaLogDirsRequest, AlterReplicaLogDirsResponse};

use super::{Context, find, view};

pub async fn handle(ctx: &Context, request: AlterReplicaLogDirsRequest, _version: i16) -> AlterReplicaLogDirsResponse {
    let here = view::data_dir(ctx);
    let results = request.dirs.into_iter().flat_map(|dir| {
        let known = Path::new(dir.path.as_str()) == here;
        dir.topics.into_iter().map(move |topic| (known, topic))
    });
    let results = results.map(|(known, topic)| {
        let partitions = topic.partitions.into_iter().map(|index| {
            let code = match find::named(ctx, &topic.name, index) {
                _ if !known => ErrorCode::LogDirNotFound.code(),
                Ok(_) => 0,
                Err(code) => code.code(),
            };
            AlterReplicaLogDirPartitionResult::default().with_partition_index(index).with_error_code(code)
        });
        let partitions = partitions.collect();
        AlterReplicaLogDirTopicResult::default().with_topic_name(topic.name).with_partitions(partitions)
    });
    AlterReplicaLogDirsResponse::default().with_results(results.collect())
}
