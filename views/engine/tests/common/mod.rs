//! Queries from SQL, for tests that feed records.

use std::sync::Arc;

use millrace_engine::{CompileError, Query, Settings};
use millrace_sql::catalog::{Catalog, Effect, NoSchemas, Session, Settings as SqlSettings, Topics, decide};
use millrace_sql::functions::{FunctionSettings, Registry};
use millrace_sql::parser::{Limits, Variables, parse};
use millrace_sql::plan::PersistentPlan;

struct OnePartitionEach;

impl Topics for OnePartitionEach {
    fn partitions(&self, _: &str) -> Option<i32> {
        Some(1)
    }
}

/// The query that the last statement makes.
#[allow(dead_code, reason = "each test file takes what it needs")]
pub fn query(text: &str) -> Arc<Query> {
    query_with(text, false)
}

/// The same; `strict_timestamps` stops it at a row without a valid time.
#[allow(dead_code, reason = "each test file takes what it needs")]
pub fn query_with(text: &str, strict_timestamps: bool) -> Arc<Query> {
    let function_settings = FunctionSettings::default();
    let settings = Settings { functions: Registry::builtin(), function_settings: &function_settings, strict_timestamps };
    Arc::new(Query::persistent(&plan(text), &settings).unwrap())
}

#[allow(dead_code, reason = "each test file takes what it needs")]
pub fn with_settings(compile: impl FnOnce(&Settings<'_>) -> Result<Query, CompileError>) -> Arc<Query> {
    let function_settings = FunctionSettings::default();
    Arc::new(compile(&Settings { functions: Registry::builtin(), function_settings: &function_settings, strict_timestamps: false }).unwrap())
}

/// The plan of the last statement.
pub fn plan(text: &str) -> Arc<PersistentPlan> {
    let mut catalog = Catalog::default();
    let settings = SqlSettings::default();
    let functions = Registry::builtin();
    let mut made = None;
    for located in parse(text, &mut Variables::default(), &Limits::STANDARD).unwrap() {
        let session = Session {
            catalog: &catalog,
            topics: &OnePartitionEach,
            schemas: &NoSchemas,
            settings: &settings,
            functions,
        };
        let effect = decide(&session, &located).unwrap().effect;
        if let Effect::StartQuery { plan, .. } = &effect {
            made = Some(plan.clone());
        }
        catalog.apply(&effect);
    }
    made.unwrap()
}
