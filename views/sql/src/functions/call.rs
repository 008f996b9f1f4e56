//! What a function's body is given, and the rows that declare functions.

use std::any::Any;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;

use crate::expr::{EvalContext, EvalError};
use crate::types::SqlType;
use crate::value::{MapValue, Value};

/// Evaluates the lambda given as the argument at the position.
pub type Lambdas<'a> = &'a dyn Fn(usize, &[Value]) -> Result<Value, EvalError>;

/// One call of a function: its arguments, already converted to the parameters' types.
pub struct Call<'a> {
    pub arguments: &'a [Value],
    /// Types of the arguments; nothing for literal nulls, units and lambdas.
    pub types: &'a [Option<SqlType>],
    pub returns: &'a SqlType,
    pub context: &'a EvalContext,
    pub lambdas: Lambdas<'a>,
    pub memo: &'a Memo,
}

pub type ScalarFn = fn(&Call<'_>) -> Result<Value, EvalError>;

/// Computes the type of the result from the arguments' types (nothing for a literal null).
pub type Derive = fn(&[Option<SqlType>]) -> Result<SqlType, String>;

impl<'a> Call<'a> {
    pub fn len(&self) -> usize {
        self.arguments.len()
    }

    pub fn is_empty(&self) -> bool {
        self.arguments.is_empty()
    }

    pub fn value(&self, position: usize) -> &'a Value {
        const NULL: &Value = &Value::Null;
        self.arguments.get(position).unwrap_or(NULL)
    }

    fn mismatch(&self, position: usize, wanted: &str) -> EvalError {
        EvalError::new(format!("argument {} is not a {wanted}: {:?}", position + 1, self.value(position)))
    }

    pub fn str(&self, position: usize) -> Result<&'a str, EvalError> {
        self.value(position).as_str().ok_or_else(|| self.mismatch(position, "STRING"))
    }

    pub fn bool(&self, position: usize) -> Result<bool, EvalError> {
        self.value(position).as_bool().ok_or_else(|| self.mismatch(position, "BOOLEAN"))
    }

    pub fn int(&self, position: usize) -> Result<i32, EvalError> {
        match self.value(position) {
            Value::Int(n) | Value::Date(n) | Value::Time(n) => Ok(*n),
            _ => Err(self.mismatch(position, "INTEGER")),
        }
    }

    pub fn long(&self, position: usize) -> Result<i64, EvalError> {
        self.value(position).as_i64().ok_or_else(|| self.mismatch(position, "BIGINT"))
    }

    /// Any number as a double.
    pub fn double(&self, position: usize) -> Result<f64, EvalError> {
        match self.value(position) {
            Value::Double(n) => Ok(*n),
            Value::Int(n) => Ok(f64::from(*n)),
            Value::BigInt(n) => Ok(*n as f64),
            Value::Decimal(n) => Ok(n.to_f64()),
            _ => Err(self.mismatch(position, "DOUBLE")),
        }
    }

    pub fn bytes(&self, position: usize) -> Result<&'a Bytes, EvalError> {
        match self.value(position) {
            Value::Bytes(bytes) => Ok(bytes),
            _ => Err(self.mismatch(position, "BYTES")),
        }
    }

    pub fn array(&self, position: usize) -> Result<&'a Arc<[Value]>, EvalError> {
        match self.value(position) {
            Value::Array(values) => Ok(values),
            _ => Err(self.mismatch(position, "ARRAY")),
        }
    }

    pub fn map(&self, position: usize) -> Result<&'a MapValue, EvalError> {
        match self.value(position) {
            Value::Map(map) => Ok(map),
            _ => Err(self.mismatch(position, "MAP")),
        }
    }

    pub fn lambda(&self, position: usize, parameters: &[Value]) -> Result<Value, EvalError> {
        (self.lambdas)(position, parameters)
    }

    /// What was prepared from `text` (a pattern, a path) at this call site, prepared anew only when the text changes.
    pub fn prepared<T: Any + Send + Sync>(
        &self,
        text: &str,
        prepare: impl FnOnce(&str) -> Result<T, EvalError>,
    ) -> Result<Arc<T>, EvalError> {
        let mut slot = self.memo.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((known, prepared)) = slot.as_ref()
            && known.as_ref() == text
            && let Ok(prepared) = prepared.clone().downcast::<T>()
        {
            return Ok(prepared);
        }
        let prepared = Arc::new(prepare(text)?);
        *slot = Some((text.into(), prepared.clone()));
        Ok(prepared)
    }
}

/// What a call site keeps between rows. It never changes results, so it takes no part in determinism.
#[derive(Default)]
pub struct Memo(Mutex<Option<(Arc<str>, Prepared)>>);

type Prepared = Arc<dyn Any + Send + Sync>;

impl std::fmt::Debug for Memo {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Memo")
    }
}

/// A row of a family's table: a function with its overloads.
pub struct Row {
    /// Spelled as ksqlDB's messages spell it: most are lower case there, some are not.
    pub name: &'static str,
    pub category: &'static str,
    pub about: &'static str,
    pub overloads: &'static [Overload],
}

/// A row's overload.
pub struct Overload {
    pub signature: &'static str,
    /// A null argument gives null without a call.
    pub strict: bool,
    /// An argument that cannot be computed counts as null.
    pub tolerant: bool,
    pub derive: Option<Derive>,
    pub body: ScalarFn,
}

/// An overload that gives null for any null argument.
pub const fn strict(signature: &'static str, body: ScalarFn) -> Overload {
    Overload { signature, strict: true, tolerant: false, derive: None, body }
}

/// An overload that handles nulls itself.
pub const fn lenient(signature: &'static str, body: ScalarFn) -> Overload {
    Overload { signature, strict: false, tolerant: false, derive: None, body }
}

impl Overload {
    /// With failing arguments taken as nulls.
    pub const fn tolerant(mut self) -> Overload {
        self.tolerant = true;
        self
    }

    /// With a result type computed from the arguments'.
    pub const fn deriving(mut self, derive: Derive) -> Overload {
        self.derive = Some(derive);
        self
    }
}
