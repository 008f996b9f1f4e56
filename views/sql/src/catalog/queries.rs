//! Persistent queries as the catalog holds them.

use std::sync::Arc;

use crate::catalog::Catalog;
use crate::error::{Result, SqlError};
use crate::name::Name;
use crate::plan::{PersistentPlan, QueryId, QueryKind};
use crate::ast::QueryRef;

#[derive(Clone, Debug, PartialEq)]
pub struct RunningQuery {
    pub plan: Arc<PersistentPlan>,
    pub paused: bool,
}

impl RunningQuery {
    pub fn reads(&self, name: &Name) -> bool {
        self.plan.root.sources().iter().any(|step| step.source.name == *name)
    }
}

impl Catalog {
    /// `CSAS_S_1`, `CTAS_T_2`, `INSERTQUERY_3`.
    pub(crate) fn next_query_id(&self, kind: QueryKind, table: bool, sink: &Name) -> QueryId {
        let number = self.numbered;
        QueryId::new(match kind {
            QueryKind::CreateAs => format!("{}_{sink}_{number}", if table { "CTAS" } else { "CSAS" }),
            QueryKind::Insert => format!("INSERTQUERY_{number}"),
        })
    }

    /// The queries that TERMINATE, PAUSE or RESUME means.
    pub(crate) fn meant(&self, query: &QueryRef) -> Result<Vec<QueryId>> {
        match query {
            QueryRef::All => Ok(self.queries().map(|query| query.plan.id.clone()).collect()),
            QueryRef::Id(id) => match self.find_query(id) {
                Some(query) => Ok(vec![query.plan.id.clone()]),
                None => Err(SqlError::definition(format!("Unknown queryId: {id}"))),
            },
        }
    }
}
