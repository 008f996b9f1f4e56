//! From fields to a date, a time or an instant, as Java's SMART style resolves them: a day beyond its month's end is
//! the last of the month, 24:00 is the next day's midnight; everything else out of range is an error.

use super::format::iso_weekday;
use super::parse::Fields;
use super::zone::Zone;
use crate::cast::calendar::{Civil, MILLIS_PER_DAY, days_in_month, days_of, is_leap};
use crate::expr::EvalError;

const NANOS_PER_DAY: i64 = MILLIS_PER_DAY * 1_000_000;

fn bad(text: &str, what: &str) -> EvalError {
    let shown: String = text.chars().take(64).collect();
    EvalError::new(format!("Text '{shown}' could not be parsed: {what}"))
}

fn within(value: i64, low: i64, high: i64, what: &str, text: &str) -> Result<i64, EvalError> {
    if (low..=high).contains(&value) {
        return Ok(value);
    }
    Err(bad(text, &format!("Invalid value for {what} (valid values {low} - {high}): {value}")))
}

fn days(fields: &Fields, text: &str) -> Result<i64, EvalError> {
    let year = match (fields.year, fields.year_of_era) {
        (Some(year), _) => year,
        (None, Some(of_era)) if fields.before_christ => 1 - of_era,
        (None, Some(of_era)) => of_era,
        (None, None) => 1970,
    };
    let year = within(year, -999_999_999, 999_999_999, "Year", text)?;
    let days = match fields.day_of_year {
        Some(day) if fields.month.is_none() && fields.day.is_none() => {
            let last = if is_leap(year) { 366 } else { 365 };
            days_of(Civil { year, month: 1, day: 1 }) + within(day, 1, last, "DayOfYear", text)? - 1
        }
        _ => {
            let month = within(fields.month.unwrap_or(1), 1, 12, "MonthOfYear", text)? as u32;
            let day = within(fields.day.unwrap_or(1), 1, 31, "DayOfMonth", text)? as u32;
            days_of(Civil { year, month, day: day.min(days_in_month(year, month)) })
        }
    };
    match fields.weekday {
        Some(weekday) if weekday != iso_weekday(days) => Err(bad(text, "the day of the week is another")),
        _ => Ok(days),
    }
}

/// Nanoseconds of the day, and whether that is the next day.
fn nanos(fields: &Fields, text: &str) -> Result<(i64, i64), EvalError> {
    if let Some(nanos) = fields.nano_of_day {
        return Ok((within(nanos, 0, NANOS_PER_DAY - 1, "NanoOfDay", text)?, 0));
    }
    let half = match (fields.clock_half_hour, fields.half_hour) {
        (Some(hour), _) => Some(within(hour, 1, 12, "ClockHourOfAmPm", text)? % 12),
        (None, Some(hour)) => Some(within(hour, 0, 11, "HourOfAmPm", text)?),
        (None, None) => None,
    };
    let hour = match (fields.hour, fields.clock_hour, half) {
        (Some(hour), _, _) => hour,
        (None, Some(hour), _) => within(hour, 1, 24, "ClockHourOfDay", text)? % 24,
        (None, None, Some(half)) => half + if fields.afternoon == Some(true) { 12 } else { 0 },
        (None, None, None) if fields.afternoon == Some(true) => 12,
        (None, None, None) => 0,
    };
    let minute = within(fields.minute.unwrap_or(0), 0, 59, "MinuteOfHour", text)?;
    let second = within(fields.second.unwrap_or(0), 0, 59, "SecondOfMinute", text)?;
    let nano = within(fields.nano.unwrap_or(0), 0, 999_999_999, "NanoOfSecond", text)?;
    if (hour, minute, second, nano) == (24, 0, 0, 0) {
        return Ok((0, 1));
    }
    let hour = within(hour, 0, 23, "HourOfDay", text)?;
    Ok((((hour * 60 + minute) * 60 + second) * 1_000_000_000 + nano, 0))
}

pub(super) fn timestamp(fields: &Fields, text: &str, zone: &Zone) -> Result<i64, EvalError> {
    let (nanos, next_day) = nanos(fields, text)?;
    let local = (days(fields, text)? + next_day) * MILLIS_PER_DAY + nanos / 1_000_000;
    Ok(fields.zone.as_ref().unwrap_or(zone).instant_of_local(local))
}

/// A pattern for dates may not name fields of a time.
pub(super) fn date(fields: &Fields, text: &str) -> Result<i32, EvalError> {
    if fields.has_time() {
        return Err(bad(text, "Date format contains time field."));
    }
    date_part(fields, text)
}

pub(super) fn date_part(fields: &Fields, text: &str) -> Result<i32, EvalError> {
    i32::try_from(days(fields, text)?).map_err(|_| bad(text, "the date is out of range"))
}

/// A pattern for times may not name fields of a date.
pub(super) fn time(fields: &Fields, text: &str) -> Result<i32, EvalError> {
    if fields.has_date() {
        return Err(bad(text, "Time format contains date field."));
    }
    Ok((nanos(fields, text)?.0 / 1_000_000) as i32)
}
