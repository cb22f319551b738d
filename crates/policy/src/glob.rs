//! Wildcard matching.
//!
//! Two pointers walk pattern and text; on a mismatch the latest `*` takes one character more.
//! Going back further is never needed: whatever an earlier `*` could gain, the latest one gains
//! too. So the cost is at most the length of the text times that of the longest run between two
//! `*`, however many of these there are; there is no recursion and no allocation.

/// One element of a pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Token {
    /// This character and no other.
    Literal(char),
    /// `?`: exactly one character.
    One,
    /// `*`: any number of characters, also none.
    Any,
}

impl Token {
    /// The token a character of a pattern stands for.
    pub(crate) fn from_pattern(character: char) -> Self {
        match character {
            '*' => Self::Any,
            '?' => Self::One,
            other => Self::Literal(other),
        }
    }

    fn accepts(self, character: char) -> bool {
        match self {
            Self::Literal(expected) => expected == character,
            Self::One | Self::Any => true,
        }
    }
}

/// Whether the pattern matches the whole text.
pub(crate) fn matches(pattern: &[Token], text: &str) -> bool {
    let mut tokens = pattern;
    let mut characters = text.chars();
    let mut retry = None;
    loop {
        #[cfg(test)]
        tests::STEPS.with(|steps| steps.set(steps.get() + 1));
        match tokens.split_first() {
            Some((Token::Any, rest)) => {
                if rest.is_empty() {
                    return true;
                }
                retry = Some((rest, characters.clone()));
                tokens = rest;
                continue;
            }
            Some((token, rest)) => {
                let mut following = characters.clone();
                match following.next() {
                    Some(character) if token.accepts(character) => {
                        tokens = rest;
                        characters = following;
                        continue;
                    }
                    Some(_) => {}
                    // A longer `*` leaves even less text.
                    None => return false,
                }
            }
            None if characters.as_str().is_empty() => return true,
            None => {}
        }
        let Some((after_any, mut resume)) = retry else { return false };
        if resume.next().is_none() {
            return false;
        }
        tokens = after_any;
        characters = resume.clone();
        retry = Some((after_any, resume));
    }
}

/// Whether an ARN pattern of a `Resource` element matches a resource's ARN.
///
/// Wildcards stay within one colon-separated segment, except that a `*` which ends a segment also
/// reaches over the colons that follow (IAM guide, "IAM JSON policy elements: Resource").
/// The same two-pointer walk runs over segments, so each pair of segments is compared at most once.
pub(crate) fn matches_arn(pattern: &[Token], text: &str) -> bool {
    let mut patterns = pattern.split(|token| *token == Token::Literal(':'));
    let mut segments = text.split(':');
    let mut retry = None;
    loop {
        let mut next_patterns = patterns.clone();
        let mut next_segments = segments.clone();
        match (next_patterns.next(), next_segments.next()) {
            (None, None) => return true,
            (Some(pattern), Some(segment)) if matches(pattern, segment) => {
                patterns = next_patterns;
                segments = next_segments;
                if pattern.last() == Some(&Token::Any) {
                    retry = Some((patterns.clone(), segments.clone()));
                }
                continue;
            }
            (Some(_), None) => return false,
            (Some(_) | None, Some(_)) => {}
        }
        let Some((after, mut resume)) = retry else { return false };
        if resume.next().is_none() {
            return false;
        }
        patterns = after.clone();
        segments = resume.clone();
        retry = Some((after, resume));
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use proptest::prelude::*;

    use super::*;

    thread_local! {
        /// How many steps matching took in this thread.
        pub(super) static STEPS: Cell<usize> = const { Cell::new(0) };
    }

    fn tokens(pattern: &str) -> Vec<Token> {
        pattern.chars().map(Token::from_pattern).collect()
    }

    #[test]
    fn wildcards_match_whole_texts() {
        for (pattern, text, expected) in [
            ("", "", true),
            ("", "a", false),
            ("*", "", true),
            ("?", "", false),
            ("?", "ä", true),
            ("??", "ä", false),
            ("a*c", "abc", true),
            ("a*c", "ac", true),
            ("a*c", "abcd", false),
            ("a*b*c", "axbxbxc", true),
            ("*ab", "aab", true),
            ("*a?b", "aaxb", true),
            ("repo/*", "repo", false),
            ("[a-z]", "b", false),
            ("{a,b}", "a", false),
        ] {
            assert_eq!(matches(&tokens(pattern), text), expected, "{pattern} on {text}");
        }
    }

    #[test]
    fn arn_wildcards_respect_segments() {
        for (pattern, text, expected) in [
            ("*", "arn:aws:ecr:us-east-1:1:repository/a", true),
            ("*", "*", true),
            ("arn:aws:ecr:*:1:repository/*", "arn:aws:ecr:us-east-1:1:repository/a/b", true),
            ("arn:aws:ecr:us-*-1:1:r/a", "arn:aws:ecr:us-east-1:1:r/a", true),
            ("arn:aws:ecr:us*1:r/a", "arn:aws:ecr:us-east-1:1:r/a", false),
            ("arn:aws:ecr:*", "arn:aws:ecr:us-east-1:1:r/a", true),
            ("arn:aws:ecr:*:r/a", "arn:aws:ecr:us-east-1:1:r/a", true),
            ("arn:aws:ecr:?:1:r/a", "arn:aws:ecr:::1:r/a", false),
            ("arn:aws:logs:r:1:g*x", "arn:aws:logs:r:1:group:x", false),
            ("arn:aws:logs:r:1:g*:x", "arn:aws:logs:r:1:group:y:x", true),
            ("arn:aws:logs:r:1:g*:x:*z", "arn:aws:logs:r:1:group:x:y:x:yz", true),
        ] {
            assert_eq!(matches_arn(&tokens(pattern), text), expected, "{pattern} on {text}");
        }
    }

    #[test]
    fn thousands_of_wildcards_finish() {
        let pattern = tokens(&"*a".repeat(5_000));
        assert!(!matches(&pattern, &"a".repeat(4_999)));
        assert!(matches(&pattern, &"a".repeat(5_000)));
        let pattern = tokens(&format!("{}b", "a*:".repeat(2_000)));
        assert!(!matches_arn(&pattern, &"a:".repeat(3_000)));
    }

    #[test]
    fn thousands_of_wildcards_cost_linear_time() {
        let check = |pattern: &str, text: &str| {
            let pattern = tokens(pattern);
            let before = STEPS.get();
            matches(&pattern, text);
            let steps = STEPS.get() - before;
            let lengths = pattern.len() + text.len();
            assert!(steps <= 4 * lengths, "{steps} steps for {lengths} characters");
        };
        for count in [100, 1_000, 5_000] {
            let text = "a".repeat(count);
            check(&"*a".repeat(count), &text);
            check(&"*a".repeat(count + 1), &text);
            check(&"*?".repeat(count), &text);
            check(&format!("{}b", "*a".repeat(count / 2)), &text);
            check(&format!("{}b", "?*".repeat(count / 2)), &text);
            check(&"*ab".repeat(count), &text);
            check(&"*ab".repeat(count), &"ab".repeat(count));
            check(&format!("*{}", "b*".repeat(count)), &text);
        }
    }

    /// Textbook definition, exponential in the worst case.
    fn slow(pattern: &[Token], text: &[char]) -> bool {
        match (pattern, text) {
            ([], []) => true,
            ([Token::Any, rest @ ..], _) => {
                (0..=text.len()).any(|taken| slow(rest, &text[taken..]))
            }
            ([Token::One, rest @ ..], [_, left @ ..]) => slow(rest, left),
            ([Token::Literal(expected), rest @ ..], [found, left @ ..]) => {
                expected == found && slow(rest, left)
            }
            _ => false,
        }
    }

    /// The rule of the guide taken literally: only a `*` before a colon or the end takes colons.
    fn slow_arn(pattern: &[Token], text: &[char]) -> bool {
        match (pattern, text) {
            ([], []) => true,
            ([Token::Any, rest @ ..], _) => {
                let across = matches!(rest, [] | [Token::Literal(':'), ..]);
                let longest = if across {
                    text.len()
                } else {
                    text.iter().position(|c| *c == ':').unwrap_or(text.len())
                };
                (0..=longest).any(|taken| slow_arn(rest, &text[taken..]))
            }
            ([Token::One, rest @ ..], [found, left @ ..]) => *found != ':' && slow_arn(rest, left),
            ([Token::Literal(expected), rest @ ..], [found, left @ ..]) => {
                expected == found && slow_arn(rest, left)
            }
            _ => false,
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4_000))]

        #[test]
        fn agrees_with_the_definition(pattern in "[ab?*]{0,8}", text in "[abc]{0,8}") {
            let characters: Vec<char> = text.chars().collect();
            prop_assert_eq!(matches(&tokens(&pattern), &text), slow(&tokens(&pattern), &characters));
        }

        #[test]
        fn agrees_with_the_definition_on_arns(pattern in "[a:*?]{0,8}", text in "[ab:]{0,8}") {
            let characters: Vec<char> = text.chars().collect();
            prop_assert_eq!(
                matches_arn(&tokens(&pattern), &text),
                slow_arn(&tokens(&pattern), &characters)
            );
        }

        #[test]
        fn literal_text_matches_itself_only(pattern in "\\PC{0,12}", text in "\\PC{0,12}") {
            let literal: Vec<Token> = pattern.chars().map(Token::Literal).collect();
            prop_assert!(matches(&literal, &pattern));
            prop_assert_eq!(matches(&literal, &text), pattern == text);
        }
    }
}
