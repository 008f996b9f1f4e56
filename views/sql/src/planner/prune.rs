//! Drops what no later step reads, so that decoders skip it and states stay small.

use std::collections::BTreeSet;

use crate::ast::Expression;
use crate::name::Name;
use crate::plan::{JoinColumn, JoinForm, Step};
use crate::schema::{Column, Role, Schema};

/// Narrows every step to the columns that the steps above read. Key columns always stay: rows are found by them.
pub(crate) fn prune(root: &mut Step) {
    let all = root.schema().columns().iter().map(|column| column.name.clone()).collect();
    narrow(root, &all);
}

type Names = BTreeSet<Name>;

fn add(names: &mut Names, expression: &Expression) {
    names.extend(expression.columns().into_iter().map(|column| column.name.clone()));
}

fn narrow(step: &mut Step, wanted: &Names) {
    match step {
        Step::Source(source) => {
            let keep: Vec<bool> = kept(&source.schema, wanted);
            retain(&mut source.columns, &keep);
            source.schema = narrowed(&source.schema, &keep);
        }
        Step::Filter(filter) => {
            let mut below = wanted.clone();
            add(&mut below, &filter.predicate);
            narrow(&mut filter.input, &below);
        }
        Step::Project(project) => {
            let keep = kept(&project.schema, wanted);
            retain(&mut project.columns, &keep);
            project.schema = narrowed(&project.schema, &keep);
            narrow(&mut project.input, &reads(&project.columns));
        }
        Step::PartitionBy(partition) => {
            let keep = kept(&partition.schema, wanted);
            retain(&mut partition.columns, &keep);
            partition.schema = narrowed(&partition.schema, &keep);
            narrow(&mut partition.input, &reads(&partition.columns));
        }
        Step::FlatMap(flat_map) => {
            let made: Names = flat_map.calls.iter().map(|call| call.column.clone()).collect();
            let mut below: Names = wanted.difference(&made).cloned().collect();
            flat_map.calls.iter().flat_map(|call| &call.arguments).for_each(|argument| add(&mut below, argument));
            narrow(&mut flat_map.input, &below);
            let mut columns = flat_map.input.schema().columns().to_vec();
            columns.extend(flat_map.schema.columns().iter().filter(|column| made.contains(&column.name)).cloned());
            flat_map.schema = rebuilt(columns, &flat_map.schema);
        }
        Step::Aggregate(aggregate) => {
            let mut below = reads(&aggregate.group_by);
            aggregate.calls.iter().flat_map(|call| &call.arguments).for_each(|argument| add(&mut below, argument));
            narrow(&mut aggregate.input, &below);
        }
        Step::Join(join) => {
            let keep = kept(&join.schema, wanted);
            retain(&mut join.columns, &keep);
            join.schema = narrowed(&join.schema, &keep);
            let old = (join.left.schema().clone(), join.right.schema().clone());
            let (mut left, mut right) = (Names::new(), Names::new());
            for column in &join.columns {
                match column {
                    JoinColumn::Key(_) => {}
                    JoinColumn::Left(index) => left.extend(name_at(&old.0, *index)),
                    JoinColumn::Right(index) => right.extend(name_at(&old.1, *index)),
                }
            }
            if let JoinForm::ForeignKey { reference } = &join.form {
                add(&mut left, reference);
            }
            narrow(&mut join.left, &left);
            narrow(&mut join.right, &right);
            let moved = |from: &Schema, to: &Schema, index: usize| {
                name_at(from, index).and_then(|name| to.index_of(name.as_str())).unwrap_or(index)
            };
            for column in &mut join.columns {
                *column = match *column {
                    JoinColumn::Key(index) => JoinColumn::Key(index),
                    JoinColumn::Left(index) => JoinColumn::Left(moved(&old.0, join.left.schema(), index)),
                    JoinColumn::Right(index) => JoinColumn::Right(moved(&old.1, join.right.schema(), index)),
                };
            }
        }
        Step::Suppress(suppress) => narrow(&mut suppress.input, wanted),
    }
}

fn name_at(schema: &Schema, index: usize) -> Option<Name> {
    schema.columns().get(index).map(|column| column.name.clone())
}

fn reads(expressions: &[Expression]) -> Names {
    let mut names = Names::new();
    expressions.iter().for_each(|expression| add(&mut names, expression));
    names
}

fn kept(schema: &Schema, wanted: &Names) -> Vec<bool> {
    schema.columns().iter().map(|column| column.role == Role::Key || wanted.contains(&column.name)).collect()
}

fn retain<T>(items: &mut Vec<T>, keep: &[bool]) {
    let mut keep = keep.iter();
    items.retain(|_| keep.next().copied().unwrap_or(true));
}

fn narrowed(schema: &Schema, keep: &[bool]) -> Schema {
    let columns = schema.columns().iter().zip(keep).filter(|(_, keep)| **keep).map(|(column, _)| column.clone());
    rebuilt(columns.collect(), schema)
}

/// A part of a schema has unique names as the whole has.
fn rebuilt(columns: Vec<Column>, whole: &Schema) -> Schema {
    Schema::new(columns).unwrap_or_else(|_| whole.clone())
}
