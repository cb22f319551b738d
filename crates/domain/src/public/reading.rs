//! What everybody may do with public repositories.
//!
//! ECR Public has no actions for pulls: no policy can allow or deny one (Amazon ECR Public user
//! guide, "Public repository policies"). Here they have actions as they have in private registries,
//! and this policy decides about them, for those with credentials as for those without.

use std::sync::LazyLock;

use tonnage_policy::{Policy, PolicyKind};

use crate::execute::Resource;

/// The name that decisions call it by.
pub(crate) const POLICY: &str = "public repositories";

/// The policy of every public repository.
pub(crate) static REPOSITORY: LazyLock<Policy> = LazyLock::new(|| {
    constant(
        r#"{"Version":"2012-10-17","Statement":{"Sid":"PublicRead","Effect":"Allow","Principal":"*",
            "Action":["ecr-public:BatchGetImage","ecr-public:GetDownloadUrlForLayer",
            "ecr-public:ListImages","ecr-public:GetRepositoryLogo","ecr-public:BrowseGallery"]}}"#,
        PolicyKind::Resource,
    )
});

/// The same on the side of whoever asks: without it, another account's principals would need a
/// policy of their own.
pub(crate) static EVERYBODY: LazyLock<Policy> = LazyLock::new(|| {
    constant(
        r#"{"Version":"2012-10-17","Statement":{"Sid":"PublicRead","Effect":"Allow","Resource":"*",
            "Action":["ecr-public:BatchGetImage","ecr-public:GetDownloadUrlForLayer",
            "ecr-public:ListImages","ecr-public:GetRepositoryLogo","ecr-public:BrowseGallery"]}}"#,
        PolicyKind::Identity,
    )
});

/// Whether everybody may do it there.
pub(crate) fn is_open(action: &str, resource: &Resource) -> bool {
    let region = match resource {
        Resource::Repository { region, .. } | Resource::Repositories { region, .. } => region,
        _ => return false,
    };
    region.is_global() && is_read(action)
}

/// Whether an action is one of those that everybody may do.
pub(crate) fn is_read(action: &str) -> bool {
    const NAMES: [&str; 5] = [
        "ecr-public:BatchGetImage",
        "ecr-public:GetDownloadUrlForLayer",
        "ecr-public:ListImages",
        "ecr-public:GetRepositoryLogo",
        crate::gallery::BROWSE,
    ];
    NAMES.iter().any(|known| known.eq_ignore_ascii_case(action))
}

#[expect(clippy::expect_used, reason = "constants, read by a test")]
fn constant(text: &str, kind: PolicyKind) -> Policy {
    Policy::parse(text, kind).expect("a constant policy is a policy")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_sides_allow_exactly_what_is_read() {
        for policy in [&*REPOSITORY, &*EVERYBODY] {
            let [statement] = policy.statements() else { panic!("{policy:?}") };
            for action in statement.actions() {
                assert!(is_read(action), "{action}");
            }
            assert_eq!(statement.actions().count(), 5);
        }
        for other in ["ecr-public:PutImage", "ecr:BatchGetImage", "ecr-public:*"] {
            assert!(!is_read(other), "{other}");
        }
    }
}
