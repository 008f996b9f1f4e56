//! A start that changes nothing, for `millrace doctor`: the same code as the real one, on a disk that keeps its changes in
//! memory, and beside it what a start can only find out by failing later.
//!
//! Absences: the views' queries are not run; their state is read from its first row to its last instead.
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use millrace_cli::doctor::Findings;
use millrace_cluster::config::Properties;
use millrace_world::production::Production;
use millrace_world::{Disk, Rehearsal, World};
use parking_lot::Mutex;

use crate::config::{Address, NodeConfig};
use crate::identity::IdentityError;
use crate::launch::{bind, reachable};
use crate::node::{FolderLock, Node, StartError};

/// With less room than this a start has no place for its journal, and soon none for records.
const ROOM_BYTES_MIN: u64 = 128 << 20;
/// Below this share of the volume it is time to look.
const ROOM_SHARE_MIN: f64 = 0.05;
/// Descriptors beside those of files: sockets of clients, mostly.
const DESCRIPTORS_SPARE: u64 = 1024;
/// Descriptors that a partition keeps open: its active segment and index, and what is being read.
const DESCRIPTORS_PER_PARTITION: u64 = 4;
/// 2026-01-01: before this was written no clock was right.
const FIRST_MOMENT_MS: i64 = 1_767_225_600_000;

/// Judges a configuration as a start would, on this machine; answers with the data folder.
pub async fn rehearse(properties: Properties, findings: &mut Findings) -> Option<PathBuf> {
    let config = match NodeConfig::from_properties(properties) {
        // What they warn of, the doctor has said with more words.
        Ok((config, _warnings)) => config,
        Err(error) => {
            findings.bad(error, "the broker will not start with it");
            return None;
        }
    };
    let below: Arc<dyn World> = Arc::new(Production::new(tokio::runtime::Handle::current()));
    if below.wall_ms() < FIRST_MOMENT_MS {
        findings.warn("this machine's clock is years behind", "set it: records would get times of the past, and retention would delete them at once or never");
    }
    let folder = config.data_dir.clone();
    if !room(&*below.disk(), &folder, findings) {
        return Some(folder);
    }
    let world: Arc<dyn World> = Arc::new(Rehearsal::new(below));
    let lock = match FolderLock::take(&*world.disk(), &folder) {
        Ok(lock) => lock,
        Err(error @ StartError::InUse(_)) => {
            findings.warn(error, "a broker runs on it: ask that one with `millrace doctor -b host:port`; a second start on this folder refuses");
            return Some(folder);
        }
        Err(error) => {
            findings.bad(error, "make the folder, or give it to the user that runs the broker");
            return Some(folder);
        }
    };
    addresses(&config, findings).await;
    let partitions = start(world, config, lock, findings).await;
    views(&folder.join("views"), findings);
    if let Some(partitions) = partitions {
        descriptors(partitions, findings);
    }
    Some(folder)
}

/// Whether the folder, or the one in which it would be made, can be written to and has room.
fn room(disk: &dyn Disk, folder: &Path, findings: &mut Findings) -> bool {
    let there = folder.ancestors().find(|above| !above.as_os_str().is_empty() && above.symlink_metadata().is_ok()).unwrap_or(Path::new("."));
    if there.metadata().is_ok_and(|about| !about.is_dir()) {
        findings.bad(format!("log.dirs: {} is no folder", there.display()), "name another, or move that file away");
        return false;
    }
    for path in [there.to_owned(), folder.join("journal"), folder.join("journal/ring"), folder.join("journal/checkpoint"), folder.join("meta.properties"), folder.join("partitions"), folder.join("views")] {
        match writable(&path) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) if error.kind() == io::ErrorKind::ReadOnlyFilesystem => {
                findings.bad(format!("{}: {error}", path.display()), "the file system is mounted read-only, often after an error of the disk: see dmesg, then remount it for writing");
                return false;
            }
            Err(error) => {
                findings.bad(format!("{}: {error}", path.display()), "give it to the user that runs the broker (chown -R), or name another folder in log.dirs");
                return false;
            }
        }
    }
    match disk.space(there) {
        Ok((total, free)) => {
            let (total_mib, free_mib) = (total >> 20, free >> 20);
            let seen = format!("{} has {free_mib} MiB of {total_mib} MiB free", there.display());
            if free < ROOM_BYTES_MIN {
                findings.bad(seen, "writes are refused while the disk is full (reads go on): make room, or shorten retention (log.retention.bytes, log.retention.hours)");
            } else if (free as f64) < total as f64 * ROOM_SHARE_MIN {
                findings.warn(seen, "make room before it is full: writes are refused then");
            } else {
                findings.ok(seen);
            }
        }
        Err(error) => findings.warn(format!("{}: how much room there is cannot be found out: {error}", there.display()), "look at the file system"),
    }
    true
}

/// As the kernel would judge it for this user, read-only file systems included.
fn writable(path: &Path) -> io::Result<()> {
    let name = std::ffi::CString::new(path.as_os_str().as_bytes())?;
    let needed = if path.is_dir() { libc::R_OK | libc::W_OK | libc::X_OK } else { libc::R_OK | libc::W_OK };
    // SAFETY: the name is a string that ends, and lives as long as the call.
    if unsafe { libc::access(name.as_ptr(), needed) } == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Where the node would listen, and what it would tell clients.
async fn addresses(config: &NodeConfig, findings: &mut Findings) {
    for listener in &config.listeners {
        listen(&listener.name, &listener.bind, findings).await;
        let told = listener.advertised.clone().unwrap_or_else(|| reachable(&listener.bind));
        if told.is_loopback() && !listener.bind.is_loopback() {
            findings.warn(
                format!("{} listens for other machines and tells them to connect to {}", listener.name, told.host),
                "every client would look for the broker on its own machine: put a name into advertised.listeners that they can reach",
            );
        } else if let Err(error) = tokio::net::lookup_host((told.host.as_str(), told.port)).await {
            findings.warn(
                format!("{} tells clients to connect to {}, which this machine cannot resolve: {error}", listener.name, told.host),
                "unless clients can: put a name or address into advertised.listeners that they can reach",
            );
        }
    }
    let ours = [("http.listener", &config.http), ("grpc.listener", &config.grpc)];
    for (name, address) in ours {
        if let Some(address) = address {
            listen(name, address, findings).await;
        }
    }
}

async fn listen(name: &str, address: &Address, findings: &mut Findings) {
    let Err(error) = bind(name, address).await else { return };
    let advice = match error.kind() {
        io::ErrorKind::AddrInUse => "another process listens there (ss -ltnp names it): stop it, or choose another port",
        io::ErrorKind::PermissionDenied => "ports below 1024 need a privilege: choose a higher one",
        io::ErrorKind::AddrNotAvailable => "no interface of this machine has that address: `ip address` lists them",
        _ => "is it an address or a name of this machine?",
    };
    findings.bad(error, advice);
}

/// The start itself, up to where clients would be served; answers with the number of partitions.
async fn start(world: Arc<dyn World>, config: NodeConfig, lock: FolderLock, findings: &mut Findings) -> Option<usize> {
    let folder = config.data_dir.clone();
    let fresh = !world.disk().exists(&folder.join("meta.properties")).unwrap_or(false);
    let has_partitions = world.disk().list(&folder.join("partitions")).is_ok_and(|entries| !entries.is_empty());
    if fresh && has_partitions {
        findings.warn(
            format!("{}: meta.properties is missing, and there is data", folder.display()),
            "the start makes it again from the metadata log; give it the node.id that the data belongs to",
        );
    }
    let said = Said::listen();
    let began = world.now();
    let started = Node::start(world.clone(), config, lock, Vec::new()).await;
    for (severe, line) in said.take() {
        let advice = "the start would say this; what was torn or lost is made again where the log still holds it";
        if severe { findings.bad(line, "the start would say this, and go on without what it names") } else { findings.warn(line, advice) }
    }
    match started {
        Ok(node) => {
            let directory = node.partitions.directory();
            let partitions = directory.topics().map(|topic| topic.partitions.len()).sum::<usize>();
            let took = world.now().since(began).as_millis();
            findings.ok(format!("{}: the node starts on it: {partitions} partitions, tried in {took} ms without changing anything", folder.display()));
            if let Err(error) = node.stop().await {
                findings.bad(error, "the start works, but not the stop that follows it");
            }
            Some(partitions)
        }
        Err(error) => {
            findings.bad(&error, advice(&error));
            None
        }
    }
}

fn advice(error: &StartError) -> &'static str {
    match error {
        StartError::InUse(_) => "stop the other process first",
        StartError::Folder { .. } => "is the folder readable, and the disk whole?",
        StartError::Identity(IdentityError::OtherNode { .. }) => "this folder belongs to another node: correct node.id or log.dirs",
        StartError::Identity(IdentityError::OtherCluster { .. }) => "parts of two nodes' folders were mixed: put back the folder as it was, from a copy",
        StartError::Identity(_) => "restore meta.properties from a copy, or remove it: the start makes it again from the metadata log",
        StartError::Shard(_) | StartError::Metadata(_) => {
            "the start refuses so that nothing acknowledged is lost silently: restore the folder from a copy; if that is lost, a new folder starts empty"
        }
    }
}

/// The state of every task of every query.
fn views(folder: &Path, findings: &mut Findings) {
    let (mut databases, mut rows) = (0_usize, 0_u64);
    let disk = millrace_world::production::Files;
    let below = |folder: &Path| disk.list(folder).unwrap_or_default().into_iter().filter(|entry| entry.is_dir).map(|entry| folder.join(entry.name)).collect::<Vec<_>>();
    for query in below(folder) {
        for task in below(&query) {
            databases += 1;
            match millrace_store::examine(&task) {
                Ok(found) => rows += found,
                Err(error) => findings.bad(
                    format!("{}: the state of this view cannot be read: {error}", task.display()),
                    "stop the node, move this query's folder away and start: the view is computed again from its inputs, as far back as they are kept",
                ),
            }
        }
    }
    if databases > 0 {
        findings.ok(format!("views: the state of {databases} tasks, {rows} rows: read, checksums compared"));
    }
}

/// Whether the system gives this process as many descriptors as it will need.
fn descriptors(partitions: usize, findings: &mut Findings) {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the call fills the struct that it is given and nothing else.
    if unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit) } != 0 {
        return;
    }
    let files = partitions as u64 * DESCRIPTORS_PER_PARTITION;
    let seen = format!("this user may open {} files at once, and {partitions} partitions take up to {files} of them", limit.rlim_max);
    let advice = "raise the hard limit (ulimit -Hn, LimitNOFILE= of systemd): without descriptors no connection is accepted and no segment opened";
    if limit.rlim_max < files + DESCRIPTORS_SPARE / 8 {
        findings.bad(seen, advice);
    } else if limit.rlim_max < files + DESCRIPTORS_SPARE {
        findings.warn(seen, advice);
    }
}

/// What the parts of the node log at WARN and above.
#[derive(Clone, Default)]
struct Said(Arc<Mutex<Vec<u8>>>);

impl Said {
    /// For the whole process: parts of the node have threads of their own. A second one hears nothing.
    fn listen() -> Said {
        let said = Said::default();
        let writer = said.clone();
        let subscriber = tracing_subscriber::fmt().with_max_level(tracing::Level::WARN).with_ansi(false).with_target(false).without_time();
        let _ = subscriber.with_writer(move || writer.clone()).try_init();
        said
    }

    /// Each line, and whether it is an error.
    fn take(&self) -> Vec<(bool, String)> {
        let text = std::mem::take(&mut *self.0.lock());
        let text = String::from_utf8_lossy(&text);
        let line = |line: &str| match line.trim_start().split_once(' ') {
            Some(("ERROR", rest)) => (true, rest.to_owned()),
            Some((_, rest)) => (false, rest.to_owned()),
            None => (false, line.to_owned()),
        };
        text.lines().map(line).collect()
    }
}

impl io::Write for Said {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
