//! Windows of aggregates, in milliseconds and checked.

use crate::ast::{Window, WindowKind, WindowLength};
use crate::error::{Result, SqlError};
use crate::plan::{WindowInfo, WindowSpec, WindowSpecKind};

/// How long late rows are accepted unless the text says otherwise.
const GRACE_DEFAULT_MS: i64 = 24 * 3_600_000;

pub(crate) fn window_spec(window: &Window) -> Result<WindowSpec> {
    let kind = match &window.kind {
        WindowKind::Tumbling { size } => WindowSpecKind::Tumbling { size_ms: positive(size, "The window size")? },
        WindowKind::Hopping { size, advance } => {
            let (size_ms, advance_ms) = (positive(size, "The window size")?, positive(advance, "The window's advance")?);
            if advance_ms > size_ms {
                return Err(SqlError::statement(format!(
                    "Window advancement interval should be more than zero and less than window duration which is {size_ms} ms, but given advancement interval is: {advance_ms} ms"
                )));
            }
            WindowSpecKind::Hopping { size_ms, advance_ms }
        }
        WindowKind::Session { gap } => WindowSpecKind::Session { gap_ms: positive(gap, "The session's gap")? },
    };
    let retention_ms = window.retention.as_ref().map(|length| millis(length, "The retention")).transpose()?;
    let grace_ms = match &window.grace {
        Some(grace) => millis(grace, "The grace period")?,
        None => GRACE_DEFAULT_MS,
    };
    let spec = WindowSpec { kind, retention_ms, grace_ms, grace_given: window.grace.is_some() };
    check_retention(&spec)?;
    Ok(spec)
}

fn check_retention(spec: &WindowSpec) -> Result<()> {
    let size_ms = match spec.kind {
        WindowSpecKind::Tumbling { size_ms } | WindowSpecKind::Hopping { size_ms, .. } => size_ms,
        WindowSpecKind::Session { gap_ms } => gap_ms,
    };
    let needed = if spec.grace_given { size_ms.saturating_add(spec.grace_ms) } else { size_ms };
    match spec.retention_ms {
        Some(retention) if retention < needed => Err(SqlError::statement(format!(
            "The retention period of the window store must be no smaller than its window size plus the grace period. Got size=[{size_ms}], grace=[{}], retention=[{retention}]",
            spec.grace_ms
        ))),
        _ => Ok(()),
    }
}

pub(crate) fn millis(length: &WindowLength, what: &str) -> Result<i64> {
    match length.millis() {
        Some(millis) if millis >= 0 => Ok(millis),
        Some(_) => Err(SqlError::statement(format!("{what} cannot be negative: {length}"))),
        None => Err(SqlError::statement(format!("{what} is too long: {length}"))),
    }
}

fn positive(length: &WindowLength, what: &str) -> Result<i64> {
    match millis(length, what)? {
        0 => Err(SqlError::statement(format!("{what} must be above zero: {length}"))),
        millis => Ok(millis),
    }
}

impl From<&WindowSpec> for WindowInfo {
    fn from(spec: &WindowSpec) -> WindowInfo {
        WindowInfo { window_type: spec.window_type(), size_ms: spec.size_ms() }
    }
}
