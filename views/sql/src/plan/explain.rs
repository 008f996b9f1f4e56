//! Plans as text, for EXPLAIN: one step a line, the last step first, inputs indented below.

use std::fmt;

use crate::ast::{Expression, JoinKind};
use crate::plan::{Aggregate, Join, JoinForm, SourceKind, Step, WindowSpec, WindowSpecKind};

impl Step {
    /// How many steps make rows change partitions.
    pub fn repartitions(&self) -> usize {
        let own = match self {
            Step::PartitionBy(_) => 1,
            Step::Aggregate(aggregate) => usize::from(aggregate.repartition),
            _ => 0,
        };
        own + self.inputs().into_iter().map(Step::repartitions).sum::<usize>()
    }

    fn describe(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Step::Source(step) => {
                let source = &step.source;
                write!(out, "SOURCE {} {} ON TOPIC {}", source.kind, crate::format::name(&source.name), source.topic)?;
                match &source.window {
                    Some(window) => write!(out, " WINDOWED {}", window.window_type),
                    None => Ok(()),
                }
            }
            Step::Filter(step) => write!(out, "{} {}", if step.having { "HAVING" } else { "FILTER" }, step.predicate),
            Step::Project(step) => write!(out, "PROJECT {}", listed(&step.columns)),
            Step::PartitionBy(step) => {
                let keys = step.schema.keys().count();
                let word = if step.internal { "REPARTITION BY" } else { "PARTITION BY" };
                if keys == 0 { write!(out, "{word} NULL") } else { write!(out, "{word} {}", listed(&step.columns[..keys.min(step.columns.len())])) }
            }
            Step::FlatMap(step) => {
                let calls: Vec<String> = step.calls.iter().map(|call| format!("{}({})", call.function, listed(&call.arguments))).collect();
                write!(out, "FLAT MAP {}", calls.join(", "))
            }
            Step::Aggregate(step) => describe_aggregate(step, out),
            Step::Join(step) => describe_join(step, out),
            Step::Suppress(_) => out.write_str("SUPPRESS UNTIL THE WINDOW CLOSES"),
        }
    }

    fn tree(&self, out: &mut fmt::Formatter<'_>, indent: usize) -> fmt::Result {
        write!(out, "{:indent$}> ", "")?;
        self.describe(out)?;
        writeln!(out, " | {}", self.schema())?;
        self.inputs().into_iter().try_for_each(|input| input.tree(out, indent + 2))
    }
}

impl fmt::Display for Step {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.tree(out, 0)
    }
}

fn listed(expressions: &[Expression]) -> String {
    let texts: Vec<String> = expressions.iter().map(ToString::to_string).collect();
    texts.join(", ")
}

fn describe_aggregate(step: &Aggregate, out: &mut fmt::Formatter<'_>) -> fmt::Result {
    let calls: Vec<String> = step.calls.iter().map(|call| format!("{}({})", call.function, listed(&call.arguments))).collect();
    let over = if step.input.kind() == SourceKind::Table { "TABLE" } else { "STREAM" };
    write!(out, "AGGREGATE {over} {} GROUP BY {}", calls.join(", "), listed(&step.group_by))?;
    if let Some(window) = &step.window {
        write!(out, " WINDOW {window}")?;
    }
    out.write_str(if step.repartition { " (repartitioned)" } else { "" })
}

fn describe_join(step: &Join, out: &mut fmt::Formatter<'_>) -> fmt::Result {
    let kind = match step.kind {
        JoinKind::Inner => "INNER",
        JoinKind::Left => "LEFT",
        JoinKind::Right => "RIGHT",
        JoinKind::Full => "FULL",
    };
    match &step.form {
        JoinForm::StreamStream { before_ms, after_ms, grace_ms } => {
            write!(out, "{kind} JOIN STREAM-STREAM WITHIN ({before_ms} MILLISECONDS, {after_ms} MILLISECONDS)")?;
            grace_ms.iter().try_for_each(|grace| write!(out, " GRACE PERIOD {grace} MILLISECONDS"))
        }
        JoinForm::StreamTable => write!(out, "{kind} JOIN STREAM-TABLE"),
        JoinForm::TableTable => write!(out, "{kind} JOIN TABLE-TABLE"),
        JoinForm::ForeignKey { reference } => write!(out, "{kind} JOIN TABLE-TABLE ON FOREIGN KEY {reference}"),
    }
}

impl fmt::Display for WindowSpec {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            WindowSpecKind::Tumbling { size_ms } => write!(out, "TUMBLING (SIZE {size_ms} MILLISECONDS")?,
            WindowSpecKind::Hopping { size_ms, advance_ms } => {
                write!(out, "HOPPING (SIZE {size_ms} MILLISECONDS, ADVANCE BY {advance_ms} MILLISECONDS")?;
            }
            WindowSpecKind::Session { gap_ms } => write!(out, "SESSION ({gap_ms} MILLISECONDS")?,
        }
        if let Some(retention_ms) = self.retention_ms {
            write!(out, ", RETENTION {retention_ms} MILLISECONDS")?;
        }
        write!(out, ", GRACE PERIOD {} MILLISECONDS)", self.grace_ms)
    }
}
