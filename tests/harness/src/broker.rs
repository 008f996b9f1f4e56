//! One broker process and its directory.
//!
//! The process ends with the thread that started it: a handle must not outlive its test's thread.
use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::{binary, free_port, scratch, wait_for};

/// How to start a broker.
#[derive(Clone)]
pub struct Options {
    name: String,
    overrides: BTreeMap<String, String>,
    ready_within: Duration,
    wrapper: Vec<String>,
    data: Option<PathBuf>,
}

impl Options {
    /// Keeps its data here instead of in its scratch folder.
    pub fn data(mut self, folder: &Path) -> Self {
        self.data = Some(folder.to_owned());
        self
    }

    /// Sets one key of server.properties; a later one wins.
    pub fn set(mut self, key: &str, value: impl ToString) -> Self {
        self.overrides.insert(key.to_owned(), value.to_string());
        self
    }

    /// Names the scratch folder and the log.
    pub fn named(mut self, name: &str) -> Self {
        self.name = name.to_owned();
        self
    }

    /// How long the `ready` line may take.
    pub fn ready_within(mut self, limit: Duration) -> Self {
        self.ready_within = limit;
        self
    }

    /// Runs the broker under another program (`prlimit`, `strace`, ...).
    pub fn under<S: ToString>(mut self, wrapper: impl IntoIterator<Item = S>) -> Self {
        self.wrapper = wrapper.into_iter().map(|word| word.to_string()).collect();
        self
    }

    /// Starts and waits until it serves; fails the test when it does not.
    #[track_caller]
    pub fn start(self) -> Broker {
        self.try_start().unwrap_or_else(|failure| panic!("{failure}"))
    }

    /// Starts and waits until it serves, or says why not.
    pub fn try_start(self) -> Result<Broker, String> {
        let folder = Arc::new(scratch(&self.name));
        let data = self.data.clone().unwrap_or_else(|| folder.path().join("data"));
        let launch = || Broker::launch(self.clone(), folder.clone(), data.clone(), Ports { kafka: free_port(), http: free_port(), grpc: free_port() });
        // A port that was free may have been taken by somebody's connection meanwhile.
        let taken = |failure: &String| failure.contains("Address already in use");
        launch().or_else(|failure| if taken(&failure) { launch() } else { Err(failure) })
    }
}

#[derive(Clone, Copy)]
struct Ports {
    kafka: u16,
    http: u16,
    grpc: u16,
}

/// How a broker ended.
#[derive(Debug)]
pub struct Stopped {
    /// The process's status; `success()` after a clean stop.
    pub status: ExitStatus,
    /// From the signal to the end.
    pub took: Duration,
}

/// A running broker.
pub struct Broker {
    child: Child,
    options: Options,
    folder: Arc<TempDir>,
    data: PathBuf,
    ports: Ports,
    ready_line: String,
    started_in: Duration,
}

impl Broker {
    /// The options of a broker on free ports with an empty directory.
    pub fn options() -> Options {
        let mut overrides = BTreeMap::new();
        // Tests do not wait for latecomers.
        overrides.insert("group.initial.rebalance.delay.ms".to_owned(), "0".to_owned());
        Options { name: "broker".into(), overrides, ready_within: Duration::from_secs(20), wrapper: Vec::new(), data: None }
    }

    /// A broker with the options of [`Broker::options`].
    #[track_caller]
    pub fn start() -> Broker {
        Self::options().start()
    }

    fn launch(options: Options, folder: Arc<TempDir>, data: PathBuf, ports: Ports) -> Result<Broker, String> {
        let log = folder.path().join("broker.log");
        let before = std::fs::metadata(&log).map_or(0, |file| file.len());
        let output = OpenOptions::new().create(true).append(true).open(&log).map_err(|error| format!("{}: {error}", log.display()))?;
        let errors = output.try_clone().map_err(|error| error.to_string())?;
        let mut words: Vec<String> = options.wrapper.clone();
        words.push(binary().display().to_string());
        words.push("start".into());
        let mut overrides = options.overrides.clone();
        overrides.insert("listeners".into(), format!("PLAINTEXT://127.0.0.1:{}", ports.kafka));
        overrides.insert("log.dirs".into(), data.display().to_string());
        overrides.insert("http.listener".into(), format!("127.0.0.1:{}", ports.http));
        overrides.insert("grpc.listener".into(), format!("127.0.0.1:{}", ports.grpc));
        for (key, value) in overrides {
            words.push("--override".into());
            words.push(format!("{key}={value}"));
        }
        let began = Instant::now();
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).current_dir(folder.path()).stdin(Stdio::null()).stdout(output).stderr(errors);
        die_with_parent(&mut command);
        let child = command
            .spawn()
            .map_err(|error| format!("cannot run {}: {error}", words[0]))?;
        let mut broker = Broker { child, options, folder, data, ports, ready_line: String::new(), started_in: Duration::ZERO };
        broker.await_ready(before, began)?;
        Ok(broker)
    }

    fn await_ready(&mut self, log_before: u64, began: Instant) -> Result<(), String> {
        loop {
            let log = self.log();
            let fresh = log.get(log_before as usize..).unwrap_or_default();
            if let Some(line) = fresh.lines().find(|line| line.starts_with("ready ")) {
                self.ready_line = line.to_owned();
                self.started_in = began.elapsed();
                return Ok(());
            }
            if let Ok(Some(status)) = self.child.try_wait() {
                return Err(format!("the broker ended before it was ready ({status}); its log:\n{}", self.log_end()));
            }
            if began.elapsed() > self.options.ready_within {
                return Err(format!("no ready line within {:?}; the broker's log:\n{}", self.options.ready_within, self.log_end()));
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Where Kafka clients connect.
    pub fn kafka(&self) -> String {
        format!("127.0.0.1:{}", self.ports.kafka)
    }

    /// Where HTTP is served.
    pub fn http(&self) -> String {
        format!("127.0.0.1:{}", self.ports.http)
    }

    /// Where the views answer gRPC.
    pub fn grpc(&self) -> String {
        format!("127.0.0.1:{}", self.ports.grpc)
    }

    /// The data directory.
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// The scratch folder around it.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The line it printed when it served, and how long that took from the launch.
    pub fn ready(&self) -> (&str, Duration) {
        (&self.ready_line, self.started_in)
    }

    /// Everything that it has printed since its first start.
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(self.folder.path().join("broker.log")).unwrap_or_default()).into_owned()
    }

    fn log_end(&self) -> String {
        let log = self.log();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(40)..].join("\n")
    }

    /// True while the process lives.
    pub fn is_up(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Sends a signal.
    pub fn signal(&self, signal: i32) {
        let pid = i32::try_from(self.child.id()).expect("process ids fit");
        // SAFETY: kill takes two numbers; the child is ours and not yet waited for, so the id is not another's.
        let sent = unsafe { libc::kill(pid, signal) };
        assert_eq!(sent, 0, "signal {signal} to {pid} was refused");
    }

    /// SIGKILL; its directory stays for [`Broker::restart`].
    pub fn kill(&mut self) {
        self.child.kill().expect("our own child can be killed");
        self.child.wait().expect("our own child can be waited for");
    }

    /// SIGTERM, and waits for the end.
    #[track_caller]
    pub fn stop(&mut self) -> Stopped {
        let began = Instant::now();
        self.signal(libc::SIGTERM);
        let limit = Duration::from_secs(20);
        let status = wait_for("the end of the broker after SIGTERM", limit, || self.child.try_wait().expect("our own child can be waited for"));
        Stopped { status, took: began.elapsed() }
    }

    /// Starts it again on the same directory and ports, killing it first if it still runs.
    #[track_caller]
    pub fn restart(&mut self) {
        self.try_restart().unwrap_or_else(|failure| panic!("{failure}"));
    }

    /// [`Broker::restart`] that says why not.
    pub fn try_restart(&mut self) -> Result<(), String> {
        if self.is_up() {
            self.kill();
        }
        *self = Self::launch(self.options.clone(), self.folder.clone(), self.data.clone(), self.ports)?;
        Ok(())
    }

    /// Launches a second process on the same directory without waiting, for tests of what it then says.
    pub fn rival(&self) -> Command {
        let mut command = Command::new(binary());
        command.arg("start").current_dir(self.folder.path()).stdin(Stdio::null());
        die_with_parent(&mut command);
        for (key, value) in [
            ("log.dirs", self.data.display().to_string()),
            ("listeners", format!("PLAINTEXT://127.0.0.1:{}", free_port())),
            ("http.listener", format!("127.0.0.1:{}", free_port())),
            ("grpc.listener", format!("127.0.0.1:{}", free_port())),
        ] {
            command.arg("--override").arg(format!("{key}={value}"));
        }
        command
    }

    /// CPU seconds used so far, user and system.
    pub fn cpu_seconds(&self) -> f64 {
        cpu_seconds(self.pid()).unwrap_or(0.0)
    }

    /// Resident memory in bytes.
    pub fn resident_bytes(&self) -> u64 {
        self.memory("VmRSS:")
    }

    /// Memory that the process itself holds: without the pages of the binary, which are the page cache's and, in a debug build with
    /// RocksDB in it, larger than everything else.
    pub fn anonymous_bytes(&self) -> u64 {
        self.memory("RssAnon:")
    }

    fn memory(&self, field: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix(field));
        line.and_then(|rest| rest.trim().split(' ').next()?.parse::<u64>().ok()).unwrap_or(0) * 1024
    }
}

/// A test that is killed itself runs no destructors; the kernel then ends its brokers.
fn die_with_parent(command: &mut Command) {
    // SAFETY: between fork and exec only this one system call is made, which takes numbers and allocates nothing.
    unsafe {
        command.pre_exec(|| match libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) {
            0 => Ok(()),
            _ => Err(std::io::Error::last_os_error()),
        });
    }
}

/// CPU seconds of any process, from `/proc/PID/stat`.
fn cpu_seconds(pid: u32) -> Option<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in parentheses may hold spaces; the numbers follow the last ')'. utime and stime are fields 14 and 15.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let ticks: u64 = fields.next()?.parse::<u64>().ok()? + fields.next()?.parse::<u64>().ok()?;
    Some(ticks as f64 / 100.0)
}

impl Drop for Broker {
    fn drop(&mut self) {
        // Already ended is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() && Arc::strong_count(&self.folder) == 1 {
            eprintln!("--- end of the broker's log ---\n{}", self.log_end());
            if let Some(keep) = std::env::var_os("MILLRACE_KEEP") {
                keep_log(&self.folder.path().join("broker.log"), Path::new(&keep));
            }
        }
    }
}

fn keep_log(log: &Path, keep: &Path) {
    let copied = std::fs::create_dir_all(keep).and_then(|()| {
        let mut to = File::create(keep.join(format!("broker-{}.log", std::process::id())))?;
        std::io::copy(&mut File::open(log)?, &mut to)
    });
    if let Err(error) = copied {
        eprintln!("cannot keep the log in {}: {error}", keep.display());
    }
}
