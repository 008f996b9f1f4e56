//! Exact decimals with the behaviour of Java's `BigDecimal`, on which ksqlDB's DECIMAL is built.
//!
//! A decimal is `unscaled * 10^-scale`. Invariants: the unscaled value lives in an `i128` whenever it fits,
//! so structural equality is value-and-scale equality (`1.0 != 1.00`, as `BigDecimal.equals`); the numeric
//! order is [`Decimal::compare`]. Scales stay within +-[`SCALE_MAX`], so no operation can be asked for
//! an unbounded number of digits. Precision and scale of SQL results are chosen in [`rules`].
//! Absences: no contexts, no NaN, no infinities.

mod convert;
pub mod rules;
mod text;

use std::cmp::Ordering;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use num_bigint::{BigInt, Sign};

pub use convert::Unfit;
pub use text::ParseDecimalError;

/// The largest magnitude of a scale; texts beyond it are refused when parsed.
pub const SCALE_MAX: i32 = 20_000;

#[derive(Clone, Debug)]
pub struct Decimal {
    unscaled: Unscaled,
    scale: i32,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Unscaled {
    Small(i128),
    /// Only what does not fit an `i128`.
    Big(Arc<BigInt>),
}

/// How digits that do not fit are dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rounding {
    HalfUp,
    HalfDown,
    /// Towards zero.
    Down,
    Floor,
    Ceiling,
}

const POWERS: [i128; 39] = {
    let mut powers = [1i128; 39];
    let mut n = 1;
    while n < 39 {
        powers[n] = powers[n - 1] * 10;
        n += 1;
    }
    powers
};

fn small_power(exponent: u32) -> Option<i128> {
    POWERS.get(exponent as usize).copied()
}

fn big_power(exponent: u32) -> BigInt {
    BigInt::from(10).pow(exponent)
}

impl From<BigInt> for Unscaled {
    fn from(value: BigInt) -> Self {
        match i128::try_from(&value) {
            Ok(small) => Unscaled::Small(small),
            Err(_) => Unscaled::Big(Arc::new(value)),
        }
    }
}

impl Unscaled {
    fn to_big(&self) -> BigInt {
        match self {
            Unscaled::Small(n) => BigInt::from(*n),
            Unscaled::Big(n) => n.as_ref().clone(),
        }
    }

    fn times_power(&self, exponent: u32) -> Unscaled {
        if let Unscaled::Small(n) = self {
            if *n == 0 {
                return Unscaled::Small(0);
            }
            if let Some(product) = small_power(exponent).and_then(|power| n.checked_mul(power)) {
                return Unscaled::Small(product);
            }
        }
        (self.to_big() * big_power(exponent)).into()
    }
}

/// `n / d` rounded; `d` is positive.
fn divide_rounded_small(n: i128, d: i128, rounding: Rounding) -> i128 {
    let (quotient, remainder) = (n / d, n % d);
    if remainder == 0 {
        return quotient;
    }
    let away = if n < 0 { -1 } else { 1 };
    // 2|r| against d without overflow: |r| against d - |r|.
    let half = remainder
        .unsigned_abs()
        .cmp(&(d.unsigned_abs() - remainder.unsigned_abs()));
    if rounds_away(half, n < 0, rounding) {
        quotient + away
    } else {
        quotient
    }
}

fn divide_rounded_big(n: &BigInt, d: &BigInt, rounding: Rounding) -> BigInt {
    let quotient = n / d;
    let remainder = n - &quotient * d;
    if remainder.sign() == Sign::NoSign {
        return quotient;
    }
    let negative = n.sign() == Sign::Minus;
    let magnitude = BigInt::from(remainder.magnitude().clone());
    let half = (&magnitude + &magnitude).cmp(d);
    let away = BigInt::from(if negative { -1 } else { 1 });
    if rounds_away(half, negative, rounding) {
        quotient + away
    } else {
        quotient
    }
}

fn rounds_away(half: Ordering, negative: bool, rounding: Rounding) -> bool {
    match rounding {
        Rounding::HalfUp => half != Ordering::Less,
        Rounding::HalfDown => half == Ordering::Greater,
        Rounding::Down => false,
        Rounding::Floor => negative,
        Rounding::Ceiling => !negative,
    }
}

impl Decimal {
    pub const ZERO: Decimal = Decimal {
        unscaled: Unscaled::Small(0),
        scale: 0,
    };

    /// `unscaled * 10^-scale`. The scale is clamped to what this type carries.
    pub fn new(unscaled: i128, scale: i32) -> Decimal {
        Decimal {
            unscaled: Unscaled::Small(unscaled),
            scale: scale.clamp(-SCALE_MAX, SCALE_MAX),
        }
    }

    pub fn from_big(unscaled: BigInt, scale: i32) -> Decimal {
        Decimal {
            unscaled: unscaled.into(),
            scale: scale.clamp(-SCALE_MAX, SCALE_MAX),
        }
    }

    pub fn scale(&self) -> i32 {
        self.scale
    }

    pub fn unscaled(&self) -> BigInt {
        self.unscaled.to_big()
    }

    pub fn signum(&self) -> i32 {
        match &self.unscaled {
            Unscaled::Small(n) => n.signum() as i32,
            Unscaled::Big(n) => {
                if n.sign() == Sign::Minus {
                    -1
                } else {
                    1
                }
            }
        }
    }

    /// Digits of the unscaled value; 1 for zero.
    pub fn precision(&self) -> u32 {
        match &self.unscaled {
            Unscaled::Small(0) => 1,
            Unscaled::Small(n) => n.unsigned_abs().ilog10() + 1,
            Unscaled::Big(n) => n.magnitude().to_string().len() as u32,
        }
    }

    /// The same number with another scale, rounded where digits are lost.
    pub fn rescale(&self, scale: i32, rounding: Rounding) -> Decimal {
        let scale = scale.clamp(-SCALE_MAX, SCALE_MAX);
        let unscaled = if scale >= self.scale {
            self.unscaled.times_power((scale - self.scale) as u32)
        } else {
            let dropped = (self.scale - scale) as u32;
            match (&self.unscaled, small_power(dropped)) {
                (Unscaled::Small(n), Some(power)) => {
                    Unscaled::Small(divide_rounded_small(*n, power, rounding))
                }
                (unscaled, _) => {
                    divide_rounded_big(&unscaled.to_big(), &big_power(dropped), rounding).into()
                }
            }
        };
        Decimal { unscaled, scale }
    }

    /// The same number with another scale, or nothing where that would lose digits.
    pub fn rescale_exact(&self, scale: i32) -> Option<Decimal> {
        let rescaled = self.rescale(scale, Rounding::Down);
        (rescaled.compare(self) == Ordering::Equal).then_some(rescaled)
    }

    /// Rounded to at most `digits` significant digits, half up, as `new MathContext(digits)`.
    pub fn round_to_precision(&self, digits: u32) -> Decimal {
        let mut rounded = self.clone();
        // Rounding 9.99 to two digits gives 10.0, which has three: a second pass drops the zero.
        while rounded.precision() > digits.max(1) {
            let excess = (rounded.precision() - digits.max(1)) as i32;
            rounded = rounded.rescale(rounded.scale - excess, Rounding::HalfUp);
        }
        rounded
    }

    pub fn negate(&self) -> Decimal {
        let unscaled = match &self.unscaled {
            Unscaled::Small(n) if *n != i128::MIN => Unscaled::Small(-n),
            other => (-other.to_big()).into(),
        };
        Decimal {
            unscaled,
            scale: self.scale,
        }
    }

    pub fn abs(&self) -> Decimal {
        if self.signum() < 0 {
            self.negate()
        } else {
            self.clone()
        }
    }

    /// Both unscaled values at the larger of the two scales.
    fn aligned(&self, other: &Decimal) -> (Unscaled, Unscaled, i32) {
        let scale = self.scale.max(other.scale);
        let left = self.unscaled.times_power((scale - self.scale) as u32);
        let right = other.unscaled.times_power((scale - other.scale) as u32);
        (left, right, scale)
    }

    pub fn add(&self, other: &Decimal) -> Decimal {
        let (left, right, scale) = self.aligned(other);
        let unscaled = match (&left, &right) {
            (Unscaled::Small(a), Unscaled::Small(b)) => a.checked_add(*b).map(Unscaled::Small),
            _ => None,
        };
        Decimal {
            unscaled: unscaled.unwrap_or_else(|| (left.to_big() + right.to_big()).into()),
            scale,
        }
    }

    pub fn subtract(&self, other: &Decimal) -> Decimal {
        self.add(&other.negate())
    }

    pub fn multiply(&self, other: &Decimal) -> Decimal {
        let unscaled = match (&self.unscaled, &other.unscaled) {
            (Unscaled::Small(a), Unscaled::Small(b)) => a.checked_mul(*b).map(Unscaled::Small),
            _ => None,
        };
        let unscaled =
            unscaled.unwrap_or_else(|| (self.unscaled.to_big() * other.unscaled.to_big()).into());
        Decimal {
            unscaled,
            scale: (self.scale + other.scale).clamp(-SCALE_MAX, SCALE_MAX),
        }
    }

    /// The quotient at the given scale, rounded; nothing when dividing by zero.
    pub fn divide(&self, other: &Decimal, scale: i32, rounding: Rounding) -> Option<Decimal> {
        if other.signum() == 0 {
            return None;
        }
        let scale = scale.clamp(-SCALE_MAX, SCALE_MAX);
        // a*10^-sa / (b*10^-sb) = (a / b) * 10^(sb - sa), wanted as q * 10^-scale.
        let shift = scale + other.scale - self.scale;
        let (mut numerator, mut denominator) = (self.unscaled.clone(), other.unscaled.clone());
        if shift >= 0 {
            numerator = numerator.times_power(shift as u32);
        } else {
            denominator = denominator.times_power(shift.unsigned_abs());
        }
        let (mut numerator, mut denominator) = (numerator.to_big(), denominator.to_big());
        if denominator.sign() == Sign::Minus {
            (numerator, denominator) = (-numerator, -denominator);
        }
        Some(Decimal {
            unscaled: divide_rounded_big(&numerator, &denominator, rounding).into(),
            scale,
        })
    }

    /// The remainder with the sign of the dividend; nothing when dividing by zero.
    pub fn remainder(&self, other: &Decimal) -> Option<Decimal> {
        if other.signum() == 0 {
            return None;
        }
        let (left, right, scale) = self.aligned(other);
        let unscaled = match (&left, &right) {
            (Unscaled::Small(a), Unscaled::Small(b)) => a.checked_rem(*b).map(Unscaled::Small),
            _ => None,
        };
        Some(Decimal {
            unscaled: unscaled.unwrap_or_else(|| (left.to_big() % right.to_big()).into()),
            scale,
        })
    }

    /// The numeric order: `1.0` equals `1.00`.
    pub fn compare(&self, other: &Decimal) -> Ordering {
        let signs = self.signum().cmp(&other.signum());
        if signs != Ordering::Equal || self.signum() == 0 {
            return signs;
        }
        let (left, right, _) = self.aligned(other);
        match (&left, &right) {
            (Unscaled::Small(a), Unscaled::Small(b)) => a.cmp(b),
            _ => left.to_big().cmp(&right.to_big()),
        }
    }

    /// Bytes held outside the value itself.
    pub fn heap_bytes(&self) -> usize {
        match &self.unscaled {
            Unscaled::Small(_) => 0,
            Unscaled::Big(n) => (n.bits() / 8) as usize,
        }
    }
}

impl PartialEq for Decimal {
    fn eq(&self, other: &Self) -> bool {
        self.scale == other.scale && self.unscaled == other.unscaled
    }
}

impl Eq for Decimal {}

impl Ord for Decimal {
    /// Numeric, then by scale, so that it agrees with equality.
    fn cmp(&self, other: &Self) -> Ordering {
        self.compare(other).then(self.scale.cmp(&other.scale))
    }
}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Hash for Decimal {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.unscaled.hash(state);
        self.scale.hash(state);
    }
}

#[cfg(test)]
mod tests;
