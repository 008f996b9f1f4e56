//! `millrace doctor` on set-ups that are really broken: each must be named, with what to do about it, and the exit code must
//! tell. Where the start refuses, the doctor must have said so; where the doctor finds nothing bad, the start must work.
use std::fs;
use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use millrace_clients_tests::program::{Output, run};
use millrace_clients_tests::rest::Rest;
use millrace_clients_tests::{kcat, millrace};
use millrace_harness::{Broker, binary, free_port, scratch, wait_for};

const PATIENCE: Duration = Duration::from_secs(60);

fn doctor(words: &[&str]) -> Output {
    let mut command = Command::new(binary());
    command.arg("doctor").args(words);
    run(command, b"", PATIENCE)
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), output.stderr)
}

/// What the doctor says must hold all of `words`, and its exit code must be this.
#[track_caller]
fn expect(output: Output, code: i32, words: &[&str]) {
    let said = text(&output);
    assert_eq!(output.status.code(), Some(code), "{said}");
    for word in words {
        assert!(said.contains(word), "{word:?} is not in what the doctor says:\n{said}");
    }
    let unadvised = said.lines().zip(said.lines().skip(1)).find(|(line, next)| line.starts_with("BAD") && !next.trim_start().starts_with("->"));
    assert!(unadvised.is_none(), "no advice for {unadvised:?}");
}

/// A configuration on free ports, in a folder of its own.
fn configured(folder: &Path, lines: &str) -> String {
    let path = folder.join("server.properties");
    let usual = format!(
        "listeners=PLAINTEXT://127.0.0.1:{}\nhttp.listener=127.0.0.1:{}\ngrpc.listener=127.0.0.1:{}\nlog.dirs={}\n",
        free_port(),
        free_port(),
        free_port(),
        folder.join("data").display()
    );
    fs::write(&path, format!("{usual}{lines}\n")).expect("a configuration can be written");
    path.display().to_string()
}

#[test]
fn configurations_that_cannot_be() {
    let held = TcpListener::bind("127.0.0.1:0").expect("a port");
    let taken = held.local_addr().expect("its number").port();
    let table: &[(&str, i32, &[&str])] = &[
        ("", 0, &["4 configs have valid values", "the node starts on it: 0 partitions"]),
        ("num.partitoins=3", 0, &["num.partitoins is no config", "did you mean num.partitions?"]),
        ("num.partitions=many", 1, &["num.partitions", "many"]),
        ("log.retention.bytes=1GB", 1, &["log.retention.bytes", "1GB"]),
        ("no equals sign here", 0, &["no is no config"]),
        ("listeners=PLAINTEXT:127.0.0.1:9092", 1, &["is not NAME://host:port"]),
        ("listeners=INSIDE://127.0.0.1:0", 1, &["INSIDE"]),
        ("listeners=SASL_SSL://127.0.0.1:0", 1, &["SASL_SSL", "only PLAINTEXT is here yet"]),
        ("listeners=PLAINTEXT://0.0.0.0:0", 1, &["can be reached from other machines", "allow.everyone.if.no.acl.found=true"]),
        ("http.listener=0.0.0.0:0", 1, &["http.listener", "allow.everyone.if.no.acl.found=true"]),
        ("listeners=PLAINTEXT://127.0.0.1:0\nadvertised.listeners=PLAINTEXT://0.0.0.0:9092", 1, &["advertises every interface"]),
        ("listeners=PLAINTEXT://127.0.0.1:0\nadvertised.listeners=PLAINTEXT://[::]:9092", 1, &["advertises every interface"]),
        (
            "listeners=PLAINTEXT://0.0.0.0:0\nallow.everyone.if.no.acl.found=true\nadvertised.listeners=PLAINTEXT://localhost:9092",
            0,
            &["tells them to connect to localhost", "advertised.listeners"],
        ),
        ("advertised.listeners=PLAINTEXT://no-such-host.invalid:9092", 0, &["cannot resolve", "no-such-host.invalid"]),
        ("listeners=PLAINTEXT://203.0.113.7:0\nallow.everyone.if.no.acl.found=true", 1, &["203.0.113.7", "no interface of this machine"]),
        ("process.roles=broker", 1, &["controller is missing"]),
        ("log.dirs=", 1, &["log.dirs names no folder"]),
        ("authorizer.class.name=org.apache.Authorizer", 1, &["authorizer.class.name"]),
    ];
    let folder = scratch("doctor-configs");
    for (lines, code, words) in table {
        expect(doctor(&[&configured(folder.path(), lines)]), *code, words);
        assert!(!folder.path().join("data").exists(), "{lines}: the doctor made the data folder");
    }
    for lines in [format!("listeners=PLAINTEXT://127.0.0.1:{taken}"), format!("http.listener=127.0.0.1:{taken}")] {
        expect(doctor(&[&configured(folder.path(), &lines)]), 1, &["cannot listen on", "another process listens there"]);
    }
    expect(doctor(&["/no/such/file"]), 1, &["/no/such/file"]);
}

/// A stopped node with a topic of some batches, a view over it, and segments that were rolled.
fn a_folder_with_data() -> Broker {
    let mut broker = Broker::options().named("doctored").set("log.segment.bytes", 1 << 20).start();
    millrace(&broker.kafka(), &["topic", "create", "orders", "-p", "1"], "").text();
    for _ in 0..12 {
        kcat(&broker.kafka(), &["-P", "-t", "orders", "-p", "0"], format!("{}\n", "x".repeat(400_000))).text();
    }
    let rest = Rest::new(broker.http());
    rest.run(
        "CREATE STREAM orders (v VARCHAR) WITH (KAFKA_TOPIC='orders', VALUE_FORMAT='DELIMITED'); \
         CREATE TABLE counted WITH (VALUE_FORMAT='JSON') AS SELECT LEN(v) AS length, COUNT(*) AS n FROM orders GROUP BY LEN(v);",
    );
    wait_for("the view", PATIENCE, || rest.pull("SELECT length, n FROM counted;").ok().filter(|rows| !rows.is_empty()));
    assert!(broker.stop().status.success());
    broker
}

/// Copies a folder as it is.
fn copy(from: &Path, to: &Path) {
    let done = Command::new("cp").arg("-a").arg(from).arg(to).status().expect("cp runs");
    assert!(done.success());
}

fn files(folder: &Path, ending: &str) -> Vec<std::path::PathBuf> {
    let mut found: Vec<_> = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()).filter(|path| path.to_string_lossy().ends_with(ending)).collect();
    found.sort();
    found
}

fn flip(path: &Path, at: usize) {
    let mut bytes = fs::read(path).expect("the file");
    bytes[at] ^= 0x40;
    fs::write(path, bytes).expect("it can be written");
}

/// Name, size and time of every file below.
fn fingerprint(folder: &Path) -> String {
    let mut command = Command::new("find");
    command.arg(folder).args(["-printf", "%p %s %T@\\n"]);
    let mut lines = run(command, b"", PATIENCE).lines();
    lines.sort();
    lines.join("\n")
}

#[test]
fn folders_that_are_broken() {
    let broker = a_folder_with_data();
    let (good, scratch) = (broker.data().to_owned(), scratch("doctor-folders"));
    let orders = |data: &Path| fs::read_dir(data.join("partitions")).unwrap().map(|entry| entry.unwrap().path()).find(|path| path.file_name().unwrap().to_string_lossy().starts_with("orders-0")).expect("the partition");
    let view = |data: &Path| {
        let query = fs::read_dir(data.join("views")).unwrap().next().expect("a query").unwrap().path();
        fs::read_dir(query).unwrap().next().expect("a task").unwrap().path()
    };
    let before = fingerprint(&good);
    expect(doctor(&[&good.display().to_string()]), 0, &["the node starts on it", "the state of", "checksums compared"]);
    assert_eq!(fingerprint(&good), before, "the doctor changed something");

    type Break<'a> = Box<dyn Fn(&Path) + 'a>;
    let table: Vec<(&str, Break<'_>, i32, &[&str])> = vec![
        ("a flipped bit in an old segment", Box::new(|data| flip(&files(&orders(data), ".log")[0], 3000)), 1, &["damaged at byte", "restore this partition"]),
        ("a torn end that was acknowledged", Box::new(|data| {
            let last = files(&orders(data), ".log").pop().unwrap();
            let file = fs::OpenOptions::new().write(true).open(last).unwrap();
            file.set_len(file.metadata().unwrap().len() - 100).unwrap();
        }), 1, &["unfinished at byte", "the start would say this"]),
        ("a lost segment", Box::new(|data| fs::remove_file(&files(&orders(data), ".log")[1]).unwrap()), 1, &["orders-0", "BAD"]),
        ("lost index files", Box::new(|data| files(&orders(data), ".index").iter().for_each(|index| fs::remove_file(index).unwrap())), 0, &["the node starts on it"]),
        ("a journal without its checkpoint", Box::new(|data| fs::remove_file(data.join("journal/checkpoint")).unwrap()), 1, &["journal", "checkpoint", "restore the folder"]),
        ("a damaged checkpoint", Box::new(|data| flip(&data.join("journal/checkpoint"), 20)), 1, &["journal", "damaged"]),
        ("a ring that was cut off", Box::new(|data| fs::OpenOptions::new().write(true).open(data.join("journal/ring")).unwrap().set_len(4096).unwrap()), 1, &["ring", "shorter"]),
        ("damaged metadata", Box::new(|data| flip(&files(&data.join("partitions/__cluster_metadata-0"), ".log")[0], 300)), 1, &["__cluster_metadata-0", "damaged"]),
        ("another node's folder", Box::new(|data| {
            let meta = data.join("meta.properties");
            fs::write(&meta, fs::read_to_string(&meta).unwrap().lines().map(|line| if line.starts_with("cluster.id") { "cluster.id=MEHix10LSmyaHl8MHS4_QA\n".to_owned() } else { format!("{line}\n") }).collect::<String>()).unwrap();
        }), 1, &["belongs to cluster MEHix10LSmyaHl8MHS4_QA"]),
        ("garbage in meta.properties", Box::new(|data| fs::write(data.join("meta.properties"), "cluster.id=?\n").unwrap()), 1, &["meta.properties cannot be understood"]),
        ("no meta.properties", Box::new(|data| fs::remove_file(data.join("meta.properties")).unwrap()), 0, &["meta.properties is missing", "makes it again"]),
        ("a partition that was put there", Box::new(|data| copy(&orders(data), &data.join("partitions/orders-7.900"))), 0, &["not known to the cluster"]),
        ("a view's state without its manifest", Box::new(|data| fs::remove_file(view(data).join("CURRENT")).unwrap()), 1, &["the state of this view cannot be read", "computed again"]),
    ];
    for (what, damage, code, words) in table {
        let data = scratch.path().join("data");
        copy(&good, &data);
        damage(&data);
        let before = fingerprint(&data);
        println!("{what}");
        let found = doctor(&[&data.display().to_string()]);
        println!("{}", text(&found));
        expect(found, code, words);
        assert_eq!(fingerprint(&data), before, "{what}: the doctor changed something");
        fs::remove_dir_all(&data).expect("the copy can go");
    }
    let config = configured(scratch.path(), &format!("log.dirs={}\nnode.id=5", good.display()));
    expect(doctor(&[&config]), 1, &["belongs to node 1", "node.id"]);
    expect(doctor(&[&scratch.path().display().to_string()]), 0, &["holds no segment files"]);
}

#[test]
fn a_machine_that_does_not_let_it() {
    let folder = scratch("doctor-machine");
    let running = Broker::start();
    expect(doctor(&[&running.data().display().to_string()]), 0, &["another process uses this folder", "a broker runs on it"]);
    expect(doctor(&["-b", &running.kafka()]), 0, &["nothing is wrong"]);
    expect(doctor(&["-b", &format!("127.0.0.1:{}", free_port())]), 1, &["is the node running"]);

    let config = configured(folder.path(), "");
    let mut few = Command::new("prlimit");
    few.args(["--nofile=100:100"]).arg(binary()).args(["doctor", &config]);
    expect(run(few, b"", PATIENCE), 1, &["may open 100 files", "LimitNOFILE"]);

    fs::write(folder.path().join("data"), "a file").unwrap();
    expect(doctor(&[&config]), 1, &["is no folder"]);
    fs::remove_file(folder.path().join("data")).unwrap();

    // Somebody else's folder: root may write everywhere, so another user asks.
    fs::create_dir(folder.path().join("data")).unwrap();
    let mut stranger = Command::new(binary());
    stranger.args(["doctor", &config]);
    // SAFETY: a call without arguments.
    if unsafe { libc::geteuid() } == 0 {
        stranger.uid(65534).gid(65534);
        if is_reachable_for_others(binary()) && is_reachable_for_others(folder.path()) {
            expect(run(stranger, b"", PATIENCE), 1, &["Permission denied", "chown -R"]);
        } else {
            eprintln!("other users cannot come here: permissions are not tested");
        }
    }

    let volume = folder.path().join("volume");
    fs::create_dir(&volume).unwrap();
    let mount = |words: &[&str]| Command::new("mount").args(words).arg(&volume).output().is_ok_and(|output| output.status.success());
    if !mount(&["-t", "tmpfs", "-o", "size=200m", "millrace"]) {
        eprintln!("this process may not mount: full and read-only file systems are not tested");
        return;
    }
    let _volume = Mounted(&volume);
    let config = configured(folder.path(), &format!("log.dirs={}", volume.join("data").display()));
    expect(doctor(&[&config]), 0, &["MiB free"]);
    fs::write(volume.join("filler"), vec![0; 190 << 20]).unwrap();
    expect(doctor(&[&config]), 1, &["MiB free", "make room"]);
    fs::remove_file(volume.join("filler")).unwrap();
    assert!(mount(&["-o", "remount,ro"]));
    expect(doctor(&[&config]), 1, &["Read-only file system", "remount it"]);
}

struct Mounted<'a>(&'a Path);

impl Drop for Mounted<'_> {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0).status();
    }
}

/// Whether every folder above lets other users through.
fn is_reachable_for_others(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    path.ancestors().skip(1).filter_map(|above| above.metadata().ok()).all(|about| about.permissions().mode() & 0o001 != 0)
}
