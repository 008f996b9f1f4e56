//! Our own subcommands, as a person or a script meets them.
use millrace_clients_tests::{Peer, fresh, kcat, millrace};

#[test]
fn a_topics_whole_life() {
    let peer = Peer::start();
    let topic = fresh("life");
    let run = |words: &[&str]| millrace(peer.address(), words, "");
    run(&["topic", "create", &topic, "-p", "2", "-c", "retention.ms=1000000000"]).text();
    let again = run(&["topic", "create", &topic]);
    assert_eq!(again.status.code(), Some(1));
    assert!(again.stderr.contains("TOPIC_ALREADY_EXISTS"), "{}", again.stderr);
    run(&["topic", "create", &topic, "--if-not-exists"]).text();
    assert!(run(&["topic", "list"]).lines().contains(&format!("{topic}\t2\t1\tok")));
    let kafkas_name = millrace("127.0.0.1:1", &["topic", "list", "--bootstrap-server", peer.address()], "");
    assert!(kafkas_name.text().contains(&topic));
    let described = run(&["topic", "describe", &topic]).text();
    assert!(described.contains("retention.ms\t1000000000\ttopic"), "{described}");
    run(&["topic", "grow", &topic, "4"]).text();
    run(&["topic", "config", &topic, "--set", "max.message.bytes=5000", "--unset", "retention.ms"]).text();
    let configs = run(&["topic", "config", &topic]).text();
    assert!(configs.contains("max.message.bytes\t5000\ttopic"), "{configs}");
    let wrong = run(&["topic", "config", &topic, "--set", "retention.ms=soon"]);
    assert!(wrong.stderr.contains("INVALID_CONFIG"), "{}", wrong.stderr);
    run(&["topic", "delete", &topic]).text();
    assert!(!run(&["topic", "list"]).text().contains(&topic));
}

#[test]
fn what_is_produced_is_consumed_with_keys_headers_and_nulls() {
    let peer = Peer::start();
    let topic = fresh("pair");
    let run = |words: &[&str], input: &str| millrace(peer.address(), words, input);
    run(&["topic", "create", &topic, "-p", "1"], "").text();
    run(&["produce", &topic, "-K", ":", "-Z", "-H", "h=1"], "k:v\nk:\nno key\n").text();
    let lines = run(&["consume", &topic, "-e", "-Z", "-f", r"%o %k %v %h\n"], "").lines();
    assert_eq!(lines, ["0 k v h=1", "1 k NULL h=1", "2 NULL no key h=1"]);
    assert_eq!(run(&["consume", &topic, "-o", "-1", "-c", "1"], "").text(), "no key\n");
    // kcat reads the same, and a copy through JSON too.
    let copy = fresh("copy");
    let json = run(&["consume", &topic, "-e", "-J"], "").text();
    run(&["produce", &copy, "-J", "-p", "0"], &json).text();
    let format = ["-e", "-q", "-Z", "-f", "%o %k %s %h %T\n"];
    let read = |topic: &str| kcat(peer.address(), &[&["-C", "-t", topic, "-p", "0"][..], &format[..]].concat(), "").lines();
    assert_eq!(read(&topic), read(&copy));
}

#[test]
fn many_lines_go_through_every_codec() {
    let peer = Peer::start();
    let lines: String = (0..50_000).map(|number| format!("{number}\n")).collect();
    for codec in ["none", "gzip", "snappy", "lz4", "zstd"] {
        let topic = fresh(codec);
        millrace(peer.address(), &["topic", "create", &topic, "-p", "1"], "").text();
        millrace(peer.address(), &["produce", &topic, "-z", codec], &lines).text();
        let back = millrace(peer.address(), &["consume", &topic, "-e"], "").text();
        assert!(back == lines, "{codec}: {} bytes went, {} came back", lines.len(), back.len());
    }
}

#[test]
fn groups_commit_describe_reset_and_go() {
    let peer = Peer::start();
    let (topic, group) = (fresh("grouped"), fresh("group"));
    let run = |words: &[&str], input: &str| millrace(peer.address(), words, input);
    run(&["topic", "create", &topic, "-p", "3"], "").text();
    let lines: String = (0..300).map(|number| format!("{number}\n")).collect();
    run(&["produce", &topic], &lines).text();
    assert_eq!(run(&["consume", &topic, "-G", &group, "-e"], "").lines().len(), 300);
    assert_eq!(run(&["consume", &topic, "-G", &group, "-e"], "").lines().len(), 0);
    let rows = run(&["group", "describe", &group], "").lines();
    assert!(rows.iter().all(|row| row.ends_with("\t0")), "no lag: {rows:?}");
    run(&["group", "reset", &group, "-t", &topic, "--to", "beginning"], "").text();
    assert_eq!(run(&["consume", &topic, "-G", &group, "-c", "7"], "").lines().len(), 7);
    assert_eq!(run(&["consume", &topic, "-G", &group, "-e"], "").lines().len(), 293);
    run(&["group", "delete", &group], "").text();
    assert!(!run(&["group", "list"], "").text().contains(&group));
}

#[test]
fn trimmed_records_are_gone() {
    let peer = Peer::start();
    let topic = fresh("trimmed");
    let run = |words: &[&str], input: &str| millrace(peer.address(), words, input);
    run(&["topic", "create", &topic, "-p", "1"], "").text();
    run(&["produce", &topic], "0\n1\n2\n3\n").text();
    assert!(run(&["topic", "trim", &topic, "--before", "2"], "").text().contains("begins at 2"));
    assert_eq!(run(&["consume", &topic, "-e"], "").lines(), ["2", "3"]);
    run(&["topic", "trim", &topic, "--before", "-1"], "").text();
    assert_eq!(run(&["consume", &topic, "-e"], "").lines(), Vec::<String>::new());
}

#[test]
fn cat_shows_the_batches_of_a_topic_and_of_the_directory_behind_it() {
    let mut peer = Peer::start();
    let topic = fresh("shown");
    let address = peer.address().to_owned();
    let run = |words: &[&str], input: &str| millrace(&address, words, input);
    run(&["topic", "create", &topic, "-p", "1"], "").text();
    run(&["produce", &topic, "-z", "zstd", "--linger-ms", "2000"], "a\nb\nc\n").text();
    let batches = run(&["cat", &topic], "").text();
    assert!(batches.contains("offsets 0..=2") && batches.contains("3 records") && batches.contains("zstd"), "{batches}");
    assert_eq!(run(&["cat", &topic, "-f", r"%o%v ", "-o", "1"], "").text(), "1b 2c ");
    let Some(broker) = peer.broker() else { return };
    let folder = broker.data().display().to_string();
    let files = run(&["cat", &folder], "").text();
    assert!(files.contains("SegmentHeader") && files.contains("offsets 0..=2"), "{files}");
    let found = run(&["doctor", &folder], "");
    assert!(found.status.success(), "{}", String::from_utf8_lossy(&found.stdout));
}

#[test]
fn exit_codes_tell_what_went_wrong() {
    let peer = Peer::start();
    let code = |words: &[&str]| millrace(peer.address(), words, "").status.code();
    assert_eq!(code(&["doctor"]), Some(0));
    assert_eq!(code(&["consume", &fresh("absent"), "-e"]), Some(1));
    assert_eq!(code(&["consume", "-b", "127.0.0.1:1", "x"]), Some(1));
    assert_eq!(code(&["consume"]), Some(2));
    assert_eq!(code(&["consume", "x", "-o", "soon"]), Some(2));
    assert_eq!(code(&["consume", "x", "-f", "%q"]), Some(2));
    let refused = millrace(peer.address(), &["produce", "a/b"], "x\n");
    assert_eq!(refused.status.code(), Some(1));
    assert!(refused.stderr.contains("INVALID_TOPIC"), "{}", refused.stderr);
}
