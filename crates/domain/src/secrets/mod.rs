//! Secrets: the part of AWS Secrets Manager that clients of a registry need, so that rules of the
//! pull-through cache have their credentials by ARN as in ECR.
//!
//! A secret has versions; each holds one value, sealed with the root key, that never changes.
//! Labels ([`CURRENT`] and others) say which version is meant. A deleted secret can be restored
//! until its recovery window is over; then a job removes it ([`purge`]).
//!
//! Source: AWS Secrets Manager API reference and user guide; botocore `secretsmanager`.
//! `docs/secrets.md` says what is not there.

mod id;
pub(crate) mod rows;
pub mod value;

use std::collections::BTreeMap;

pub use self::id::{SecretId, SecretName};
pub use self::value::{SecretValue, Value, current_value};
use crate::clock::Millis;

/// The label of the version that is meant when none is named.
pub const CURRENT: &str = "AWSCURRENT";
/// The label of the version that was current before.
pub const PREVIOUS: &str = "AWSPREVIOUS";

/// A secret without its values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Secret {
    pub(crate) id: i64,
    /// `arn:aws:secretsmanager:{region}:{account}:secret:{name}-{6 random characters}`.
    pub arn: String,
    /// Its name.
    pub name: String,
    /// At most 2,048 characters.
    pub description: Option<String>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// When it was made.
    pub created_at: Millis,
    /// When anything of it changed last.
    pub changed_at: Millis,
    /// The day on which its value was last read.
    pub accessed_at: Option<Millis>,
    /// When its deletion was asked for.
    pub deleted_at: Option<Millis>,
    /// When it will be removed.
    pub(crate) purge_at: Option<Millis>,
}
