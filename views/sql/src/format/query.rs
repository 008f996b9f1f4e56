//! SELECT as text: one clause a line, one item a line when there are several.

use std::fmt;

use crate::ast::{Emit, Join, JoinKind, Query, Relation, SelectItem, Window, WindowKind, WindowLength, Within};
use crate::format::name;

impl fmt::Display for Query {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("SELECT")?;
        match self.select.as_slice() {
            [only] => write!(out, " {only}")?,
            items => {
                for (index, item) in items.iter().enumerate() {
                    write!(out, "{}\n  {item}", if index > 0 { "," } else { "" })?;
                }
            }
        }
        write!(out, "\nFROM {}", self.from)?;
        for join in &self.joins {
            write!(out, "\n{join}")?;
        }
        if let Some(window) = &self.window {
            write!(out, "\nWINDOW {window}")?;
        }
        if let Some(filter) = &self.filter {
            write!(out, "\nWHERE {filter}")?;
        }
        if let Some(group_by) = &self.group_by {
            write!(out, "\nGROUP BY {}", grouping(group_by))?;
        }
        if let Some(partition_by) = &self.partition_by {
            write!(out, "\nPARTITION BY {}", grouping(&partition_by.expressions))?;
        }
        if let Some(having) = &self.having {
            write!(out, "\nHAVING {having}")?;
        }
        match self.emit {
            Some(Emit::Changes) => out.write_str("\nEMIT CHANGES")?,
            Some(Emit::Final) => out.write_str("\nEMIT FINAL")?,
            None => {}
        }
        match self.limit {
            Some(limit) => write!(out, "\nLIMIT {limit}"),
            None => Ok(()),
        }
    }
}

fn grouping(expressions: &[crate::ast::Expression]) -> String {
    if expressions.is_empty() {
        return "()".into();
    }
    let texts: Vec<String> = expressions.iter().map(ToString::to_string).collect();
    texts.join(", ")
}

impl fmt::Display for SelectItem {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SelectItem::Star { source: None, .. } => out.write_str("*"),
            SelectItem::Star { source: Some(source), .. } => write!(out, "{}.*", name(source)),
            SelectItem::StructStar { base, .. } => write!(out, "{base}->*"),
            SelectItem::Expression { expression, alias: None, .. } => write!(out, "{expression}"),
            SelectItem::Expression { expression, alias: Some(alias), .. } => write!(out, "{expression} {}", name(alias)),
        }
    }
}

impl fmt::Display for Relation {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&name(&self.name))?;
        match &self.alias {
            Some(alias) => write!(out, " {}", name(alias)),
            None => Ok(()),
        }
    }
}

impl fmt::Display for JoinKind {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            JoinKind::Inner => "INNER",
            JoinKind::Left => "LEFT OUTER",
            JoinKind::Right => "RIGHT OUTER",
            JoinKind::Full => "FULL OUTER",
        })
    }
}

impl fmt::Display for Join {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} JOIN {}", self.kind, self.right)?;
        if let Some(within) = &self.within {
            write!(out, " {within}")?;
        }
        write!(out, " ON ({})", self.criteria.on)
    }
}

impl fmt::Display for Within {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.single {
            write!(out, "WITHIN {}", self.before)?;
        } else {
            write!(out, "WITHIN ({}, {})", self.before, self.after)?;
        }
        match &self.grace {
            Some(grace) => write!(out, " GRACE PERIOD {grace}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for WindowLength {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} {}", self.value, self.unit.name())
    }
}

impl fmt::Display for Window {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            WindowKind::Tumbling { size } => write!(out, "TUMBLING ( SIZE {size}")?,
            WindowKind::Hopping { size, advance } => write!(out, "HOPPING ( SIZE {size}, ADVANCE BY {advance}")?,
            WindowKind::Session { gap } => write!(out, "SESSION ( {gap}")?,
        }
        if let Some(retention) = &self.retention {
            write!(out, ", RETENTION {retention}")?;
        }
        if let Some(grace) = &self.grace {
            write!(out, ", GRACE PERIOD {grace}")?;
        }
        out.write_str(" )")
    }
}
