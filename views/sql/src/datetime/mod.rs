//! Dates and times as texts, by the patterns of Java's `DateTimeFormatter` (English names).
//!
//! Invariants: formatting then parsing with a pattern that shows every field gives the same instant; no text and no
//! value panics. Absences: no locales, and of the zone names only abbreviations (`PDT`), not full names.

mod format;
mod parse;
mod pattern;
mod resolve;
pub mod zone;

pub use pattern::{Pattern, PatternError};
pub use zone::Zone;

use crate::expr::EvalError;

/// What a formatter is given: a local date, a local time, or both in a zone.
#[derive(Clone, Copy, Debug)]
pub struct Moment<'a> {
    /// Days since 1970-01-01.
    pub days: Option<i64>,
    pub nano_of_day: Option<i64>,
    pub zone: Option<(&'a Zone, i32)>,
    /// The instant, for the zone's name.
    pub instant_ms: i64,
}

impl<'a> Moment<'a> {
    pub fn date(days: i32) -> Moment<'static> {
        Moment { days: Some(i64::from(days)), nano_of_day: None, zone: None, instant_ms: 0 }
    }

    pub fn time(millis: i32) -> Moment<'static> {
        let of_day = i64::from(millis).rem_euclid(crate::cast::calendar::MILLIS_PER_DAY);
        Moment { days: None, nano_of_day: Some(of_day * 1_000_000), zone: None, instant_ms: 0 }
    }

    pub fn timestamp(millis: i64, zone: &'a Zone) -> Moment<'a> {
        let offset = zone.offset_seconds(millis);
        let local = millis.saturating_add(i64::from(offset) * 1000);
        Moment {
            days: Some(local.div_euclid(crate::cast::calendar::MILLIS_PER_DAY)),
            nano_of_day: Some(local.rem_euclid(crate::cast::calendar::MILLIS_PER_DAY) * 1_000_000),
            zone: Some((zone, offset)),
            instant_ms: millis,
        }
    }
}

impl Pattern {
    pub fn format(&self, moment: &Moment<'_>) -> Result<String, EvalError> {
        let mut text = String::new();
        format::write(&mut text, &self.items, moment)?;
        Ok(text)
    }

    /// Milliseconds since 1970; a text without a zone is read in `zone`, missing fields are the first of their kind.
    pub fn parse_timestamp(&self, text: &str, zone: &Zone) -> Result<i64, EvalError> {
        resolve::timestamp(&parse::fields(&self.items, text)?, text, zone)
    }

    /// Days since 1970-01-01.
    pub fn parse_date(&self, text: &str) -> Result<i32, EvalError> {
        resolve::date(&parse::fields(&self.items, text)?, text)
    }

    /// The same, but fields of a time are read and dropped.
    pub fn parse_date_part(&self, text: &str) -> Result<i32, EvalError> {
        resolve::date_part(&parse::fields(&self.items, text)?, text)
    }

    /// Milliseconds of the day.
    pub fn parse_time(&self, text: &str) -> Result<i32, EvalError> {
        resolve::time(&parse::fields(&self.items, text)?, text)
    }
}

fn unparseable(text: &str, at: usize) -> EvalError {
    let shown: String = text.chars().take(64).collect();
    EvalError::new(format!("Text '{shown}' could not be parsed at index {at}"))
}

#[cfg(test)]
mod tests;
