//! What is kept of producers. A file of its own: the memory is the whole process's, and nothing else may use it meanwhile.
mod common;

use common::{TestNode, batch_from, produce};

/// Many producers, each with a few records: what is kept of them is small, and ends with them.
#[tokio::test]
async fn thousands_of_producers_are_remembered_and_forgotten() {
    let node = TestNode::start().await;
    let mut client = node.connect().await;
    client.create_topic("t", 1, &[]).await;
    let before = common::resident();
    for producer in 0..5_000 {
        client.send(&produce("t", 0, batch_from(producer, 0, 0, &["x"]), -1), 9).await;
        if producer % 100 == 99 {
            for _ in 0..100 {
                assert!(client.receive().await.is_some());
            }
        }
    }
    let grown = common::resident().saturating_sub(before);
    assert!(grown < 64 << 20, "{} MiB for 5000 producers", grown >> 20);
    assert_eq!(client.produce("t", batch_from(7, 0, 0, &["x"])).await.base_offset, 7, "a repetition is still recognised");
}
