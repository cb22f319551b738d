//! Policies of what is acted upon: of repositories, of registries, and the limits of accounts.
//!
//! Texts are kept byte for byte. What a text means is compiled when a decision first needs it and
//! kept under the version it was read at (`governing.rs`), so that a pull reads versions only.

pub mod account_limit;
pub mod explain;
pub(crate) mod governing;
pub mod registry_policy;
pub mod repository_policy;

use std::collections::BTreeMap;
use std::fmt;

use tonnage_policy::{Limits, Policy, PolicyKind, PrincipalPattern};

use crate::error::{Error, Result};
use crate::execute::{Service, Tx};
use crate::identities;
use crate::metadata::Row;

/// Characters of a repository's or registry's policy (botocore `ecr`, `RepositoryPolicyText` and
/// `RegistryPolicyText`).
const RESOURCE_POLICY_CHARS_MAX: usize = 10_240;
/// Characters of an account's limit; AWS's quota of a service control policy.
const ACCOUNT_LIMIT_CHARS_MAX: usize = 10_240;

/// The bound of ECR is in characters, that of the parser in bytes.
const BYTES_PER_CHAR_MAX: usize = 4;

/// What a stored policy is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Subject {
    /// A repository.
    Repository,
    /// A repository of a public registry.
    PublicRepository,
    /// A registry.
    Registry,
}

impl Subject {
    /// ECR's refusal of a text, with the reason behind its own words. Clients that wait for new
    /// principals to become known look for these words.
    fn refuse(self, reason: impl fmt::Display) -> Error {
        let subject = match self {
            Self::Repository | Self::PublicRepository => "repository",
            Self::Registry => "registry",
        };
        Error::invalid_parameter(
            "PolicyText",
            format_args!("Invalid {subject} policy provided: {reason}"),
        )
    }

    /// The service whose actions it may name, beside our own.
    fn service(self) -> &'static str {
        match self {
            Self::Repository | Self::Registry => "ecr",
            Self::PublicRepository => "ecr-public",
        }
    }
}

/// A policy text that may be stored.
pub(crate) struct Checked {
    policy: Policy,
    /// As stored: principals' ARNs and what their unique ids are.
    bound: BTreeMap<String, String>,
}

/// Reads a text that somebody wants to set, and finds the principals it names.
///
/// # Errors
/// `InvalidParameter` in ECR's words and with the place and the reason: no policy, too long, an
/// action of another service, a principal that does not exist.
pub(crate) async fn check(tx: &mut Tx, subject: Subject, text: &str) -> Result<Checked> {
    if text.chars().count() > RESOURCE_POLICY_CHARS_MAX {
        return Err(subject.refuse(format_args!(
            "$: document is longer than {RESOURCE_POLICY_CHARS_MAX} characters"
        )));
    }
    let limits = Limits { max_bytes: RESOURCE_POLICY_CHARS_MAX * BYTES_PER_CHAR_MAX };
    let policy = Policy::parse_within(text, PolicyKind::Resource, &limits)
        .map_err(|error| subject.refuse(error))?;
    let mut bound = BTreeMap::new();
    for (index, statement) in policy.statements().iter().enumerate() {
        let refuse = |what: &str, reason: fmt::Arguments<'_>| {
            subject.refuse(format_args!("$.Statement[{index}].{what}: {reason}"))
        };
        for action in statement.actions() {
            let of_service = action == "*"
                || action.split_once(':').is_some_and(|(service, _)| {
                    let may = [subject.service(), Service::Tonnage.as_str()];
                    may.iter().any(|may| service.eq_ignore_ascii_case(may))
                });
            if !of_service {
                let service = subject.service();
                return Err(refuse("Action", format_args!("{action} is no action of {service}")));
            }
        }
        for principal in statement.principals() {
            match principal {
                PrincipalPattern::Everyone
                | PrincipalPattern::Service(_)
                | PrincipalPattern::Federated(_) => {}
                PrincipalPattern::CanonicalUser(_) => {
                    return Err(refuse(
                        "Principal",
                        format_args!("CanonicalUser names users of S3"),
                    ));
                }
                PrincipalPattern::Account(_)
                | PrincipalPattern::Arn(_)
                | PrincipalPattern::UniqueId(_) => match identities::lookup(tx, principal).await? {
                    identities::Lookup::Absent(named) => {
                        return Err(subject.refuse(format_args!("Principal not found: {named}")));
                    }
                    identities::Lookup::Known(None) => {}
                    identities::Lookup::Known(Some((arn, unique_id))) => {
                        bound.insert(arn, unique_id);
                    }
                },
            }
        }
    }
    Ok(Checked { policy, bound })
}

impl Checked {
    /// The policy itself.
    pub(crate) fn policy(&self) -> &Policy {
        &self.policy
    }

    /// The principals it means, as stored.
    fn stored_principals(&self) -> Result<String> {
        stored(&self.bound)
    }
}

/// Principals' ARNs and their unique ids, as stored.
pub(crate) fn stored(bound: &BTreeMap<String, String>) -> Result<String> {
    serde_json::to_string(bound).map_err(Error::internal)
}

/// A stored text, with the principals it means.
pub(crate) struct Stored {
    text: String,
    bound: BTreeMap<String, String>,
}

impl Stored {
    /// From a row of `document, principals`.
    pub(crate) fn from_row(row: &Row) -> Result<Self> {
        let bound: String = row.get(1)?;
        Ok(Self {
            text: row.get(0)?,
            bound: serde_json::from_str(&bound).map_err(Error::internal)?,
        })
    }

    /// What it means.
    pub(crate) fn compile(&self, kind: PolicyKind) -> Result<Policy> {
        let mut policy = Policy::parse(&self.text, kind)
            .map_err(|error| Error::internal(format!("stored policy: {error}")))?;
        policy.bind_principals(|arn| self.bound.get(arn).cloned());
        Ok(policy)
    }

    /// The text as clients see it: as it was set, but a principal that is gone stands there by its
    /// unique id, as in AWS, because a new one of the same name is not meant.
    pub(crate) async fn shown(self, tx: &mut Tx) -> Result<String> {
        let mut text = self.text;
        for (arn, unique_id) in &self.bound {
            if !identities::is_known(tx, unique_id).await? {
                text = text.replace(&format!("\"{arn}\""), &format!("\"{unique_id}\""));
            }
        }
        Ok(text)
    }
}
