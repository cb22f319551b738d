//! Managed signing: images are signed when they are pushed, in the form of the Notary Project.
//!
//! A registry's [`configuration`] says whose images are signed by which profile. A profile
//! ([`profiles`]) has a key and a certificate of its own, issued by an authority of its account
//! ([`certificates`]). A push notes what is to be signed, if the pusher may sign with the profile
//! (`notes`); a job makes the signature ([`sign_image`]) and attaches it to the image as a referrer
//! ([`envelope`]). The push does not wait for it and does not fail with it.
//!
//! Source: Amazon ECR user guide, "Managed signing". `docs/signing.md` says what is ours.

pub mod certificates;
pub mod configuration;
pub mod delete_signing_configuration;
pub mod describe_image_signing_status;
pub mod envelope;
pub mod get_signing_configuration;
mod notes;
pub mod profiles;
pub mod put_signing_configuration;
pub mod sign_image;

pub(crate) use self::notes::note;
use crate::error::{Error, ErrorKind};
use crate::names::AccountId;

/// The error for a registry without a configuration.
fn not_found(account: &AccountId) -> Error {
    Error::new(
        ErrorKind::SigningConfigurationNotFound,
        format!("Signing configuration does not exist in the registry with id '{account}'"),
    )
}
