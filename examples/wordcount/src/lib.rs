//! Counts the words of many texts in one run, and answers each text on its own.

use std::collections::HashMap;

use margay_sdk::{Call, Failure, Result, task};
use serde::Serialize;

/// How many of a text's words are listed.
const MOST_COMMON: usize = 5;

/// What is in one text.
#[derive(Serialize, Debug, PartialEq)]
pub struct Counts {
    words: usize,
    lines: usize,
    chars: usize,
    /// The commonest words in lower case with their numbers, the commonest first.
    most_common: Vec<(String, usize)>,
}

/// Counts the words, lines and characters of each text, and lists its commonest words.
///
/// An empty text fails on its own, with the kind `empty-text`, and the others are counted all the same.
#[task(batch, queue = "words", hard_timeout = "30s")]
pub fn count(texts: Vec<Call<String>>) -> Vec<Result<Counts>> {
    texts.iter().map(|call| count_one(&call.args)).collect()
}

margay_sdk::export!(count);

fn count_one(text: &str) -> Result<Counts> {
    if text.trim().is_empty() {
        return Err(Failure::new("empty-text", "there are no words in this text").permanent());
    }
    let mut numbers: HashMap<String, usize> = HashMap::new();
    let mut words = 0;
    for word in text.split(|c: char| !c.is_alphanumeric() && c != '\'').filter(|word| !word.is_empty()) {
        words += 1;
        *numbers.entry(word.to_lowercase()).or_default() += 1;
    }
    Ok(Counts {
        words,
        lines: text.lines().count(),
        chars: text.chars().count(),
        most_common: commonest(numbers),
    })
}

/// Words that are equally common are listed in the order of the alphabet, so that a text always has the
/// same answer.
fn commonest(numbers: HashMap<String, usize>) -> Vec<(String, usize)> {
    let mut list: Vec<_> = numbers.into_iter().collect();
    list.sort_by(|(one, n), (other, m)| m.cmp(n).then_with(|| one.cmp(other)));
    list.truncate(MOST_COMMON);
    list
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(texts: &[&str]) -> Vec<Result<Counts>> {
        count(texts.iter().map(|text| Call::new((*text).to_owned())).collect())
    }

    #[test]
    fn words_lines_and_characters_are_counted() {
        let answers = counts(&["The cat,\nthe cat's hat: Das Öl."]);
        let expected = Counts {
            words: 7,
            lines: 2,
            chars: 31,
            most_common: [("the", 2), ("cat", 1), ("cat's", 1), ("das", 1), ("hat", 1)]
                .map(|(word, number)| (word.to_owned(), number))
                .to_vec(),
        };
        assert_eq!(answers[0].as_ref().expect("it has words"), &expected);
    }

    #[test]
    fn an_empty_text_fails_alone() {
        let answers = counts(&["one", "  \n", "two words"]);
        assert_eq!(answers[0].as_ref().expect("it has words").words, 1);
        let failure = answers[1].as_ref().expect_err("it has none");
        assert_eq!(failure.kind(), "empty-text");
        assert!(failure.is_permanent());
        assert_eq!(answers[2].as_ref().expect("it has words").words, 2);
    }
}
