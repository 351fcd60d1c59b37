//! Sizes as people read them.

/// A number of bytes: `812 B`, `41 kB`, `3.2 MB`.
pub fn of_bytes(bytes: u64) -> String {
    match bytes {
        0..1_000 => format!("{bytes} B"),
        1_000..1_000_000 => format!("{:.0} kB", bytes as f64 / 1e3),
        _ => format!("{:.1} MB", bytes as f64 / 1e6),
    }
}

#[cfg(test)]
mod tests {
    use super::of_bytes;

    #[test]
    fn a_size_has_two_or_three_digits_and_a_unit() {
        assert_eq!(of_bytes(812), "812 B");
        assert_eq!(of_bytes(41_234), "41 kB");
        assert_eq!(of_bytes(3_249_000), "3.2 MB");
    }
}
