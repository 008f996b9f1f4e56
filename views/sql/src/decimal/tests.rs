use std::cmp::Ordering;

use num_bigint::BigInt;
use proptest::prelude::*;

use super::*;

fn d(text: &str) -> Decimal {
    text.parse().expect(text)
}

#[test]
fn reads_and_prints_as_big_decimal() {
    // text, plain, scientific
    let cases = [
        ("0", "0", "0"),
        ("-0.00", "0.00", "0.00"),
        ("+1.50", "1.50", "1.50"),
        (".5", "0.5", "0.5"),
        ("5.", "5", "5"),
        ("1E3", "1000", "1E+3"),
        ("12e-10", "0.0000000012", "1.2E-9"),
        ("0.0000001", "0.0000001", "1E-7"),
        (
            "-123456789012345678901234567890123456789012.5",
            "-123456789012345678901234567890123456789012.5",
            "-123456789012345678901234567890123456789012.5",
        ),
        ("0E5", "0", "0E+5"),
    ];
    for (text, plain, scientific) in cases {
        assert_eq!(d(text).to_string(), plain, "{text}");
        assert_eq!(d(text).to_scientific_string(), scientific, "{text}");
    }
    for bad in [
        "",
        ".",
        "-",
        "1e",
        "1e+",
        "e5",
        "1.2.3",
        " 1",
        "1_0",
        "NaN",
        "0x1",
        "--1",
        "1e99999999999",
    ] {
        assert!(bad.parse::<Decimal>().is_err(), "{bad}");
    }
}

#[test]
fn rounds() {
    use Rounding::*;
    let cases = [
        ("2.5", HalfUp, "3"),
        ("-2.5", HalfUp, "-3"),
        ("2.5", HalfDown, "2"),
        ("-2.5", HalfDown, "-2"),
        ("2.51", HalfDown, "3"),
        ("-2.9", Down, "-2"),
        ("-2.1", Floor, "-3"),
        ("-2.9", Ceiling, "-2"),
        ("2.1", Ceiling, "3"),
    ];
    for (text, rounding, expected) in cases {
        assert_eq!(
            d(text).rescale(0, rounding).to_string(),
            expected,
            "{text} {rounding:?}"
        );
    }
    assert_eq!(d("9.99").round_to_precision(2).to_scientific_string(), "10");
    assert_eq!(d("9.95").rescale_exact(1), None);
    assert_eq!(d("9.90").rescale_exact(1), Some(d("9.9")));
}

#[test]
fn fits_declared_shapes() {
    assert_eq!(d("12.345").cast_to(4, 2), Ok(d("12.35")));
    assert!(matches!(
        d("123.4").cast_to(4, 2),
        Err(Unfit::Overflow { digits: 2, .. })
    ));
    assert!(matches!(
        d("1.234").fit(4, 2),
        Err(Unfit::NeedsRounding { .. })
    ));
    assert_eq!(d("1.2").fit(4, 2), Ok(d("1.20")));
}

#[test]
fn doubles_convert() {
    assert_eq!(
        Decimal::from_f64_exact(0.1)
            .map(|n| n.to_string())
            .as_deref(),
        Ok("0.1000000000000000055511151231257827021181583404541015625")
    );
    assert_eq!(
        Decimal::from_f64_exact(1e22)
            .map(|n| n.to_string())
            .as_deref(),
        Ok("10000000000000000000000")
    );
    assert_eq!(Decimal::from_f64(0.1), Ok(d("0.1")));
    assert!(Decimal::from_f64(f64::INFINITY).is_err());
    assert_eq!(d("123.456").to_f64(), 123.456);
    assert_eq!(d("-1.9").to_i64_wrapping(), -1);
    assert_eq!(d("18446744073709551617").to_i64_wrapping(), 1);
}

#[test]
fn result_shapes() {
    use rules::*;
    let s = |precision, scale| Shape { precision, scale };
    assert_eq!(add(s(4, 2), s(5, 1)), s(7, 2));
    assert_eq!(multiply(s(2, 1), s(2, 1)), s(5, 2));
    assert_eq!(divide(s(2, 1), s(2, 1)), s(8, 6));
    assert_eq!(modulo(s(4, 2), s(3, 1)), s(4, 2));
}

/// An unscaled value that crosses the border between both representations often.
fn any_unscaled() -> impl Strategy<Value = BigInt> {
    prop_oneof![
        any::<i64>().prop_map(BigInt::from),
        any::<i128>().prop_map(BigInt::from),
        (any::<i128>(), any::<i128>()).prop_map(|(a, b)| BigInt::from(a) * BigInt::from(b)),
        prop_oneof![Just(i128::MAX), Just(i128::MIN), Just(0)].prop_map(BigInt::from),
    ]
}

prop_compose! {
    fn any_decimal()(unscaled in any_unscaled(), scale in -45i32..45) -> Decimal { Decimal::from_big(unscaled, scale) }
}

/// The unscaled value at scale 200, exactly: an independent integer model.
fn model(n: &Decimal) -> BigInt {
    n.unscaled() * BigInt::from(10).pow((200 - n.scale()) as u32)
}

proptest! {
    #[test]
    fn arithmetic_agrees_with_big_integers(a in any_decimal(), b in any_decimal()) {
        prop_assert_eq!(model(&a.add(&b)), model(&a) + model(&b));
        prop_assert_eq!(model(&a.subtract(&b)), model(&a) - model(&b));
        prop_assert_eq!(a.multiply(&b).unscaled(), a.unscaled() * b.unscaled());
        prop_assert_eq!(a.compare(&b), model(&a).cmp(&model(&b)));
        if b.signum() == 0 {
            prop_assert_eq!(a.remainder(&b), None);
            prop_assert_eq!(a.divide(&b, 2, Rounding::HalfUp), None);
        } else {
            prop_assert_eq!(a.remainder(&b).map(|r| model(&r)), Some(model(&a) % model(&b)));
            let quotient = a.divide(&b, 30, Rounding::HalfUp).expect("not by zero");
            // |q*b - a| <= |b| * 10^-30 / 2
            let error = quotient.multiply(&b).subtract(&a).abs();
            prop_assert!(error.compare(&b.abs().multiply(&Decimal::new(5, 31))) != Ordering::Greater);
        }
    }

    #[test]
    fn text_and_bytes_round_trip(a in any_decimal()) {
        prop_assert_eq!(d(&a.to_scientific_string()), a.clone());
        prop_assert_eq!(d(&a.to_string()).compare(&a), Ordering::Equal);
        prop_assert_eq!(Decimal::from_unscaled_bytes(&a.unscaled_bytes(), a.scale()), a);
    }

    #[test]
    fn rescale_is_within_half_a_unit(a in any_decimal(), scale in -60i32..60) {
        let rounded = a.rescale(scale, Rounding::HalfUp);
        let error = rounded.subtract(&a).abs();
        prop_assert!(error.compare(&Decimal::new(5, scale + 1)) != Ordering::Greater);
    }

    #[test]
    fn exact_doubles_read_back(bits in any::<u64>()) {
        let value = f64::from_bits(bits);
        prop_assume!(value.is_finite());
        let exact = Decimal::from_f64_exact(value).expect("finite");
        prop_assert_eq!(exact.to_f64(), value + 0.0);
        prop_assert_eq!(Decimal::from_f64(value).expect("finite").to_f64(), value + 0.0);
    }
}
