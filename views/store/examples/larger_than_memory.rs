//! State far larger than its memory: counts by key in a store with a small budget, and what the process takes meanwhile.
//!
//! `cargo run --release -p millrace-store --example larger_than_memory -- DIR [KEYS] [BUDGET_MIB] [RECORDS]`
use std::path::PathBuf;
use std::time::Instant;

use millrace_engine::state::{Cut, InputId, Rows, Store, Stored, TableId};
use millrace_sql::value::Value;
use millrace_store::{Caches, DiskStore, RowBudget};

const TABLE: TableId = TableId(0);
/// Records between two looks at the budget, as a task makes them.
const CHUNK: u64 = 64;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let dir = PathBuf::from(arguments.next().ok_or("a folder for the state comes first")?);
    let mut number = |usual: u64| arguments.next().map_or(Ok(usual), |text| text.parse());
    let (keys, budget_mib, records) = (number(5_000_000)?, number(64)?, number(20_000_000)?);
    let bytes = (budget_mib as usize) << 20;
    let mut store = DiskStore::open(&dir, &[], &Caches::new(bytes / 2), &RowBudget::new(bytes / 2))?;
    let input = InputId::new("in", 0);
    let (mut chance, mut cut, mut most, mut write_backs) = (0x9e37_79b9_7f4a_7c15_u64, Cut::default(), 0, 0);
    let mut rows = Rows::default();
    let begun = Instant::now();
    for at in 0..records {
        // Every key once, then any.
        chance ^= chance << 13;
        chance ^= chance >> 7;
        chance ^= chance << 17;
        let key = (if at < keys { at } else { chance % keys }).to_be_bytes().to_vec();
        let count = match store.get(TABLE, &key)?.as_ref().map(|stored| &*stored.row) {
            Some([Value::BigInt(count), ..]) => *count,
            _ => 0,
        };
        let row = vec![Value::BigInt(count + 1), Value::string("some text that a row holds beside its count")];
        rows.insert(TABLE, key, Some(Stored { row: row.into(), timestamp: 0 }));
        cut.advance(&input, at as i64 + 1);
        store.commit(&mut rows, &cut)?;
        if at % CHUNK == 0 && store.wants_write_back() {
            store.write_back()?;
            write_backs += 1;
        }
        if at % 1_000_000 == 999_999 {
            most = most.max(resident_kib());
            println!(
                "{} records, {:.0}/s, rows {} MiB, resident {} MiB, on disk {} MiB, {write_backs} write-backs",
                at + 1,
                (at + 1) as f64 / begun.elapsed().as_secs_f64(),
                store.memory_bytes() >> 20,
                resident_kib() >> 10,
                store.disk_bytes() >> 20
            );
        }
    }
    store.write_back()?;
    let mut sum = 0;
    store.scan(TABLE, &[], None, &mut |_, stored| {
        if let [Value::BigInt(count), ..] = &*stored.row {
            sum += count;
        }
        std::ops::ControlFlow::Continue(())
    })?;
    assert_eq!(sum, records as i64, "every record counts once");
    println!("budget {budget_mib} MiB, {keys} keys: at most {} MiB resident; all {sum} records counted", most >> 10);
    Ok(())
}

fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}
