//! Days and civil dates of the proleptic Gregorian calendar, for every year that a day count can name.

pub const MILLIS_PER_DAY: i64 = 86_400_000;

/// A date; `month` and `day` count from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Civil {
    pub year: i64,
    pub month: u32,
    pub day: u32,
}

/// Days since 1970-01-01. The date must be valid.
pub fn days_of(civil: Civil) -> i64 {
    let year = civil.year - i64::from(civil.month <= 2);
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let shifted_month = (i64::from(civil.month) + 9) % 12;
    let day_of_year = (153 * shifted_month + 2) / 5 + i64::from(civil.day) - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

pub fn civil_of(days: i64) -> Civil {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    Civil { year: year_of_era + era * 400 + i64::from(month <= 2), month: month as u32, day: day as u32 }
}

pub fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

pub fn days_in_month(year: i64, month: u32) -> u32 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// The date, or nothing when month or day do not exist.
pub fn checked_days(year: i64, month: u32, day: u32) -> Option<i64> {
    let valid = (1..=12).contains(&month) && day >= 1 && day <= days_in_month(year, month) && year.abs() < 1_000_000_000;
    valid.then(|| days_of(Civil { year, month, day }))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn known_days() {
        for (year, month, day, days) in [(1970, 1, 1, 0), (2000, 2, 29, 11_016), (1969, 12, 31, -1), (0, 3, 1, -719_468), (9999, 12, 31, 2_932_896)] {
            assert_eq!(days_of(Civil { year, month, day }), days);
            assert_eq!(civil_of(days), Civil { year, month, day });
        }
        assert_eq!(checked_days(2023, 2, 29), None);
        assert_eq!(checked_days(2023, 13, 1), None);
    }

    proptest! {
        #[test]
        fn round_trip(days in -100_000_000_000i64..100_000_000_000) {
            prop_assert_eq!(days_of(civil_of(days)), days);
        }
    }
}
