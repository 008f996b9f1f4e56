//! Runs one input and says what it broke.
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;

use crate::targets::Row;
use millrace_harness::memory;

use crate::Target;

static PANIC: Mutex<Option<String>> = Mutex::new(None);

/// Keeps the words of any thread's panic.
pub fn watch_panics() {
    std::panic::set_hook(Box::new(|info| {
        let mut kept = PANIC.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        kept.get_or_insert_with(|| info.to_string());
    }));
}

fn take_panic() -> Option<String> {
    PANIC.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take()
}

/// `Err`: what must never happen, and did. The target may then be in any state.
pub fn judge(row: &Row, target: &mut dyn Target, input: &[u8]) -> Result<(), String> {
    let began = memory::begin();
    let ran = catch_unwind(AssertUnwindSafe(|| target.run(input)));
    if let Some(panic) = take_panic() {
        return Err(format!("a panic: {panic}"));
    }
    ran.unwrap_or_else(|_| Err("a panic".into()))?;
    let grown = memory::growth(began);
    if grown > row.growth_max {
        return Err(format!("{} MiB for {} bytes, {} MiB are allowed", grown >> 20, input.len(), row.growth_max >> 20));
    }
    Ok(())
}

/// A name for an input: the same bytes, the same name.
pub fn name(input: &[u8]) -> String {
    // FNV-1a.
    let hash = input.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3));
    format!("{hash:016x}")
}
