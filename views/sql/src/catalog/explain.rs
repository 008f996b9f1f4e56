//! EXPLAIN: how a query that runs, or a statement that could, is carried out.

use crate::ast::Statement;
use crate::catalog::decide::Session;
use crate::error::{Result, SqlError};
use crate::name::Name;
use crate::plan::{QueryId, Step};
use crate::planner::Target;
use crate::schema::Schema;

#[derive(Clone, Debug, PartialEq)]
pub struct Explanation {
    /// Of a query that runs.
    pub id: Option<QueryId>,
    pub statement: String,
    /// The columns of the result.
    pub schema: Schema,
    pub sources: Vec<Name>,
    pub sink: Option<Name>,
    /// One step a line.
    pub plan: String,
    /// How many steps move rows to other partitions.
    pub repartitions: usize,
}

impl Session<'_> {
    /// `query` is an id, `statement` a statement to be planned only; exactly one is given.
    pub fn explain(&self, query: Option<&str>, statement: Option<&Statement>) -> Result<Explanation> {
        if let Some(id) = query {
            let Some(running) = self.catalog.find_query(id) else {
                return Err(SqlError::statement(format!("Query with id:{id} does not exist, use SHOW QUERIES to view the full set of queries.")));
            };
            let plan = &running.plan;
            let sink = Some(plan.sink.source.name.clone());
            return Ok(explained(Some(plan.id.clone()), plan.statement.clone(), &plan.root, sink));
        }
        let planner = self.planner();
        match statement {
            Some(Statement::Query(query)) if query.emit.is_none() => {
                Ok(explained(None, query.to_string(), &planner.plan_pull(query)?.root, None))
            }
            Some(Statement::Query(query)) => {
                Ok(explained(None, query.to_string(), &planner.plan_query(query, Target::Client)?.root, None))
            }
            Some(Statement::CreateSourceAs(create)) => {
                let plan = planner.plan_create_as(create)?.plan;
                Ok(explained(None, plan.statement.clone(), &plan.root, Some(create.name.clone())))
            }
            Some(Statement::InsertInto { target, properties, query, position }) => {
                let plan = planner.plan_insert(target, properties, query, *position)?;
                Ok(explained(None, plan.statement.clone(), &plan.root, Some(target.clone())))
            }
            _ => Err(SqlError::statement("The provided statement does not run a ksql query")),
        }
    }
}

fn explained(id: Option<QueryId>, statement: String, root: &Step, sink: Option<Name>) -> Explanation {
    let sources = root.sources().iter().map(|step| step.source.name.clone()).collect();
    Explanation { id, statement, schema: root.schema().clone(), sources, sink, plan: root.to_string(), repartitions: root.repartitions() }
}
