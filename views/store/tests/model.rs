//! The store on disk against the one in memory, through crashes at any point.
use std::ops::ControlFlow;

use millrace_engine::state::{Cut, InputId, MemoryStore, Rows, Store, Stored, TableId};
use millrace_sql::value::Value;
use millrace_store::{Caches, DiskStore, RowBudget, WriteBack};
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Act {
    /// (table, key, value; none deletes).
    Commit(Vec<(u32, u8, Option<i32>)>),
    WriteBack,
    /// It begins; what comes until it is written is seen beside it.
    BeginWriteBack,
    /// Forgets everything that was not written back.
    Crash,
    Read(u32, u8),
}

fn act() -> impl Strategy<Value = Act> {
    let change = (0..2u32, 0..24u8, proptest::option::of(0..99i32));
    prop_oneof![
        5 => proptest::collection::vec(change, 0..12).prop_map(Act::Commit),
        1 => Just(Act::WriteBack),
        1 => Just(Act::BeginWriteBack),
        1 => Just(Act::Crash),
        4 => (0..2u32, 0..24u8).prop_map(|(table, key)| Act::Read(table, key)),
    ]
}

/// Four keys of a prefix each.
fn bytes(key: u8) -> Vec<u8> {
    vec![key / 4, key]
}

fn all(store: &dyn Store, table: TableId, from: &[u8], to: Option<&[u8]>) -> Vec<(Vec<u8>, Stored)> {
    let mut found = Vec::new();
    store
        .scan(table, from, to, &mut |key, stored| {
            found.push((key.to_vec(), stored.clone()));
            ControlFlow::Continue(())
        })
        .unwrap();
    found
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    /// It always holds the rows of its cut, within a budget that is too small for all of them; after a crash it
    /// holds the rows of an earlier cut: the model's state when that cut was written.
    #[test]
    fn equals_memory_at_its_cut(acts in proptest::collection::vec(act(), 1..60), memory_bytes in prop_oneof![Just(600usize), Just(1 << 20)]) {
        let dir = tempfile::tempdir().unwrap();
        let caches = Caches::new(8 << 20);
        let input = InputId::new("t", 0);
        let mut store = DiskStore::open(dir.path(), &[], &caches, &RowBudget::new(memory_bytes)).unwrap();
        let mut history = vec![MemoryStore::new()];
        let mut writing: Option<(WriteBack, usize)> = None;
        for act in acts {
            match act {
                Act::Commit(changes) => {
                    let mut cut = Cut::default();
                    cut.advance(&input, history.len() as i64);
                    let mut rows = Rows::default();
                    for (table, key, value) in changes {
                        let stored = value.map(|value| Stored { row: vec![Value::Int(value)].into(), timestamp: 3 });
                        store.note_prefix(TableId(table), &[key / 4]);
                        rows.insert(TableId(table), bytes(key), stored);
                    }
                    let mut model = history.last().unwrap().clone();
                    model.commit(&mut rows.clone(), &cut).unwrap();
                    history.push(model);
                    store.commit(&mut rows, &cut).unwrap();
                }
                Act::BeginWriteBack if writing.is_none() => {
                    writing = Some((store.begin_write_back(), history.len()));
                }
                Act::WriteBack | Act::BeginWriteBack => {
                    if let Some((back, _)) = writing.take() {
                        back.write().unwrap();
                        store.end_write_back(&back);
                    }
                    store.write_back().unwrap();
                    prop_assert_eq!(store.database().cut().unwrap(), history.last().unwrap().cut().unwrap());
                }
                Act::Crash => {
                    // Written or not, nobody heard of it.
                    if let Some((back, _)) = writing.take().filter(|(_, at)| at % 2 == 0) {
                        back.write().unwrap();
                    }
                    drop(store);
                    store = DiskStore::open(dir.path(), &[], &caches, &RowBudget::new(memory_bytes)).unwrap();
                    let at = store.cut().unwrap().next(&input).unwrap_or(0) as usize;
                    history.truncate(at + 1);
                }
                Act::Read(table, key) => {
                    let model = history.last().unwrap();
                    prop_assert_eq!(store.get(TableId(table), &bytes(key)).unwrap(), model.get(TableId(table), &bytes(key)).unwrap());
                    prop_assert!(store.may_have_prefix(TableId(table), &[key / 4]) || model.get(TableId(table), &bytes(key)).unwrap().is_none());
                }
            }
            let model = history.last().unwrap();
            prop_assert_eq!(store.cut().unwrap(), model.cut().unwrap());
            for table in [TableId(0), TableId(1)] {
                prop_assert_eq!(all(&store, table, &[], None), all(model, table, &[], None));
                prop_assert_eq!(all(&store, table, &[1, 5], Some(&[4, 17])), all(model, table, &[1, 5], Some(&[4, 17])));
            }
        }
    }
}
