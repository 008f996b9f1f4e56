//! The text of a double as Java's `Double.toString`: the shortest digits that read back, plain between
//! 1e-3 and 1e7, otherwise `d.dE±n`; always at least one digit after the point.

/// `5.0`, `0.1`, `1.0E10`, `1.0E-5`, `NaN`, `-Infinity`.
pub fn double_text(value: f64) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "Infinity" } else { "-Infinity" }.to_owned();
    }
    if value == 0.0 {
        return if value.is_sign_negative() {
            "-0.0"
        } else {
            "0.0"
        }
        .to_owned();
    }
    let magnitude = value.abs();
    if (1e-3..1e7).contains(&magnitude) {
        // Debug keeps one digit after the point and never uses an exponent in this range.
        return format!("{value:?}");
    }
    if let Some(text) = whole_number_text(value) {
        return text;
    }
    let mut shortest = format!("{value:e}");
    if !shortest.contains('.') {
        // Java prints two digits at least, and then the two nearest to the value: 4.9E-324, not 5.0E-324.
        let two_digits = format!("{value:.1e}");
        if two_digits.parse() == Ok(value) {
            shortest = two_digits;
        }
    }
    match shortest.split_once('e') {
        Some((digits, exponent)) if digits.contains('.') => format!("{digits}E{exponent}"),
        Some((digits, exponent)) => format!("{digits}.0E{exponent}"),
        None => shortest,
    }
}

/// Whole numbers beyond 2^53: Java up to release 18 cuts the digits that the bits below the double's precision cannot tell apart,
/// which may leave one digit more than is needed to read the value back.
fn whole_number_text(value: f64) -> Option<String> {
    let magnitude = value.abs();
    if !(9_007_199_254_740_992.0..9_223_372_036_854_775_808.0).contains(&magnitude) {
        return None;
    }
    let exponent = (magnitude.to_bits() >> 52) as i32 - 1023;
    let dropped = match exponent - 54 {
        ..4 => 0,
        4..7 => 1,
        _ => 2,
    };
    let unit = 10u64.pow(dropped);
    let whole = magnitude as u64;
    let kept = (whole / unit + u64::from(whole % unit >= unit.div_ceil(2) && unit > 1)).to_string();
    let power = kept.len() as u32 - 1 + dropped;
    let (first, rest) = kept.split_at(1);
    let rest = rest.trim_end_matches('0');
    let sign = if value < 0.0 { "-" } else { "" };
    Some(format!("{sign}{first}.{}E{power}", if rest.is_empty() { "0" } else { rest }))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::double_text;

    #[test]
    fn as_java() {
        let cases = [
            (5.0, "5.0"),
            (0.1, "0.1"),
            (-0.0, "-0.0"),
            (0.001, "0.001"),
            (0.00099, "9.9E-4"),
            (9_999_999.0, "9999999.0"),
            (1e7, "1.0E7"),
            (1e10, "1.0E10"),
            (1.5e-5, "1.5E-5"),
            (123_456_789.125, "1.23456789125E8"),
            (f64::MAX, "1.7976931348623157E308"),
            (f64::MIN_POSITIVE, "2.2250738585072014E-308"),
            (5e-324, "4.9E-324"),
            (2e23, "2.0E23"),
            (4_611_686_018_427_387_904.0, "4.6116860184273879E18"),
            (1e16, "1.0E16"),
            (-1e18, "-1.0E18"),
            (f64::NAN, "NaN"),
            (f64::NEG_INFINITY, "-Infinity"),
        ];
        for (value, text) in cases {
            assert_eq!(double_text(value), text);
        }
    }

    proptest! {
        #[test]
        fn reads_back(bits in any::<u64>()) {
            let value = f64::from_bits(bits);
            prop_assume!(value.is_finite());
            prop_assert_eq!(double_text(value).parse::<f64>(), Ok(value));
        }
    }
}
