//! Amounts as Kubernetes writes them: `250m`, `1200345n`, `16Gi` (`k8s.io/apimachinery/pkg/api/resource`, `Quantity`).

/// Parts of one that are told apart: a thousandth of a millionth.
const NANO: i128 = 1_000_000_000;

/// An amount in thousandths, rounded up as the API's own library does.
pub(super) fn milli(text: &str) -> Option<i64> {
    let nano = nano(text)?;
    i64::try_from(nano.div_euclid(1_000_000) + i128::from(nano.rem_euclid(1_000_000) > 0)).ok()
}

/// A whole amount, rounded up.
pub(super) fn whole(text: &str) -> Option<i64> {
    let nano = nano(text)?;
    i64::try_from(nano.div_euclid(NANO) + i128::from(nano.rem_euclid(NANO) > 0)).ok()
}

fn nano(text: &str) -> Option<i128> {
    let end = text
        .find(|c: char| !(c.is_ascii_digit() || matches!(c, '.' | '+' | '-')))
        .unwrap_or(text.len());
    let (number, suffix) = text.split_at_checked(end)?;
    let unit: i128 = match suffix {
        "n" => 1,
        "u" => 1_000,
        "m" => 1_000_000,
        "" => NANO,
        "k" => NANO * 1_000,
        "M" => NANO * 1_000_000,
        "G" => NANO * NANO,
        "T" => NANO * NANO * 1_000,
        "P" => NANO * NANO * 1_000_000,
        "E" => NANO * NANO * NANO,
        "Ki" => NANO << 10,
        "Mi" => NANO << 20,
        "Gi" => NANO << 30,
        "Ti" => NANO << 40,
        "Pi" => NANO << 50,
        "Ei" => NANO << 60,
        _ => return None,
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let is_negative = whole.starts_with('-');
    let whole: i128 = match whole.trim_start_matches(['+', '-']) {
        "" if !fraction.is_empty() => 0,
        digits => digits.parse().ok()?,
    };
    let mut amount = whole.checked_mul(unit)?;
    let mut part = unit;
    for digit in fraction.chars() {
        part /= 10;
        amount = amount.checked_add(part.checked_mul(i128::from(digit.to_digit(10)?))?)?;
    }
    Some(if is_negative { -amount } else { amount })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::{milli, whole};

    #[rstest]
    #[case::cores("2", Some(2_000))]
    #[case::milli("250m", Some(250))]
    #[case::nano_rounded_up("1200345n", Some(2))]
    #[case::micro("15u", Some(1))]
    #[case::fraction("0.5", Some(500))]
    #[case::bare_fraction(".25", Some(250))]
    #[case::zero("0", Some(0))]
    #[case::negative("-1500u", Some(-1))]
    #[case::word("much", None)]
    #[case::empty("", None)]
    #[case::two_points("1.2.3", None)]
    #[case::too_much("99999999999999999999999999999999E", None)]
    fn processors(#[case] text: &str, #[case] expected: Option<i64>) {
        assert_eq!(milli(text), expected);
    }

    #[rstest]
    #[case::kibi("2048Ki", Some(2_097_152))]
    #[case::gibi("1.5Gi", Some(1_610_612_736))]
    #[case::mega("128M", Some(128_000_000))]
    #[case::milli_bytes("128974848000m", Some(128_974_848))]
    #[case::bytes("64", Some(64))]
    fn memory(#[case] text: &str, #[case] expected: Option<i64>) {
        assert_eq!(whole(text), expected);
    }

    proptest! {
        #[test]
        fn any_text_is_an_amount_or_none(text in "[-+.0-9a-zA-Z]{0,24}") {
            milli(&text);
            whole(&text);
        }
    }
}
