//! Medians and ratios of runs in turns.

/// The median; with an even number of values the mean of the two in the middle. NaN of none.
pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => f64::NAN,
        length if length % 2 == 1 => sorted[middle],
        _ => f64::midpoint(sorted[middle - 1], sorted[middle]),
    }
}

/// The median of `value / base`, round by round: what slows a whole round down cancels out. `None` if a round of either
/// is missing.
pub fn ratio(values: &[f64], bases: &[f64]) -> Option<f64> {
    if values.is_empty() || values.len() != bases.len() {
        return None;
    }
    let pairs = values.iter().zip(bases);
    Some(median(
        &pairs.map(|(value, base)| value / base).collect::<Vec<_>>(),
    ))
}

/// A number with three digits that mean something: `0.0123`, `1.23`, `12.3`, `123`, `1230`.
pub fn digits(value: f64) -> String {
    if !value.is_finite() {
        return "–".to_owned();
    }
    if value == 0.0 {
        return "0".to_owned();
    }
    let magnitude = value.abs().log10().floor() as i32;
    let step = 10f64.powi(magnitude - 2);
    let rounded = (value / step).round() * step;
    // 9.996 has become 10.0.
    let magnitude = rounded.abs().log10().floor() as i32;
    let decimals = usize::try_from(2 - magnitude).unwrap_or(0);
    format!("{rounded:.decimals$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&[4.0, 1.0, 3.0, 2.0]), 2.5);
        assert_eq!(median(&[7.0]), 7.0);
        assert!(median(&[]).is_nan());
    }

    #[test]
    fn ratios_are_taken_round_by_round() {
        // The second round was ten times as slow for both.
        let ratio = ratio(&[2.0, 20.0, 3.0], &[1.0, 10.0, 1.0]);
        assert_eq!(ratio, Some(2.0));
        assert_eq!(super::ratio(&[1.0], &[]), None);
        assert_eq!(super::ratio(&[], &[]), None);
    }

    #[test]
    fn three_digits() {
        for (value, text) in [
            (0.012_345, "0.0123"),
            (0.999_6, "1.00"),
            (1.234, "1.23"),
            (9.996, "10.0"),
            (12.34, "12.3"),
            (123.4, "123"),
            (1234.5, "1230"),
            (0.0, "0"),
            (f64::NAN, "–"),
        ] {
            assert_eq!(digits(value), text);
        }
    }
}
