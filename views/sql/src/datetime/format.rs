//! Writing a moment by a pattern. A field that the moment does not have is an error, except within brackets.

use super::Moment;
use super::pattern::Item;
use super::zone::offset_text;
use crate::cast::calendar::{Civil, civil_of, days_of};
use crate::expr::EvalError;

pub(super) const MONTHS: [&str; 12] = [
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December",
];
/// ISO order: Monday first.
pub(super) const WEEKDAYS: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];

pub(super) fn write(text: &mut String, items: &[Item], moment: &Moment<'_>) -> Result<(), EvalError> {
    for item in items {
        match item {
            Item::Literal(literal) => text.push_str(literal),
            Item::Field { letter, count, padded } => {
                let shown = field(*letter, *count, moment)?;
                if let Some(width) = padded {
                    text.extend(std::iter::repeat_n(' ', width.saturating_sub(shown.chars().count())));
                }
                text.push_str(&shown);
            }
            Item::Optional(inner) => {
                let mut part = String::new();
                if write(&mut part, inner, moment).is_ok() {
                    text.push_str(&part);
                }
            }
        }
    }
    Ok(())
}

fn unsupported(letter: char) -> EvalError {
    EvalError::new(format!("Unsupported field: {letter}"))
}

/// A year of at least `count` digits; one that needs more than four shows its sign, as Java's EXCEEDS_PAD.
fn year_text(year: i64, count: usize) -> String {
    let digits = year.unsigned_abs().to_string();
    let sign = match year {
        ..0 => "-",
        _ if count >= 4 && digits.len() > count => "+",
        _ => "",
    };
    format!("{sign}{digits:0>count$}")
}

fn name_text(name: &str, count: usize) -> String {
    match count {
        4 => name.to_owned(),
        5 => name.chars().take(1).collect(),
        _ => name.chars().take(3).collect(),
    }
}

/// Sunday is 1, as the week of the default locale has it.
pub(super) fn localized_weekday(days: i64) -> i64 {
    (days + 4).rem_euclid(7) + 1
}

/// Monday is 0.
pub(super) fn iso_weekday(days: i64) -> i64 {
    (days + 3).rem_euclid(7)
}

/// Year and number of the week, where weeks begin on Sunday and the first holds January 1.
fn week_of_year(days: i64) -> (i64, i64) {
    let year = civil_of(days).year;
    let first_week = |year: i64| {
        let first = days_of(Civil { year, month: 1, day: 1 });
        first - (localized_weekday(first) - 1)
    };
    if days >= first_week(year + 1) {
        return (year + 1, 1);
    }
    (year, (days - first_week(year)) / 7 + 1)
}

fn field(letter: char, count: usize, moment: &Moment<'_>) -> Result<String, EvalError> {
    let number = |n: i64| format!("{n:0>count$}");
    Ok(match letter {
        'G' | 'u' | 'y' | 'Y' | 'D' | 'M' | 'L' | 'd' | 'Q' | 'q' | 'w' | 'W' | 'E' | 'e' | 'c' | 'F' | 'g' => {
            let days = moment.days.ok_or_else(|| unsupported(letter))?;
            let Civil { year, month, day } = civil_of(days);
            let of_era = if year > 0 { year } else { 1 - year };
            match letter {
                'G' => match (count, year > 0) {
                    (4, true) => "Anno Domini",
                    (4, false) => "Before Christ",
                    (5, true) => "A",
                    (5, false) => "B",
                    (_, true) => "AD",
                    (_, false) => "BC",
                }
                .to_owned(),
                'u' | 'y' | 'Y' if count == 2 => {
                    let shown = if letter == 'Y' { week_of_year(days).0 } else { year };
                    format!("{:02}", shown.rem_euclid(100))
                }
                'u' => year_text(year, count),
                'y' => year_text(of_era, count),
                'Y' => year_text(week_of_year(days).0, count),
                'D' => number(days - days_of(Civil { year, month: 1, day: 1 }) + 1),
                'M' | 'L' if count <= 2 => number(i64::from(month)),
                'M' | 'L' => name_text(MONTHS[(month as usize - 1).min(11)], count),
                'd' => number(i64::from(day)),
                'Q' | 'q' => {
                    let quarter = (month as usize - 1) / 3;
                    match count {
                        3 => format!("Q{}", quarter + 1),
                        4 => format!("{} quarter", ["1st", "2nd", "3rd", "4th"][quarter.min(3)]),
                        _ => number(quarter as i64 + 1),
                    }
                }
                'w' => number(week_of_year(days).1),
                'W' => {
                    let first = days - i64::from(day) + 1;
                    number((i64::from(day) + localized_weekday(first) - 2) / 7 + 1)
                }
                'e' | 'c' if count <= 2 => number(localized_weekday(days)),
                'F' => number((i64::from(day) - 1) / 7 + 1),
                'g' => number(days + 40_587),
                _ => name_text(WEEKDAYS[iso_weekday(days) as usize % 7], count),
            }
        }
        'a' | 'h' | 'K' | 'k' | 'H' | 'm' | 's' | 'S' | 'A' | 'n' | 'N' => {
            let nano = moment.nano_of_day.ok_or_else(|| unsupported(letter))?;
            let second = nano / 1_000_000_000;
            let hour = second / 3600;
            match letter {
                'a' => if hour < 12 { "AM" } else { "PM" }.to_owned(),
                'h' => number((hour + 11) % 12 + 1),
                'K' => number(hour % 12),
                'k' => number((hour + 23) % 24 + 1),
                'H' => number(hour),
                'm' => number(second / 60 % 60),
                's' => number(second % 60),
                'S' => format!("{:09}", nano % 1_000_000_000).chars().take(count).collect(),
                'A' => number(nano / 1_000_000),
                'n' => number(nano % 1_000_000_000),
                _ => number(nano),
            }
        }
        _ => {
            let (zone, offset) = moment.zone.ok_or_else(|| unsupported(letter))?;
            match letter {
                'V' => zone.id().to_owned(),
                'z' | 'v' => zone.abbreviation(moment.instant_ms),
                'X' if offset == 0 => "Z".to_owned(),
                'Z' if count == 5 && offset == 0 => "Z".to_owned(),
                'X' | 'x' if count == 1 && offset % 3600 == 0 => offset_text(offset, false).chars().take(3).collect(),
                'X' | 'x' => offset_text(offset, count == 3 || count == 5),
                'Z' if count <= 3 => offset_text(offset, false),
                'Z' if count == 5 => offset_text(offset, true),
                _ if offset == 0 => "GMT".to_owned(),
                'O' if count == 1 => {
                    let total = offset.unsigned_abs();
                    let sign = if offset < 0 { '-' } else { '+' };
                    let minutes = if total / 60 % 60 > 0 { format!(":{:02}", total / 60 % 60) } else { String::new() };
                    format!("GMT{sign}{}{minutes}", total / 3600)
                }
                _ => format!("GMT{}", offset_text(offset, true)),
            }
        }
    })
}
