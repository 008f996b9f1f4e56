//! What has been declared: streams, tables, types, and the queries that run. A fold: [`Catalog::apply`] takes the decisions that
//! [`decide`](decide::decide) makes.
//!
//! Invariants: a query's sources and sink exist as long as it does; names are unique over streams and tables. Absences: no topics'
//! contents, no running state: whoever holds the catalog makes the world match it.

mod create;
pub mod decide;
mod drop;
mod explain;
mod formats;
mod inference;
pub mod properties;
mod queries;
mod settings;
#[cfg(test)]
mod tests;
mod types;
mod upgrade;
mod with;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::ast::DataType;
use crate::error::Result;
use crate::name::Name;
use crate::plan::{DataSource, PersistentPlan, QueryId};

pub use decide::{Decision, Effect, NewTopic, Session, decide};
pub use explain::Explanation;
pub use inference::{Inferred, NoSchemas, SchemaAsk, Schemas};
pub use queries::RunningQuery;
pub use settings::Settings;

pub(crate) use create::timestamp;
pub(crate) use formats::{Side, check_schema, check_states, key_feature, sink_format, value_feature};
pub(crate) use with::With;

/// What planning needs to know of topics.
pub trait Topics {
    /// How many partitions the topic has; nothing when there is none of this name.
    fn partitions(&self, topic: &str) -> Option<i32>;

    /// Whether what is decided was decided before: it held then, so later rules about what may go do not ask again.
    fn as_then(&self) -> bool {
        false
    }
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Catalog {
    sources: BTreeMap<Name, Arc<DataSource>>,
    types: BTreeMap<Name, DataType>,
    queries: BTreeMap<QueryId, RunningQuery>,
    /// The sources that a query made, with those that it reads or read: ending the query does not set them free.
    made_from: BTreeMap<Name, BTreeSet<Name>>,
    /// Numbers given to queries so far: a name is never used twice.
    numbered: u64,
}

impl Catalog {
    pub fn source(&self, name: &Name) -> Option<&Arc<DataSource>> {
        self.sources.get(name)
    }

    pub fn sources(&self) -> impl Iterator<Item = &Arc<DataSource>> {
        self.sources.values()
    }

    pub fn types(&self) -> impl Iterator<Item = (&Name, &DataType)> {
        self.types.iter()
    }

    pub fn query(&self, id: &QueryId) -> Option<&RunningQuery> {
        self.queries.get(id)
    }

    /// Finds a query by an id in any case.
    pub fn find_query(&self, id: &str) -> Option<&RunningQuery> {
        self.queries.get(&QueryId::new(id)).or_else(|| self.queries.values().find(|query| query.plan.id.0.eq_ignore_ascii_case(id)))
    }

    pub fn queries(&self) -> impl Iterator<Item = &RunningQuery> {
        self.queries.values()
    }

    /// The queries that write a source.
    pub fn writers(&self, name: &Name) -> impl Iterator<Item = &RunningQuery> {
        self.queries.values().filter(move |query| query.plan.sink.source.name == *name)
    }

    /// The queries that read a source.
    pub fn readers(&self, name: &Name) -> impl Iterator<Item = &RunningQuery> {
        self.queries.values().filter(move |query| query.reads(name))
    }

    /// The sources that were made from a source by a query.
    pub fn made_of<'a>(&'a self, name: &'a Name) -> impl Iterator<Item = &'a Name> {
        self.made_from.iter().filter(move |(_, from)| from.contains(name)).map(|(made, _)| made)
    }

    /// Replaces user types inside a type. What comes out is bounded, however the types build on each other.
    pub fn resolve_type(&self, data_type: &DataType, settings: &Settings) -> Result<DataType> {
        types::resolve(data_type, &self.types, settings)
    }

    /// A source whose name differs only in case: the usual slip with quoted names.
    pub(crate) fn similar_source(&self, name: &Name) -> Option<String> {
        let found = self.sources.keys().find(|known| known.as_str().eq_ignore_ascii_case(name.as_str()))?;
        Some(found.quoted())
    }

    /// Carries out a decision. Effects on sessions and answers to clients change nothing here.
    pub fn apply(&mut self, effect: &Effect) {
        match effect {
            Effect::CreateSource { source, .. } | Effect::AlterSource { source } => {
                self.sources.insert(source.name.clone(), source.clone());
            }
            Effect::StartQuery { plan, creates_source, .. } => self.start(plan, *creates_source),
            Effect::DropSource { name, terminates, .. } => {
                self.sources.remove(name);
                self.made_from.remove(name);
                for from in self.made_from.values_mut() {
                    from.remove(name);
                }
                terminates.iter().for_each(|id| drop(self.queries.remove(id)));
            }
            Effect::Terminate { ids } => ids.iter().for_each(|id| drop(self.queries.remove(id))),
            Effect::Pause { ids } => self.set_paused(ids, true),
            Effect::Resume { ids } => self.set_paused(ids, false),
            Effect::CreateType { name, data_type } => {
                self.types.insert(name.clone(), data_type.clone());
            }
            Effect::DropType { name } => {
                self.types.remove(name);
            }
            Effect::InsertValues(_)
            | Effect::Push(_)
            | Effect::Pull(_)
            | Effect::SetProperty { .. }
            | Effect::UnsetProperty { .. }
            | Effect::Define { .. }
            | Effect::Undefine { .. }
            | Effect::Nothing { .. }
            | Effect::Ask => {}
        }
    }

    fn start(&mut self, plan: &Arc<PersistentPlan>, creates_source: bool) {
        if creates_source {
            self.sources.insert(plan.sink.source.name.clone(), plan.sink.source.clone());
            let from = plan.root.sources().iter().map(|step| step.source.name.clone()).collect();
            self.made_from.insert(plan.sink.source.name.clone(), from);
        }
        self.numbered += 1;
        self.queries.insert(plan.id.clone(), RunningQuery { plan: plan.clone(), paused: false });
    }

    fn set_paused(&mut self, ids: &[QueryId], paused: bool) {
        for id in ids {
            if let Some(query) = self.queries.get_mut(id) {
                query.paused = paused;
            }
        }
    }
}
