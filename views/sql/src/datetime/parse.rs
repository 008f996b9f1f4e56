//! Reading a text by a pattern into fields. Letters are compared without regard to case, as ksqlDB's parsers do.

use super::format::{MONTHS, WEEKDAYS};
use super::pattern::Item;
use super::zone::{Zone, parse_offset};
use super::unparseable;
use crate::expr::EvalError;

/// What a text said; nothing is checked against anything else yet.
#[derive(Clone, Debug, Default)]
pub(super) struct Fields {
    pub before_christ: bool,
    pub year: Option<i64>,
    pub year_of_era: Option<i64>,
    pub month: Option<i64>,
    pub day: Option<i64>,
    pub day_of_year: Option<i64>,
    /// Monday is 0.
    pub weekday: Option<i64>,
    pub hour: Option<i64>,
    pub clock_hour: Option<i64>,
    pub half_hour: Option<i64>,
    pub clock_half_hour: Option<i64>,
    pub afternoon: Option<bool>,
    pub minute: Option<i64>,
    pub second: Option<i64>,
    pub nano: Option<i64>,
    pub nano_of_day: Option<i64>,
    pub zone: Option<Zone>,
}

impl Fields {
    pub fn has_date(&self) -> bool {
        let numbers = [self.year, self.year_of_era, self.month, self.day, self.day_of_year, self.weekday];
        numbers.iter().any(Option::is_some)
    }

    pub fn has_time(&self) -> bool {
        let hours = [self.hour, self.clock_hour, self.half_hour, self.clock_half_hour];
        let others = [self.minute, self.second, self.nano, self.nano_of_day];
        self.afternoon.is_some() || hours.iter().chain(&others).any(Option::is_some)
    }
}

pub(super) fn fields(items: &[Item], text: &str) -> Result<Fields, EvalError> {
    let mut reader = Reader { text, at: 0, fields: Fields::default() };
    if reader.items(items).is_none() || reader.at < text.len() {
        return Err(unparseable(text, reader.at));
    }
    Ok(reader.fields)
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    fields: Fields,
}

/// Digits that the fixed-width fields directly behind take for themselves.
fn reserved(items: &[Item]) -> usize {
    items
        .iter()
        .map_while(|item| match item {
            Item::Field { letter, count, padded: None } => fixed_width(*letter, *count),
            _ => None,
        })
        .sum()
}

/// The number of digits of a field that always has the same.
fn fixed_width(letter: char, count: usize) -> Option<usize> {
    match letter {
        'u' | 'y' | 'Y' | 'M' | 'L' | 'd' | 'Q' | 'q' | 'h' | 'K' | 'k' | 'H' | 'm' | 's' | 'w' if count == 2 => Some(2),
        'D' if count == 3 => Some(3),
        'S' => Some(count),
        _ => None,
    }
}

impl<'a> Reader<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn items(&mut self, items: &[Item]) -> Option<()> {
        for (position, item) in items.iter().enumerate() {
            match item {
                Item::Literal(literal) => self.word(literal)?,
                Item::Field { letter, count, padded } => {
                    if padded.is_some() {
                        self.at += self.rest().bytes().take_while(|b| *b == b' ').count();
                    }
                    self.field(*letter, *count, reserved(&items[position + 1..]))?;
                }
                Item::Optional(inner) => {
                    let (at, fields) = (self.at, self.fields.clone());
                    if self.items(inner).is_none() {
                        self.at = at;
                        self.fields = fields;
                    }
                }
            }
        }
        Some(())
    }

    fn word(&mut self, word: &str) -> Option<()> {
        let mut at = self.at;
        for expected in word.chars() {
            let found = self.text[at..].chars().next()?;
            if found != expected && !found.to_lowercase().eq(expected.to_lowercase()) {
                return None;
            }
            at += found.len_utf8();
        }
        self.at = at;
        Some(())
    }

    /// A number of `least` to `most` digits, leaving `reserved` ones of the run to what follows.
    fn number(&mut self, least: usize, most: usize, reserved: usize) -> Option<i64> {
        let run = self.rest().bytes().take_while(u8::is_ascii_digit).count();
        let length = run.min(most).min(run.saturating_sub(reserved).max(least));
        if length < least.max(1) || length > 18 {
            return None;
        }
        let value = self.rest()[..length].parse().ok()?;
        self.at += length;
        Some(value)
    }

    /// A field of the given width, or of any when the pattern has one letter.
    fn plain(&mut self, count: usize, reserved: usize) -> Option<i64> {
        if count == 1 { self.number(1, 18, reserved) } else { self.number(count, count, 0) }
    }

    fn year(&mut self, count: usize, reserved: usize) -> Option<i64> {
        if count == 2 {
            return self.number(2, 2, 0).map(|year| 2000 + year);
        }
        let negative = self.rest().starts_with('-');
        if negative || self.rest().starts_with('+') {
            self.at += 1;
        }
        let year = self.number(count, 18, reserved)?;
        Some(if negative { -year } else { year })
    }

    /// The longest of the names that the text goes on with, whole or by their first three letters.
    fn name(&mut self, names: &[&str], whole: bool) -> Option<i64> {
        for (position, name) in names.iter().enumerate() {
            let name = if whole { name } else { &name[..3.min(name.len())] };
            if self.word(name).is_some() {
                return Some(position as i64);
            }
        }
        None
    }

    fn offset(&mut self) -> Option<Zone> {
        if self.word("Z").is_some() {
            return Some(Zone::fixed(0));
        }
        let rest = self.rest();
        if !rest.starts_with(['+', '-']) {
            return None;
        }
        // Longest first: seconds and minutes are optional.
        (2..=9).rev().find_map(|length| {
            let part = rest.get(..length)?;
            let zone = Zone::fixed(parse_offset(part)?);
            self.at += length;
            Some(zone)
        })
    }

    /// A region, an abbreviation, an offset, or a name with an offset.
    fn zone(&mut self) -> Option<Zone> {
        if let Some(zone) = self.offset() {
            return Some(zone);
        }
        let rest = self.rest();
        let length =
            rest.bytes().take_while(|b| b.is_ascii_alphanumeric() || matches!(b, b'/' | b'_' | b'-' | b'+' | b':')).count();
        (1..=length.min(64)).rev().find_map(|length| {
            let name = rest.get(..length)?;
            let zone = Zone::of_abbreviation(name).or_else(|| Zone::parse(name).ok())?;
            self.at += length;
            Some(zone)
        })
    }

    fn field(&mut self, letter: char, count: usize, reserved: usize) -> Option<()> {
        match letter {
            'G' => {
                let names = if count == 4 { ["Anno Domini", "Before Christ"] } else { ["AD", "BC"] };
                self.fields.before_christ = self.name(&names, true)? == 1;
            }
            'u' => self.fields.year = Some(self.year(count, reserved)?),
            'y' => self.fields.year_of_era = Some(self.year(count, reserved)?),
            'D' => self.fields.day_of_year = Some(self.plain(count, reserved)?),
            'M' | 'L' => {
                self.fields.month = Some(match count {
                    1 | 2 => self.plain(count, reserved)?,
                    _ => self.name(&MONTHS, count == 4)? + 1,
                });
            }
            'd' => self.fields.day = Some(self.plain(count, reserved)?),
            'E' => self.fields.weekday = Some(self.name(&WEEKDAYS, count == 4)?),
            'a' => self.fields.afternoon = Some(self.name(&["AM", "PM"], true)? == 1),
            'h' => self.fields.clock_half_hour = Some(self.plain(count, reserved)?),
            'K' => self.fields.half_hour = Some(self.plain(count, reserved)?),
            'k' => self.fields.clock_hour = Some(self.plain(count, reserved)?),
            'H' => self.fields.hour = Some(self.plain(count, reserved)?),
            'm' => self.fields.minute = Some(self.plain(count, reserved)?),
            's' => self.fields.second = Some(self.plain(count, reserved)?),
            'S' => {
                let digits = self.number(count, count, 0)?;
                self.fields.nano = Some(digits * 10i64.pow(9 - count.min(9) as u32));
            }
            'n' => self.fields.nano = Some(self.number(1, 9, reserved)?),
            'A' => self.fields.nano_of_day = Some(self.number(1, 8, reserved)?.checked_mul(1_000_000)?),
            'N' => self.fields.nano_of_day = Some(self.number(1, 14, reserved)?),
            'X' | 'x' => self.fields.zone = Some(self.offset()?),
            'Z' if count != 4 => self.fields.zone = Some(self.offset()?),
            'O' | 'Z' => {
                self.word("GMT")?;
                self.fields.zone = Some(self.offset().unwrap_or_else(Zone::utc));
            }
            'V' | 'z' | 'v' => self.fields.zone = Some(self.zone()?),
            // Weeks, quarters and the like are shown, but say nothing that a date could be made of alone.
            _ => {
                self.plain(count.min(2), reserved)?;
            }
        }
        Some(())
    }
}
