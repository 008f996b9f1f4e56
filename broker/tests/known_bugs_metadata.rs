//! Bugs of other brokers around versions, Metadata and topics, each as the client saw it. The ids are those of
//! the list of known compatibility bugs; what stands beside the code is marked there.
mod common;

use common::{Client, TestNode, batch, framed, produce, topic};
use millrace::api::table::APIS;
use millrace_protocol::StrBytes;
use millrace_protocol::messages::metadata_request::MetadataRequestTopic;
use millrace_protocol::messages::metadata_response::MetadataResponseTopic;
use millrace_protocol::messages::{self as m, MetadataRequest};

fn named(names: &[&str], create: bool) -> MetadataRequest {
    let topics = names.iter().map(|name| MetadataRequestTopic::default().with_name(Some(topic(name))));
    MetadataRequest::default().with_topics(Some(topics.collect())).with_allow_auto_topic_creation(create)
}

async fn metadata(client: &mut Client, name: &str) -> MetadataResponseTopic {
    client.ask(&named(&[name], true), 9).await.topics[0].clone()
}

/// Compat: V8, V9, V11, V16, V17. Nothing is read as a version that it is not: the connection ends, as Kafka's
/// does, and what is not in the table (SASL among it) does not exist.
#[tokio::test]
async fn no_version_outside_the_table_is_served() {
    let node = TestNode::start().await;
    let versions = APIS.iter().filter(|api| api.name != "ApiVersions").flat_map(|api| {
        let (first, last) = (*api.versions.start(), *api.versions.end());
        [(api, first - 1), (api, last + 1), (api, i16::MAX)]
    });
    for (api, version) in versions {
        let mut client = node.connect().await;
        client.send_frame(&framed(api.key, version, 1, api.flexible(version), &[0; 40])).await;
        assert!(client.is_closed().await, "{} v{version}", api.name);
    }
    for absent in [17, 36, 24, 68, 78] {
        assert!(APIS.iter().all(|api| api.key != absent));
        let mut client = node.connect().await;
        client.send_frame(&framed(absent, 0, 1, false, &[0; 40])).await;
        assert!(client.is_closed().await, "api {absent}");
    }
}

/// Compat: V6, V20. The longest names that Kafka reads are answered like any other bad name.
#[tokio::test]
async fn names_of_any_length_and_an_empty_client_id_are_answered() {
    let node = TestNode::start().await;
    let mut client = node.connect().await;
    for version in [4, 9, 12] {
        let answer = client.ask(&named(&["x".repeat(32_767).as_str()], false), version).await;
        assert_eq!(answer.topics[0].error_code, 17, "v{version}");
        assert_eq!(answer.topics[0].name.as_ref().map(|name| name.len()), Some(32_767));
        // What Kafka takes for no string at all ends the connection, and that alone.
        if version >= 9 {
            let mut client = node.connect().await;
            client.send(&named(&["x".repeat(32_768).as_str()], false), version).await;
            assert!(client.is_closed().await);
        }
    }
    for id in [&b""[..], &[b'i'; 32_767]] {
        // Metadata v9 for no topic, from a client of that name.
        let head = [&3i16.to_be_bytes()[..], &9i16.to_be_bytes(), &7i32.to_be_bytes(), &(id.len() as i16).to_be_bytes(), id, &[0]].concat();
        let body = [&head[..], &[1, 0, 0, 0, 0]].concat();
        client.send_frame(&[&(body.len() as i32).to_be_bytes()[..], &body].concat()).await;
        assert_eq!(client.receive().await.expect("an answer")[..4], 7i32.to_be_bytes());
    }
}

/// Compat: M1, M2, M4. Who asks for a topic that is not there makes it, is told to ask again, and from then on
/// it can be written to; so can it before.
#[tokio::test]
async fn a_topic_made_by_asking_can_be_written_to() {
    let node = TestNode::with("num.partitions=3\n").await;
    let mut client = node.connect().await;
    let first = metadata(&mut client, "t").await;
    assert_eq!((first.error_code, first.partitions.len()), (5, 0), "LEADER_NOT_AVAILABLE");
    assert_eq!(client.produce("t", batch(&["a"])).await.error_code, 0);
    let mut second = metadata(&mut client, "t").await;
    while second.error_code == 5 {
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        second = metadata(&mut client, "t").await;
    }
    assert_eq!((second.error_code, second.partitions.len()), (0, 3));
    assert!(second.partitions.iter().all(|partition| partition.leader_id == 1 && partition.error_code == 0));
    for partition in 0..3 {
        let answer = client.ask(&produce("t", partition, batch(&["b"]), -1), 9).await;
        assert_eq!(answer.responses[0].partition_responses[0].error_code, 0);
    }
    let unwanted = client.ask(&named(&["u"], false), 9).await;
    assert_eq!(unwanted.topics[0].error_code, 3);
    let bad = metadata(&mut client, "not/a/name").await;
    assert_eq!(bad.error_code, 17);
}

/// The Java client asks by id with an empty name, not with none.
#[tokio::test]
async fn a_topic_is_found_by_its_id_whatever_stands_for_its_name() {
    let node = TestNode::start().await;
    let mut client = node.connect().await;
    client.create_topic("t", 1, &[]).await;
    let id = client.ask(&named(&["t"], false), 12).await.topics[0].topic_id;
    for name in [None, Some(topic(""))] {
        for (id, code) in [(id, 0), (uuid::Uuid::from_u128(42), 100)] {
            let asked = MetadataRequestTopic::default().with_name(name.clone()).with_topic_id(id);
            let answer = client.ask(&MetadataRequest::default().with_topics(Some(vec![asked])), 12).await;
            assert_eq!((answer.topics[0].error_code, answer.topics[0].topic_id), (code, id));
            assert_eq!(answer.topics[0].name == Some(topic("t")), code == 0);
        }
    }
}

/// Compat: M3.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_topic_is_never_missing_while_others_are_made() {
    let node = TestNode::start().await;
    let mut client = node.connect().await;
    client.create_topic("t", 2, &[]).await;
    let mut other = node.connect().await;
    let making = tokio::spawn(async move {
        for number in 0..40 {
            metadata(&mut other, &format!("new-{number}")).await;
        }
    });
    while !making.is_finished() {
        let seen = metadata(&mut client, "t").await;
        let led = seen.partitions.iter().filter(|partition| partition.leader_id == 1).count();
        assert_eq!((seen.error_code, led), (0, 2));
        let all = client.ask(&MetadataRequest::default().with_topics(None), 9).await;
        assert!(all.topics.iter().any(|one| one.name == Some(topic("t"))));
    }
    making.await.expect("all were made");
}

/// Compat: M5, M17, M18, M19.
#[tokio::test]
async fn the_cluster_is_the_same_whoever_tells_of_it() {
    let node = TestNode::start().await;
    let mut client = node.connect().await;
    let seen = client.ask(&MetadataRequest::default(), 9).await;
    let cluster = seen.cluster_id.clone().expect("an id");
    assert_eq!(cluster.len(), 22, "16 bytes in base64url");
    assert!(cluster.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')));
    assert_ne!(cluster.as_str(), "AAAAAAAAAAAAAAAAAAAAAA");
    let address = (seen.brokers[0].node_id, seen.brokers[0].host.clone(), seen.brokers[0].port);
    assert_eq!((seen.brokers.len(), seen.controller_id), (1, address.0));
    let told = client.ask(&m::DescribeClusterRequest::default(), 1).await;
    assert_eq!((&told.cluster_id, told.controller_id), (&cluster, address.0));
    assert_eq!((told.brokers[0].broker_id, told.brokers[0].host.clone(), told.brokers[0].port), address);
    let group = m::FindCoordinatorRequest::default().with_coordinator_keys(vec![StrBytes::from_static_str("g")]);
    let found = client.ask(&group, 4).await.coordinators[0].clone();
    assert_eq!((found.error_code, (found.node_id, found.host, found.port)), (0, address));
    drop(client);
    let node = TestNode::in_folder(node.stop().await, "").await;
    assert_eq!(node.connect().await.ask(&MetadataRequest::default(), 9).await.cluster_id, Some(cluster));
}
