//! The quickstart of the README, as it is written: its commands are taken from there, and what they print is compared.
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use millrace_harness::{binary, scratch};
use millrace_views_tests::{broker, tools};

/// A view may still be applying what was sent a moment ago.
const PATIENCE: Duration = Duration::from_secs(20);
/// Stands for any text in a line, and alone for any lines.
const ANY: &str = "…";

/// Commands, and what the text says that they print.
struct Block {
    commands: String,
    printed: Option<String>,
}

fn blocks(readme: &str) -> Vec<Block> {
    let (_, rest) = readme.split_once("## Quickstart").expect("the README has a quickstart");
    let section = rest.split("\n## ").next().expect("a section");
    let mut found: Vec<Block> = Vec::new();
    let mut fences = section.split("```");
    fences.next();
    // Inside and outside of fences take turns.
    while let (Some(inside), Some(_)) = (fences.next(), fences.next()) {
        let (language, text) = inside.split_once('\n').expect("a fence's first line");
        match (language, found.last_mut()) {
            ("sh", _) => found.push(Block { commands: text.to_owned(), printed: None }),
            ("", Some(last)) => last.printed = Some(text.to_owned()),
            other => panic!("a block of {:?} that no command precedes", other.0),
        }
    }
    found
}

fn line_fits(wanted: &str, seen: &str) -> bool {
    let parts: Vec<&str> = wanted.split(ANY).collect();
    let (Some(first), Some(last)) = (parts.first(), parts.last()) else { return false };
    if parts.len() == 1 {
        return wanted.trim_end() == seen.trim_end();
    }
    seen.starts_with(first) && seen.trim_end().ends_with(last.trim_end()) && parts.iter().all(|part| seen.contains(part))
}

fn fits(wanted: &[&str], seen: &[&str]) -> bool {
    match (wanted.split_first(), seen.split_first()) {
        (None, None) => true,
        (Some((&line, rest)), _) if line.trim() == ANY => (0..=seen.len()).any(|skipped| fits(rest, &seen[skipped..])),
        (Some((wanted, more_wanted)), Some((seen, more_seen))) => line_fits(wanted, seen) && fits(more_wanted, more_seen),
        _ => false,
    }
}

#[test]
fn the_quickstart_runs_as_the_readme_says() {
    let readme = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../README.md")).expect("the README");
    let mut blocks = blocks(&readme);
    assert!(blocks[0].commands.trim() == "make run", "the quickstart begins with make run");
    assert!(blocks[0].printed.as_ref().is_some_and(|line| line.starts_with("ready kafka=127.0.0.1:9092 http=127.0.0.1:8088 grpc=127.0.0.1:8090 in ")));
    let broker = broker("quickstart");
    let folder = scratch("quickstart");
    let grpcurl = tools::grpcurl();
    let mut path = vec![binary().parent().expect("a folder").to_path_buf()];
    path.extend(grpcurl.iter().filter_map(|grpcurl| grpcurl.parent().map(Path::to_path_buf)));
    path.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()));
    let path = std::env::join_paths(path).expect("a search path");
    let mut compared = Vec::new();
    for block in blocks.drain(1..) {
        if grpcurl.is_none() && block.commands.contains("grpcurl") {
            continue;
        }
        let commands = block.commands.replace("127.0.0.1:9092", &broker.kafka()).replace("127.0.0.1:8088", &broker.http()).replace("127.0.0.1:8090", &broker.grpc());
        let until = Instant::now() + PATIENCE;
        loop {
            let mut shell = Command::new("bash");
            shell.args(["-e", "-o", "pipefail", "-c", &commands]).current_dir(folder.path()).stdin(Stdio::null());
            // kcat must find its own librdkafka, not the one that cargo's search path has.
            shell.env("PATH", &path).env("MILLRACE_GRPC", broker.grpc()).env_remove("LD_LIBRARY_PATH");
            let output = shell.output().expect("bash runs");
            let (out, err) = (String::from_utf8_lossy(&output.stdout).into_owned(), String::from_utf8_lossy(&output.stderr).into_owned());
            assert!(output.status.success(), "{commands}\nfailed: {err}{out}");
            let Some(printed) = &block.printed else {
                compared.push(out);
                break;
            };
            if fits(&printed.lines().collect::<Vec<_>>(), &out.lines().collect::<Vec<_>>()) {
                compared.push(out);
                break;
            }
            assert!(Instant::now() < until, "{commands}\nprinted:\n{out}{err}\nand the README says:\n{printed}");
            std::thread::sleep(Duration::from_millis(100));
        }
    }
    // Westgate answers 42 in the shell, over REST and, where there is grpcurl, over gRPC.
    let answered = compared.iter().filter(|out| out.contains("42")).count();
    assert!(answered >= if grpcurl.is_some() { 4 } else { 3 }, "{compared:?}");
}
