//! The launch contract: what scripts, service managers and people rely on when they start and stop the binary.
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use millrace_clients_tests::program::run;
use millrace_clients_tests::{fresh, kcat};
use millrace_harness::{Broker, binary, free_port, scratch};

fn start_with(overrides: &[(&str, String)]) -> Command {
    let mut command = Command::new(binary());
    command.arg("start");
    for (key, value) in overrides {
        command.arg("--override").arg(format!("{key}={value}"));
    }
    command
}

#[test]
fn one_line_says_that_it_serves_and_where() {
    let broker = Broker::start();
    let (line, took) = broker.ready();
    assert!(line.contains(&format!("kafka={}", broker.kafka())), "{line}");
    assert!(line.contains("http=") && line.contains("grpc=") && line.contains(" in ") && line.ends_with(" ms"), "{line}");
    assert!(took < Duration::from_secs(5), "{took:?}");
}

#[test]
fn sigterm_is_a_clean_stop() {
    let mut broker = Broker::start();
    let topic = fresh("kept");
    kcat(&broker.kafka(), &["-P", "-t", &topic, "-p", "0"], "x\n").text();
    let stopped = broker.stop();
    assert!(stopped.status.success(), "{:?}", stopped.status);
    assert!(stopped.took < Duration::from_secs(10), "{:?}", stopped.took);
    broker.restart();
    assert_eq!(kcat(&broker.kafka(), &["-C", "-t", &topic, "-p", "0", "-e", "-q"], "").text(), "x\n");
}

#[test]
fn a_second_broker_on_the_same_directory_refuses() {
    let mut broker = Broker::start();
    let output = run(broker.rival(), b"", Duration::from_secs(20));
    assert!(!output.status.success(), "two brokers share one directory");
    let said = format!("{}{}", output.stderr, String::from_utf8_lossy(&output.stdout));
    assert!(said.contains(&broker.data().display().to_string()), "it does not say which directory: {said}");
    assert!(broker.is_up(), "the first one did not survive it");
}

#[test]
fn an_open_door_without_authentication_is_refused_with_advice() {
    let folder = scratch("open");
    let overrides = [
        ("listeners", format!("PLAINTEXT://0.0.0.0:{}", free_port())),
        ("advertised.listeners", "PLAINTEXT://localhost:9092".to_owned()),
        ("log.dirs", folder.path().join("data").display().to_string()),
        ("http.listener", format!("127.0.0.1:{}", free_port())),
        ("grpc.listener", format!("127.0.0.1:{}", free_port())),
    ];
    let output = run(start_with(&overrides), b"", Duration::from_secs(20));
    assert!(!output.status.success(), "it serves everybody");
    assert!(output.stderr.contains("0.0.0.0"), "{}", output.stderr);
}

#[test]
fn unknown_configs_are_named_and_wrong_values_refused() {
    let broker = Broker::options().set("no.such.config", "1").start();
    assert!(broker.log().contains("no.such.config"), "{}", broker.log());
    let failure = Broker::options().set("num.partitions", "many").try_start().err().expect("a wrong value is refused");
    assert!(failure.contains("num.partitions"), "{failure}");
}

#[test]
fn server_properties_in_kafkas_own_form_work() {
    let folder = scratch("properties");
    let (kafka, controller) = (free_port(), free_port());
    let text = format!(
        "# as Kafka's own sample\nprocess.roles=broker,controller\nnode.id=7\ncontroller.quorum.voters=7@localhost:{controller}\n\
         listeners=PLAINTEXT://127.0.0.1:{kafka},CONTROLLER://127.0.0.1:{controller}\ninter.broker.listener.name=PLAINTEXT\n\
         advertised.listeners=PLAINTEXT://127.0.0.1:{kafka}\ncontroller.listener.names=CONTROLLER\n\
         listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT\nnum.network.threads=3\nnum.io.threads=8\n\
         socket.send.buffer.bytes=102400\nlog.dirs={}\nnum.partitions=2\nlog.retention.hours=168\nlog.segment.bytes=1073741824\n\
         http.listener=127.0.0.1:{}\ngrpc.listener=127.0.0.1:{}\n",
        folder.path().join("data").display(),
        free_port(),
        free_port(),
    );
    let file = folder.path().join("server.properties");
    std::fs::write(&file, text).unwrap();
    let log = std::fs::File::create(folder.path().join("log")).unwrap();
    let mut child = Command::new(binary()).arg("start").arg(&file).stdout(log.try_clone().unwrap()).stderr(log).stdin(Stdio::null()).spawn().unwrap();
    let began = Instant::now();
    let ready = loop {
        let log = std::fs::read_to_string(folder.path().join("log")).unwrap();
        if log.lines().any(|line| line.starts_with("ready ")) {
            break true;
        }
        if began.elapsed() > Duration::from_secs(20) || child.try_wait().unwrap().is_some() {
            eprintln!("{log}");
            break false;
        }
        std::thread::sleep(Duration::from_millis(10));
    };
    let listed = ready.then(|| kcat(&format!("127.0.0.1:{kafka}"), &["-L"], ""));
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(listed.expect("it is ready").text().contains("broker 7 at"), "its node id is 7");
}
