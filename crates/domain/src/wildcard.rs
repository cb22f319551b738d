//! The wildcard that ECR's filters share.

/// Whether the whole of `text` matches `pattern`, in which `*` stands for any run of bytes.
/// Linear in the text for each of the few wildcards.
pub(crate) fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut at_pattern, mut at_text) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    loop {
        match (pattern.get(at_pattern), text.get(at_text)) {
            (Some(b'*'), _) => {
                retry = Some((at_pattern + 1, at_text));
                at_pattern += 1;
            }
            (Some(wanted), Some(found)) if wanted == found => {
                at_pattern += 1;
                at_text += 1;
            }
            (None, None) => return true,
            _ => {
                let Some((after_star, tried)) = retry else { return false };
                if tried >= text.len() {
                    return false;
                }
                retry = Some((after_star, tried + 1));
                at_pattern = after_star;
                at_text = tried + 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_is_any_run_and_everything_else_itself() {
        for (pattern, text, expected) in [
            ("", "", true),
            ("", "a", false),
            ("*", "", true),
            ("a*", "a", true),
            ("a*", "ba", false),
            ("*/production", "a/b/production", true),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "a-c-b", false),
            ("**", "anything", true),
            ("a.c", "abc", false),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
    }
}
