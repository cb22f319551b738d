//! Scanning filters, which are neither the prefixes of replication nor the patterns of tags:
//! without `*` a filter matches anywhere in the name, with `*` it matches the whole of it.
//!
//! Source: Amazon ECR user guide, "Filters to choose which repositories are scanned", with its
//! table of examples.

use crate::wildcard;

/// Whether `filter` matches the repository `name`.
pub(super) fn matches(filter: &str, name: &str) -> bool {
    if filter.contains('*') { wildcard::matches(filter, name) } else { name.contains(filter) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_the_user_guide() {
        let names = ["prod", "repo-prod", "prod-repo", "repo-prod-repo", "prodrepo"];
        for (filter, expected) in [
            ("prod", [true, true, true, true, true]),
            ("*prod", [true, true, false, false, false]),
            ("prod*", [true, false, true, false, true]),
            ("*prod*", [true, true, true, true, true]),
            ("prod*repo", [false, false, true, false, true]),
        ] {
            let found = names.map(|name| matches(filter, name));
            assert_eq!(found, expected, "{filter}");
        }
    }
}
