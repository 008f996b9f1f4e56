//! Decimal texts compared as numbers, exactly.

use std::cmp::Ordering;

/// A decimal number as its text says it: digits times ten to the power of `exponent`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exact {
    negative: bool,
    /// Without leading zeros; empty for zero.
    digits: String,
    exponent: i64,
    /// Whether the text used an exponent, so that its scale is not a statement.
    pub scientific: bool,
    /// Whether the text has neither point nor exponent.
    pub integer: bool,
}

impl Exact {
    pub fn parse(text: &str) -> Option<Exact> {
        let (negative, body) = match text.strip_prefix('-') {
            Some(body) => (true, body),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        let (mantissa, power) = match body.find(['e', 'E']) {
            Some(at) => (&body[..at], Some(body[at + 1..].parse::<i32>().ok()?)),
            None => (body, None),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let all_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if (whole.is_empty() && fraction.is_empty()) || !all_digits(whole) || !all_digits(fraction) {
            return None;
        }
        let digits = format!("{whole}{fraction}").trim_start_matches('0').to_string();
        Some(Exact {
            negative: negative && !digits.is_empty(),
            digits,
            exponent: i64::from(power.unwrap_or(0)) - fraction.len() as i64,
            scientific: power.is_some(),
            integer: power.is_none() && !mantissa.contains('.'),
        })
    }

    /// Digits after the point, negative for trailing zeros that an exponent implies.
    pub fn scale(&self) -> i64 {
        -self.exponent
    }

    pub fn same_value(&self, other: &Exact) -> bool {
        self.reduced() == other.reduced()
    }

    fn reduced(&self) -> (bool, &str, i64) {
        let kept = self.digits.trim_end_matches('0');
        if kept.is_empty() {
            return (false, "", 0);
        }
        (self.negative, kept, self.exponent + (self.digits.len() - kept.len()) as i64)
    }

    /// Nearest double, for tolerant comparison.
    pub fn approximate(&self) -> f64 {
        let sign = if self.negative { "-" } else { "" };
        let digits = if self.digits.is_empty() { "0" } else { &self.digits };
        format!("{sign}{digits}e{}", self.exponent).parse().unwrap_or(f64::NAN)
    }

    pub fn near(&self, other: &Exact, tolerance: f64) -> bool {
        (self.approximate() - other.approximate()).abs().partial_cmp(&tolerance) == Some(Ordering::Less)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exact(text: &str) -> Exact {
        Exact::parse(text).unwrap()
    }

    #[test]
    fn value_and_scale() {
        assert!(exact("1E2").same_value(&exact("100.0")));
        assert!(exact("1.1").same_value(&exact("1.10")));
        assert_ne!(exact("1.1").scale(), exact("1.10").scale());
        assert!(exact("-0").same_value(&exact("0.00")));
        assert!(!exact("-1").same_value(&exact("1")));
        assert!(exact("0.30000000000000004").near(&exact("0.3"), 1e-6));
        assert_eq!(Exact::parse("a"), None);
        assert_eq!(Exact::parse("."), None);
    }
}
