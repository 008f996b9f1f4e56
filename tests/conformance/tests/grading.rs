//! The runner must fail what is wrong: a right case passes, and each way of damaging it fails.

use std::fs;

use millrace_conformance::case::Case;
use millrace_conformance::report::Verdict;
use millrace_conformance::{load, run};
use serde_json::{Value as Json, json};

fn right() -> Json {
    json!({
        "name": "windowed count",
        "statements": [
            "CREATE STREAM S (K STRING KEY, V DECIMAL(4,2)) WITH (kafka_topic='s', value_format='JSON');",
            "CREATE TABLE O AS SELECT K, COUNT(*) AS N, MAX(V) AS M FROM S WINDOW TUMBLING (SIZE 10 SECONDS) GROUP BY K;"
        ],
        "inputs": [{"topic": "s", "key": "k", "value": {"v": 1.5}, "timestamp": 12000, "headers": [{"KEY": "h", "VALUE": "AQ=="}]}],
        "outputs": [{
            "topic": "O", "key": "k", "value": {"N": 1, "M": "1.50"}, "timestamp": 12000,
            "window": {"start": 10000, "end": 20000, "type": "time"}, "headers": [{"KEY": "h", "VALUE": "AQ=="}]
        }],
        "post": {
            "sources": [{
                "name": "O", "type": "table", "schema": "K STRING KEY, N BIGINT, M DECIMAL(4,2)",
                "keyFormat": {"format": "KAFKA", "windowType": "TUMBLING", "windowSize": 10000}, "valueFormat": "JSON"
            }],
            "topics": {"blacklist": ".*-repartition", "topics": [{
                "name": "O", "keyFormat": {"format": "KAFKA"}, "valueFormat": {"format": "JSON"}, "partitions": 4
            }]}
        }
    })
}

fn cases(tests: &[Json], script: &str) -> Vec<Case> {
    let folder = tempfile::tempdir().unwrap();
    for kind in ["qtt", "sql"] {
        fs::create_dir(folder.path().join(kind)).unwrap();
    }
    fs::write(folder.path().join("qtt/f.json"), json!({"tests": tests}).to_string()).unwrap();
    fs::write(folder.path().join("sql/f.sql"), script).unwrap();
    load::load(folder.path()).unwrap()
}

fn verdict(test: Json) -> Verdict {
    run::run(&cases(&[test], "")[0])
}

#[test]
fn a_right_case_passes() {
    assert_eq!(verdict(right()), Verdict::Pass);
}

#[test]
fn every_damage_fails() {
    let damages: &[(&str, Json)] = &[
        ("/outputs/0/key", json!("other")),
        ("/outputs/0/value/N", json!(2)),
        ("/outputs/0/value/N", json!(null)),
        ("/outputs/0/value/M", json!("1.51")),
        ("/outputs/0/value", json!({"N": 1})),
        ("/outputs/0/value", json!(null)),
        ("/outputs/0/timestamp", json!(12001)),
        ("/outputs/0/window/start", json!(0)),
        ("/outputs/0/window/end", json!(20001)),
        ("/outputs/0/window/type", json!("session")),
        ("/outputs/0/window", json!(null)),
        ("/outputs/0/headers", json!([])),
        ("/outputs/0/headers/0/VALUE", json!("Ag==")),
        ("/outputs/0/topic", json!("NOWHERE")),
        ("/inputs", json!([])),
        ("/post/sources/0/name", json!("P")),
        ("/post/sources/0/type", json!("stream")),
        ("/post/sources/0/schema", json!("K STRING KEY, M DECIMAL(4,2), N BIGINT")),
        ("/post/sources/0/keyFormat/windowSize", json!(9)),
        ("/post/sources/0/valueFormat", json!("AVRO")),
        ("/post/topics/blacklist", json!("O")),
        ("/post/topics/topics/0/partitions", json!(5)),
        ("/post/topics/topics/0/valueFormat", json!({"format": "JSON", "features": ["WRAP_SINGLES"]})),
        ("/statements/1", json!("CREATE TABLE O AS SELECT NOTHING FROM S;")),
    ];
    for (place, damage) in damages {
        let mut test = right();
        *test.pointer_mut(place).unwrap() = damage.clone();
        assert!(matches!(verdict(test), Verdict::Fail(_)), "{place} = {damage} passes");
    }
}

#[test]
fn a_failure_must_be_the_one_expected() {
    let failing = |message: &str, statements: Json| {
        verdict(json!({"name": "n", "statements": statements, "expectedException": {"type": "T", "message": message}}))
    };
    let source = "CREATE STREAM S (K STRING KEY, V INT) WITH (kafka_topic='s', value_format='JSON');";
    let bad = "CREATE STREAM O AS SELECT * FROM NOWHERE;";
    assert_eq!(failing("NOWHERE does not exist", json!([source, bad])), Verdict::Pass);
    assert!(!failing("something else", json!([source, bad])).passed(), "other words");
    assert!(!failing("NOWHERE does not exist", json!([bad, source])).passed(), "not the last statement");
    assert!(!failing("does not exist", json!([source])).passed(), "no failure");
}

#[test]
fn scripts_assert_in_order() {
    let head = "CREATE STREAM S (K INT KEY, V INT) WITH (kafka_topic='s', value_format='JSON');\n\
                CREATE STREAM O AS SELECT K, V + 1 AS W FROM S;\nINSERT INTO S (ROWTIME, K, V) VALUES (5, 1, 2);\n";
    let ends = [
        ("ASSERT VALUES O (ROWTIME, K, W) VALUES (5, 1, 3);", true),
        ("ASSERT VALUES O (W) VALUES (4);", false),
        ("ASSERT VALUES O (W) VALUES (3);\nASSERT VALUES O (W) VALUES (3);", false),
        ("ASSERT NULL VALUES O (K) KEY (1);", false),
        ("ASSERT STREAM O (K INT KEY, W INT) WITH (kafka_topic='O', value_format='JSON');", true),
        ("ASSERT STREAM O (K INT KEY, W BIGINT) WITH (kafka_topic='O', value_format='JSON');", false),
    ];
    for (end, passes) in ends {
        let case = cases(&[], &format!("--@test: one\n{head}{end}\n")).remove(0);
        assert_eq!(run::run(&case).passed(), passes, "{end}: {:?}", run::run(&case));
    }
}

/// What is not of the format fails with the reason, and the cases beside it run all the same.
#[test]
fn odd_files_stop_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &[u8]| {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    assert!(load::load(folder.path()).unwrap().is_empty());
    fs::create_dir_all(folder.path().join("qtt/empty")).unwrap();
    std::os::unix::fs::symlink("..", folder.path().join("qtt/empty/round")).unwrap();
    write("qtt/a-broken.json", b"{\"tests\": [{");
    write("qtt/b-bytes.json", b"\xff\xfe{}");
    write("qtt/c-other.json", b"[1, 2]");
    write("qtt/d-none.json", b"{\"tests\": []}");
    write("qtt/e-deep.json", "[".repeat(100_000).as_bytes());
    write("qtt/readme.txt", b"not a case");
    let mut odd = right();
    odd["future"] = json!({"anything": [1, {"x": null}]});
    odd["comments"] = json!("prose");
    odd["outputs"][0]["future"] = json!(1);
    let tests = json!([odd, 5, {"statements": "SELECT 1;"}, {"name": "n", "statements": [1]}, {"name": "t", "statements": [], "inputs": [{"topic": "t", "timestamp": 1e30}]}, {"name": "e", "statements": [], "expectedException": "no"}]);
    write("qtt/f.json", json!({"tests": tests, "unknown": true}).to_string().as_bytes());
    write("sql/g.sql", b"");
    let cases = load::load(folder.path()).unwrap();
    let verdicts: Vec<(String, Verdict)> = cases.iter().map(|case| (case.name.clone(), run::run(case))).collect();
    let names: Vec<&str> = verdicts.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(
        names,
        ["a-broken", "b-bytes", "c-other", "e-deep", "f - windowed count", "f - test 2", "f - test 3", "f - n", "f - t", "f - e"]
    );
    for (name, verdict) in &verdicts {
        match verdict {
            Verdict::Pass => assert_eq!(name, "f - windowed count"),
            Verdict::Fail(why) => assert!(why.starts_with("unreadable: "), "{name}: {why}"),
        }
    }
}
