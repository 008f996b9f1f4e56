//! Functions by name.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use super::aggregate::{AggregateFunction, AggregateOverload};
use super::call::{Call, Derive, Row};
use super::signature::Signature;
use crate::expr::EvalError;
use crate::value::Value;

pub type ScalarBody = Arc<dyn Fn(&Call<'_>) -> Result<Value, EvalError> + Send + Sync>;

/// A scalar or table function. A table function's result is an ARRAY with one element a row.
#[derive(Clone)]
pub struct ScalarFunction {
    /// As error messages print it.
    pub name: String,
    pub category: String,
    pub about: String,
    pub overloads: Vec<ScalarOverload>,
}

#[derive(Clone)]
pub struct ScalarOverload {
    pub signature: Signature,
    pub strict: bool,
    pub tolerant: bool,
    pub derive: Option<Derive>,
    pub body: ScalarBody,
}

impl ScalarFunction {
    pub fn signatures(&self) -> Vec<Signature> {
        self.overloads.iter().map(|overload| overload.signature.clone()).collect()
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FunctionKind {
    Scalar,
    Table,
    Aggregate,
}

impl FunctionKind {
    /// As LIST FUNCTIONS and DESCRIBE FUNCTION print it.
    pub fn name(self) -> &'static str {
        match self {
            FunctionKind::Scalar => "SCALAR",
            FunctionKind::Table => "TABLE",
            FunctionKind::Aggregate => "AGGREGATE",
        }
    }
}

/// What LIST FUNCTIONS and DESCRIBE FUNCTION show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FunctionInfo {
    pub name: String,
    pub kind: FunctionKind,
    pub category: String,
    pub about: String,
    pub overloads: Vec<OverloadInfo>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OverloadInfo {
    pub signature: Signature,
}

/// All functions that a statement may call.
#[derive(Clone, Default)]
pub struct Registry {
    scalars: BTreeMap<String, ScalarFunction>,
    tables: BTreeMap<String, ScalarFunction>,
    aggregates: BTreeMap<String, AggregateFunction>,
}

static BUILTIN: LazyLock<Registry> = LazyLock::new(|| {
    let mut registry = Registry::default();
    let families: [&[Row]; 17] = [
        super::array::FUNCTIONS,
        super::bytes::FUNCTIONS,
        super::conditional::FUNCTIONS,
        super::date::FUNCTIONS,
        super::decimal::FUNCTIONS,
        super::encoding::FUNCTIONS,
        super::geo::FUNCTIONS,
        super::json::FUNCTIONS,
        super::lambda::FUNCTIONS,
        super::map::FUNCTIONS,
        super::mask::FUNCTIONS,
        super::math::FUNCTIONS,
        super::pad::FUNCTIONS,
        super::regexp::FUNCTIONS,
        super::split::FUNCTIONS,
        super::string::FUNCTIONS,
        super::url::FUNCTIONS,
    ];
    for row in families.into_iter().flatten() {
        registry.add_scalar(from_row(row));
    }
    for row in super::table::FUNCTIONS {
        registry.add_table(from_row(row));
    }
    for row in super::aggregate::rows() {
        registry.add_aggregate(AggregateFunction::from_row(row));
    }
    registry
});

/// The rows are constants of this crate: a malformed one fails the first test that touches the registry.
fn from_row(row: &Row) -> ScalarFunction {
    let overloads = row.overloads.iter().map(|overload| ScalarOverload {
        signature: Signature::parse(overload.signature).unwrap_or_else(|error| panic!("{}: {error}", row.name)),
        strict: overload.strict,
        tolerant: overload.tolerant,
        derive: overload.derive,
        body: Arc::new(overload.body),
    });
    ScalarFunction {
        name: row.name.to_owned(),
        category: row.category.to_owned(),
        about: row.about.to_owned(),
        overloads: overloads.collect(),
    }
}

impl Registry {
    /// ksqlDB's functions.
    pub fn builtin() -> &'static Registry {
        &BUILTIN
    }

    /// Adds a scalar function, or overloads to one of the same name.
    pub fn add_scalar(&mut self, function: ScalarFunction) {
        add(&mut self.scalars, function);
    }

    pub fn add_table(&mut self, function: ScalarFunction) {
        add(&mut self.tables, function);
    }

    pub fn add_aggregate(&mut self, function: AggregateFunction) {
        self.aggregates.insert(function.name.to_ascii_uppercase(), function);
    }

    pub fn kind(&self, name: &str) -> Option<FunctionKind> {
        let name = name.to_ascii_uppercase();
        if self.scalars.contains_key(&name) {
            Some(FunctionKind::Scalar)
        } else if self.tables.contains_key(&name) {
            Some(FunctionKind::Table)
        } else if self.aggregates.contains_key(&name) {
            Some(FunctionKind::Aggregate)
        } else {
            None
        }
    }

    pub fn scalar(&self, name: &str) -> Option<&ScalarFunction> {
        self.scalars.get(&name.to_ascii_uppercase())
    }

    pub fn table(&self, name: &str) -> Option<&ScalarFunction> {
        self.tables.get(&name.to_ascii_uppercase())
    }

    pub fn aggregate(&self, name: &str) -> Option<&AggregateFunction> {
        self.aggregates.get(&name.to_ascii_uppercase())
    }

    /// Every function, sorted by name.
    pub fn list(&self) -> Vec<FunctionInfo> {
        let scalars = self.scalars.values().map(|function| info(function, FunctionKind::Scalar));
        let tables = self.tables.values().map(|function| info(function, FunctionKind::Table));
        let aggregates = self.aggregates.values().map(|function| FunctionInfo {
            name: function.name.to_ascii_uppercase(),
            kind: FunctionKind::Aggregate,
            category: "AGGREGATE".to_owned(),
            about: function.about.clone(),
            overloads: function.overloads.iter().map(AggregateOverload::info).collect(),
        });
        let mut all: Vec<FunctionInfo> = scalars.chain(tables).chain(aggregates).collect();
        all.sort_by(|a, b| a.name.cmp(&b.name));
        all
    }

    pub fn describe(&self, name: &str) -> Option<FunctionInfo> {
        let name = name.to_ascii_uppercase();
        self.list().into_iter().find(|function| function.name == name)
    }
}

fn add(functions: &mut BTreeMap<String, ScalarFunction>, function: ScalarFunction) {
    match functions.get_mut(&function.name.to_ascii_uppercase()) {
        Some(known) => known.overloads.extend(function.overloads),
        None => {
            functions.insert(function.name.to_ascii_uppercase(), function);
        }
    }
}

fn info(function: &ScalarFunction, kind: FunctionKind) -> FunctionInfo {
    FunctionInfo {
        name: function.name.to_ascii_uppercase(),
        kind,
        category: function.category.clone(),
        about: function.about.clone(),
        overloads: function.overloads.iter().map(|o| OverloadInfo { signature: o.signature.clone() }).collect(),
    }
}
