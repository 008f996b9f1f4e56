//! A table's rows looked up in the state that its operators keep anyway, through the steps above: they are not kept a second time.
//!
//! Invariant: what is found is the row of the last change that the query told of that key. Where that could not be had again (a column
//! asks for the time or for chance, the result is a join, it has windows) there is no such look, and the owner keeps the rows.
use millrace_sql::ast::Expression;
use millrace_sql::expr::EvalContext;

use crate::dataflow::{Dataflow, Target};
use crate::error::EngineError;
use crate::operators::{Context, Look};
use crate::row::Change;
use crate::state::{MemoryStore, Stored, TableId, Unit};
use crate::task::Query;

/// Whether the expression gives the same for the same row at any time: what asks for the time or for chance takes no argument.
pub fn repeats(expression: &Expression) -> bool {
    let mut repeats = true;
    expression.walk(&mut |part| repeats &= !matches!(part, Expression::Call { arguments, .. } if arguments.is_empty()));
    repeats
}

impl Dataflow {
    /// The operator whose rows the result's can be made from, and their table.
    fn kept(&self) -> Option<(usize, TableId)> {
        let mut target = Target::Result;
        loop {
            let mut into = self.nodes.iter().enumerate().filter(|(_, node)| node.target == target);
            let (Some((at, node)), None) = (into.next(), into.next()) else { return None };
            match node.operator.look() {
                Look::Group(table) => return Some((at, table)),
                // A plan that takes this one's place may project other columns out of rows that this one read.
                Look::Row(table) => return (target == Target::Result).then_some((at, table)),
                Look::Through => target = Target::Node(at, crate::operators::Port::Left),
                Look::Opaque => return None,
            }
        }
    }
}

impl Query {
    /// The table that [`Query::look`] takes its rows from. Their keys are or begin with what `encode_values` makes of the result's.
    pub fn kept(&self) -> Option<TableId> {
        self.dataflow.kept().map(|(_, table)| table)
    }

    /// What the query told last of a kept row; nothing where a filter dropped it.
    pub fn look(&self, key: &[u8], kept: &Stored) -> Result<Option<Change>, EngineError> {
        let Some((at, _)) = self.dataflow.kept() else { return Ok(None) };
        let node = &self.dataflow.nodes[at];
        let change = node.operator.told(key, kept)?;
        // What is passed through keeps nothing and asks for no time; what it would log was logged when the row was told.
        let nothing = MemoryStore::new();
        let mut context = Context::new(Unit::new(&nothing), EvalContext::new(0, 0).limited(self.limits));
        let mut out = Vec::new();
        self.dataflow.forward(node.target, change, &mut context, &mut out)?;
        Ok(out.pop())
    }
}
