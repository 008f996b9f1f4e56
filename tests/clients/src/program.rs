//! Programs run to their end, with input, within a time limit.
use std::io::{Read, Write};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// What a program did.
pub struct Output {
    pub status: ExitStatus,
    pub stdout: Vec<u8>,
    pub stderr: String,
    line: String,
}

impl Output {
    /// Standard output as text, of a program that must have succeeded.
    #[track_caller]
    pub fn text(self) -> String {
        String::from_utf8(self.bytes()).expect("the program printed text")
    }

    /// Standard output as it is, of a program that must have succeeded.
    #[track_caller]
    pub fn bytes(self) -> Vec<u8> {
        assert!(self.status.success(), "{} failed ({}): {}", self.line, self.status, self.stderr);
        self.stdout
    }

    /// Standard output by lines, of a program that must have succeeded.
    #[track_caller]
    pub fn lines(self) -> Vec<String> {
        self.text().lines().map(str::to_owned).collect()
    }
}

/// The installed kcat with its own libraries: cargo's search path would give it the librdkafka of the rdkafka crate.
fn kcat_command(address: &str, words: &[&str]) -> Command {
    let mut command = Command::new("kcat");
    command.env_remove("LD_LIBRARY_PATH").args(["-b", address, "-X", "broker.address.family=v4"]).args(words);
    command
}

/// kcat with these words and this input, within 60 s.
#[track_caller]
pub fn kcat(address: &str, words: &[&str], input: impl AsRef<[u8]>) -> Output {
    let command = kcat_command(address, words);
    run(command, input.as_ref(), Duration::from_secs(60))
}

/// A subcommand of our own binary.
#[track_caller]
pub fn millrace(address: &str, words: &[&str], input: impl AsRef<[u8]>) -> Output {
    let mut command = Command::new(millrace_harness::binary());
    command.env("MILLRACE_BOOTSTRAP", address).args(words);
    run(command, input.as_ref(), Duration::from_secs(60))
}

/// Starts kcat and leaves it running, with its output on a pipe.
#[track_caller]
pub fn kcat_running(address: &str, words: &[&str]) -> Child {
    let mut command = kcat_command(address, words);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("kcat is installed (make setup)")
}

/// Runs `command` to its end, or kills it and fails the test.
#[track_caller]
pub fn run(mut command: Command, input: &[u8], limit: Duration) -> Output {
    let line = format!("{:?}", command).replace('"', "");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap_or_else(|error| panic!("cannot run {line}: {error}"));
    let (mut stdin, mut stdout, mut stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let input = input.to_vec();
    std::thread::scope(|scope| {
        // A program that has had enough closes its end; that is for its exit code to tell.
        scope.spawn(move || stdin.take().map(|mut stdin| stdin.write_all(&input)));
        let out = scope.spawn(move || read(stdout.take()));
        let err = scope.spawn(move || read(stderr.take()));
        let began = Instant::now();
        let status = loop {
            match child.try_wait().expect("our own child can be waited for") {
                Some(status) => break Some(status),
                None if began.elapsed() > limit => break None,
                None => std::thread::sleep(Duration::from_millis(5)),
            }
        };
        let status = status.unwrap_or_else(|| {
            child.kill().expect("our own child can be killed");
            child.wait().expect("our own child can be waited for")
        });
        let stdout = out.join().expect("reading a pipe does not panic");
        let stderr = String::from_utf8_lossy(&err.join().expect("reading a pipe does not panic")).into_owned();
        assert!(began.elapsed() <= limit, "{line} took more than {limit:?}: {stderr}");
        Output { status, stdout, stderr, line }
    })
}

fn read(from: Option<impl Read>) -> Vec<u8> {
    let mut bytes = Vec::new();
    if let Some(mut from) = from {
        // What could be read before an error is all there is.
        let _ = from.read_to_end(&mut bytes);
    }
    bytes
}
