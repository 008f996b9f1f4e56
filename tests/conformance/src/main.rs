//! `conformance CORPUS [--out FILE] [--grep TEXT] [--failures] [--show]`: runs a corpus and grades it.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use millrace_conformance::bound::{self, Bounds};
use millrace_conformance::case::Kind;
use millrace_conformance::{load, qtt, report, run};

/// A case over HTTP starts a broker and may wait for its answers a few times.
const BOUNDS: Bounds = Bounds { time: Duration::from_secs(40), memory_bytes: 4 << 30 };

#[derive(Default)]
struct Arguments {
    corpus: PathBuf,
    out: Option<PathBuf>,
    /// Only cases whose name contains this.
    grep: Option<String>,
    failures: bool,
    /// Print what the topics of qtt cases hold instead of grading them.
    show: bool,
    worker: Option<u64>,
}

fn arguments() -> Result<Arguments, String> {
    let mut parsed = Arguments::default();
    let mut corpus = None;
    let mut given = std::env::args().skip(1);
    while let Some(argument) = given.next() {
        let mut value = || given.next().ok_or(format!("{argument} needs a value"));
        match argument.as_str() {
            "--out" => parsed.out = Some(PathBuf::from(value()?)),
            "--grep" => parsed.grep = Some(value()?),
            "--failures" => parsed.failures = true,
            "--show" => parsed.show = true,
            "--worker" => parsed.worker = Some(value()?.parse().map_err(|_| "--worker needs bytes".to_string())?),
            _ if corpus.is_none() && !argument.starts_with("--") => corpus = Some(PathBuf::from(argument)),
            _ => return Err(format!("unknown argument {argument}")),
        }
    }
    parsed.corpus = corpus.ok_or("usage: conformance CORPUS [--out FILE] [--grep TEXT] [--failures] [--show]")?;
    Ok(parsed)
}

fn main() -> ExitCode {
    match start() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("conformance: {error}");
            ExitCode::FAILURE
        }
    }
}

fn start() -> Result<(), String> {
    let arguments = arguments()?;
    let mut cases = load::load(&arguments.corpus).map_err(|error| error.to_string())?;
    cases.retain(|case| case.enabled);
    if let Some(text) = &arguments.grep {
        cases.retain(|case| case.name.contains(text.as_str()));
    }
    if cases.is_empty() {
        if let Some(out) = arguments.out {
            std::fs::write(&out, report::tsv(&[])).map_err(|error| format!("{}: {error}", out.display()))?;
        }
        return Err(format!("no cases in {}", arguments.corpus.display()));
    }
    if let Some(memory_bytes) = arguments.worker {
        bound::work(&cases, memory_bytes, run::run);
        return Ok(());
    }
    if arguments.show {
        for case in &cases {
            println!("{}\n{}", case.name, qtt::show(case));
        }
        return Ok(());
    }
    let mut again = vec![arguments.corpus.display().to_string()];
    again.extend(arguments.grep.iter().flat_map(|text| ["--grep".to_string(), text.clone()]));
    let jobs = std::thread::available_parallelism().map_or(1, usize::from);
    // Brought up to date once, here, and not by each worker.
    let broker = cases.iter().any(|case| case.kind == Kind::Rqtt).then(millrace_harness::binary);
    let verdicts = bound::run_all(&cases, &again, jobs, BOUNDS, broker);
    let results: Vec<_> = cases.into_iter().zip(verdicts).collect();
    if arguments.failures {
        for (case, verdict) in &results {
            if let report::Verdict::Fail(reason) = verdict {
                println!("{} {}: {reason}", case.kind.name(), case.name);
            }
        }
    }
    print!("{}", report::table(&results));
    if let Some(out) = arguments.out {
        std::fs::write(&out, report::tsv(&results)).map_err(|error| format!("{}: {error}", out.display()))?;
    }
    Ok(())
}
