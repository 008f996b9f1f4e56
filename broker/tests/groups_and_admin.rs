//! Group and admin APIs on a real node, through the table as a connection would call it: every version
//! of every message, and what the answers say.
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use bytes::{Buf, Bytes, BytesMut};
use millrace::api::{Client, Context, Outcome, Request, table};
use millrace::config::NodeConfig;
use millrace::node::{FolderLock, Node};
use millrace_cluster::Endpoint;
use millrace_cluster::config::Properties;
use millrace_protocol::header::Opening;
use millrace_protocol::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use millrace_protocol::messages::describe_configs_request::DescribeConfigsResource;
use millrace_protocol::messages::incremental_alter_configs_request::{AlterConfigsResource, AlterableConfig};
use millrace_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use millrace_protocol::messages::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use millrace_protocol::messages::offset_fetch_request::{OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics};
use millrace_protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use millrace_protocol::messages::*;
use millrace_protocol::{Decodable, Encodable, ErrorCode, StrBytes};
use millrace_world::production::{Files, Production};

/// A node in a folder of its own.
struct Broker {
    node: Arc<Node>,
    context: Context,
    _dir: Option<tempfile::TempDir>,
}

impl Broker {
    async fn start(dir: &std::path::Path) -> Broker {
        let text = format!(
            "log.dirs={}\nlisteners=PLAINTEXT://127.0.0.1:9092\noffsets.topic.num.partitions=4\ngroup.initial.rebalance.delay.ms=0\n",
            dir.display()
        );
        let (config, warnings) = NodeConfig::from_properties(Properties::parse(&text).expect("properties")).expect("a config");
        assert!(warnings.is_empty(), "{warnings:?}");
        let endpoint = Endpoint { listener: "PLAINTEXT".to_owned(), host: "127.0.0.1".to_owned(), port: 9092 };
        let world = Arc::new(Production::new(tokio::runtime::Handle::current()));
        let lock = FolderLock::take(&Files, &config.data_dir).expect("the folder is free");
        let node = Node::start(world, config, lock, vec![endpoint]).await.expect("the node starts");
        let client = Client {
            id: "test".to_owned(),
            principal: "User:ANONYMOUS".to_owned(),
            address: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 1),
            listener: "PLAINTEXT".into(),
        };
        let context = Context { node: node.clone(), client: Arc::new(client) };
        Broker { node, context, _dir: None }
    }

    async fn fresh() -> Broker {
        let dir = tempfile::tempdir().expect("a folder");
        let broker = Broker::start(dir.path()).await;
        Broker { _dir: Some(dir), ..broker }
    }

    /// Sends a request in one version, as bytes, and reads the answer back.
    async fn call<Q, A>(&self, request: &Q, version: i16) -> A
    where
        Q: Encodable + millrace_protocol::Request,
        A: Decodable,
    {
        let api = table::find(Q::KEY).expect("an API of the table");
        let mut body = BytesMut::new();
        request.encode(&mut body, version).expect("the request encodes");
        let opening = Opening { api_key: Q::KEY, api_version: version, correlation_id: 7 };
        let flexible = api.flexible(version);
        let outcome = (api.call)(self.context.clone(), Request { opening, flexible, body }).await.expect("an answer");
        let frame = match outcome {
            Outcome::Now(frame) => frame,
            Outcome::Later(frame) => frame.await.expect("an answer"),
            Outcome::Silent => panic!("no answer"),
        };
        let mut bytes = Bytes::from(frame.parts.concat());
        bytes.advance(if flexible { 9 } else { 8 });
        let answer = A::decode(&mut bytes, version).expect("the answer decodes");
        assert!(bytes.is_empty(), "the answer of {} v{version} is longer than its message", api.name);
        answer
    }

    async fn create(&self, topic: &str, partitions: i32) {
        let topic = CreatableTopic::default().with_name(name(topic)).with_num_partitions(partitions).with_replication_factor(-1);
        let response: CreateTopicsResponse = self.call(&CreateTopicsRequest::default().with_topics(vec![topic]), 7).await;
        assert_eq!(response.topics[0].error_code, 0, "{:?}", response.topics[0].error_message);
    }

    /// The offsets topic is there, and its coordinators have read it.
    async fn coordinator(&self, group: &str) {
        for _ in 0..500 {
            let _: FindCoordinatorResponse = self.call(&FindCoordinatorRequest::default().with_key(text(group)), 3).await;
            let listed: ListGroupsResponse = self.call(&ListGroupsRequest::default(), 4).await;
            if listed.error_code == 0 {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        panic!("the coordinators never came up");
    }
}

fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}
fn name(topic: &str) -> TopicName {
    TopicName(text(topic))
}
fn group(group: &str) -> GroupId {
    GroupId(text(group))
}
fn code(error: ErrorCode) -> i16 {
    error.code()
}

fn versions(key: i16) -> std::ops::RangeInclusive<i16> {
    table::find(key).expect("an API of the table").versions.clone()
}

/// Compat: V10, V18, G1, G9, G14.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_in_every_version_joins_syncs_beats_commits_and_leaves() {
    let broker = Broker::fresh().await;
    broker.create("t", 2).await;
    broker.coordinator("g").await;
    let span = |key: i16, step: i16| step.clamp(*versions(key).start(), *versions(key).end());
    for step in 0..=9 {
        let id = format!("g{step}");
        let ask = JoinGroupRequest::default()
            .with_group_id(group(&id))
            .with_session_timeout_ms(10_000)
            .with_protocol_type(text("consumer"))
            .with_protocols(vec![JoinGroupRequestProtocol::default().with_name(text("range")).with_metadata(Bytes::from_static(b"\0\0\0\0\0\x01\0\x01t\0\0\0\0"))]);
        let ask = if step >= 1 { ask.with_rebalance_timeout_ms(10_000) } else { ask };
        let version = span(11, step);
        let mut joined: JoinGroupResponse = broker.call(&ask, version).await;
        if version >= 4 {
            assert_eq!(joined.error_code, code(ErrorCode::MemberIdRequired));
            joined = broker.call(&ask.with_member_id(joined.member_id), version).await;
        }
        assert_eq!((joined.error_code, joined.generation_id), (0, 1), "JoinGroup v{version}");
        assert_eq!(joined.leader, joined.member_id);
        assert!(joined.member_id.starts_with("test-"));
        assert_eq!(joined.members.len(), 1);

        let version = span(14, step);
        let mut sync = SyncGroupRequest::default()
            .with_group_id(group(&id))
            .with_generation_id(1)
            .with_member_id(joined.member_id.clone())
            .with_assignments(vec![SyncGroupRequestAssignment::default().with_member_id(joined.member_id.clone()).with_assignment(Bytes::from_static(b"all"))]);
        if version >= 5 {
            sync = sync.with_protocol_type(Some(text("consumer"))).with_protocol_name(Some(text("range")));
        }
        let synced: SyncGroupResponse = broker.call(&sync, version).await;
        assert_eq!((synced.error_code, &synced.assignment[..]), (0, &b"all"[..]), "SyncGroup v{version}");

        let beat = HeartbeatRequest::default().with_group_id(group(&id)).with_generation_id(1).with_member_id(joined.member_id.clone());
        let beaten: HeartbeatResponse = broker.call(&beat, span(12, step)).await;
        assert_eq!(beaten.error_code, 0);

        let version = span(8, step);
        let at = OffsetCommitRequestPartition::default().with_partition_index(1).with_committed_offset(40 + i64::from(step)).with_committed_metadata(Some(text("note")));
        let lost = OffsetCommitRequestPartition::default().with_partition_index(9).with_committed_offset(1);
        let commit = OffsetCommitRequest::default()
            .with_group_id(group(&id))
            .with_generation_id_or_member_epoch(1)
            .with_member_id(joined.member_id.clone())
            .with_topics(vec![OffsetCommitRequestTopic::default().with_name(name("t")).with_partitions(vec![lost, at])]);
        let committed: OffsetCommitResponse = broker.call(&commit, version).await;
        let codes: Vec<_> = committed.topics[0].partitions.iter().map(|partition| partition.error_code).collect();
        assert_eq!(codes, [code(ErrorCode::UnknownTopicOrPartition), 0], "OffsetCommit v{version}");

        let version = span(9, step);
        let fetch = if version >= 8 {
            let topic = OffsetFetchRequestTopics::default().with_name(name("t")).with_partition_indexes(vec![0, 1]);
            let asked = OffsetFetchRequestGroup::default().with_group_id(group(&id)).with_topics(Some(vec![topic]));
            OffsetFetchRequest::default().with_groups(vec![asked])
        } else {
            let topic = OffsetFetchRequestTopic::default().with_name(name("t")).with_partition_indexes(vec![0, 1]);
            OffsetFetchRequest::default().with_group_id(group(&id)).with_topics(Some(vec![topic]))
        };
        let fetched: OffsetFetchResponse = broker.call(&fetch, version).await;
        let offsets: Vec<_> = if version >= 8 {
            fetched.groups[0].topics[0].partitions.iter().map(|found| (found.committed_offset, found.metadata.clone())).collect()
        } else {
            fetched.topics[0].partitions.iter().map(|found| (found.committed_offset, found.metadata.clone())).collect()
        };
        assert_eq!(offsets, [(-1, Some(text(""))), (40 + i64::from(step), Some(text("note")))], "OffsetFetch v{version}");

        let described: DescribeGroupsResponse = broker.call(&DescribeGroupsRequest::default().with_groups(vec![group(&id)]), span(15, step)).await;
        assert_eq!((&*described.groups[0].group_state, described.groups[0].members.len()), ("Stable", 1));
        assert_eq!(&*described.groups[0].members[0].client_host, "/127.0.0.1");

        let version = span(13, step);
        let leave = LeaveGroupRequest::default().with_group_id(group(&id));
        let leave = if version >= 3 {
            leave.with_members(vec![leave_group_request::MemberIdentity::default().with_member_id(joined.member_id.clone())])
        } else {
            leave.with_member_id(joined.member_id.clone())
        };
        let left: LeaveGroupResponse = broker.call(&leave, version).await;
        assert_eq!(left.error_code, 0);
        assert!(left.members.iter().all(|member| member.error_code == 0));

        let gone: DeleteGroupsResponse = broker.call(&DeleteGroupsRequest::default().with_groups_names(vec![group(&id)]), span(42, step)).await;
        assert_eq!(gone.results[0].error_code, 0);
    }
    let listed: ListGroupsResponse = broker.call(&ListGroupsRequest::default(), 5).await;
    assert!(listed.groups.is_empty());
}

/// Compat: G8, G12.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_committed_is_there_after_a_restart() {
    let dir = tempfile::tempdir().expect("a folder");
    let commit = |offset: i64| {
        let at = OffsetCommitRequestPartition::default().with_partition_index(0).with_committed_offset(offset);
        OffsetCommitRequest::default()
            .with_group_id(group("g"))
            .with_generation_id_or_member_epoch(-1)
            .with_topics(vec![OffsetCommitRequestTopic::default().with_name(name("t")).with_partitions(vec![at])])
    };
    let broker = Broker::start(dir.path()).await;
    broker.create("t", 1).await;
    broker.coordinator("g").await;
    for offset in 1..=20 {
        let committed: OffsetCommitResponse = broker.call(&commit(offset), 5).await;
        assert_eq!(committed.topics[0].partitions[0].error_code, 0);
    }
    let mut metrics = millrace::metrics::Text::default();
    broker.node.render_state(&mut metrics);
    let metrics = metrics.finish();
    // Nothing was ever produced, so a group that says 20 is not behind.
    for line in ["millrace_groups{state=\"Empty\"} 1", "millrace_group_lag_records{group=\"g\",topic=\"t\",partition=\"0\"} 0"] {
        assert!(metrics.contains(line), "{line} is missing in\n{metrics}");
    }
    let _: IncrementalAlterConfigsResponse = broker.call(&alter(2, "t", "retention.ms", 0, "1234"), 1).await;
    broker.node.stop().await.expect("a clean stop");
    drop(broker);

    let broker = Broker::start(dir.path()).await;
    broker.coordinator("g").await;
    let fetch = OffsetFetchRequest::default().with_group_id(group("g")).with_topics(None);
    let fetched: OffsetFetchResponse = broker.call(&fetch, 7).await;
    assert_eq!(fetched.topics[0].partitions[0].committed_offset, 20);
    let topic = broker.node.partitions.directory().named("t").expect("the topic is open").clone();
    assert_eq!(topic.settings.retention_ms, 1234);
    // A deleted topic takes its offsets along.
    let deleted: DeleteTopicsResponse = broker.call(&DeleteTopicsRequest::default().with_topic_names(vec![name("t")]), 5).await;
    assert_eq!(deleted.responses[0].error_code, 0);
    for _ in 0..200 {
        let fetched: OffsetFetchResponse = broker.call(&fetch, 7).await;
        if fetched.topics.is_empty() {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("the offsets of a deleted topic stay");
}

fn alter(kind: i8, resource: &str, config: &str, operation: i8, value: &str) -> IncrementalAlterConfigsRequest {
    let change = AlterableConfig::default().with_name(text(config)).with_config_operation(operation).with_value(Some(text(value)));
    let resource = AlterConfigsResource::default().with_resource_type(kind).with_resource_name(text(resource)).with_configs(vec![change]);
    IncrementalAlterConfigsRequest::default().with_resources(vec![resource])
}

/// Compat: M6, M7, M8, M9, M10, M13.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn topics_and_configs_in_every_version() {
    let broker = Broker::fresh().await;
    for version in versions(19) {
        let config = CreatableTopicConfig::default().with_name(text("retention.ms")).with_value(Some(text("77")));
        let good = CreatableTopic::default().with_name(name(&format!("t{version}"))).with_num_partitions(2).with_replication_factor(1).with_configs(vec![config]);
        let bad = CreatableTopic::default().with_name(name("bad topic")).with_num_partitions(1).with_replication_factor(1);
        let ask = CreateTopicsRequest::default().with_topics(vec![good, bad]);
        let checked: CreateTopicsResponse = broker.call(&ask.clone().with_validate_only(true), version).await;
        assert_eq!(checked.topics[0].error_code, 0);
        let created: CreateTopicsResponse = broker.call(&ask, version).await;
        let codes: Vec<_> = created.topics.iter().map(|topic| topic.error_code).collect();
        assert_eq!(codes, [0, code(ErrorCode::InvalidTopicException)], "CreateTopics v{version}");
        if version >= 5 {
            let configs = created.topics[0].configs.as_ref().expect("the configs");
            let retention = configs.iter().find(|config| &*config.name == "retention.ms").expect("all configs are told");
            assert_eq!((retention.value.as_deref(), retention.config_source), (Some("77"), 1));
            assert!(configs.len() > 25);
        }
        let topic = broker.node.partitions.directory().named(&format!("t{version}")).expect("open when it is answered").clone();
        assert!(topic.partitions.iter().all(Option::is_some));
        assert_eq!(topic.settings.retention_ms, 77);
    }

    for version in versions(37) {
        let count = i32::from(version) + 3;
        let more = create_partitions_request::CreatePartitionsTopic::default().with_name(name("t7")).with_count(count).with_assignments(None);
        let ask = CreatePartitionsRequest::default().with_topics(vec![more]);
        let grown: CreatePartitionsResponse = broker.call(&ask, version).await;
        assert_eq!(grown.results[0].error_code, 0, "CreatePartitions v{version}");
        let again: CreatePartitionsResponse = broker.call(&ask, version).await;
        assert_eq!(again.results[0].error_code, code(ErrorCode::InvalidPartitions));
        assert_eq!(broker.node.partitions.directory().named("t7").expect("open").partitions.len(), usize::try_from(count).expect("small"));
    }

    for version in versions(44) {
        let altered: IncrementalAlterConfigsResponse = broker.call(&alter(2, "t7", "cleanup.policy", 2, "compact"), version).await;
        assert_eq!(altered.responses[0].error_code, 0, "{:?}", altered.responses[0].error_message);
    }
    assert!(broker.node.partitions.directory().named("t7").expect("open").settings.cleanup.compact, "an open partition has the change");
    let refused: IncrementalAlterConfigsResponse = broker.call(&alter(2, "t7", "nope", 0, "1"), 1).await;
    assert_eq!(refused.responses[0].error_code, code(ErrorCode::InvalidConfig));
    broker.create("plain", 1).await;
    let altered: IncrementalAlterConfigsResponse = broker.call(&alter(4, "", "log.retention.ms", 0, "555"), 1).await;
    assert_eq!(altered.responses[0].error_code, 0);
    let retention = |topic: &str| broker.node.partitions.directory().named(topic).expect("open").settings.retention_ms;
    assert_eq!((retention("plain"), retention("t7")), (555, 77), "a broker's config reaches the topics that have none of their own");

    for version in versions(32) {
        let resource = |kind: i8, name: &str| DescribeConfigsResource::default().with_resource_type(kind).with_resource_name(text(name)).with_configuration_keys(None);
        let ask = DescribeConfigsRequest::default()
            .with_resources(vec![resource(2, "t7"), resource(4, "1"), resource(4, ""), resource(2, "none"), resource(4, "9")])
            .with_include_synonyms(true)
            .with_include_documentation(version >= 3);
        let described: DescribeConfigsResponse = broker.call(&ask, version).await;
        let codes: Vec<_> = described.results.iter().map(|result| result.error_code).collect();
        assert_eq!(codes, [0, 0, 0, code(ErrorCode::UnknownTopicOrPartition), code(ErrorCode::InvalidRequest)]);
        let find = |at: usize, name: &str| described.results[at].configs.iter().find(|config| &*config.name == name).unwrap_or_else(|| panic!("{name}")).clone();
        let policy = find(0, "cleanup.policy");
        assert_eq!((policy.value.as_deref(), policy.config_source, policy.synonyms.len()), (Some("delete,compact"), 1, 2));
        assert_eq!(policy.config_type, if version >= 3 { 7 } else { 0 });
        assert_eq!(find(0, "max.message.bytes").config_source, 5);
        assert!(find(1, "num.partitions").read_only, "tools look for Kafka's names at a broker");
        assert_eq!((find(2, "log.retention.ms").value.as_deref(), described.results[2].configs.len()), (Some("555"), 1));
    }
    let listed: ListConfigResourcesResponse = broker.call(&ListConfigResourcesRequest::default().with_resource_types(vec![2]), 1).await;
    assert_eq!(listed.config_resources.len(), 7);

    for version in versions(33) {
        let config = alter_configs_request::AlterableConfig::default().with_name(text("segment.bytes")).with_value(Some(text("2097152")));
        let resource = alter_configs_request::AlterConfigsResource::default().with_resource_type(2).with_resource_name(text("t7")).with_configs(vec![config]);
        let altered: AlterConfigsResponse = broker.call(&AlterConfigsRequest::default().with_resources(vec![resource]), version).await;
        assert_eq!(altered.responses[0].error_code, 0);
        let settings = broker.node.partitions.directory().named("t7").expect("open").settings.clone();
        assert!(!settings.cleanup.compact, "what is not named goes back to its default");
        assert_eq!(settings.segment_bytes, 2_097_152);
    }

    for version in versions(20) {
        let topic = format!("t{}", (version.max(2) + 1).min(7));
        let ask = if version >= 6 {
            let id = broker.node.cluster.image().topic("t2").expect("there").id;
            DeleteTopicsRequest::default().with_topics(vec![delete_topics_request::DeleteTopicState::default().with_name(None).with_topic_id(id)])
        } else {
            DeleteTopicsRequest::default().with_topic_names(vec![name(&topic), name("none")])
        };
        let deleted: DeleteTopicsResponse = broker.call(&ask, version).await;
        if version == 2 {
            assert_eq!(deleted.responses[0].error_code, code(ErrorCode::UnknownTopicOrPartition), "already deleted in v1");
        } else {
            assert_eq!(deleted.responses[0].error_code, 0, "DeleteTopics v{version}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_rest_answers_honestly() {
    let broker = Broker::fresh().await;
    broker.create("t", 1).await;
    for version in versions(10) {
        let keys = if version >= 4 { FindCoordinatorRequest::default().with_coordinator_keys(vec![text("g")]) } else { FindCoordinatorRequest::default().with_key(text("g")) };
        let found: FindCoordinatorResponse = broker.call(&keys, version).await;
        let (error, node, port) = match found.coordinators.first() {
            Some(first) => (first.error_code, first.node_id, first.port),
            None => (found.error_code, found.node_id, found.port),
        };
        assert_eq!((error, node, port), (0, BrokerId(1), 9092), "FindCoordinator v{version}");
        if version >= 1 {
            let refused: FindCoordinatorResponse = broker.call(&keys.clone().with_key_type(2), version).await;
            let error = refused.coordinators.first().map_or(refused.error_code, |first| first.error_code);
            assert_eq!(error, code(ErrorCode::InvalidRequest));
            // Sent here to be refused for good: T14, and what franz-go and librdkafka would ask for ever.
            let found: FindCoordinatorResponse = broker.call(&keys.with_key_type(1), version).await;
            let (error, node) = found.coordinators.first().map_or((found.error_code, found.node_id), |first| (first.error_code, first.node_id));
            assert_eq!((error, node), (0, BrokerId(1)));
        }
    }
    for version in versions(22) {
        let asked = InitProducerIdRequest::default().with_transactional_id(Some(TransactionalId(text("tx")))).with_transaction_timeout_ms(1000);
        let refused: InitProducerIdResponse = broker.call(&asked, version).await;
        assert_eq!((refused.error_code, refused.producer_id.0), (code(ErrorCode::TransactionalIdAuthorizationFailed), -1));
    }
    for version in versions(29) {
        let acls: DescribeAclsResponse = broker.call(&DescribeAclsRequest::default(), version).await;
        assert_eq!(acls.error_code, code(ErrorCode::SecurityDisabled));
    }
    for version in versions(43) {
        let asked = elect_leaders_request::TopicPartitions::default().with_topic(name("t")).with_partitions(vec![0, 5]);
        let elected: ElectLeadersResponse = broker.call(&ElectLeadersRequest::default().with_topic_partitions(Some(vec![asked])), version).await;
        let codes: Vec<_> = elected.replica_election_results[0].partition_result.iter().map(|result| result.error_code).collect();
        assert_eq!(codes, [code(ErrorCode::ElectionNotNeeded), code(ErrorCode::UnknownTopicOrPartition)]);
    }
    let moving: ListPartitionReassignmentsResponse = broker.call(&ListPartitionReassignmentsRequest::default().with_topics(None), 0).await;
    assert_eq!((moving.error_code, moving.topics.len()), (0, 0));
    for version in versions(45) {
        use alter_partition_reassignments_request::{ReassignablePartition, ReassignableTopic};
        let ask = |index, nodes: Option<&[i32]>| {
            let nodes = nodes.map(|nodes| nodes.iter().copied().map(BrokerId).collect());
            ReassignablePartition::default().with_partition_index(index).with_replicas(nodes)
        };
        let asked = vec![ask(0, Some(&[1])), ask(0, None), ask(0, Some(&[])), ask(0, Some(&[7])), ask(0, Some(&[1, 1])), ask(9, Some(&[1]))];
        let topic = ReassignableTopic::default().with_name(name("t")).with_partitions(asked);
        let answer: AlterPartitionReassignmentsResponse = broker.call(&AlterPartitionReassignmentsRequest::default().with_topics(vec![topic]), version).await;
        let codes: Vec<_> = answer.responses[0].partitions.iter().map(|partition| partition.error_code).collect();
        let bad = code(ErrorCode::InvalidReplicaAssignment);
        assert_eq!(codes, [0, code(ErrorCode::NoReassignmentInProgress), bad, bad, bad, code(ErrorCode::UnknownTopicOrPartition)]);
    }
    let folders: DescribeLogDirsResponse = broker.call(&DescribeLogDirsRequest::default().with_topics(None), 4).await;
    for version in versions(34) {
        use alter_replica_log_dirs_request::{AlterReplicaLogDir, AlterReplicaLogDirTopic};
        let topic = AlterReplicaLogDirTopic::default().with_name(name("t")).with_partitions(vec![0, 9]);
        let dir = |path: &StrBytes| AlterReplicaLogDir::default().with_path(path.clone()).with_topics(vec![topic.clone()]);
        let asked = AlterReplicaLogDirsRequest::default().with_dirs(vec![dir(&folders.results[0].log_dir), dir(&text("/elsewhere"))]);
        let answer: AlterReplicaLogDirsResponse = broker.call(&asked, version).await;
        let codes: Vec<_> = answer.results.iter().flat_map(|topic| &topic.partitions).map(|partition| partition.error_code).collect();
        let nowhere = code(ErrorCode::LogDirNotFound);
        assert_eq!(codes, [0, code(ErrorCode::UnknownTopicOrPartition), nowhere, nowhere]);
    }
    broker.coordinator("g").await;
    for version in versions(15) {
        let missing: DescribeGroupsResponse = broker.call(&DescribeGroupsRequest::default().with_groups(vec![group("none")]), version).await;
        let expected = if version >= 6 { code(ErrorCode::GroupIdNotFound) } else { 0 };
        assert_eq!((missing.groups[0].error_code, &*missing.groups[0].group_state), (expected, "Dead"));
    }
    let deleted: OffsetDeleteResponse = broker.call(&OffsetDeleteRequest::default().with_group_id(group("none")), 0).await;
    assert_eq!(deleted.error_code, code(ErrorCode::GroupIdNotFound));
    for version in versions(16) {
        let listed: ListGroupsResponse = broker.call(&ListGroupsRequest::default(), version).await;
        assert_eq!(listed.error_code, 0);
    }
}

/// Compat: M3.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changes_at_the_same_time_leave_everything_open() {
    let broker = Arc::new(Broker::fresh().await);
    let tasks = (0..24).map(|number| {
        let broker = broker.clone();
        tokio::spawn(async move {
            let topic = format!("c{number}");
            broker.create(&topic, 2).await;
            if number % 3 == 0 {
                let deleted: DeleteTopicsResponse = broker.call(&DeleteTopicsRequest::default().with_topic_names(vec![name(&topic)]), 5).await;
                assert_eq!(deleted.responses[0].error_code, 0);
            } else {
                let _: FindCoordinatorResponse = broker.call(&FindCoordinatorRequest::default().with_key(text("g")), 3).await;
            }
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.expect("no task fails");
    }
    let directory = broker.node.partitions.directory();
    let image = broker.node.cluster.image();
    assert_eq!(directory.topics().count(), 17, "16 that stayed, and the offsets topic");
    for topic in image.topics() {
        let open = directory.with_id(topic.id).expect("open");
        assert!(open.partitions.len() == topic.partitions.len() && open.partitions.iter().all(Option::is_some), "{}", topic.name);
        assert!(open.partitions.iter().flatten().all(|partition| partition.state().is_leader));
    }
    broker.coordinator("g").await;
    assert_eq!(broker.node.coordinators.seats().len(), 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_that_nobody_waits_for_is_carried_out() {
    let broker = Broker::fresh().await;
    let node = broker.node.clone();
    let asked = [millrace_cluster::decide::NewTopic { partitions: 3, ..millrace_cluster::decide::NewTopic::named("left") }];
    {
        let mut change = Box::pin(node.change(|cluster| millrace_cluster::decide::create_topics(cluster, &asked, &mut || node.new_id())));
        // One look, in which it is decided and appended; then the caller is gone.
        assert!(futures_util::poll!(change.as_mut()).is_pending());
    }
    for _ in 0..500 {
        if let Some(topic) = broker.node.partitions.directory().named("left") {
            assert!(topic.partitions.len() == 3 && topic.partitions.iter().all(Option::is_some));
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("the topic is in the log and not open");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_waits_is_answered_when_the_coordinator_goes() {
    let broker = Broker::fresh().await;
    broker.coordinator("g").await;
    let ask = JoinGroupRequest::default()
        .with_group_id(group("g"))
        .with_session_timeout_ms(30_000)
        .with_rebalance_timeout_ms(60_000)
        .with_protocol_type(text("consumer"))
        .with_protocols(vec![JoinGroupRequestProtocol::default().with_name(text("range"))]);
    let first: JoinGroupResponse = broker.call(&ask, 3).await;
    assert_eq!(first.error_code, 0);
    // The second one waits for the first to come back, which it does not.
    let waits = broker.call::<_, JoinGroupResponse>(&ask, 3);
    let deletes = async {
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        let gone = DeleteTopicsRequest::default().with_topic_names(vec![name("__consumer_offsets")]);
        broker.call::<_, DeleteTopicsResponse>(&gone, 5).await
    };
    let both = async { tokio::join!(waits, deletes) };
    let (second, deleted) = tokio::time::timeout(std::time::Duration::from_secs(20), both).await.expect("nobody is left waiting");
    assert_eq!((second.error_code, deleted.responses[0].error_code), (code(ErrorCode::NotCoordinator), 0));
    let beat = HeartbeatRequest::default().with_group_id(group("g")).with_generation_id(1).with_member_id(first.member_id);
    let refused: HeartbeatResponse = broker.call(&beat, 3).await;
    assert_eq!(refused.error_code, code(ErrorCode::CoordinatorNotAvailable));
    // It comes back with the first who asks for it.
    broker.coordinator("g").await;
    let again: JoinGroupResponse = broker.call(&ask, 3).await;
    assert_eq!((again.error_code, again.generation_id), (0, 1));
}
