//! Pull queries over a table: rows of a view as they stand, through the query's filter and projection.
use std::ops::ControlFlow;
use std::sync::Arc;

use millrace_engine::Live;
use millrace_engine::state::{Cut, InputId, Store, Stored, after_prefix, encode_values};
use millrace_shard::GroupId;
use millrace_sql::expr::{EvalContext, Expr};
use millrace_sql::functions::Registry;
use millrace_sql::plan::{Access, KeyLookup, PullPlan, SourceColumn, SourceStep, Step};
use millrace_sql::schema::Schema;
use millrace_sql::types::SqlType;
use millrace_sql::value::Value;
use parking_lot::RwLockReadGuard;

use crate::Failed;
use crate::insert::constant;
use crate::run::{Cell, Looked, ViewRow, ViewStore, live_of, view_row};

#[derive(Debug)]
pub struct PullAnswer {
    pub schema: Schema,
    /// In the order of `schema`.
    pub rows: Vec<Vec<Value>>,
    pub seen: Seen,
}

/// What an answer was read at: a cut, and which log each of its positions is of. The topic may have been deleted and made again
/// since, and a cut that did not say so would be taken for one of the new records.
#[derive(Debug, Default)]
pub struct Seen {
    pub cut: Cut,
    logs: Vec<(InputId, GroupId)>,
}

impl Seen {
    /// Holds one task's state, and adds its place. States are held one after another: no two tasks read the same partition, so
    /// each one's rows are those of its own part of the cut, whatever the others do meanwhile.
    fn hold<'a>(&mut self, cell: &'a Cell) -> Result<RwLockReadGuard<'a, ViewStore>, Failed> {
        let store = cell.store();
        for (input, next) in store.cut()?.iter() {
            self.cut.advance(input, next);
            self.logs.extend(cell.log_of(input).map(|log| (input.clone(), log)));
        }
        Ok(store)
    }

    pub fn log_of(&self, input: &InputId) -> Option<GroupId> {
        self.logs.iter().find(|(id, _)| id == input).map(|(_, log)| *log)
    }
}

/// The plan's filter and projection, ready to run on rows of its source.
struct Pipeline {
    source: SourceStep,
    predicate: Option<Expr>,
    columns: Vec<Expr>,
}

impl Pipeline {
    fn compile(root: &Step, functions: &Registry) -> Result<Pipeline, Failed> {
        let failed = |error: &dyn std::fmt::Display| Failed::statement(error.to_string());
        let (mut predicate, mut columns) = (None, None);
        let mut step = root;
        loop {
            match step {
                Step::Project(project) if columns.is_none() => {
                    let schema = project.input.schema();
                    let compiled = project.columns.iter().map(|column| Expr::compile(column, schema, functions));
                    columns = Some(compiled.collect::<Result<Vec<_>, _>>().map_err(|error| failed(&error))?);
                    step = &project.input;
                }
                Step::Filter(filter) if predicate.is_none() => {
                    predicate = Some(Expr::compile(&filter.predicate, filter.input.schema(), functions).map_err(|error| failed(&error))?);
                    step = &filter.input;
                }
                Step::Source(source) => {
                    return Ok(Pipeline { source: source.clone(), predicate, columns: columns.unwrap_or_default() });
                }
                _ => return Err(Failed::statement("a pull query can only filter and project")),
            }
        }
    }

    /// Nothing when the filter says so.
    fn run(&self, row: &ViewRow, context: &EvalContext) -> Option<Vec<Value>> {
        let window = |pick: fn(millrace_engine::Window) -> i64| row.window.map_or(Value::Null, |window| Value::BigInt(pick(window)));
        let read = |column: &SourceColumn| match column {
            SourceColumn::Declared(at) => row.values.get(*at).cloned().unwrap_or(Value::Null),
            SourceColumn::RowTime => Value::BigInt(row.timestamp),
            SourceColumn::RowPartition | SourceColumn::RowOffset => Value::Null,
            SourceColumn::WindowStart => window(|window| window.start),
            SourceColumn::WindowEnd => window(|window| window.end),
        };
        let input: Vec<Value> = self.source.columns.iter().map(read).collect();
        // As everywhere in SQL an expression that fails is null, and a null predicate keeps nothing.
        if let Some(predicate) = &self.predicate
            && !matches!(predicate.eval(&input, context), Ok(Value::Boolean(true)))
        {
            return None;
        }
        Some(self.columns.iter().map(|column| column.eval(&input, context).unwrap_or(Value::Null)).collect())
    }
}

/// The bytes between which keys lie.
enum Range {
    Prefix(Vec<u8>, KeyLookup),
    Between(Vec<u8>, Option<Vec<u8>>),
}

/// Which windows are left of a task's rows: with others nothing can be past a retention.
fn live(store: &ViewStore, windowed: bool) -> Result<Option<Live>, Failed> {
    Ok(if windowed { live_of(store)? } else { None })
}

fn is_live(row: &ViewRow, live: Option<Live>) -> bool {
    live.is_none_or(|live| row.window.is_none_or(|window| live.has(window)))
}

pub fn pull(plan: &PullPlan, cells: &[Arc<Cell>], functions: &Registry, context: &EvalContext) -> Result<PullAnswer, Failed> {
    let pipeline = Pipeline::compile(&plan.root, functions)?;
    let key_types: Vec<SqlType> = plan.source.schema.keys().map(|column| column.sql_type.clone()).collect();
    let ranges = ranges(&plan.access, &key_types, functions, context)?;
    let limit = plan.limit.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(0));
    let windowed = plan.source.window.is_some();
    // Rows with the place of the range that they were found by: they come out in the order of the ranges.
    let (mut rows, mut seen) = (Vec::new(), Seen::default());
    for cell in cells {
        let store = seen.hold(cell)?;
        let (live, looked) = (live(&store, windowed)?, Looked::new(&*store, cell.query(), windowed));
        for (place, range) in ranges.iter().enumerate() {
            let mut taken = 0;
            let mut visit = |stored: &Stored| -> ControlFlow<()> {
                if taken >= limit {
                    return ControlFlow::Break(());
                }
                let row = view_row(stored, windowed);
                if !is_live(&row, live) {
                    return ControlFlow::Continue(());
                }
                let in_window = match range {
                    Range::Prefix(_, lookup) => row.window.is_none_or(|window| {
                        lookup.window.start.contains(window.start) && lookup.window.end.contains(window.end)
                    }),
                    Range::Between(..) => true,
                };
                if in_window && let Some(values) = pipeline.run(&row, context) {
                    rows.push((place, values));
                    taken += 1;
                }
                ControlFlow::Continue(())
            };
            match range {
                Range::Prefix(prefix, _) if !windowed => {
                    if let Some(stored) = looked.get(prefix)? {
                        let _ = visit(&stored);
                    }
                }
                Range::Prefix(prefix, _) => {
                    looked.scan(prefix, after_prefix(prefix).as_deref(), &mut |_, stored| visit(stored))?;
                }
                Range::Between(from, to) => looked.scan(from, to.as_deref(), &mut |_, stored| visit(stored))?,
            }
        }
    }
    rows.sort_by_key(|(place, _)| *place);
    rows.truncate(limit);
    Ok(PullAnswer { schema: plan.schema.clone(), rows: rows.into_iter().map(|(_, values)| values).collect(), seen })
}

fn ranges(access: &Access, types: &[SqlType], functions: &Registry, context: &EvalContext) -> Result<Vec<Range>, Failed> {
    match access {
        Access::Scan => Ok(vec![Range::Between(Vec::new(), None)]),
        Access::Keys(lookups) => lookups
            .iter()
            .map(|lookup| {
                let key = lookup.key.iter().zip(types).map(|(expression, sql_type)| constant(expression, sql_type, functions, context));
                Ok(Range::Prefix(encode_values(&key.collect::<Result<Vec<_>, _>>()?), lookup.clone()))
            })
            .collect(),
        // The filter still decides on the bounds themselves, so both ends may be wide by one key.
        Access::KeyRange { low, high } => {
            let bound = |expression: &Option<_>| -> Result<Option<Vec<u8>>, Failed> {
                let (Some(expression), Some(sql_type)) = (expression, types.first()) else { return Ok(None) };
                Ok(Some(encode_values(&[constant(expression, sql_type, functions, context)?])))
            };
            let high = bound(high)?.map(|high| after_prefix(&high));
            Ok(vec![Range::Between(bound(low)?.unwrap_or_default(), high.flatten())])
        }
    }
}

/// The rows of one key (several when the view is windowed), for callers that bring typed values.
pub fn get(cells: &[Arc<Cell>], key: &[Value], windowed: bool) -> Result<(Vec<ViewRow>, Seen), Failed> {
    let (mut each, seen) = get_many(cells, &[key], windowed)?;
    Ok((each.pop().unwrap_or_default(), seen))
}

/// The rows of each key, all of one cut.
pub fn get_many(cells: &[Arc<Cell>], keys: &[impl AsRef<[Value]>], windowed: bool) -> Result<(Vec<Vec<ViewRow>>, Seen), Failed> {
    let prefixes: Vec<Vec<u8>> = keys.iter().map(|key| encode_values(key.as_ref())).collect();
    let (mut each, mut seen) = (vec![Vec::new(); keys.len()], Seen::default());
    for cell in cells {
        let store = seen.hold(cell)?;
        let (live, looked) = (live(&store, windowed)?, Looked::new(&*store, cell.query(), windowed));
        for (prefix, rows) in prefixes.iter().zip(&mut each) {
            if windowed {
                looked.scan(prefix, after_prefix(prefix).as_deref(), &mut |_, stored| {
                    rows.extend(Some(view_row(stored, true)).filter(|row| is_live(row, live)));
                    ControlFlow::Continue(())
                })?;
            } else if let Some(stored) = looked.get(prefix)? {
                rows.push(view_row(&stored, false));
            }
        }
    }
    Ok((each, seen))
}

/// Rows between two keys (inclusive; absent is open), in key order, all of one cut.
pub fn scan(cells: &[Arc<Cell>], from: Option<&[Value]>, to: Option<&[Value]>, limit: usize, windowed: bool) -> Result<(Vec<ViewRow>, Seen), Failed> {
    let low = from.map(encode_values).unwrap_or_default();
    let high = to.map(encode_values).and_then(|high| after_prefix(&high));
    let (mut rows, mut seen) = (Vec::new(), Seen::default());
    for cell in cells {
        let store = seen.hold(cell)?;
        let (live, looked) = (live(&store, windowed)?, Looked::new(&*store, cell.query(), windowed));
        let mut taken = 0;
        looked.scan(&low, high.as_deref(), &mut |key, stored| {
            let row = view_row(stored, windowed);
            if !is_live(&row, live) {
                return ControlFlow::Continue(());
            }
            rows.push((key.to_vec(), row));
            taken += 1;
            if taken >= limit { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })?;
    }
    rows.sort_by(|a, b| a.0.cmp(&b.0));
    rows.truncate(limit);
    Ok((rows.into_iter().map(|(_, row)| row).collect(), seen))
}
