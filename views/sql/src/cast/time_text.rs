//! Text forms of dates, times and timestamps, as CAST and string literals have them.

use std::fmt::Write as _;

use super::calendar::{Civil, MILLIS_PER_DAY, checked_days, civil_of};
use crate::expr::EvalError;

/// `2020-01-01T00:00:00.000`, in UTC.
pub fn timestamp_text(millis: i64) -> String {
    let (days, of_day) = (millis.div_euclid(MILLIS_PER_DAY), millis.rem_euclid(MILLIS_PER_DAY));
    let seconds = of_day / 1000;
    format!("{}T{:02}:{:02}:{:02}.{:03}", day_text(days), seconds / 3600, seconds / 60 % 60, seconds % 60, of_day % 1000)
}

/// `2020-01-01`.
pub fn date_text(days: i32) -> String {
    day_text(i64::from(days))
}

fn day_text(days: i64) -> String {
    let Civil { year, month, day } = civil_of(days);
    let sign = match year {
        10_000.. => "+",
        ..0 => "-",
        _ => "",
    };
    format!("{sign}{:04}-{month:02}-{day:02}", year.unsigned_abs())
}

/// `12:30`, `12:30:05` or `12:30:05.010`: as short as the value allows.
pub fn time_text(millis: i32) -> String {
    let of_day = i64::from(millis).rem_euclid(MILLIS_PER_DAY);
    let (seconds, fraction) = (of_day / 1000, of_day % 1000);
    let mut text = format!("{:02}:{:02}", seconds / 3600, seconds / 60 % 60);
    if seconds % 60 > 0 || fraction > 0 {
        let _ = write!(text, ":{:02}", seconds % 60);
    }
    if fraction > 0 {
        let _ = write!(text, ".{fraction:03}");
    }
    text
}

fn bad(kind: &str, text: &str, format: &str) -> EvalError {
    let shown: String = text.chars().take(64).collect();
    EvalError::new(format!("Failed to parse {kind} '{shown}'. Required format is: \"{format}\""))
}

fn number(text: &str, digits: usize) -> Option<u32> {
    (text.len() == digits && text.bytes().all(|b| b.is_ascii_digit())).then(|| text.parse().ok())?
}

/// `yyyy[-MM[-dd]]`.
fn parse_days(text: &str) -> Option<i64> {
    let mut parts = text.split('-');
    let year = number(parts.next()?, 4)?;
    let month = parts.next().map_or(Some(1), |part| number(part, 2))?;
    let day = parts.next().map_or(Some(1), |part| number(part, 2))?;
    parts.next().is_none().then(|| checked_days(i64::from(year), month, day))?
}

/// `HH[:mm[:ss[.fraction]]]`, in milliseconds; digits beyond are dropped.
fn parse_of_day(text: &str) -> Option<i64> {
    let mut parts = text.split(':');
    let hour = number(parts.next()?, 2).filter(|hour| *hour < 24)?;
    let minute = parts.next().map_or(Some(0), |part| number(part, 2)).filter(|minute| *minute < 60)?;
    let (second, millis) = match parts.next() {
        None => (0, 0),
        Some(part) => {
            let (second, fraction) = part.split_once('.').unwrap_or((part, "0"));
            if fraction.is_empty() || fraction.len() > 9 || !fraction.bytes().all(|b| b.is_ascii_digit()) {
                return None;
            }
            let millis: String = fraction.chars().chain("00".chars()).take(3).collect();
            (number(second, 2).filter(|second| *second < 60)?, millis.parse::<u32>().ok()?)
        }
    };
    parts.next().is_none().then(|| i64::from(hour * 3_600_000 + minute * 60_000 + second * 1000 + millis))
}

/// `Z`, `+HHmm`, `+HH:mm` or `+HH`, in minutes.
fn parse_offset(text: &str) -> Option<i64> {
    if text == "Z" || text == "z" {
        return Some(0);
    }
    let sign = if text.starts_with('-') { -1 } else { 1 };
    let digits: String = text.get(1..)?.split(':').collect();
    let (hours, minutes) = match digits.len() {
        2 => (number(&digits, 2)?, 0),
        4 => (number(&digits[..2], 2)?, number(&digits[2..], 2)?),
        _ => return None,
    };
    (hours <= 18 && minutes < 60).then(|| sign * i64::from(hours * 60 + minutes))
}

/// A timestamp whose missing parts are taken as the first: `2018`, `2018-01-01`, `2018-01-01T12:30:05.001+0100`.
pub fn parse_timestamp(text: &str) -> Result<i64, EvalError> {
    let parse = || {
        let (date, time) = match text.split_once('T') {
            Some((date, time)) => (date, time),
            None => (text, ""),
        };
        let (time, offset) = match time.find(['+', '-', 'Z', 'z']) {
            Some(at) => (&time[..at], parse_offset(&time[at..])?),
            None => (time, 0),
        };
        let of_day = if time.is_empty() { 0 } else { parse_of_day(time)? };
        Some(parse_days(date)? * MILLIS_PER_DAY + of_day - offset * 60_000)
    };
    parse().ok_or_else(|| bad("timestamp", text, "yyyy-MM-dd'T'HH:mm:ss.SSS") )
}

/// A date, whose missing month and day are the first: `1970-01`.
pub fn parse_date(text: &str) -> Result<i32, EvalError> {
    parse_days(text).and_then(|days| i32::try_from(days).ok()).ok_or_else(|| bad("date", text, "yyyy-MM-dd"))
}

/// A time of day: `00:01`, `00:00:01`, `00:00:00.010`.
pub fn parse_time(text: &str) -> Result<i32, EvalError> {
    parse_of_day(text).map(|millis| millis as i32).ok_or_else(|| bad("time", text, "HH:mm:ss.SSS"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints() {
        assert_eq!(timestamp_text(10), "1970-01-01T00:00:00.010");
        assert_eq!(timestamp_text(-1), "1969-12-31T23:59:59.999");
        assert_eq!(date_text(4), "1970-01-05");
        assert_eq!(time_text(4000), "00:00:04");
        assert_eq!(time_text(0), "00:00");
        assert_eq!(time_text(10), "00:00:00.010");
        // No value of any size panics.
        for extreme in [i64::MIN, i64::MAX] {
            assert!(!timestamp_text(extreme).is_empty());
        }
        assert!(date_text(i32::MAX).starts_with('+'));
        assert_eq!(time_text(-1), "23:59:59.999");
    }

    #[test]
    fn reads() {
        let timestamps = [
            ("2018", 1_514_764_800_000),
            ("2018-01-01T00:00:00.001", 1_514_764_800_001),
            ("2018-01-01T00:00:01", 1_514_764_801_000),
            ("2020-02-10T08:31:44.001+0000", 1_581_323_504_001),
            ("2020-02-10T08:31:44.001+01:00", 1_581_319_904_001),
            ("2020-02-10T08:31Z", 1_581_323_460_000),
        ];
        for (text, millis) in timestamps {
            assert_eq!(parse_timestamp(text), Ok(millis), "{text}");
        }
        for bad in ["", "foo", "2018-13", "2018-02-30", "2018-01-01T25", "2018-01-01T10:00+9", "20181", "2018-01-01T10:00:00.", "2018-01-01T1é"] {
            assert!(parse_timestamp(bad).is_err(), "{bad}");
        }
        assert_eq!(parse_date("1970-01-10"), Ok(9));
        assert_eq!(parse_date("1970-01"), Ok(0));
        assert_eq!(parse_time("00:01"), Ok(60_000));
        assert!(parse_time("24:00").is_err());
    }
}
