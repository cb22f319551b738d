//! Names: what is read keeps its text, and has no byte that its grammar does not have.

use tonnage_domain::names::{Digest, Reference, RepositoryName, Tag};
use tonnage_domain::uploads::UploadId;

fn is_of(text: &str, others: &[u8]) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric() || others.contains(&byte))
}

/// Reads `data` as everything that stands in a path.
pub fn target(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(name) = RepositoryName::parse(text) {
        assert_eq!(name.as_str(), text);
        assert!(text.len() <= 256 && is_of(text, b"._-/"), "{text}");
        assert!(text.split('/').all(|part| !matches!(part, "" | "." | "..")), "{text}");
    }
    let tag = Tag::parse(text);
    if let Ok(tag) = &tag {
        assert_eq!(tag.as_str(), text);
        assert!(text.len() <= 128 && is_of(text, b"._-"), "{text}");
    }
    let digest = Digest::parse(text);
    if let Ok(digest) = &digest {
        assert_eq!(format!("{}:{}", digest.algorithm().as_str(), digest.hex()), text);
        assert_eq!(digest.hex().len(), digest.algorithm().hex_length());
    }
    let reference = Reference::parse(text);
    assert_eq!(reference.is_ok(), tag.is_ok() || digest.is_ok(), "{text}");
    if let Ok(reference) = reference {
        assert_eq!(
            (reference.tag(), reference.digest()),
            (tag.as_ref().ok(), digest.as_ref().ok())
        );
    }
    if let Some(id) = UploadId::parse(text) {
        assert_eq!(id.as_str(), text);
        assert_eq!(text.len(), 36);
    }
}
