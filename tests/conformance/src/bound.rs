//! Each case within bounds: a worker process runs cases one by one, and the parent gives each a time.
//!
//! A panic fails its case; a case that overruns its time, its memory or its stack costs the worker, which is started anew for the
//! cases that are left.

use std::io::{BufRead, BufReader, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use crate::case::Case;
use crate::report::{Verdict, flat};

/// Bounds of one case.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    pub time: Duration,
    pub memory_bytes: u64,
}

/// Runs every case in `jobs` workers; `arguments` start this program as a worker over the same corpus, whose cases for a server
/// run `broker`.
pub fn run_all(cases: &[Case], arguments: &[String], jobs: usize, bounds: Bounds, broker: Option<&Path>) -> Vec<Verdict> {
    let next = AtomicUsize::new(0);
    let verdicts = Mutex::new(vec![None; cases.len()]);
    std::thread::scope(|scope| {
        for _ in 0..jobs.max(1) {
            scope.spawn(|| {
                let mut worker = None;
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    if at >= cases.len() {
                        break;
                    }
                    let verdict = Worker::ask(&mut worker, arguments, at, bounds, broker);
                    if let Ok(mut verdicts) = verdicts.lock() {
                        verdicts[at] = Some(verdict);
                    }
                }
            });
        }
    });
    let verdicts = verdicts.into_inner().unwrap_or_default();
    verdicts.into_iter().map(|verdict| verdict.unwrap_or(Verdict::Fail("not run".to_string()))).collect()
}

struct Worker {
    process: Child,
    questions: ChildStdin,
    answers: Receiver<String>,
}

impl Worker {
    fn start(arguments: &[String], bounds: Bounds, broker: Option<&Path>) -> Result<Worker, String> {
        let program = std::env::current_exe().map_err(|error| error.to_string())?;
        let mut process = Command::new(program)
            .args(arguments)
            .envs(broker.map(|path| ("MILLRACE_BIN", path)))
            .arg("--worker")
            .arg(bounds.memory_bytes.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| error.to_string())?;
        let (Some(questions), Some(output)) = (process.stdin.take(), process.stdout.take()) else {
            return Err("a worker without pipes".to_string());
        };
        let (sender, answers) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        Ok(Worker { process, questions, answers })
    }

    fn ask(worker: &mut Option<Worker>, arguments: &[String], case: usize, bounds: Bounds, broker: Option<&Path>) -> Verdict {
        let mut running = match worker.take().map_or_else(|| Worker::start(arguments, bounds, broker), Ok) {
            Ok(running) => running,
            Err(error) => return Verdict::Fail(format!("no worker: {error}")),
        };
        let asked = writeln!(running.questions, "{case}").and_then(|()| running.questions.flush());
        let answer = asked.ok().map(|()| running.answers.recv_timeout(bounds.time));
        match answer {
            Some(Ok(line)) => {
                *worker = Some(running);
                match line.split_once('\t') {
                    Some(("pass", _)) => Verdict::Pass,
                    Some((_, reason)) => Verdict::Fail(reason.to_string()),
                    None => Verdict::Fail(line),
                }
            }
            Some(Err(std::sync::mpsc::RecvTimeoutError::Timeout)) => {
                running.stop();
                Verdict::Fail(format!("longer than {:?}", bounds.time))
            }
            _ => {
                running.stop();
                Verdict::Fail("the worker died: out of memory or stack".to_string())
            }
        }
    }

    fn stop(mut self) {
        // It may have died by itself; either way it must not be left behind.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The worker's loop: a number in, a verdict out.
pub fn work(cases: &[Case], memory_bytes: u64, run: impl Fn(&Case) -> Verdict) {
    limit_memory(memory_bytes);
    std::panic::set_hook(Box::new(|_| {}));
    for line in std::io::stdin().lines().map_while(Result::ok) {
        let verdict = match line.trim().parse::<usize>().ok().and_then(|at| cases.get(at)) {
            None => Verdict::Fail("no such case".to_string()),
            Some(case) => catch_unwind(AssertUnwindSafe(|| run(case))).unwrap_or_else(|panic| {
                let text = panic.downcast_ref::<String>().map(String::as_str);
                let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("?");
                Verdict::Fail(format!("panicked: {text}"))
            }),
        };
        match verdict {
            Verdict::Pass => println!("pass\t"),
            Verdict::Fail(reason) => println!("fail\t{}", flat(reason)),
        }
        let _ = std::io::stdout().flush();
    }
}

fn limit_memory(bytes: u64) {
    let limit = libc::rlimit { rlim_cur: bytes, rlim_max: bytes };
    // SAFETY: setrlimit reads the struct it is given and touches nothing else. A refusal leaves the run unbounded, which is allowed.
    let _ = unsafe { libc::setrlimit(libc::RLIMIT_AS, &raw const limit) };
}
