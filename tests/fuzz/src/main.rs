//! `fuzz`: every target for its share of the time, each in a process of its own.
//!
//! From the environment: `MINUTES` (in all, 60), `SEED` (the first, from the clock), `ONLY` (targets whose name contains it),
//! `FOUND` (where to keep what broke something; `tests/fuzz/corpus`).
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use millrace_fuzz::dice::Dice;
use millrace_fuzz::judge::{judge, name, watch_panics};
use millrace_fuzz::targets::{Row, TARGETS, find};
use millrace_fuzz::{INPUT_SECONDS_MAX, Target};
use millrace_harness::memory;

#[global_allocator]
static ALLOCATOR: memory::Counting = memory::Counting;

/// The address space of a target's process.
const ADDRESS_SPACE: u64 = 2 << 30;
/// As a thread of the broker's runtime has it.
const STACK: usize = 2 << 20;
/// A target that breaks this often is stopped: the rest is the same bug.
const FOUND_MAX: usize = 10;
/// What the process of a target ends with.
const FOUND: i32 = 3;
const HANGS: i32 = 4;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.as_slice() {
        [target, seed, seconds, note] => {
            let row = find(target).expect("the parent names a target");
            let number = |text: &str| text.parse::<u64>().expect("the parent gives numbers");
            child(row, number(seed), number(seconds), Path::new(note))
        }
        _ => parent(),
    }
}

fn found_folder() -> PathBuf {
    std::env::var_os("FOUND").map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus"), PathBuf::from)
}

fn keep(target: &str, input: &[u8]) -> PathBuf {
    let folder = found_folder().join(target);
    let path = folder.join(name(input));
    let kept = std::fs::create_dir_all(&folder).and_then(|()| std::fs::write(&path, input));
    kept.unwrap_or_else(|error| panic!("{} cannot be kept: {error}", path.display()));
    path
}

fn parent() -> ExitCode {
    let number = |name: &str, usual: u64| match std::env::var(name) {
        Ok(text) if !text.is_empty() => text.parse().unwrap_or_else(|_| panic!("{name}={text} is not a number")),
        _ => usual,
    };
    let minutes = number("MINUTES", 60);
    let clock = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(1, |since| since.as_secs());
    let seed = number("SEED", clock);
    let only = std::env::var("ONLY").unwrap_or_default();
    let rows: Vec<&Row> = TARGETS.iter().filter(|row| row.name.contains(&only)).collect();
    let shares: u64 = rows.iter().map(|row| row.share).sum();
    println!("{minutes} minutes over {} targets, SEED={seed}", rows.len());
    let note = tempfile::NamedTempFile::new().expect("a file for the input under way");
    let (mut inputs, mut broken) = (0, 0);
    for row in rows {
        let (ran, found) = run_target(row, seed, Duration::from_secs(minutes * 60 * row.share / shares), note.path());
        println!("{:18} {ran:>10} inputs, {found} broke something   ({})", row.name, row.what);
        inputs += ran;
        broken += found;
    }
    println!("{inputs} inputs, {broken} broke something");
    if broken == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// One target for its time; a process that dies is followed by the next.
fn run_target(row: &Row, first: u64, time: Duration, note: &Path) -> (u64, usize) {
    let (mut inputs, mut broken, mut seed) = (0, 0, first);
    let until = Instant::now() + time;
    while Instant::now() < until && broken < FOUND_MAX {
        let left = until.saturating_duration_since(Instant::now()).as_secs().max(1);
        std::fs::write(note, []).expect("the note can be emptied");
        let program = std::env::current_exe().expect("a process knows its program");
        let status = Command::new(program).args([row.name, &seed.to_string(), &left.to_string()]).arg(note).status().expect("a child can be run");
        let noted = std::fs::read(note).unwrap_or_default();
        let (count, input) = read_note(&noted);
        inputs += count;
        match status.code() {
            Some(0) => break,
            Some(FOUND) => broken += 1,
            other => {
                let how = if other == Some(HANGS) { "hangs".to_owned() } else { format!("ends the process ({status})") };
                println!("{}: input {count} of seed {seed} {how}: {}", row.name, keep(row.name, input).display());
                broken += 1;
            }
        }
        seed = seed.wrapping_add(1_000_003);
    }
    (inputs, broken)
}

/// `inputs so far (8), length (4), input`.
fn read_note(note: &[u8]) -> (u64, &[u8]) {
    let Some((head, input)) = note.split_first_chunk::<12>() else { return (0, &[]) };
    let (mut count, mut len) = ([0; 8], [0; 4]);
    count.copy_from_slice(&head[..8]);
    len.copy_from_slice(&head[8..]);
    (u64::from_le_bytes(count), input.get(..u32::from_le_bytes(len) as usize).unwrap_or(input))
}

fn child(row: &'static Row, seed: u64, seconds: u64, note: &Path) -> ExitCode {
    memory::limit_address_space(ADDRESS_SPACE);
    watch_panics();
    let note = std::fs::OpenOptions::new().write(true).open(note).expect("the parent made the note");
    let count = Arc::new(AtomicU64::new(0));
    let resting = Arc::new(AtomicBool::new(true));
    let (progress, rests) = (count.clone(), resting.clone());
    let work = std::thread::Builder::new().name("fuzz".into()).stack_size(STACK).spawn(move || draw_and_judge(row, seed, Duration::from_secs(seconds), &note, &progress, &rests));
    let work = work.expect("a thread can be started");
    let (mut seen, mut since) = (0, Instant::now());
    while !work.is_finished() {
        std::thread::sleep(Duration::from_millis(100));
        let now = count.load(Ordering::Relaxed);
        if now != seen || resting.load(Ordering::Relaxed) {
            (seen, since) = (now, Instant::now());
        } else if since.elapsed() > Duration::from_secs(INPUT_SECONDS_MAX) {
            std::process::exit(HANGS);
        }
    }
    match work.join() {
        Ok(0) => ExitCode::SUCCESS,
        Ok(_) => std::process::exit(FOUND),
        Err(_) => std::process::exit(1),
    }
}

/// Draws and runs until the time is over or something broke; says how much did.
fn draw_and_judge(row: &Row, seed: u64, time: Duration, note: &std::fs::File, count: &AtomicU64, resting: &AtomicBool) -> usize {
    let until = Instant::now() + time;
    let mut target: Box<dyn Target> = (row.make)();
    let seeds = target.seeds();
    let mut dice = Dice::new(seed);
    let mut good = seeds.iter();
    while Instant::now() < until {
        // The good ones first, as they are.
        let input = good.next().cloned().unwrap_or_else(|| target.draw(&mut dice, &seeds));
        let number = count.fetch_add(1, Ordering::Relaxed) + 1;
        let noted = [&number.to_le_bytes()[..], &(input.len() as u32).to_le_bytes(), &input].concat();
        note.write_all_at(&noted, 0).expect("the note can be written");
        resting.store(false, Ordering::Relaxed);
        if let Err(broken) = judge(row, &mut *target, &input) {
            println!("{}: input {number} of seed {seed}: {broken}\n    kept as {}", row.name, keep(row.name, &input).display());
            let _ = std::io::stdout().flush();
            return 1;
        }
        resting.store(true, Ordering::Relaxed);
        target.rest();
    }
    0
}
