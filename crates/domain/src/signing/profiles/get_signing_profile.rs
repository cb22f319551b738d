//! `GetSigningProfile`.

use super::{SigningProfile, arn_of, find, not_found, resource};
use crate::context::RequestContext;
use crate::error::Result;
use crate::execute::{Call, Demand, Entry, Operation, Service};
use crate::params;

/// Shows a profile of the caller's account and region, with its certificates.
///
/// # Errors
/// [`crate::error::ErrorKind::NoSuchEntity`].
#[derive(Clone, Debug)]
pub struct GetSigningProfile {
    /// Its name.
    pub name: String,
}

/// A profile, and what verifies its signatures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertifiedProfile {
    /// The profile.
    pub profile: SigningProfile,
    /// The certificate of the account's authority in DER: the root of trust.
    pub authority: Vec<u8>,
}

impl Operation for GetSigningProfile {
    const ENTRY: Entry = Entry { service: Service::Signer, name: "GetSigningProfile" };
    type Output = CertifiedProfile;

    fn demands(&self, context: &RequestContext) -> Vec<Demand> {
        let resource = resource(&context.region, &context.account, &self.name);
        vec![Demand::new("signer:GetSigningProfile", resource)]
    }

    async fn run(self, call: Call<'_>) -> Result<CertifiedProfile> {
        let (account, region) = (&call.context.account, &call.context.region);
        let mut tx = call.read().await?;
        let profile = find(&mut tx, &arn_of(region, account, &self.name))
            .await?
            .ok_or_else(|| not_found(&self.name))?;
        let row = tx
            .optional(
                "SELECT certificate FROM signing_authorities WHERE account_id = $1",
                params![account.as_str()],
            )
            .await?
            .ok_or_else(|| not_found(&self.name))?;
        Ok(CertifiedProfile { profile, authority: row.get(0)? })
    }
}
