//! DescribeLogDirs (35): what lies where on this node's disk, and how large it is.
use std::collections::BTreeMap;

use millrace_protocol::messages::describe_log_dirs_response::{
    DescribeLogDirsPartition, DescribeLogDirsResult, DescribeLogDirsTopic,
};
use millrace_protocol::messages::{DescribeLogDirsRequest, DescribeLogDirsResponse};
use millrace_protocol::{ErrorCode, control, log_dirs, shapes};

use super::table::{Fault, Outcome, Pending, Request};
use super::{Context, view};

pub fn call(ctx: Context, request: Request) -> Pending<Result<Outcome, Fault>> {
    Box::pin(async move {
        let Request { opening, flexible, body } = request;
        let version = opening.api_version;
        let asked = control::decode(shapes::DESCRIBE_LOG_DIRS, &mut body.freeze(), version, flexible)?;
        Ok(Outcome::Now(log_dirs::encode(&opening, flexible, &handle(&ctx, asked, version))?.into()))
    })
}

fn handle(ctx: &Context, request: DescribeLogDirsRequest, version: i16) -> DescribeLogDirsResponse {
    // Null asks for everything.
    let wanted: Option<BTreeMap<&str, &[i32]>> = request.topics.as_ref().map(|topics| {
        topics.iter().map(|topic| (topic.topic.as_str(), topic.partitions.as_slice())).collect()
    });
    let wants = |name: &str, index: i32| match &wanted {
        None => true,
        Some(wanted) => wanted.get(name).is_some_and(|indexes| indexes.contains(&index)),
    };
    let directory = ctx.node.partitions.directory();
    let mut topics: Vec<_> = directory.topics().collect();
    topics.sort_unstable_by(|a, b| a.name.cmp(&b.name));
    let topics = topics.into_iter().filter_map(|topic| {
        let open = (0..).zip(&topic.partitions).filter_map(|(index, open)| Some((index, open.as_ref()?)));
        let sizes = open.filter(|(index, _)| wants(&topic.name, *index)).map(|(index, open)| {
            let size = i64::try_from(open.size_bytes()).unwrap_or(i64::MAX);
            DescribeLogDirsPartition::default().with_partition_index(index).with_partition_size(size)
        });
        let sizes: Vec<_> = sizes.collect();
        (!sizes.is_empty()).then(|| DescribeLogDirsTopic::default().with_name(view::topic_name(&topic.name)).with_partitions(sizes))
    });
    let dir = &ctx.node.config.data_dir;
    let result = DescribeLogDirsResult::default().with_log_dir(view::text(&view::data_dir(ctx).to_string_lossy())).with_topics(topics.collect());
    let result = match ctx.node.world.disk().space(dir) {
        Ok((total, usable)) if version >= 4 => {
            let bytes = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
            result.with_total_bytes(bytes(total)).with_usable_bytes(bytes(usable))
        }
        Ok(_) => result,
        Err(_) => result.with_error_code(ErrorCode::KafkaStorageError.code()),
    };
    DescribeLogDirsResponse::default().with_results(vec![result])
}
