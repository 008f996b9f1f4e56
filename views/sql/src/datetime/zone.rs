//! Time zones by the names that Java's `ZoneId.of` takes: regions, offsets, and `UTC`, `GMT`, `UT` with an offset.

use jiff::Timestamp;
use jiff::tz::{Offset, TimeZone};

use crate::expr::EvalError;

/// A zone and its name.
#[derive(Clone, Debug)]
pub struct Zone {
    id: String,
    zone: TimeZone,
}

impl Zone {
    pub fn utc() -> Zone {
        Zone { id: "UTC".to_owned(), zone: TimeZone::UTC }
    }

    pub fn fixed(seconds: i32) -> Zone {
        let id = if seconds == 0 { "Z".to_owned() } else { offset_text(seconds, true) };
        let zone = Offset::from_seconds(seconds).map_or(TimeZone::UTC, TimeZone::fixed);
        Zone { id, zone }
    }

    pub fn parse(name: &str) -> Result<Zone, EvalError> {
        let unknown = || EvalError::new(format!("Unknown time-zone ID: {}", name.chars().take(64).collect::<String>()));
        if name == "Z" {
            return Ok(Zone::fixed(0));
        }
        if name.starts_with(['+', '-']) {
            return parse_offset(name).map(Zone::fixed).ok_or_else(unknown);
        }
        for prefix in ["UTC", "GMT", "UT"] {
            if let Some(offset) = name.strip_prefix(prefix) {
                if offset.is_empty() {
                    return Ok(Zone { id: name.to_owned(), zone: TimeZone::UTC });
                }
                if offset.starts_with(['+', '-']) {
                    let zone = parse_offset(offset).map(Zone::fixed).ok_or_else(unknown)?;
                    return Ok(Zone { id: name.to_owned(), ..zone });
                }
            }
        }
        let zone = TimeZone::get(name).map_err(|_| unknown())?;
        Ok(Zone { id: name.to_owned(), zone })
    }

    /// A zone by the abbreviation that formatted texts carry.
    pub fn of_abbreviation(text: &str) -> Option<Zone> {
        const KNOWN: [(&str, &str); 20] = [
            ("UTC", "UTC"), ("GMT", "GMT"), ("Z", "Z"), ("PST", "America/Los_Angeles"), ("PDT", "America/Los_Angeles"),
            ("MST", "America/Denver"), ("MDT", "America/Denver"), ("CST", "America/Chicago"), ("CDT", "America/Chicago"),
            ("EST", "America/New_York"), ("EDT", "America/New_York"), ("BST", "Europe/London"), ("CET", "Europe/Paris"),
            ("CEST", "Europe/Paris"), ("EET", "Europe/Helsinki"), ("EEST", "Europe/Helsinki"), ("MSK", "Europe/Moscow"),
            ("IST", "Asia/Kolkata"), ("JST", "Asia/Tokyo"), ("AEST", "Australia/Sydney"),
        ];
        let (_, id) = KNOWN.iter().find(|(abbreviation, _)| abbreviation.eq_ignore_ascii_case(text))?;
        Zone::parse(id).ok()
    }

    pub fn id(&self) -> &str {
        &self.id
    }

    /// Seconds east of Greenwich at an instant.
    pub fn offset_seconds(&self, instant_ms: i64) -> i32 {
        self.zone.to_offset(instant(instant_ms)).seconds()
    }

    /// `PDT`, `GMT`, `UTC`.
    pub fn abbreviation(&self, instant_ms: i64) -> String {
        match self.id.as_str() {
            "Z" | "UTC" | "GMT" | "UT" => self.id.clone(),
            id if id.starts_with(['+', '-']) => id.to_owned(),
            _ => self.zone.to_offset_info(instant(instant_ms)).abbreviation().to_owned(),
        }
    }

    /// The instant of a local time. In a gap the clock has been put forward; of two instants the first is meant.
    pub fn instant_of_local(&self, local_ms: i64) -> i64 {
        let before = self.offset_seconds(local_ms.saturating_sub(86_400_000));
        let after = self.offset_seconds(local_ms.saturating_add(86_400_000));
        for offset in [before, after] {
            let candidate = local_ms.saturating_sub(i64::from(offset) * 1000);
            if self.offset_seconds(candidate) == offset {
                return candidate;
            }
        }
        // In a gap: by the offset from before it, which lands after it.
        local_ms.saturating_sub(i64::from(before) * 1000)
    }
}

/// The zone database knows years up to 9999; beyond, its last rule holds.
fn instant(millis: i64) -> Timestamp {
    Timestamp::from_millisecond(millis).unwrap_or(if millis < 0 { Timestamp::MIN } else { Timestamp::MAX })
}

/// `+HH:mm` or `+HHmm`, with seconds where there are any.
pub(super) fn offset_text(seconds: i32, colons: bool) -> String {
    let sign = if seconds < 0 { '-' } else { '+' };
    let total = seconds.unsigned_abs();
    let colon = if colons { ":" } else { "" };
    let mut text = format!("{sign}{:02}{colon}{:02}", total / 3600, total / 60 % 60);
    if !total.is_multiple_of(60) {
        text.push_str(&format!("{colon}{:02}", total % 60));
    }
    text
}

/// `+h`, `+hh`, `+hhmm`, `+hh:mm`, `+hhmmss`, `+hh:mm:ss`, up to 18 hours.
pub(super) fn parse_offset(text: &str) -> Option<i32> {
    let (sign, digits) = match text.as_bytes().first()? {
        b'+' => (1, &text[1..]),
        b'-' => (-1, &text[1..]),
        _ => return None,
    };
    let digits: String = digits.split(':').collect();
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let part = |from: usize| digits.get(from..from + 2).map_or(Some(0), |part| part.parse::<i32>().ok());
    let (hours, minutes, seconds) = match digits.len() {
        1 => (digits.parse().ok()?, 0, 0),
        2 | 4 | 6 => (part(0)?, part(2)?, part(4)?),
        _ => return None,
    };
    let total = hours * 3600 + minutes * 60 + seconds;
    (minutes < 60 && seconds < 60 && total <= 18 * 3600).then_some(sign * total)
}
