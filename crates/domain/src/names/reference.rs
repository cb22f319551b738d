//! What names a manifest within a repository.

use std::fmt;
use std::str::FromStr;

use super::digest::Digest;
use super::error::NameError;
use super::tag::Tag;

/// A manifest's name within its repository: a tag or a digest.
///
/// A tag cannot contain a colon and a digest must, so every text is at most one of them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reference {
    /// By tag.
    Tag(Tag),
    /// By digest.
    Digest(Digest),
}

impl Reference {
    /// Reads a digest when `text` contains a colon, else a tag.
    ///
    /// # Errors
    /// Those of [`Digest::parse`] and [`Tag::parse`].
    pub fn parse(text: &str) -> Result<Self, NameError> {
        if text.contains(':') {
            Digest::parse(text).map(Self::Digest)
        } else {
            Tag::parse(text).map(Self::Tag)
        }
    }

    /// The tag or digest as it was given.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Tag(tag) => tag.as_str(),
            Self::Digest(digest) => digest.as_str(),
        }
    }

    /// The tag, if it is one.
    pub fn tag(&self) -> Option<&Tag> {
        match self {
            Self::Tag(tag) => Some(tag),
            Self::Digest(_) => None,
        }
    }

    /// The digest, if it is one.
    pub fn digest(&self) -> Option<&Digest> {
        match self {
            Self::Tag(_) => None,
            Self::Digest(digest) => Some(digest),
        }
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl FromStr for Reference {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        Self::parse(text)
    }
}

#[cfg(test)]
mod tests {
    use super::super::error::NameKind;
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_colon_decides() {
        let hex = "0".repeat(64);
        let check = |text: &str, expected: Result<&str, NameKind>| {
            let read = match Reference::parse(text) {
                Ok(Reference::Tag(_)) => Ok("tag"),
                Ok(Reference::Digest(_)) => Ok("digest"),
                Err(error) => Err(error.kind()),
            };
            assert_eq!(read, expected, "{text:?}");
        };
        check("latest", Ok("tag"));
        check(&format!("sha256-{hex}"), Ok("tag"));
        check(&hex, Ok("tag"));
        check(&format!("sha256:{hex}"), Ok("digest"));
        check("sha256:abc", Err(NameKind::Digest));
        check("a:b", Err(NameKind::Digest));
        check("", Err(NameKind::Tag));
        check("a/b", Err(NameKind::Tag));
    }

    proptest! {
        #[test]
        fn what_parses_prints_back(text in "(sha256:[0-9a-f]{64}|[a-zA-Z0-9_][a-zA-Z0-9._-]{0,20})") {
            let reference = Reference::parse(&text).unwrap();
            prop_assert_eq!(reference.to_string(), text);
            prop_assert_ne!(reference.tag().is_some(), reference.digest().is_some());
        }
    }
}
