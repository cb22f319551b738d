//! AWS publishes patterns for Java's engine; the tables are matched by `regex-lite`.

use anyhow::{Context as _, Result, bail};

/// Patterns that only Java's engine can match, and which the domain therefore checks by itself: the
/// keys and values of IAM's tags, and account aliases.
const CHECKED_BY_THE_DOMAIN: [&str; 3] = [
    r"[\p{L}\p{Z}\p{N}_.:/=+\-@]*",
    r"[\p{L}\p{Z}\p{N}_.:/=+\-@]+",
    r"^[a-z0-9]([a-z0-9]|-(?!-)){1,61}[a-z0-9]$",
];

/// Whether the tables leave `pattern` out.
pub(super) fn is_left_out(pattern: &str) -> bool {
    CHECKED_BY_THE_DOMAIN.contains(&pattern)
}

/// Fails unless `pattern` means the same to `regex-lite` as it does to Java.
pub(super) fn check(pattern: &str) -> Result<()> {
    if let Some(construct) = java_only(pattern) {
        bail!("pattern `{pattern}` uses {construct}, which regex-lite has not or reads otherwise");
    }
    regex_lite::Regex::new(&format!(r"\A(?:{pattern})\z"))
        .with_context(|| format!("pattern `{pattern}` does not compile"))?;
    Ok(())
}

/// The first construct of `pattern` that is Java's alone or differs between the engines.
///
/// Compiling is not enough: `a*+` is possessive in Java and a repeated repetition in regex-lite,
/// and an unescaped dot differs on line ends other than `\n`.
pub(super) fn java_only(pattern: &str) -> Option<&'static str> {
    let characters: Vec<char> = pattern.chars().collect();
    let at = |index: usize| characters.get(index).copied();
    let mut class_depth = 0_usize;
    let mut index = 0;
    let mut after_repetition = false;
    while let Some(character) = at(index) {
        let was_repetition = std::mem::take(&mut after_repetition);
        match character {
            '\\' => {
                match at(index + 1) {
                    Some('p' | 'P') => return Some("a Unicode property"),
                    Some('Q') => return Some("a quotation"),
                    Some('k' | '1'..='9') => return Some("a back reference"),
                    Some('b' | 'B') => return Some("a word boundary"),
                    // `\u0020` is the same character in both.
                    Some('d' | 'D' | 'w' | 'W' | 's' | 'S' | 't' | 'n' | 'r' | 'f' | 'u') => {}
                    Some(letter) if letter.is_ascii_alphanumeric() => {
                        return Some("an escape of Java");
                    }
                    _ => {}
                }
                index += 1;
            }
            '[' if class_depth > 0 => return Some("a nested class"),
            '[' => {
                class_depth = 1;
                index += usize::from(at(index + 1) == Some('^'));
                // A bracket right at the start is an error in Java and a literal in regex-lite.
                if at(index + 1) == Some(']') {
                    return Some("an empty class");
                }
            }
            ']' => class_depth = 0,
            '&' if class_depth > 0 && at(index + 1) == Some('&') => {
                return Some("a class intersection");
            }
            _ if class_depth > 0 => {}
            '.' => return Some("an unescaped dot"),
            '(' if at(index + 1) == Some('?') => {
                match at(index + 2) {
                    Some(':') => {}
                    Some('=' | '!') => return Some("a lookahead"),
                    Some('>') => return Some("an atomic group"),
                    Some('<') => return Some("a lookbehind or a named group"),
                    _ => return Some("inline flags"),
                }
                index += 2;
            }
            '+' if was_repetition => return Some("a possessive repetition"),
            // A lazy repetition matches the same strings as a whole.
            '?' if was_repetition => {}
            '*' | '+' | '?' | '}' => after_repetition = true,
            _ => {}
        }
        index += 1;
    }
    None
}
