//! Text forms of decimals: `BigDecimal(String)`, `toString` and `toPlainString`.

use std::fmt;
use std::str::FromStr;

use num_bigint::{BigInt, Sign};

use super::{Decimal, SCALE_MAX, Unscaled};

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseDecimalError {
    #[error("not a decimal number: '{0}'")]
    Syntax(String),
    #[error("a decimal number may have an exponent and digits up to {SCALE_MAX}")]
    TooLarge,
}

impl FromStr for Decimal {
    type Err = ParseDecimalError;

    /// `[+-]digits[.digits][e[+-]digits]`, at least one digit, nothing around it.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let syntax = || ParseDecimalError::Syntax(text.chars().take(64).collect());
        if text.len() > SCALE_MAX as usize {
            return Err(ParseDecimalError::TooLarge);
        }
        let (mantissa, exponent) = match text.split_once(['e', 'E']) {
            None => (text, 0),
            Some((mantissa, exponent)) => {
                let digits = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
                if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
                    return Err(syntax());
                }
                (
                    mantissa,
                    exponent
                        .parse::<i32>()
                        .map_err(|_| ParseDecimalError::TooLarge)?,
                )
            }
        };
        let (negative, unsigned) = match mantissa.as_bytes().first() {
            Some(b'-') => (true, &mantissa[1..]),
            Some(b'+') => (false, &mantissa[1..]),
            _ => (false, mantissa),
        };
        let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
        if whole.len() + fraction.len() == 0
            || !whole
                .bytes()
                .chain(fraction.bytes())
                .all(|b| b.is_ascii_digit())
        {
            return Err(syntax());
        }
        let scale = i64::try_from(fraction.len()).map_err(|_| ParseDecimalError::TooLarge)?
            - i64::from(exponent);
        let scale = i32::try_from(scale)
            .ok()
            .filter(|s| s.abs() <= SCALE_MAX)
            .ok_or(ParseDecimalError::TooLarge)?;
        let digits = [whole, fraction].concat();
        let unscaled: Unscaled = match digits.parse::<i128>() {
            Ok(small) => Unscaled::Small(if negative { -small } else { small }),
            Err(_) => {
                let big: BigInt = digits.parse().map_err(|_| syntax())?;
                if negative { (-big).into() } else { big.into() }
            }
        };
        Ok(Decimal { unscaled, scale })
    }
}

impl Decimal {
    fn digits(&self) -> (bool, String) {
        match &self.unscaled {
            Unscaled::Small(n) => (*n < 0, n.unsigned_abs().to_string()),
            Unscaled::Big(n) => (n.sign() == Sign::Minus, n.magnitude().to_string()),
        }
    }

    /// `BigDecimal.toString`: scientific when the scale is negative or the number very small.
    pub fn to_scientific_string(&self) -> String {
        let (negative, digits) = self.digits();
        let exponent = i64::from(-self.scale) + digits.len() as i64 - 1;
        if self.scale >= 0 && exponent >= -6 {
            return self.to_string();
        }
        let mut text = String::with_capacity(digits.len() + 8);
        if negative {
            text.push('-');
        }
        text.push_str(&digits[..1]);
        if digits.len() > 1 {
            text.push('.');
            text.push_str(&digits[1..]);
        }
        if exponent != 0 {
            text.push_str(&format!("E{exponent:+}"));
        }
        text
    }
}

impl fmt::Display for Decimal {
    /// `BigDecimal.toPlainString`: every digit, no exponent.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (negative, digits) = self.digits();
        if negative {
            f.write_str("-")?;
        }
        if self.scale <= 0 {
            f.write_str(&digits)?;
            let zeros = if digits == "0" {
                0
            } else {
                self.scale.unsigned_abs() as usize
            };
            return write!(f, "{:0<zeros$}", "");
        }
        let scale = self.scale as usize;
        if digits.len() > scale {
            let (whole, fraction) = digits.split_at(digits.len() - scale);
            write!(f, "{whole}.{fraction}")
        } else {
            write!(f, "0.{digits:0>scale$}")
        }
    }
}
