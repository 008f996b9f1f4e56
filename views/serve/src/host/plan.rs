//! How a plan is spread over tasks.
use std::collections::BTreeSet;
use std::sync::Arc;

use millrace_sql::plan::{JoinForm, Step};

/// The topics that a query reads as tables.
pub fn table_topics(root: &Step) -> BTreeSet<Arc<str>> {
    root.sources().into_iter().filter(|step| step.source.is_table()).map(|step| Arc::from(&*step.source.topic)).collect()
}

/// Whether rows move between partitions inside the plan. Such a query runs as one task over all partitions of its inputs;
/// any other as one task per partition, each with its own stream time.
pub fn moves_rows(step: &Step) -> bool {
    let here = match step {
        Step::PartitionBy(_) => true,
        Step::Aggregate(aggregate) => aggregate.repartition,
        Step::Join(join) => matches!(join.form, JoinForm::ForeignKey { .. }),
        Step::Source(_) | Step::Filter(_) | Step::Project(_) | Step::FlatMap(_) | Step::Suppress(_) => false,
    };
    here || step.inputs().into_iter().any(moves_rows)
}

/// Whether the plan keeps rows between records: if not, it can begin anywhere.
pub fn is_stateful(step: &Step) -> bool {
    let here = matches!(step, Step::Aggregate(_) | Step::Join(_) | Step::Suppress(_)) || step.kind() == millrace_sql::plan::SourceKind::Table;
    here || step.inputs().into_iter().any(is_stateful)
}
