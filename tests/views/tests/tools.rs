//! Tools that nobody here wrote: grpcurl, which knows only what reflection tells it, and Python code generated from views.proto.
use std::process::{Command, Output};

use millrace_harness::{Broker, scratch};
use millrace_views_tests::{COUNTED, broker, producer, record, run, tools, views, write};
use serde_json::{Value, json};

const COUNT: usize = 5000;

fn filled(name: &str) -> Broker {
    let broker = broker(name);
    run(async {
        let (views, producer) = (views(&broker), producer(&broker).await);
        views.execute(COUNTED).await.unwrap();
        // In several batches, so that a subscriber can be broken off between them.
        for from in (0..COUNT).step_by(100) {
            let numbers = from..(from + 100).min(COUNT);
            let cut = write(&producer, "src", numbers.map(|number| record(&format!("k{}", number % 17), format!("{{\"n\":{number}}}")))).await;
            views.scan("by_key").at_or_after(&cut).await.unwrap();
        }
    });
    broker
}

#[track_caller]
fn text(command: &mut Command) -> String {
    let line = format!("{command:?}");
    let Output { status, stdout, stderr } = command.output().unwrap_or_else(|error| panic!("{line}: {error}"));
    assert!(status.success(), "{line}: {}", String::from_utf8_lossy(&stderr));
    String::from_utf8(stdout).expect("text")
}

#[test]
fn grpcurl_lists_describes_and_calls_every_method_by_reflection_alone() {
    let Some(grpcurl) = tools::grpcurl() else { return };
    let broker = filled("grpcurl");
    let ask = |words: &[&str]| text(Command::new(&grpcurl).arg("-plaintext").args(words));
    let listed = ask(&[&broker.grpc(), "list"]);
    for service in ["millrace.views.v1.Views", "grpc.health.v1.Health", "grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection"] {
        assert!(listed.lines().any(|line| line == service), "{service} is not in {listed}");
    }
    let described = ask(&[&broker.grpc(), "describe", "millrace.views.v1.Views"]);
    let methods = ask(&[&broker.grpc(), "list", "millrace.views.v1.Views"]);
    let message = ask(&[&broker.grpc(), "describe", "millrace.views.v1.Value"]);
    assert!(message.contains("oneof kind"), "{message}");
    let limited = json!({ "sql": "SELECT k, n FROM src EMIT CHANGES LIMIT 5;", "earliest": true });
    let calls = [
        ("Execute", json!({ "sql": "LIST TABLES;" }), "BY_KEY"),
        ("Get", json!({ "view": "by_key", "key": [{ "string": "k1" }] }), "bigint"),
        ("BatchGet", json!({ "view": "by_key", "keys": [{ "values": [{ "string": "k1" }] }, { "values": [{ "string": "none" }] }] }), "bigint"),
        ("Scan", json!({ "view": "by_key", "limit": 3 }), "bigint"),
        ("Query", json!({ "sql": "SELECT c FROM by_key WHERE k = ?;", "parameters": [{ "string": "k1" }] }), "bigint"),
        ("Subscribe", limited, "recordsBehind"),
        ("Describe", json!({ "view": "by_key" }), "queryable"),
    ];
    for (method, request, expected) in &calls {
        assert!(described.contains(&format!("rpc {method} (")), "{method} is not in {described}");
        let answer = ask(&["-d", &request.to_string(), &broker.grpc(), &format!("millrace.views.v1.Views/{method}")]);
        assert!(answer.contains(expected), "{method}: {answer}");
        let first: Value = serde_json::Deserializer::from_str(&answer).into_iter().next().expect("an answer").expect("JSON");
        assert!(first.is_object(), "{method}: {answer}");
    }
    assert_eq!(methods.lines().count(), calls.len(), "a method is not called here: {methods}");
    let health = ask(&[&broker.grpc(), "grpc.health.v1.Health/Check"]);
    assert!(health.contains("SERVING"), "{health}");
    eprintln!("grpcurl: {} methods listed, described and called by reflection", calls.len());
}

#[test]
fn a_python_client_made_from_the_proto_file_resumes_without_loss() {
    let Some(python) = tools::python() else { return };
    let here = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let broker = filled("python");
    let folder = scratch("python");
    let proto = here.join("../../views/proto");
    let out = |flag: &str| format!("{flag}={}", folder.path().display());
    text(Command::new(&python).args(["-m", "grpc_tools.protoc", "-I"]).arg(&proto).args([out("--python_out"), out("--grpc_python_out"), "views.proto".into()]));
    let said = text(Command::new(&python).arg(here.join("python/follow.py")).arg(broker.grpc()).arg(folder.path()).arg(COUNT.to_string()));
    eprint!("{said}");
    assert!(said.contains("get ['k1', "), "{said}");
    assert!(said.contains("scan 17 rows"), "{said}");
    assert!(said.contains(&format!("subscribe {COUNT} changes over")), "{said}");
    assert!(said.contains("error NOT_FOUND"), "{said}");
}
