//! Names for what the text leaves unnamed.

use std::collections::BTreeSet;

use crate::ast::Expression;
use crate::name::Name;
use crate::planner::scope::Scope;

/// Gives `KSQL_COL_n` to expressions and a field's own name to `s->f`, clear of the sources' columns and of what it gave before.
pub(crate) struct Namer {
    taken: BTreeSet<Name>,
    next: usize,
}

impl Namer {
    pub(crate) fn new(scope: &Scope) -> Namer {
        Namer { taken: scope.names().cloned().collect(), next: 0 }
    }

    /// The name of an unnamed expression. A column keeps its own, with its source's where two sources have it.
    pub(crate) fn name(&mut self, expression: &Expression, scope: &Scope) -> Name {
        match expression {
            Expression::Column(column) => match &column.source {
                Some(source) if scope.is_clashing(&column.name) => Name::from(format!("{source}_{}", column.name)),
                _ => column.name.clone(),
            },
            Expression::Dereference { field, .. } => self.field(field),
            _ => self.generated(),
        }
    }

    fn generated(&mut self) -> Name {
        loop {
            let name = Name::from(format!("KSQL_COL_{}", self.next));
            self.next += 1;
            if self.taken.insert(name.clone()) {
                return name;
            }
        }
    }

    pub(crate) fn field(&mut self, field: &Name) -> Name {
        if self.taken.insert(field.clone()) {
            return field.clone();
        }
        let mut number = 1u32;
        loop {
            let name = Name::from(format!("{field}_{number}"));
            if self.taken.insert(name.clone()) {
                return name;
            }
            number += 1;
        }
    }
}
