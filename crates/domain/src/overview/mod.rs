//! What people look at in the console beyond what AWS tells: repositories found by a part of their
//! name, images with their platforms, what is in an image, and the sums of a registry.
//!
//! Each takes the permission of the AWS operation that tells the same one by one, so that nobody
//! needs a policy for the console.

pub mod describe_activity;
pub mod describe_image_content;
pub mod describe_storage;
pub(crate) mod kept;
pub mod search_images;
pub mod search_repositories;
pub mod summarize_registry;

use crate::error::{Error, Result};
use crate::pages::PageRequest;

/// How far a search goes; who looks for more narrows it.
const OFFSET_MAX: i64 = 100_000;
/// Characters of a search that are looked at.
const TEXT_MAX: usize = 256;

/// Where a page begins: pages of searches are counted, as their order is not that of a key.
fn offset_of(page: &PageRequest) -> Result<i64> {
    let Some(after) = page.after.as_deref() else { return Ok(0) };
    let offset = after.parse().ok().filter(|offset| (0..=OFFSET_MAX).contains(offset));
    offset.ok_or_else(|| Error::invalid_parameter("after", "Invalid token"))
}

/// The pattern of texts that have this one in them, for `LIKE … ESCAPE '!'`.
fn containing(text: &str) -> String {
    let mut pattern = "%".to_owned();
    for character in text.trim().chars().take(TEXT_MAX) {
        if matches!(character, '%' | '_' | '!') {
            pattern.push('!');
        }
        // No name has it, and no database takes it.
        if character != '\0' {
            pattern.extend(character.to_lowercase());
        }
    }
    pattern.push('%');
    pattern
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        for (text, expected) in
            [("", "%%"), (" Web ", "%web%"), ("a_b%c!", "%a!_b!%c!!%"), ("a\0b", "%ab%")]
        {
            assert_eq!(containing(text), expected);
        }
    }

    #[test]
    fn pages_begin_where_they_may() {
        let at = |after: Option<&str>| {
            offset_of(&PageRequest { after: after.map(str::to_owned), limit: 1 }).ok()
        };
        assert_eq!(at(None), Some(0));
        assert_eq!(at(Some("50")), Some(50));
        for wrong in ["-1", "x", "", "100001"] {
            assert_eq!(at(Some(wrong)), None, "{wrong}");
        }
    }
}
