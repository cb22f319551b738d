//! Domains that owners of public registries prove to be theirs, which the gallery shows beside
//! their name. AWS verifies accounts by its support; here a file under the domain or a text
//! record of the DNS does it, and the operator can take it back.
//!
//! A proof is looked at again every day and is lost after [`GRACE_SECONDS`] without it. Domains are
//! kept and shown in ASCII, so that `xn--…` is never shown as the name that it looks like.

pub mod check;
pub mod operations;

use std::collections::HashMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::registries::Verification;
use crate::clock::Millis;
use crate::error::{Error, ErrorKind, Result};
use crate::execute::Tx;
use crate::names::AccountId;
use crate::params;
use crate::registries::Document;

/// Domains of one registry.
pub const DOMAINS_MAX: usize = 5;
/// How long a domain is shown after its proof was last seen, in seconds.
pub const GRACE_SECONDS: i64 = 3 * 24 * 3600;
/// Where the file is.
const FILE: &str = "/.well-known/tonnage-challenge.txt";
/// What the line begins with.
const PREFIX: &str = "tonnage-challenge=";
/// The label before the domain under which the DNS may have a text record instead.
const LABEL: &str = "_tonnage";
/// What its text begins with.
const TEXT_PREFIX: &str = "tonnage-domain=";
/// Registries whose domains are read at a time.
const REGISTRIES: usize = 500;

/// A domain, in lower case and in ASCII.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct DomainName(String);

impl DomainName {
    /// Reads a domain of at least two labels whose last is no number (RFC 1123, section 2.1).
    ///
    /// # Errors
    /// [`ErrorKind::InvalidParameter`], with what to do.
    pub fn parse(text: &str) -> Result<Self> {
        let refuse = |what: &str| Err(Error::invalid_parameter("domain", what));
        if !text.is_ascii() {
            return refuse("Give the domain in ASCII, as `xn--…`; that is how it is shown");
        }
        let text = text.to_ascii_lowercase();
        let is_label = |label: &str| {
            let inner = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
            (1..=63).contains(&label.len())
                && label.bytes().all(inner)
                && !label.starts_with('-')
                && !label.ends_with('-')
        };
        let labels: Vec<&str> = text.split('.').collect();
        let is_named = labels.last().is_some_and(|last| !last.bytes().all(|b| b.is_ascii_digit()));
        if text.len() > 253 || labels.len() < 2 || !is_named || !labels.iter().all(|l| is_label(l))
        {
            return refuse("A name such as `example.com`, without scheme, port and final dot");
        }
        Ok(Self(text))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What names share that people take for each other, label by label.
    fn skeleton(&self) -> String {
        self.0.split('.').map(super::aliases::skeleton_of).collect::<Vec<_>>().join(".")
    }

    /// The name whose text record is looked for where there is no file.
    pub fn record(&self) -> String {
        format!("{LABEL}.{self}")
    }

    /// Where the proof is looked for.
    pub fn file(&self) -> String {
        format!("https://{self}{FILE}")
    }
}

impl fmt::Display for DomainName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Where a proof stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum DomainStatus {
    /// It was not seen yet, or not any more.
    Pending,
    /// It was seen.
    Proven,
    /// The operator does not want it shown.
    Revoked,
}

impl DomainStatus {
    /// As it is told and stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "PENDING",
            Self::Proven => "PROVEN",
            Self::Revoked => "REVOKED",
        }
    }
}

/// A domain that an owner says to have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DomainProof {
    /// The domain.
    pub domain: DomainName,
    /// What the line ends with: nobody can know it before.
    token: String,
    /// Where it stands.
    pub status: DomainStatus,
    /// When it was last asked for.
    pub requested_at: Millis,
    /// When the proof was last looked for.
    pub checked_at: Option<Millis>,
    /// When it was last seen.
    pub seen_at: Option<Millis>,
    /// Failures since then.
    failures: u32,
    /// Why it was not seen the last time; empty where it was.
    pub problem: String,
}

impl DomainProof {
    /// The text record that the DNS may have instead of the file.
    pub fn text(&self) -> String {
        format!("{TEXT_PREFIX}{}", self.token)
    }

    /// The line that the file has to have.
    pub fn line(&self) -> String {
        format!("{PREFIX}{}", self.token)
    }
}

/// The domains of a registry, in the order in which they were asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PublicDomains {
    domains: Vec<DomainProof>,
}

impl Document for PublicDomains {
    const NAME: &'static str = "public-domains";
}

impl PublicDomains {
    fn find_mut(&mut self, domain: &DomainName) -> Option<&mut DomainProof> {
        self.domains.iter_mut().find(|proof| proof.domain == *domain)
    }

    /// The domain that is shown.
    fn proven(self) -> Option<DomainName> {
        let mut proven =
            self.domains.into_iter().filter(|proof| proof.status == DomainStatus::Proven);
        proven.next().map(|proof| proof.domain)
    }
}

/// Who an owner is known to be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// Whether the operator says so, or a domain is proven.
    pub verified: bool,
    /// The domain.
    pub domain: Option<DomainName>,
}

impl Known {
    fn new(by_operator: Verification, domains: PublicDomains) -> Self {
        let domain = domains.proven();
        Self { verified: by_operator.verified || domain.is_some(), domain }
    }
}

/// Who the owner of a registry is known to be.
pub(crate) async fn known(tx: &mut Tx, registry_id: Option<i64>) -> Result<Known> {
    let by_operator = Verification::load(tx, registry_id).await?;
    Ok(Known::new(by_operator, PublicDomains::load(tx, registry_id).await?))
}

/// The same of several registries; those of which nothing is known are left out.
pub(crate) async fn known_of_all(tx: &mut Tx, registries: &[i64]) -> Result<HashMap<i64, Known>> {
    let mut by_operator = Verification::of_all(tx, registries).await?;
    let mut domains = PublicDomains::of_all(tx, registries).await?;
    let mut known = HashMap::new();
    for &id in registries {
        let verification = by_operator.remove(&id).unwrap_or_default();
        let domains = domains.remove(&id).unwrap_or_default();
        known.insert(id, Known::new(verification, domains));
    }
    Ok(known)
}

/// The proven domain of another registry that people would take for this one.
async fn look_alike(
    tx: &mut Tx,
    registry_id: i64,
    domain: &DomainName,
) -> Result<Option<DomainName>> {
    let skeleton = domain.skeleton();
    let mut after = 0;
    loop {
        let rows = tx
            .all(
                "SELECT registry_id, document FROM registry_documents \
                 WHERE name = $1 AND registry_id > $2 ORDER BY registry_id LIMIT $3",
                params![PublicDomains::NAME, after, REGISTRIES],
            )
            .await?;
        for row in &rows {
            after = row.get(0)?;
            let domains: PublicDomains =
                serde_json::from_str(&row.get::<String>(1)?).map_err(Error::internal)?;
            let taken = domains.domains.into_iter().find(|proof| {
                proof.status == DomainStatus::Proven
                    && proof.domain != *domain
                    && proof.domain.skeleton() == skeleton
            });
            if let Some(proof) = taken.filter(|_| after != registry_id) {
                return Ok(Some(proof.domain));
            }
        }
        if rows.len() < REGISTRIES {
            return Ok(None);
        }
    }
}

fn absent(account: &AccountId, domain: &DomainName) -> Error {
    Error::new(
        ErrorKind::RegistryNotFound,
        format!("The public registry of account {account} has no domain '{domain}'."),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for (text, expected) in [
            ("example.com", Some("example.com")),
            ("Example.COM", Some("example.com")),
            ("a-b.xn--bcher-kva.example", Some("a-b.xn--bcher-kva.example")),
            ("example", None),
            ("example.com.", None),
            (".example.com", None),
            ("-a.example", None),
            ("a-.example", None),
            ("127.0.0.1", None),
            ("a.1", None),
            ("example.com:443", None),
            ("https://example.com", None),
            ("user@example.com", None),
            ("a_b.example", None),
            ("b\u{fc}cher.example", None),
            ("ex\u{430}mple.com", None),
            ("", None),
        ] {
            let found = DomainName::parse(text).ok();
            assert_eq!(found.as_ref().map(DomainName::as_str), expected, "{text}");
        }
        assert!(DomainName::parse(&format!("{}.example", "a".repeat(64))).is_err());
        assert!(DomainName::parse(&format!("{}example", "a.".repeat(130))).is_err());
    }

    #[test]
    fn names_that_look_alike() {
        let skeleton = |text: &str| DomainName::parse(text).unwrap().skeleton();
        assert_eq!(skeleton("paypa1.com"), skeleton("paypal.com"));
        assert_eq!(skeleton("rnore.example"), skeleton("more.example"));
        assert_ne!(skeleton("ab.example"), skeleton("a.b.example"));
    }
}
