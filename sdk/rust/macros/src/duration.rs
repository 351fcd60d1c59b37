//! Lengths of time as text: `500ms`, `30s`, `5m`, `1h30m`, `2d`.

/// The units from the longest to the shortest, in milliseconds.
const UNITS: [(&str, u64); 5] = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)];

/// Reads a duration as milliseconds. Larger units come first, and each comes once.
pub fn parse_ms(text: &str) -> Option<u64> {
    let mut total: u64 = 0;
    let mut units = UNITS.iter();
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let number: u64 = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let letters = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_alphabetic()).len();
        let (_, unit_ms) = units.find(|(unit, _)| *unit == &rest[..letters])?;
        rest = &rest[letters..];
        total = total.checked_add(number.checked_mul(*unit_ms)?)?;
    }
    (!text.is_empty()).then_some(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_go_down_to_milliseconds() {
        assert_eq!(parse_ms("500ms"), Some(500));
        assert_eq!(parse_ms("30s"), Some(30_000));
        assert_eq!(parse_ms("5m"), Some(300_000));
        assert_eq!(parse_ms("1h30m"), Some(5_400_000));
        assert_eq!(parse_ms("2d"), Some(172_800_000));
        assert_eq!(parse_ms("1m1ms"), Some(60_001));
    }

    #[test]
    fn anything_else_is_none() {
        for text in ["", "30", "s", "1.5s", "30 s", "30s ", "-1s", "1m1h", "1s1s", "1w", "99999999999999d"] {
            assert_eq!(parse_ms(text), None, "{text:?}");
        }
    }
}
