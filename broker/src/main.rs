//! The one binary: `start` is the broker, everything else is a client of one.
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use millrace::config::NodeConfig;
use millrace::launch::{Running, launch};
use millrace::loggers::{self, Levels};
use millrace::rehearse::rehearse;
use millrace::threads;
use millrace_cluster::config::Properties;
use millrace_world::production::Production;
use tokio::signal::unix::{SignalKind, signal};

// Without huge pages: those of an idle broker would be mostly air (16 MiB for 3), and under load they gain nothing
// that was measured.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// A configuration or a folder that does not let the broker start.
const CANNOT_START: u8 = 1;

fn main() -> ExitCode {
    let began = Instant::now();
    let matches = millrace_cli::command().subcommand(start_command()).get_matches();
    match matches.subcommand() {
        Some(("start", given)) => match start(given, began) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("millrace: {error}");
                ExitCode::from(CANNOT_START)
            }
        },
        _ => millrace_cli::run(&matches, |properties, findings| Box::pin(rehearse(properties, findings))),
    }
}

fn start_command() -> Command {
    Command::new("start")
        .about("Run a broker")
        .long_about(
            "Run a broker: Kafka's wire protocol on `listeners`, health and metrics on `http.listener`.\n\
             Without a file: one node, data in ./millrace-data, Kafka on 127.0.0.1:9092. The data folder is made at \
             the first start. Kafka's own server.properties work as they are.",
        )
        .after_help(
            "Examples:\n  millrace start\n  millrace start server.properties\n  \
             millrace start --override listeners=PLAINTEXT://127.0.0.1:19092 --override log.dirs=/var/lib/millrace\n\n\
             logging.levels=debug (or RUST_LOG) says more. SIGTERM stops it cleanly.",
        )
        .arg(Arg::new("file").value_name("server.properties").value_parser(value_parser!(PathBuf)).help("Kafka's configuration file"))
        .arg(
            Arg::new("override")
                .long("override")
                .value_name("key=value")
                .action(ArgAction::Append)
                .help("Sets one config, over the file; may be repeated"),
        )
}

fn start(given: &ArgMatches, began: Instant) -> Result<(), Box<dyn std::error::Error>> {
    let (config, warnings) = configuration(given)?;
    let (levels, format) = config.logging.clone();
    let levels = match std::env::var("RUST_LOG") {
        Ok(text) => Levels::parse(&text).map_err(|error| format!("RUST_LOG: {error}"))?,
        Err(_) => levels,
    };
    loggers::begin(levels, format);
    for warning in warnings {
        tracing::warn!("{warning}");
    }
    few_arenas();
    raise_open_files();
    threads::prompt();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().thread_name("millrace-net").build()?;
    let world = Arc::new(Production::new(runtime.handle().clone()));
    let views_runtime = tokio::runtime::Builder::new_multi_thread().enable_time().thread_name("millrace-views").on_thread_start(threads::behind).build()?;
    let views_world = Arc::new(Production::new(views_runtime.handle().clone()));
    let served = runtime.block_on(async {
        // Before the first byte of data is touched, so that no signal is missed.
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let running = launch(world, views_world, config).await?;
        announce(&running, began);
        tokio::select! {
            _ = terminate.recv() => tracing::info!("SIGTERM: stopping"),
            _ = interrupt.recv() => tracing::info!("SIGINT: stopping"),
            () = running.node.storage_ended() => return Err("the storage stopped; what was acknowledged is on disk".into()),
        }
        running.stop().await?;
        tracing::info!("stopped");
        Ok::<_, Box<dyn std::error::Error>>(())
    });
    // Whatever still waits for a client is not waited for.
    runtime.shutdown_timeout(Duration::from_millis(200));
    views_runtime.shutdown_timeout(Duration::from_millis(200));
    served
}

/// The node's configuration, and what to warn of.
fn configuration(given: &ArgMatches) -> Result<(NodeConfig, Vec<String>), Box<dyn std::error::Error>> {
    let mut properties = match given.get_one::<PathBuf>("file") {
        Some(path) => {
            let text = std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
            Properties::parse(&text).map_err(|error| format!("{}: {error}", path.display()))?
        }
        None => Properties::default(),
    };
    for assignment in given.get_many::<String>("override").into_iter().flatten() {
        properties.override_with(assignment).map_err(|error| format!("--override {assignment}: {}", error.reason))?;
    }
    Ok(NodeConfig::from_properties(properties)?)
}

#[expect(clippy::print_stdout, reason = "the one line that other programs wait for")]
fn announce(running: &Running, began: Instant) {
    println!("{}", running.ready_line(began));
}

/// RocksDB takes its memory from the system's allocator, which sets 64 MiB of address space aside for each of many threads:
/// where that is limited, little would be left for data. The few threads of databases share two such places.
fn few_arenas() {
    const ARENAS: libc::c_int = 2;
    // SAFETY: called before there are other threads, with a parameter that the allocator knows.
    if unsafe { libc::mallopt(libc::M_ARENA_MAX, ARENAS) } == 0 {
        tracing::debug!("the allocator's arenas could not be limited");
    }
}

/// Segments and connections each need a descriptor: takes as many as the system allows.
fn raise_open_files() {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: both calls read or write the struct they are given and nothing else.
    let raised = unsafe {
        libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit) == 0 && {
            limit.rlim_cur = limit.rlim_max;
            libc::setrlimit(libc::RLIMIT_NOFILE, &limit) == 0
        }
    };
    if !raised {
        tracing::warn!("the limit of open files could not be raised");
    }
}
