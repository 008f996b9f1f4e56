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

/// The most bytes that one function call may produce; a larger result is an error naming this limit.
pub const RESULT_BYTES_MAX: usize = 16 << 20;

/// The most elements that one function call may produce.
pub const RESULT_ELEMENTS_MAX: usize = 1 << 20;

/// Refuses results that would not fit the limits above; `elements` and `bytes` are what the call is about to make.
pub fn check_result_size(elements: usize, bytes: usize) -> Result<(), EvalError> {
    if elements > RESULT_ELEMENTS_MAX {
        return Err(EvalError::new(format!(
            "a function may produce at most {RESULT_ELEMENTS_MAX} elements, but {elements} were asked for"
        )));
    }
    if bytes > RESULT_BYTES_MAX {
        return Err(EvalError::new(format!(
            "a function may produce at most {RESULT_BYTES_MAX} bytes, but {bytes} were asked for"
        )));
    }
    Ok(())
}

/// Time, chance and the error log of one evaluation. The caller gives both seeds, so that a replay gives the same rows.
#[derive(Debug)]
pub struct EvalContext {
    now_ms: i64,
    random: Cell<u64>,
    swallowed: RefCell<Vec<EvalError>>,
}

impl EvalContext {
    /// `now_ms` answers UNIX_TIMESTAMP() and UNIX_DATE(); `seed` feeds RANDOM() and UUID().
    pub fn new(now_ms: i64, seed: u64) -> Self {
        EvalContext { now_ms, random: Cell::new(seed), swallowed: RefCell::new(Vec::new()) }
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
