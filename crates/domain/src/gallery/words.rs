//! The words of a text, as search compares them.

use std::collections::BTreeMap;

/// Characters of a word that are compared.
const CHARACTERS_MAX: usize = 40;
/// Words of one repository.
const WORDS_MAX: usize = 400;

/// What no word of a text contains, so that a filter is never taken for one.
pub(super) fn of_operating_system(name: &str) -> String {
    format!("os:{}", name.to_lowercase())
}

/// As [`of_operating_system`].
pub(super) fn of_architecture(name: &str) -> String {
    format!("arch:{}", name.to_lowercase())
}

/// As [`of_operating_system`].
pub(super) const VERIFIED: &str = "is:verified";

/// The words of a text in lower case, in its order, repetitions kept.
pub(super) fn split(text: &str) -> impl Iterator<Item = String> {
    text.split(|character: char| !character.is_alphanumeric()).filter(|word| !word.is_empty()).map(
        |word| word.chars().flat_map(char::to_lowercase).take(CHARACTERS_MAX).collect::<String>(),
    )
}

/// The words of a repository, each with the largest weight that it has anywhere.
#[derive(Debug, Default)]
pub(super) struct Words(BTreeMap<String, i64>);

impl Words {
    /// Adds the words of a text; past a bound they are left out.
    pub(super) fn add(&mut self, text: &str, weight: i64) {
        for word in split(text) {
            self.add_word(word, weight);
        }
    }

    /// Adds a name by its words, and written without what separates them.
    pub(super) fn add_name(&mut self, name: &str, weight: i64) {
        self.add(name, weight);
        for part in name.split('/') {
            let joined: String =
                part.chars().filter(|character| character.is_alphanumeric()).collect();
            self.add(&joined, weight);
        }
    }

    /// Adds one word as it is.
    pub(super) fn add_word(&mut self, word: String, weight: i64) {
        if let Some(known) = self.0.get_mut(&word) {
            *known = weight.max(*known);
        } else if self.0.len() < WORDS_MAX {
            self.0.insert(word, weight);
        }
    }

    pub(super) fn into_map(self) -> BTreeMap<String, i64> {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts() {
        let check = |text: &str, expected: &[&str]| {
            assert_eq!(split(text).collect::<Vec<_>>(), expected, "{text}");
        };
        check("", &[]);
        check(" - / . ", &[]);
        check("A web-server, for HTTP/2!", &["a", "web", "server", "for", "http", "2"]);
        check("Ærø ÇAĞ Über", &["ærø", "çağ", "über"]);
        check("os:linux", &["os", "linux"]);
        check(&"x".repeat(100), &[&"x".repeat(40)]);
    }

    #[test]
    fn names_and_bounds() {
        let mut words = Words::default();
        words.add_name("team/my-app", 8);
        words.add("my own app", 3);
        let found = words.into_map();
        let expected = [("app", 8), ("my", 8), ("myapp", 8), ("own", 3), ("team", 8)];
        assert!(found.iter().map(|(word, weight)| (word.as_str(), *weight)).eq(expected));
        let mut words = Words::default();
        for number in 0..2 * WORDS_MAX {
            words.add(&format!("w{number}"), 1);
        }
        assert_eq!(words.into_map().len(), WORDS_MAX);
    }
}
