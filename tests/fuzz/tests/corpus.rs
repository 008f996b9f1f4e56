//! What once broke something breaks nothing any more; and a few fresh inputs of every target, so that a target cannot rot.
//! One test: the memory that an input takes is counted for the whole process.
use std::path::Path;

use millrace_fuzz::dice::Dice;
use millrace_fuzz::judge::{judge, watch_panics};
use millrace_fuzz::targets::{TARGETS, find};
use millrace_harness::memory;

#[global_allocator]
static ALLOCATOR: memory::Counting = memory::Counting;

const FRESH: usize = 150;

#[test]
fn the_corpus_and_fresh_inputs_break_nothing() {
    watch_panics();
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    let mut replayed = 0;
    let mut broken = Vec::new();
    for row in TARGETS {
        let mut target = (row.make)();
        for path in files(&corpus.join(row.name)) {
            let input = std::fs::read(&path).expect("a file of the corpus can be read");
            replayed += 1;
            if let Err(why) = judge(row, &mut *target, &input) {
                broken.push(format!("{}: {why}", path.display()));
                target = (row.make)();
            }
        }
        let seeds = target.seeds();
        let mut dice = Dice::new(7);
        for at in 0..seeds.len() + FRESH {
            let input = seeds.get(at).cloned().unwrap_or_else(|| target.draw(&mut dice, &seeds));
            if let Err(why) = judge(row, &mut *target, &input) {
                broken.push(format!("{}: input {at} of seed 7: {why}", row.name));
                break;
            }
        }
    }
    // From here on a panic is the test's own word.
    drop(std::panic::take_hook());
    assert!(broken.is_empty(), "{}", broken.join("\n"));
    for folder in files(&corpus) {
        let name = folder.file_name().expect("a name below the corpus").to_string_lossy().into_owned();
        assert!(find(&name).is_some(), "{name} is no target");
    }
    eprintln!("{replayed} inputs of the corpus");
}

fn files(folder: &Path) -> Vec<std::path::PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut found: Vec<_> = entries.map(|entry| entry.expect("a folder can be listed").path()).collect();
    found.sort();
    found
}
