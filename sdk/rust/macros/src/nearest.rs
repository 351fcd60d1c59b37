//! Which of some names a misspelt one was probably meant to be.

/// The nearest name, if one is near: at most a third of its letters differ.
pub fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let distances = known.into_iter().map(|other| (distance(name, other), other));
    let (distance, nearest) = distances.min_by_key(|(distance, _)| *distance)?;
    (distance <= nearest.len().div_ceil(3)).then_some(nearest)
}

/// How many letters must be added, dropped or changed to make one name the other.
fn distance(one: &str, other: &str) -> usize {
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (at, letter) in one.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = at + 1;
        for (column, other_letter) in other.bytes().enumerate() {
            let changed = diagonal + usize::from(letter != other_letter);
            diagonal = row[column + 1];
            row[column + 1] = changed.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[other.len()]
}

/// Names in backticks, joined by commas.
pub fn quoted_list<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    names.into_iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_finds_its_name_and_a_stranger_none() {
        let known = ["queue", "hard_timeout", "retry"];
        assert_eq!(nearest("qeue", known), Some("queue"));
        assert_eq!(nearest("timeout", known), None);
        assert_eq!(nearest("hard_timeuot", known), Some("hard_timeout"));
        assert_eq!(nearest("colour", known), None);
    }
}
