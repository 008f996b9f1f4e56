//! What an evaluation may know beside its row, and what it reports.

use std::cell::{Cell, RefCell};

/// A value that could not be computed for one row. Evaluation of the row's other columns goes on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct EvalError {
    pub message: String,
}

impl EvalError {
    pub fn new(message: impl Into<String>) -> Self {
        EvalError { message: message.into() }
    }
}

/// How large values and rows may become. More is an error that names the setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SizeLimits {
    /// Of what one function call makes.
    pub bytes_max: usize,
    /// Of the collection that one function call makes.
    pub elements_max: usize,
    /// Of a row that is written, key and value together.
    pub row_bytes_max: usize,
}

impl SizeLimits {
    pub const BYTES_CONFIG: &'static str = "views.function.result.bytes.max";
    pub const ELEMENTS_CONFIG: &'static str = "views.function.result.elements.max";
    pub const ROW_CONFIG: &'static str = "views.row.bytes.max";
    pub const STANDARD: SizeLimits = SizeLimits { bytes_max: 16 << 20, elements_max: 1 << 20, row_bytes_max: 32 << 20 };

    /// From properties by name; what is not set, or no number, has the standard.
    pub fn from_properties<'a>(get: impl Fn(&str) -> Option<&'a str>) -> SizeLimits {
        let number = |config: &str, standard: usize| get(config).and_then(|value| value.trim().parse().ok()).unwrap_or(standard);
        SizeLimits {
            bytes_max: number(SizeLimits::BYTES_CONFIG, SizeLimits::STANDARD.bytes_max),
            elements_max: number(SizeLimits::ELEMENTS_CONFIG, SizeLimits::STANDARD.elements_max),
            row_bytes_max: number(SizeLimits::ROW_CONFIG, SizeLimits::STANDARD.row_bytes_max),
        }
    }

    /// Refuses what a call would make too large; `elements` and `bytes` are what it is about to make.
    pub fn check(&self, elements: usize, bytes: usize) -> Result<(), EvalError> {
        refuse("a function's result", elements, "elements", self.elements_max, SizeLimits::ELEMENTS_CONFIG)?;
        refuse("a function's result", bytes, "bytes", self.bytes_max, SizeLimits::BYTES_CONFIG)
    }

    pub fn check_row(&self, bytes: usize) -> Result<(), EvalError> {
        refuse("a row", bytes, "bytes", self.row_bytes_max, SizeLimits::ROW_CONFIG)
    }
}

fn refuse(what: &str, found: usize, of: &str, most: usize, config: &str) -> Result<(), EvalError> {
    if found <= most {
        return Ok(());
    }
    Err(EvalError::new(format!("{what} of {found} {of} is larger than the {most} that are allowed. The limit is the setting '{config}'.")))
}

/// Time, chance and the error log of one evaluation. The caller gives both seeds, so that a replay gives the same rows.
#[derive(Debug)]
pub struct EvalContext {
    now_ms: i64,
    random: Cell<u64>,
    swallowed: RefCell<Vec<EvalError>>,
    limits: SizeLimits,
}

impl EvalContext {
    /// `now_ms` answers UNIX_TIMESTAMP() and UNIX_DATE(); `seed` feeds RANDOM() and UUID().
    pub fn new(now_ms: i64, seed: u64) -> Self {
        EvalContext { now_ms, random: Cell::new(seed), swallowed: RefCell::new(Vec::new()), limits: SizeLimits::STANDARD }
    }

    /// With other limits than the standard ones.
    pub fn limited(mut self, limits: SizeLimits) -> Self {
        self.limits = limits;
        self
    }

    /// Refuses results that are too large, before they are made.
    pub fn check_result(&self, elements: usize, bytes: usize) -> Result<(), EvalError> {
        self.limits.check(elements, bytes)
    }

    pub fn now_ms(&self) -> i64 {
        self.now_ms
    }

    /// The next number of a splitmix64 sequence.
    pub fn next_random(&self) -> u64 {
        let state = self.random.get().wrapping_add(0x9e37_79b9_7f4a_7c15);
        self.random.set(state);
        let mut mixed = state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Records an error whose place was taken by null inside an expression that went on.
    pub fn swallow(&self, error: EvalError) {
        self.swallowed.borrow_mut().push(error);
    }

    /// The errors swallowed since the last call; they belong in the processing log.
    pub fn take_swallowed(&self) -> Vec<EvalError> {
        self.swallowed.take()
    }
}
