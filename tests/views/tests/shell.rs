//! `millrace sql`: scripts with exit codes and formats, and the shell as a person at a terminal sees it.
use std::io::Write;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use millrace_client::views::Cut;
use millrace_harness::{Broker, binary, scratch};
use millrace_views_tests::{COUNTED, broker, producer, record, run, views, write};
use rexpect::session::{PtySession, spawn_command};

fn sql(broker: &Broker) -> Command {
    let mut command = Command::new(binary());
    command.args(["sql", "--server", &broker.grpc()]).env("MILLRACE_HISTORY", "");
    command
}

#[track_caller]
fn output(command: &mut Command) -> (i32, String, String) {
    let Output { status, stdout, stderr } = command.stdin(Stdio::null()).output().expect("the binary runs");
    let text = |bytes| String::from_utf8(bytes).expect("text");
    (status.code().expect("an exit code"), text(stdout), text(stderr))
}

/// Five rows, of which one has awkward values.
fn filled(name: &str) -> Broker {
    let broker = broker(name);
    run(async {
        let (views, producer) = (views(&broker), producer(&broker).await);
        views.execute(COUNTED).await.unwrap();
        let awkward = "a,\"b\"\nc";
        let keys = ["k1", "k2", "k3", "k1", awkward];
        let cut: Cut = write(&producer, "src", keys.iter().map(|key| record(key, "{\"n\":5}"))).await;
        views.scan("by_key").at_or_after(&cut).await.unwrap();
    });
    broker
}

#[test]
fn scripts_have_formats_and_exit_codes() {
    let broker = filled("scripts");
    let (code, out, err) = output(sql(&broker).args(["-e", "SELECT k, c, s FROM by_key WHERE k='k1';"]));
    assert_eq!((code, err.as_str()), (0, ""));
    assert_eq!(out, "K  | C | S\n---+---+---\nk1 | 2 | 10\n(1 row)\n");
    let (_, out, _) = output(sql(&broker).args(["-o", "vertical", "-e", "SELECT k, c FROM by_key WHERE k='k1';"]));
    assert_eq!(out, "-[ row 1 ]-\nK | k1\nC | 2\n");
    let (_, out, _) = output(sql(&broker).args(["-o", "json", "-e", "SELECT k, c FROM by_key WHERE k='k1' OR k='k2';"]));
    let rows: Vec<serde_json::Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((rows.len(), rows[0]["C"].as_i64().is_some()), (2, true), "{out}");
    let (_, out, _) = output(sql(&broker).args(["-o", "csv", "-e", "SELECT k, c FROM by_key WHERE c = 1 AND k LIKE 'a%';"]));
    assert_eq!(out, "K,C\n\"a,\"\"b\"\"\nc\",1\n");
    // The second of three statements fails: the first has run, the third has not, and the code says so.
    let (code, out, err) = output(sql(&broker).args(["-e", "SELECT c FROM by_key WHERE k='k2'; SELECT nope FROM by_key; SELECT c FROM by_key WHERE k='k1';"]));
    assert_eq!(code, 1);
    assert!(out.contains("1") && !out.contains("2\n("), "{out}");
    assert!(err.contains("NOPE"), "{err}");
    let (code, _, err) = output(sql(&broker).args(["-o", "nonsense"]));
    assert_eq!(code, 2, "{err}");
    let (code, _, err) = output(Command::new(binary()).args(["sql", "--server", "127.0.0.1:1", "-e", "LIST TABLES;"]));
    assert_eq!(code, 1);
    assert!(err.contains("grpc.listener"), "{err}");
}

#[test]
fn odd_texts_are_run_or_refused_and_never_passed_over() {
    let broker = filled("odd");
    let (code, out, err) = output(sql(&broker).args(["-e", "-- nothing but a comment"]));
    assert_eq!((code, out.as_str(), err.as_str()), (0, "", ""));
    let folder = scratch("sql-odd");
    let file = folder.path().join("script.sql");
    std::fs::write(&file, "\u{feff}SELECT c FROM by_key WHERE k='k1';\r\nSELECT c FROM by_key WHERE k='k2'").unwrap();
    let (code, out, err) = output(sql(&broker).args(["-o", "csv", "-f"]).arg(&file));
    assert_eq!((code, out.as_str(), err.as_str()), (0, "C\n2\nC\n1\n", ""));
    let (code, out, err) = output(sql(&broker).args(["-e", "PRINT 'src' FROM BEGINNING;"]));
    assert_eq!((code, out.as_str()), (1, ""));
    assert!(err.contains("millrace consume src"), "{err}");
}

#[test]
fn files_pipes_and_variables() {
    let broker = filled("files");
    let folder = scratch("sql");
    let file = folder.path().join("script.sql");
    std::fs::write(&file, "-- a comment; with a semicolon\nDEFINE who = 'k1';\nSELECT c FROM by_key\n  WHERE k='${who}';\nSELECT c FROM by_key WHERE k='${other}';").unwrap();
    let (code, out, err) = output(sql(&broker).args(["-o", "csv", "--define", "other=k2", "-f"]).arg(&file));
    assert_eq!((code, out.as_str(), err.as_str()), (0, "C\n2\nC\n1\n", ""));
    let mut piped = sql(&broker).args(["-o", "csv"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    piped.stdin.take().unwrap().write_all(b"SELECT c FROM by_key WHERE k='k3';").unwrap();
    assert_eq!(String::from_utf8(piped.wait_with_output().unwrap().stdout).unwrap(), "C\n1\n");
    // A push query in a pipe: from the start, until its limit.
    let (code, out, _) = output(sql(&broker).args(["-o", "json", "--set", "auto.offset.reset=earliest", "-e", "SELECT k, n FROM src EMIT CHANGES LIMIT 5;"]));
    assert_eq!((code, out.lines().count()), (0, 5), "{out}");
    // A reader that has had enough is no failure.
    let line = format!("{} sql --server {} -o csv --set auto.offset.reset=earliest -e 'SELECT k FROM src EMIT CHANGES;' | head -n 2", binary().display(), broker.grpc());
    let (code, out, err) = output(Command::new("timeout").args(["30", "bash", "-o", "pipefail", "-c", &format!("{line}; exit ${{PIPESTATUS[1]}}")]));
    assert_eq!((code, out.lines().count()), (0, 2), "{out}{err}");
}

fn shell(broker: &Broker, history: &std::path::Path) -> PtySession {
    let mut command = Command::new(binary());
    command.args(["sql", "--server", &broker.grpc()]).env("MILLRACE_HISTORY", history).env("TERM", "xterm");
    let mut session = spawn_command(command, Some(120_000)).expect("a terminal");
    session.exp_string("sql> ").expect("a prompt");
    session
}

#[test]
fn a_person_at_a_terminal() {
    let broker = filled("terminal");
    let folder = scratch("history");
    let history = folder.path().join("history");
    let mut session = shell(&broker, &history);
    // The editor shows what is typed again and again, so only answers are waited for.
    session.send_line("\\d").unwrap();
    session.exp_string("BY_KEY").unwrap();
    session.send_line("\\d by_key").unwrap();
    session.exp_string("Table BY_KEY over topic BY_KEY").unwrap();
    // A statement over two lines.
    session.send_line("SELECT c FROM by_key").unwrap();
    session.send_line("WHERE k='k1';").unwrap();
    session.exp_string("(1 row)").unwrap();
    session.send_line("\\x").unwrap();
    session.send_line("SELECT k FROM by_key WHERE k='k2';").unwrap();
    session.exp_string("-[ row 1 ]-").unwrap();
    // A mistake is told, and the shell goes on.
    session.send_line("SELECT nope FROM by_key;").unwrap();
    session.exp_string("NOPE").unwrap();
    // Ctrl-C ends a push query and not the shell.
    session.send_line("SET 'auto.offset.reset'='earliest';").unwrap();
    session.send_line("SELECT k, n FROM src EMIT CHANGES;").unwrap();
    session.exp_string("k3").unwrap();
    session.send_control('c').unwrap();
    session.send_line("SELECT s FROM by_key WHERE k='k3';").unwrap();
    session.exp_string("S | 5").unwrap();
    let left = || run(async { views(&broker).execute("LIST QUERIES;").await.unwrap()[0].rows.len() });
    millrace_harness::wait_for("the end of the push query on the node", Duration::from_secs(10), || (left() == 1).then_some(()));
    session.send_line("\\q").unwrap();
    session.exp_eof().unwrap();
    let kept = std::fs::read_to_string(&history).unwrap();
    assert!(kept.contains("SELECT nope FROM by_key;"), "{kept}");
}

#[test]
fn names_and_keywords_are_completed_and_a_backfill_is_watched() {
    let broker = filled("completion");
    let folder = scratch("history");
    let mut session = shell(&broker, &folder.path().join("history"));
    session.send("sel\t * from by_k\t where k='k1';\n").unwrap();
    session.flush().unwrap();
    session.exp_string("(1 row)").unwrap();
    // Enough that filling a view takes longer than nobody would notice.
    run(async {
        let producer = producer(&broker).await;
        for _ in 0..6 {
            write(&producer, "src", (0..10_000).map(|number| record(&format!("k{}", number % 5000), "{\"n\":1}"))).await;
        }
    });
    session.send_line("SET 'auto.offset.reset'='earliest';").unwrap();
    session.send_line("CREATE TABLE again AS SELECT k, COUNT(*) AS c, SUM(n) AS s, MAX(n) AS m FROM src GROUP BY k;").unwrap();
    session.exp_string("Created query with ID").unwrap();
    session.exp_regex(r"\d+ of \d+ records|\d+ records in").unwrap();
    session.send_line("SELECT c FROM again WHERE k='k3';").unwrap();
    session.exp_string("(1 row)").unwrap();
    session.send_control('d').unwrap();
    session.exp_eof().unwrap();
}
