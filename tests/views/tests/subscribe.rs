//! Push queries: where they begin, how they resume, and what a slow subscriber is told.
use std::time::{Duration, Instant};

use millrace_client::views::{Changes, Code, Cut, Subscription};
use millrace_client::{Client, ClientConfig};
use millrace_proto as proto;
use millrace_proto::subscribe_response::What;
use millrace_views_tests::{COUNTED, broker, producer, record, run, views, write};
use tonic_types::StatusExt;

/// The next changes that are changes.
async fn changes(subscription: &mut Subscription) -> Changes {
    loop {
        let next = tokio::time::timeout(Duration::from_secs(30), subscription.next()).await.expect("changes come").unwrap().expect("a push query goes on");
        if !next.changes.is_empty() {
            return next;
        }
    }
}

#[test]
fn a_subscription_begins_where_it_is_told_and_goes_on_behind_its_cut() {
    let broker = broker("subscribe");
    run(async {
        let (views, producer) = (views(&broker), producer(&broker).await);
        views.execute(COUNTED).await.unwrap();
        let first = write(&producer, "src", (0..10).map(|number| record("a", format!("{{\"n\":{number}}}")))).await;
        let mut latest = views.subscribe("SELECT n FROM src EMIT CHANGES;").latest().open().await.unwrap();
        // Nothing has come, and yet it is known where it began: behind what was there.
        assert!(latest.cut().covers(&first));
        let second = write(&producer, "src", (10..15).map(|number| record("a", format!("{{\"n\":{number}}}")))).await;
        let mut seen = Vec::new();
        while seen.len() < 5 {
            seen.extend(changes(&mut latest).await.changes.iter().map(|change| change.row.get::<i64>("N").unwrap()));
        }
        assert_eq!(seen, [10, 11, 12, 13, 14]);
        assert!(latest.cut().covers(&second));
        let mut again = views.subscribe("SELECT n FROM src EMIT CHANGES;").behind(&first).open().await.unwrap();
        assert_eq!(changes(&mut again).await.changes[0].row.get::<i64>("N").unwrap(), 10);
        // A query with state computes what came before and tells only what came after.
        let mut counted = views.subscribe("SELECT k, COUNT(*) AS c FROM src GROUP BY k EMIT CHANGES;").behind(&first).open().await.unwrap();
        assert_eq!(changes(&mut counted).await.changes[0].row.get::<i64>("C").unwrap(), 11);
        let mut limited = views.subscribe("SELECT n FROM src WHERE k = ? EMIT CHANGES LIMIT 3;").bind("a").earliest().open().await.unwrap();
        let mut told = 0;
        while let Some(batch) = limited.next().await.unwrap() {
            told += batch.changes.len();
        }
        assert_eq!(told, 3);
    });
}

#[test]
fn deletions_are_changes() {
    let broker = broker("deletions");
    run(async {
        let (views, producer) = (views(&broker), producer(&broker).await);
        views
            .execute(
                "CREATE TABLE users (id VARCHAR PRIMARY KEY, name VARCHAR) WITH (kafka_topic='users', value_format='JSON', partitions=1);
                 CREATE TABLE kept AS SELECT * FROM users;",
            )
            .await
            .unwrap();
        let mut subscription = views.subscribe_view("kept").earliest().open().await.unwrap();
        let gone = millrace_client::Outgoing { value: None, ..record("u1", "") };
        write(&producer, "users", [record("u1", "{\"name\":\"Ann\"}"), gone]).await;
        let mut told = Vec::new();
        while told.len() < 2 {
            told.extend(changes(&mut subscription).await.changes);
        }
        assert!(!told[0].deleted && told[1].deleted, "{told:?}");
        assert_eq!(told[1].row.get::<String>("ID").unwrap(), "u1");
        assert_eq!(told[1].row.get::<Option<String>>("NAME").unwrap(), None);
    });
}

#[test]
fn a_filter_that_passes_over_everything_still_moves_its_cut() {
    let broker = broker("filter");
    run(async {
        let (views, producer) = (views(&broker), producer(&broker).await);
        views.execute(COUNTED).await.unwrap();
        let mut subscription = views.subscribe("SELECT n FROM src WHERE n < 0 EMIT CHANGES;").latest().open().await.unwrap();
        let writing = async {
            for _ in 0..8 {
                write(&producer, "src", [record("a", "{\"n\":1}")]).await;
                tokio::time::sleep(Duration::from_millis(400)).await;
            }
        };
        let moved = async { subscription.next().await.unwrap().unwrap() };
        let (moved, ()) = tokio::join!(moved, writing);
        assert!(moved.changes.is_empty() && !moved.cut.is_empty());
    });
}

#[test]
fn a_subscriber_that_takes_nothing_is_told_and_resumes_without_loss() {
    let broker = broker("slow");
    run(async {
        let (views, producer) = (views(&broker), producer(&broker).await);
        views.execute("CREATE STREAM texts (k VARCHAR KEY, n BIGINT, t VARCHAR) WITH (kafka_topic='texts', value_format='JSON', partitions=1);").await.unwrap();
        let channel = tonic::transport::Endpoint::from_shared(format!("http://{}", broker.grpc())).unwrap().connect().await.unwrap();
        let mut plain = proto::views_client::ViewsClient::new(channel);
        let request = proto::SubscribeRequest {
            what: Some(proto::subscribe_request::What::Sql("SELECT n, t FROM texts EMIT CHANGES;".into())),
            properties: [("ksql.query.push.stalled.max.ms".to_owned(), "500".to_owned())].into(),
            from: Some(proto::subscribe_request::From::Earliest(true)),
            ..Default::default()
        };
        let mut messages = plain.subscribe(request).await.unwrap().into_inner();
        // Far more than fits into any buffer between the query and here.
        let text = "x".repeat(10_000);
        let count = 3000;
        write(&producer, "texts", (0..count).map(|number| record("k", format!("{{\"n\":{number},\"t\":\"{text}\"}}")))).await;
        tokio::time::sleep(Duration::from_secs(3)).await;
        let (mut seen, mut cut) = (Vec::new(), None);
        let told = loop {
            match messages.message().await {
                Ok(Some(message)) => {
                    let Some(What::Changes(changes)) = message.what else { continue };
                    let number = |change: &proto::Change| match &change.row.as_ref().unwrap().values[0].kind {
                        Some(proto::value::Kind::Bigint(number)) => *number,
                        other => panic!("{other:?}"),
                    };
                    seen.extend(changes.changes.iter().map(number));
                    cut = changes.cut.or(cut);
                }
                Ok(None) => panic!("the stream ended without a word after {} changes", seen.len()),
                Err(status) => break status,
            }
        };
        assert_eq!(told.code(), Code::ResourceExhausted, "{told:?}");
        assert_eq!(told.get_details_error_info().unwrap().reason, "SLOW_SUBSCRIBER");
        assert!((seen.len() as i64) < count, "it was not slow");
        let positions = cut.unwrap().positions;
        let mut behind = millrace_client::views::Cut::default();
        positions.iter().for_each(|position| behind.advance(millrace_client::TopicPartition::new(&position.topic, position.partition), position.offset));
        let mut subscription = views.subscribe("SELECT n, t FROM texts EMIT CHANGES;").behind(behind).open().await.unwrap();
        while (seen.len() as i64) < count {
            let batch = changes(&mut subscription).await;
            assert!(batch.records_behind >= 0);
            seen.extend(batch.changes.iter().map(|change| change.row.get::<i64>("N").unwrap()));
        }
        assert_eq!(seen, (0..count).collect::<Vec<_>>());
        assert_eq!(views.execute("LIST QUERIES;").await.unwrap()[0].rows.len(), 1, "only this subscription's query is left");
    });
}

#[test]
fn a_cut_that_is_not_kept_is_refused_and_never_skipped() {
    let broker = broker("gone");
    run(async {
        let (views, producer) = (views(&broker), producer(&broker).await);
        views.execute(COUNTED).await.unwrap();
        let cut = write(&producer, "src", [record("a", "{\"n\":1}")]).await;
        let (at, next) = cut.iter().next().map(|(at, next)| (at.clone(), next)).unwrap();
        let mut beyond = cut.clone();
        beyond.advance(at.clone(), next + 100);
        let open = async |cut| views.subscribe("SELECT n FROM src EMIT CHANGES;").behind(cut).patience(Duration::ZERO).open().await.map(drop).unwrap_err();
        let error = open(beyond).await;
        assert_eq!((error.code(), error.reason()), (Some(Code::OutOfRange), "CUT_NOT_KEPT"), "{error}");
        let strange = millrace_client::views::Cut::after(&millrace_client::Delivered { at: millrace_client::TopicPartition::new("x", 0), offset: 0 });
        let error = open(strange).await;
        assert_eq!((error.code(), error.reason()), (Some(Code::InvalidArgument), "NOT_AN_INPUT"), "{error}");
        // Records removed in front of the cut.
        let client = millrace_client::Client::connect(millrace_client::ClientConfig::new(&broker.kafka())).await.unwrap();
        write(&producer, "src", (0..20).map(|_| record("a", "{\"n\":2}"))).await;
        client.delete_records(&at, next + 10).await.unwrap();
        let error = open(cut).await;
        assert_eq!(error.reason(), "CUT_NOT_KEPT", "{error}");
    });
}

#[test]
fn a_node_that_stops_says_that_the_query_can_resume() {
    let mut broker = broker("stop");
    run(async {
        let (views, producer) = (views(&broker), producer(&broker).await);
        views.execute(COUNTED).await.unwrap();
        write(&producer, "src", [record("a", "{\"n\":1}")]).await;
        let mut patient = views.subscribe("SELECT n FROM src EMIT CHANGES;").earliest().open().await.unwrap();
        let mut hasty = views.subscribe("SELECT n FROM src EMIT CHANGES;").earliest().patience(Duration::ZERO).open().await.unwrap();
        changes(&mut patient).await;
        changes(&mut hasty).await;
        let stopped = tokio::task::block_in_place(|| broker.stop());
        assert!(stopped.status.success() && stopped.took < Duration::from_secs(10), "{stopped:?}");
        let error = tokio::time::timeout(Duration::from_secs(10), async {
            loop {
                match hasty.next().await {
                    Ok(Some(_)) => {}
                    Ok(None) => panic!("the stream ended as if its query had"),
                    Err(error) => return error,
                }
            }
        });
        let error = error.await.expect("it is told at once");
        assert_eq!(error.code(), Some(Code::Unavailable), "{error}");
        tokio::task::block_in_place(|| broker.restart());
        write(&producer, "src", [record("a", "{\"n\":2}")]).await;
        let next = changes(&mut patient).await;
        assert_eq!(next.changes.iter().map(|change| change.row.get::<i64>("N").unwrap()).collect::<Vec<_>>(), [2]);
        assert!(patient.resumed() >= 1);
    });
}

/// Offsets of a topic that is gone mean nothing in another one of its name: neither a subscriber that is there nor one that comes
/// back is told of the new one's records as if nothing had been.
#[test]
fn a_topic_that_is_made_anew_is_no_resumption() {
    let broker = broker("anew");
    run(async {
        let (views, producer) = (views(&broker), producer(&broker).await);
        views.execute(COUNTED).await.unwrap();
        write(&producer, "src", [record("a", "{\"n\":1}")]).await;
        let mut subscription = views.subscribe("SELECT n FROM src EMIT CHANGES;").earliest().patience(Duration::ZERO).open().await.unwrap();
        changes(&mut subscription).await;
        let kept = subscription.cut().to_string();
        views.execute("DROP TABLE by_key; DROP STREAM src DELETE TOPIC;").await.unwrap();
        let told = tokio::time::timeout(Duration::from_secs(20), async {
            loop {
                match subscription.next().await {
                    Ok(Some(_)) => {}
                    Ok(None) => panic!("it ended as if its query had"),
                    Err(error) => return error,
                }
            }
        });
        let told = told.await.expect("a subscriber of nothing is told");
        assert!(matches!(told.code(), Some(Code::OutOfRange | Code::Unavailable)), "{told}");
        views.execute(COUNTED).await.unwrap();
        write(&producer, "src", (0..40).map(|number| record(&format!("k{number}"), "{\"n\":2}"))).await;
        let again = views.subscribe("SELECT n FROM src EMIT CHANGES;").behind(kept.parse::<Cut>().unwrap()).patience(Duration::ZERO).open().await;
        let error = again.map(drop).unwrap_err();
        assert_eq!((error.code(), error.reason()), (Some(Code::OutOfRange), "CUT_NOT_KEPT"), "{error}");
        assert!(error.to_string().contains("made again"), "{error}");
    });
}

#[test]
fn partitions_that_a_topic_gets_are_told_of_to_those_who_follow_it() {
    let broker = broker("grown");
    run(async {
        let (views, producer) = (views(&broker), producer(&broker).await);
        views.execute("CREATE STREAM few (k VARCHAR KEY, n BIGINT) WITH (kafka_topic='few', value_format='JSON', partitions=1);").await.unwrap();
        let mut subscription = views.subscribe("SELECT n FROM few EMIT CHANGES;").latest().open().await.unwrap();
        let client = Client::connect(ClientConfig::new(&broker.kafka())).await.unwrap();
        client.create_partitions("few", 3).await.unwrap();
        let until = Instant::now() + Duration::from_secs(30);
        while client.topics().await.unwrap().get("few").is_none_or(|topic| topic.partitions.len() < 3) {
            assert!(Instant::now() < until, "the topic never got its partitions");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        producer.send("few", Some(2), record("a", "{\"n\":7}")).await.unwrap().await.unwrap();
        let told = changes(&mut subscription).await;
        assert_eq!(told.changes[0].row.get::<i64>("N").unwrap(), 7);
        assert_eq!(told.cut.next(&millrace_client::TopicPartition::new("few", 2)), Some(1));
    });
}

/// Nothing looks at the log now and then: a change is told when it is committed, also to a subscriber that had long been waiting.
#[test]
fn a_change_is_told_at_once_after_a_silence() {
    let broker = broker("silence");
    run(async {
        let (views, producer) = (views(&broker), producer(&broker).await);
        views.execute(COUNTED).await.unwrap();
        let mut subscription = views.subscribe("SELECT n FROM src EMIT CHANGES;").latest().open().await.unwrap();
        let mut took = Vec::new();
        for round in 0..15 {
            tokio::time::sleep(Duration::from_millis(if round == 0 { 3000 } else { 137 })).await;
            write(&producer, "src", [record("a", "{\"n\":1}")]).await;
            let committed = Instant::now();
            changes(&mut subscription).await;
            took.push(committed.elapsed());
        }
        took.sort();
        assert!(took[took.len() / 2] < Duration::from_millis(50), "{took:?}");
    });
}
