//! What a token must allow.

/// Bytes of a scope in a form of its own.
const FOREIGN_BYTES_MAX: usize = 256;

/// What is to be done in a repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Rights {
    /// Read it.
    Pull,
    /// Write to it.
    Push,
    /// Remove from it.
    Delete,
}

/// What a token must allow.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Scope {
    repository: Option<(String, Rights)>,
    /// A second repository, which is read.
    from: Option<String>,
}

impl Scope {
    /// Logging in, and nothing else.
    pub(super) fn login() -> Self {
        Self::default()
    }

    pub(super) fn of(repository: &str, rights: Rights) -> Self {
        Self { repository: Some((repository.to_owned(), rights)), from: None }
    }

    pub(super) fn with_source(mut self, repository: &str) -> Self {
        self.from = Some(repository.to_owned());
        self
    }

    /// The scopes to ask a token service for, when the registry says that it wants `wanted`.
    ///
    /// The registry is not asked what rights to get: a lie would make the token one for other
    /// repositories or for writing. It may say under which longer path its token service knows the
    /// repository, as registries behind others do, and may have a form of scopes of its own.
    pub(super) fn texts(&self, wanted: Option<&str>) -> Vec<String> {
        let Some((repository, rights)) = &self.repository else { return Vec::new() };
        let wanted = wanted.unwrap_or_default();
        let is_foreign = !wanted.is_empty()
            && wanted.len() <= FOREIGN_BYTES_MAX
            && wanted.bytes().all(|byte| byte.is_ascii_graphic())
            && !wanted.contains(':');
        if is_foreign {
            return vec![wanted.to_owned()];
        }
        let known = known_name(wanted, repository).unwrap_or(repository);
        let prefix = known.strip_suffix(repository.as_str()).unwrap_or_default();
        let actions = match rights {
            Rights::Pull => "pull",
            Rights::Push => "pull,push",
            Rights::Delete => "pull,delete",
        };
        let mut texts = vec![format!("repository:{known}:{actions}")];
        texts.extend(self.from.as_ref().map(|from| format!("repository:{prefix}{from}:pull")));
        texts
    }
}

/// The name that `wanted` has for the repository, if it ends in it.
fn known_name<'a>(wanted: &'a str, repository: &str) -> Option<&'a str> {
    wanted.split(' ').find_map(|scope| {
        let (name, _) = scope.strip_prefix("repository:")?.rsplit_once(':')?;
        let before = name.strip_suffix(repository)?;
        let is_name = super::place::repository(name).is_ok();
        (is_name && (before.is_empty() || before.ends_with('/'))).then_some(name)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_registry_cannot_widen_what_a_token_allows() {
        let check = |scope: &Scope, wanted: &str, expected: &[&str]| {
            assert_eq!(scope.texts(Some(wanted)), expected, "{wanted}");
        };
        let pull = Scope::of("a/b", Rights::Pull);
        let plain = ["repository:a/b:pull"];
        assert_eq!(pull.texts(None), plain);
        check(&pull, "", &plain);
        check(&pull, "repository:a/b:pull", &plain);
        check(&pull, "repository:a/b:pull,push,delete", &plain);
        check(&pull, "repository:a/b:*", &plain);
        check(&pull, "repository:c/d:pull", &plain);
        check(&pull, "repository:a/b:pull repository:c:push", &plain);
        check(&pull, "repository:ca/b:pull", &plain);
        check(&pull, "repository:../a/b:pull", &plain);
        check(&pull, "registry:catalog:*", &plain);
        check(&pull, "b c", &plain);
        check(&pull, &"a".repeat(FOREIGN_BYTES_MAX + 1), &plain);
        // What registries are seen to want.
        check(&pull, "aws", &["aws"]);
        check(&pull, "repository:proxy/a/b:pull", &["repository:proxy/a/b:pull"]);
        check(&Scope::of("a", Rights::Push), "", &["repository:a:pull,push"]);
        check(&Scope::of("a", Rights::Delete), "", &["repository:a:pull,delete"]);
        check(&Scope::login(), "repository:user/image:pull", &[]);
        check(&Scope::login(), "aws", &[]);
        let mount = Scope::of("a", Rights::Push).with_source("b");
        check(&mount, "", &["repository:a:pull,push", "repository:b:pull"]);
        check(
            &mount,
            "repository:x/a:pull,push",
            &["repository:x/a:pull,push", "repository:x/b:pull"],
        );
    }
}
