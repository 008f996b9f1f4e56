//! Decimals from and to other numbers and bytes, and fitting into a declared precision and scale.

use num_bigint::BigInt;

use super::{Decimal, Rounding, SCALE_MAX};

/// A number that a `DECIMAL(precision, scale)` cannot hold; texts as ksqlDB's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    #[error(
        "Numeric field overflow: A field with precision {precision} and scale {scale} must round to an absolute value less than 10^{digits}. Got {value}"
    )]
    Overflow {
        precision: u32,
        scale: u32,
        digits: u32,
        value: String,
    },
    #[error(
        "Cannot fit decimal '{value}' into DECIMAL({precision}, {scale}) without rounding. (Requires {needed_precision},{needed_scale})"
    )]
    NeedsRounding {
        value: String,
        precision: u32,
        scale: u32,
        needed_precision: u32,
        needed_scale: i32,
    },
    #[error("{0} is not a finite number")]
    NotFinite(String),
}

impl From<i32> for Decimal {
    fn from(n: i32) -> Self {
        Decimal::new(i128::from(n), 0)
    }
}

impl From<i64> for Decimal {
    fn from(n: i64) -> Self {
        Decimal::new(i128::from(n), 0)
    }
}

impl Decimal {
    /// The exact binary value of a finite double (`new BigDecimal(double)`).
    pub fn from_f64_exact(value: f64) -> Result<Decimal, Unfit> {
        if !value.is_finite() {
            return Err(Unfit::NotFinite(crate::cast::double_text(value)));
        }
        let bits = value.to_bits();
        let biased = ((bits >> 52) & 0x7ff) as i32;
        let fraction = bits & ((1 << 52) - 1);
        let (mantissa, exponent) = if biased == 0 {
            (fraction, -1074)
        } else {
            (fraction | 1 << 52, biased - 1075)
        };
        let signed = if value < 0.0 {
            -BigInt::from(mantissa)
        } else {
            BigInt::from(mantissa)
        };
        if mantissa == 0 {
            return Ok(Decimal::ZERO);
        }
        if exponent >= 0 {
            return Ok(Decimal::from_big(signed << exponent, 0));
        }
        // m * 2^-k = m * 5^k * 10^-k; strip the common powers of two first, as Java does.
        let twos = mantissa.trailing_zeros().min(exponent.unsigned_abs());
        let places = exponent.unsigned_abs() - twos;
        Ok(Decimal::from_big(
            (signed >> twos) * BigInt::from(5).pow(places),
            places as i32,
        ))
    }

    /// The shortest decimal that reads back as this double (`BigDecimal.valueOf(double)`).
    pub fn from_f64(value: f64) -> Result<Decimal, Unfit> {
        if !value.is_finite() {
            return Err(Unfit::NotFinite(crate::cast::double_text(value)));
        }
        crate::cast::double_text(value)
            .parse()
            .map_err(|_| Unfit::NotFinite(crate::cast::double_text(value)))
    }

    pub fn to_f64(&self) -> f64 {
        self.to_scientific_string().parse().unwrap_or(f64::NAN)
    }

    /// The whole part, its low 64 bits (`BigDecimal.longValue`).
    pub fn to_i64_wrapping(&self) -> i64 {
        let whole = self.rescale(0, Rounding::Down).unscaled();
        let bytes = whole.to_signed_bytes_le();
        let fill = if bytes.last().is_some_and(|last| last & 0x80 != 0) {
            0xff
        } else {
            0
        };
        let mut low = [fill; 8];
        for (slot, byte) in low.iter_mut().zip(bytes) {
            *slot = byte;
        }
        i64::from_le_bytes(low)
    }

    /// The unscaled value in big-endian two's complement, as Avro and Connect write it.
    pub fn unscaled_bytes(&self) -> Vec<u8> {
        self.unscaled().to_signed_bytes_be()
    }

    pub fn from_unscaled_bytes(bytes: &[u8], scale: i32) -> Decimal {
        Decimal::from_big(BigInt::from_signed_bytes_be(bytes), scale)
    }

    fn check_max(&self, precision: u32, scale: u32) -> Result<(), Unfit> {
        let digits = precision.saturating_sub(scale);
        let whole_digits = i64::from(self.precision()) - i64::from(self.scale);
        if self.signum() != 0 && whole_digits > i64::from(digits) {
            return Err(Unfit::Overflow {
                precision,
                scale,
                digits,
                value: self.to_string(),
            });
        }
        Ok(())
    }

    /// Rounded half up into `DECIMAL(precision, scale)`.
    pub fn cast_to(&self, precision: u32, scale: u32) -> Result<Decimal, Unfit> {
        if self.scale == scale as i32 && self.precision() <= precision {
            return Ok(self.clone());
        }
        self.check_max(precision, scale)?;
        Ok(self.rescale((scale as i32).min(SCALE_MAX), Rounding::HalfUp))
    }

    /// Into `DECIMAL(precision, scale)` without losing a digit.
    pub fn fit(&self, precision: u32, scale: u32) -> Result<Decimal, Unfit> {
        self.check_max(precision, scale)?;
        self.rescale_exact(scale as i32)
            .ok_or_else(|| Unfit::NeedsRounding {
                value: self.to_string(),
                precision,
                scale,
                needed_precision: self.precision(),
                needed_scale: self.scale,
            })
    }
}
