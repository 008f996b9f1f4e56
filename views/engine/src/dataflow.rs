//! Operators wired together: sources at the leaves, one result.

use std::sync::Arc;

use crate::crossing;
use crate::error::EngineError;
use crate::operators::{Context, Operator, Port};
use crate::record::InputRecord;
use crate::row::Change;
use crate::source::Source;
use crate::state::StoreError;

/// Where an operator's changes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    Node(usize, Port),
    Result,
}

impl Target {
    /// The same node's other port.
    pub fn on(self, port: Port) -> Target {
        match self {
            Target::Node(node, _) => Target::Node(node, port),
            Target::Result => Target::Result,
        }
    }
}

pub(crate) struct Node {
    name: &'static str,
    pub(crate) operator: Box<dyn Operator>,
    pub(crate) target: Target,
}

/// Compiled from a plan, without state of its own: any number of tasks may share it.
pub struct Dataflow {
    pub(crate) nodes: Vec<Node>,
    sources: Vec<(Leaf, Target)>,
    /// The highest of its operators' layouts.
    pub state_layout: i32,
}

/// The layout of all operators that never had another one.
pub const FIRST_LAYOUT: i32 = 1;

impl Default for Dataflow {
    fn default() -> Dataflow {
        Dataflow { nodes: Vec::new(), sources: Vec::new(), state_layout: FIRST_LAYOUT }
    }
}

/// Where changes come from.
enum Leaf {
    Source(Source),
    /// A repartition topic, which another stage fills.
    Crossing(Arc<str>),
}

impl Leaf {
    fn topic(&self) -> &Arc<str> {
        match self {
            Leaf::Source(source) => &source.topic,
            Leaf::Crossing(topic) => topic,
        }
    }

    fn read(&self, record: &InputRecord, context: &mut Context<'_>) -> Result<Option<Change>, EngineError> {
        match self {
            Leaf::Source(source) => {
                context.step = Source::STEP;
                source.read(record, context)
            }
            Leaf::Crossing(_) => Ok(Some(crossing::decode(record).map_err(StoreError::from)?)),
        }
    }
}

impl Dataflow {
    pub fn add_node(&mut self, name: &'static str, operator: Box<dyn Operator>, target: Target) -> Target {
        self.nodes.push(Node { name, operator, target });
        Target::Node(self.nodes.len() - 1, Port::Left)
    }

    pub fn add_source(&mut self, source: Source, target: Target) {
        self.sources.push((Leaf::Source(source), target));
    }

    pub fn add_crossing(&mut self, topic: Arc<str>, target: Target) {
        self.sources.push((Leaf::Crossing(topic), target));
    }

    /// The topics read, without repeats, in the order of the sources.
    pub fn topics(&self) -> Vec<Arc<str>> {
        let mut topics: Vec<Arc<str>> = Vec::new();
        for (source, _) in &self.sources {
            if !topics.contains(source.topic()) {
                topics.push(Arc::clone(source.topic()));
            }
        }
        topics
    }

    /// Runs one record through; the result's changes are appended to `out`.
    pub fn process(
        &self,
        record: &InputRecord,
        context: &mut Context<'_>,
        out: &mut Vec<Change>,
    ) -> Result<(), EngineError> {
        for (source, target) in &self.sources {
            if *source.topic() != record.topic {
                continue;
            }
            if let Some(change) = source.read(record, context)? {
                self.forward(*target, change, context, out)?;
            }
        }
        Ok(())
    }

    /// Depth first: what an operator emits is followed to the result before its next change is.
    pub(crate) fn forward(
        &self,
        target: Target,
        change: Change,
        context: &mut Context<'_>,
        out: &mut Vec<Change>,
    ) -> Result<(), EngineError> {
        let Target::Node(at, port) = target else {
            out.push(change);
            return Ok(());
        };
        let node = &self.nodes[at];
        let mut emitted = context.spare.pop().unwrap_or_default();
        context.step = node.name;
        node.operator.process(port, change, context, &mut emitted)?;
        for change in emitted.drain(..) {
            self.forward(node.target, change, context, out)?;
        }
        context.spare.push(emitted);
        Ok(())
    }
}
