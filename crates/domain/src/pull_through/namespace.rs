//! Parts of a registry, as rules name them.

use std::fmt;

/// The names below a prefix of whole path components, or all names of a registry.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Namespace {
    /// Every repository: `ROOT`.
    Root,
    /// The repositories whose name goes on with `/` after this, which does not end in `/` itself.
    Below(String),
}

/// How a rule writes [`Namespace::Root`].
pub const ROOT: &str = "ROOT";

impl Namespace {
    /// A namespace as the shape `PullThroughCacheRuleRepositoryPrefix` allows it. One `/` at the
    /// end means nothing: it is always implied.
    pub fn new(text: &str) -> Self {
        match text {
            ROOT => Self::Root,
            _ => Self::Below(text.strip_suffix('/').unwrap_or(text).to_owned()),
        }
    }

    /// As rules write it, without the implied `/`.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Root => ROOT,
            Self::Below(prefix) => prefix,
        }
    }

    /// What a name has after this namespace, if it is in it. The prefix itself is no name in it.
    pub fn strip<'n>(&self, name: &'n str) -> Option<&'n str> {
        match self {
            Self::Root => Some(name),
            Self::Below(prefix) => name
                .strip_prefix(prefix.as_str())?
                .strip_prefix('/')
                .filter(|rest| !rest.is_empty()),
        }
    }

    /// The name in this namespace that [`Namespace::strip`] makes `rest` of.
    pub fn join(&self, rest: &str) -> String {
        match self {
            Self::Root => rest.to_owned(),
            Self::Below(prefix) => format!("{prefix}/{rest}"),
        }
    }

    /// Every namespace that a name is in, the narrowest first.
    pub fn around(name: &str) -> impl Iterator<Item = &str> {
        name.rmatch_indices('/').filter_map(|(at, _)| name.get(..at)).chain([ROOT])
    }

    /// How narrow it is: of two that a name is in, the greater is inside the other.
    pub fn depth(&self) -> usize {
        match self {
            Self::Root => 0,
            Self::Below(prefix) => prefix.len(),
        }
    }
}

impl fmt::Display for Namespace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_below_a_prefix() {
        let rows: &[(&str, &str, Option<&str>)] = &[
            ("ecr-public", "ecr-public/my-app/image1", Some("my-app/image1")),
            ("ecr-public/", "ecr-public/my-app", Some("my-app")),
            ("ecr-public", "ecr-public", None),
            ("ecr-public", "ecr-publicity/my-app", None),
            ("ecr", "ecr-public/my-app", None),
            ("a/b", "a/b/c", Some("c")),
            ("a/b", "a/c/b", None),
            ("ROOT", "my-app/image1", Some("my-app/image1")),
            ("ROOT", "my-app", Some("my-app")),
        ];
        for (prefix, name, expected) in rows {
            assert_eq!(Namespace::new(prefix).strip(name), *expected, "{prefix} {name}");
        }
    }

    #[test]
    fn namespaces_around_a_name() {
        for (name, expected) in
            [("app", vec!["ROOT"]), ("a/b/c", vec!["a/b", "a", "ROOT"]), ("a/b", vec!["a", "ROOT"])]
        {
            assert_eq!(Namespace::around(name).collect::<Vec<_>>(), expected, "{name}");
        }
    }
}
