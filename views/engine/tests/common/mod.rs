//! Queries from SQL, for tests that feed records.

use std::sync::Arc;

use millrace_engine::{Query, Settings};
use millrace_sql::catalog::{Catalog, Effect, NoSchemas, Session, Settings as SqlSettings, Topics, decide};
use millrace_sql::functions::{FunctionSettings, Registry};
use millrace_sql::parser::{Limits, Variables, parse};

struct OnePartitionEach;

impl Topics for OnePartitionEach {
    fn partitions(&self, _: &str) -> Option<i32> {
        Some(1)
    }
}

/// The query that the last statement makes.
pub fn query(text: &str) -> Arc<Query> {
    query_with(text, false)
}

/// The same; `strict_timestamps` stops it at a row without a valid time.
pub fn query_with(text: &str, strict_timestamps: bool) -> Arc<Query> {
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
    let function_settings = FunctionSettings::default();
    let settings = Settings { functions, function_settings: &function_settings, strict_timestamps };
    Arc::new(Query::persistent(&made.unwrap(), &settings).unwrap())
}
