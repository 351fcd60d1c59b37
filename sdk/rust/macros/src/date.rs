//! Points in time as RFC 3339 text, read as milliseconds since 1970.

/// Reads `2026-01-31T04:00:00Z`, with optional milliseconds, or with an offset such as `+01:00`.
pub fn parse_ms(text: &str) -> Option<u64> {
    let (date, time) = text.split_once('T')?;
    let [year, month, day] = numbers(date, '-', [4, 2, 2])?;
    let (time, offset_minutes) = split_offset(time)?;
    let (clock, millis) = match time.split_once('.') {
        Some((clock, fraction)) => (clock, numbers(fraction, '.', [3])?[0]),
        None => (time, 0),
    };
    let [hour, minute, second] = numbers(clock, ':', [2, 2, 2])?;
    if !(1..=12).contains(&month) || !(1..=days_in(year, month)).contains(&day) {
        return None;
    }
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let minutes = (days_since_1970(year, month, day) * 24 + hour) * 60 + minute - offset_minutes;
    u64::try_from((minutes * 60 + second) * 1000 + millis).ok()
}

fn split_offset(time: &str) -> Option<(&str, i64)> {
    if let Some(time) = time.strip_suffix('Z') {
        return Some((time, 0));
    }
    let at = time.rfind(['+', '-'])?;
    let [hours, minutes] = numbers(&time[at + 1..], ':', [2, 2])?;
    let sign = if time[at..].starts_with('-') { -1 } else { 1 };
    (hours < 24 && minutes < 60).then_some((&time[..at], sign * (hours * 60 + minutes)))
}

/// Splits a text into numbers of exactly these widths.
fn numbers<const N: usize>(text: &str, separator: char, widths: [usize; N]) -> Option<[i64; N]> {
    let mut parts = text.split(separator);
    let mut numbers = [0; N];
    for (number, width) in numbers.iter_mut().zip(widths) {
        let part = parts.next()?;
        let digits = part.len() == width && part.bytes().all(|byte| byte.is_ascii_digit());
        *number = if digits { part.parse().ok()? } else { return None };
    }
    parts.next().is_none().then_some(numbers)
}

fn days_in(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Howard Hinnant's `days_from_civil`: years begin in March, so that a leap day is a year's last.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_milliseconds_since_1970() {
        assert_eq!(parse_ms("1970-01-01T00:00:00Z"), Some(0));
        assert_eq!(parse_ms("2000-01-01T00:00:00Z"), Some(946_684_800_000));
        assert_eq!(parse_ms("2024-02-29T23:59:59.250Z"), Some(1_709_251_199_250));
        assert_eq!(parse_ms("2000-01-01T01:30:00+01:30"), Some(946_684_800_000));
        assert_eq!(parse_ms("1999-12-31T19:00:00-05:00"), Some(946_684_800_000));
    }

    #[test]
    fn anything_else_is_none() {
        let wrong = ["", "2000-01-01", "2000-01-01T00:00:00", "2000-13-01T00:00:00Z", "2023-02-29T00:00:00Z"];
        for text in
            wrong.into_iter().chain(["2000-01-01T24:00:00Z", "2000-1-1T00:00:00Z", "1960-01-01T00:00:00Z"])
        {
            assert_eq!(parse_ms(text), None, "{text:?}");
        }
    }
}
