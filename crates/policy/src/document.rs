//! A checked policy document.

use crate::arn::ResourcePattern;
use crate::condition::Condition;
use crate::error::ParseError;
use crate::glob::Token;
use crate::principal::PrincipalPattern;

/// Where a policy is attached; it decides which elements the document must and must not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PolicyKind {
    /// Attached to a user, group or role, or used as boundary, session policy or account limit:
    /// needs `Resource`, has no `Principal`.
    Identity,
    /// Attached to a resource: needs `Principal`; `Resource` may be missing and then means the
    /// resource the policy is attached to.
    Resource,
    /// Says who may assume a role: needs `Principal`, has no `Resource` and no `NotPrincipal`.
    Trust,
}

/// The version of the language a document is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// `2008-10-17`, also when `Version` is missing: `${…}` is plain text.
    V2008,
    /// `2012-10-17`: policy variables work.
    V2012,
}

/// What a statement does when it matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// The statement allows.
    Allow,
    /// The statement denies, whatever allows.
    Deny,
}

/// Bounds of a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The most bytes the text may have.
    pub max_bytes: usize,
}

impl Default for Limits {
    /// 128 KiB, above every quota AWS publishes for a policy; callers give the quota that applies.
    fn default() -> Self {
        Self { max_bytes: 128 * 1024 }
    }
}

/// A policy that was read and checked. Cheap to evaluate; holds no reference to its source text.
#[derive(Debug, Clone, PartialEq)]
pub struct Policy {
    pub(crate) kind: PolicyKind,
    pub(crate) version: Version,
    pub(crate) id: Option<String>,
    pub(crate) statements: Vec<Statement>,
}

/// One statement of a policy.
#[derive(Debug, Clone, PartialEq)]
pub struct Statement {
    pub(crate) sid: Option<String>,
    pub(crate) effect: Effect,
    pub(crate) principals: Option<Selection<PrincipalPattern>>,
    pub(crate) actions: Selection<ActionPattern>,
    pub(crate) resources: Option<Selection<ResourcePattern>>,
    pub(crate) conditions: Vec<Condition>,
}

/// An element or its `Not…` form.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Selection<T> {
    pub(crate) negated: bool,
    pub(crate) entries: Vec<T>,
}

/// One entry of `Action` or `NotAction`, in lower case: actions are not case-sensitive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ActionPattern {
    pub(crate) source: String,
    pub(crate) tokens: Vec<Token>,
}

impl Policy {
    /// Reads and checks a document of at most [`Limits::default`].
    ///
    /// # Errors
    ///
    /// The first fault found, with its place.
    pub fn parse(text: &str, kind: PolicyKind) -> Result<Self, ParseError> {
        Self::parse_within(text, kind, &Limits::default())
    }

    /// Reads and checks a document under the caller's limits.
    ///
    /// # Errors
    ///
    /// The first fault found, with its place; [`crate::Problem::TooLong`] before anything is read.
    pub fn parse_within(text: &str, kind: PolicyKind, limits: &Limits) -> Result<Self, ParseError> {
        crate::parse::policy(text, kind, limits)
    }

    /// The kind the document was read as.
    #[must_use]
    pub fn kind(&self) -> PolicyKind {
        self.kind
    }

    /// The language version of the document.
    #[must_use]
    pub fn version(&self) -> Version {
        self.version
    }

    /// The document's `Id`, which has no effect on evaluation.
    #[must_use]
    pub fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    /// Whether a condition or a policy variable reads a condition key, given in lower case, for
    /// which `wanted` holds. A caller can leave out what it would cost to find such a key's value.
    pub fn reads_key(&self, wanted: impl Fn(&str) -> bool) -> bool {
        let mut found = false;
        let mut visit = |key: &str| found |= wanted(key);
        for statement in &self.statements {
            statement.conditions.iter().for_each(|condition| condition.visit_keys(&mut visit));
            for resource in statement.resources.iter().flat_map(|resources| &resources.entries) {
                resource.visit_keys(&mut visit);
            }
        }
        found
    }

    /// Replaces each principal named by ARN whose unique id `unique_id` knows by that id, so that
    /// a principal made again under the same name is not the one the policy meant (IAM guide,
    /// "AWS JSON policy elements: Principal", deleted principals).
    pub fn bind_principals(&mut self, unique_id: impl Fn(&str) -> Option<String>) {
        for statement in &mut self.statements {
            let entries = statement.principals.iter_mut().flat_map(|named| &mut named.entries);
            for entry in entries {
                if let PrincipalPattern::Arn(arn) = entry
                    && let Some(id) = unique_id(arn)
                {
                    *entry = PrincipalPattern::UniqueId(id);
                }
            }
        }
    }

    /// The statements in the order of the document.
    #[must_use]
    pub fn statements(&self) -> &[Statement] {
        &self.statements
    }
}

impl Statement {
    /// The statement's `Sid`.
    #[must_use]
    pub fn sid(&self) -> Option<&str> {
        self.sid.as_deref()
    }

    /// What the statement does.
    #[must_use]
    pub fn effect(&self) -> Effect {
        self.effect
    }

    /// The entries of `Action` or `NotAction` as written.
    pub fn actions(&self) -> impl Iterator<Item = &str> {
        self.actions.entries.iter().map(|action| action.source.as_str())
    }

    /// Whether [`Self::actions`] comes from `NotAction`.
    #[must_use]
    pub fn excludes_actions(&self) -> bool {
        self.actions.negated
    }

    /// The entries of `Principal` or `NotPrincipal`; empty in identity policies.
    #[must_use]
    pub fn principals(&self) -> &[PrincipalPattern] {
        self.principals.as_ref().map_or(&[], |selection| selection.entries.as_slice())
    }

    /// Whether [`Self::principals`] comes from `NotPrincipal`.
    #[must_use]
    pub fn excludes_principals(&self) -> bool {
        self.principals.as_ref().is_some_and(|selection| selection.negated)
    }

    /// Whether the statement has a `Resource` or `NotResource` element.
    #[must_use]
    pub fn has_resource(&self) -> bool {
        self.resources.is_some()
    }
}
