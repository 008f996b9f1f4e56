//! Kafka Streams' side: the program of `benches/streams` over Apache Kafka, exactly-once. It marks its own progress.
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use millrace_harness::ApacheKafka;

use crate::feed::{Outcome, words};
use crate::measure::{Cost, Plan, cpu_seconds};

struct Program(Child);

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

pub fn run(kafka: &ApacheKafka, classes: &Path, folder: &Path, plan: &Plan) -> Outcome<Cost> {
    let jars = format!("{0}/streams-workloads.jar:{0}/lib/*", classes.display());
    let mut child = Command::new("java")
        .args(["-Xms1G", "-Xmx1G", "-XX:+UseG1GC"])
        .arg(format!("-Dstate.dir={}", folder.join("state").display()))
        .arg("-Dthreads=2")
        .args(["-cp", &jars, "millrace.Workload", &kafka.address, "bench", plan.workload.program, "input", "OUTPUT"])
        .arg(plan.workload.cache.to_string())
        .arg(format!("{},{}", plan.warm, plan.total()))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| format!("java: {error}"))?;
    let lines = child.stdout.take().ok_or("no output of java")?;
    let input = child.stdin.take();
    let mut program = Program(child);
    let pid = program.0.id();
    let mut marks = Vec::new();
    for line in BufReader::new(lines).lines() {
        let line = line.map_err(words)?;
        let mut parts = line.split(' ');
        if parts.next() != Some("mark") {
            continue;
        }
        let last = marks.len() == 1;
        let now = Instant::now();
        if last {
            // The last commits belong to the bill.
            std::thread::sleep(Duration::from_millis(500));
        }
        marks.push((cpu_seconds(pid), cpu_seconds(kafka.pid), now));
        if last {
            break;
        }
    }
    let [(engine_before, broker_before, began), (engine, broker, ended)] = marks[..] else {
        return Err("the program ended before it had read everything".into());
    };
    drop(input);
    let _ = program.0.wait();
    Ok(Cost { records: plan.records as f64, seconds: (ended - began).as_secs_f64(), engine_cpu: engine - engine_before, broker_cpu: broker - broker_before })
}
