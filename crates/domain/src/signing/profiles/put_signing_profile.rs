//! `PutSigningProfile`.

use std::collections::BTreeMap;

use super::{PLATFORM, SigningProfile, arn_of, authority, find, resource};
use crate::context::RequestContext;
use crate::encryption::sealing_key::random;
use crate::error::{Error, ErrorKind, Result};
use crate::execute::{Call, Demand, Entry, Operation, Service};
use crate::params;
use crate::root_key::Purpose;

/// Makes a profile with a key and a certificate of its own. Not idempotent, as in AWS.
///
/// # Errors
/// `InvalidParameter` for a platform that signs no containers; [`ErrorKind::EntityAlreadyExists`].
#[derive(Clone, Debug)]
pub struct PutSigningProfile {
    /// Two letters, digits and `_` or more.
    pub name: String,
    /// What is signed.
    pub platform: String,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
}

impl Operation for PutSigningProfile {
    const ENTRY: Entry = Entry { service: Service::Signer, name: "PutSigningProfile" };
    type Output = SigningProfile;

    fn demands(&self, context: &RequestContext) -> Vec<Demand> {
        let resource = resource(&context.region, &context.account, &self.name);
        vec![Demand::new("signer:PutSigningProfile", resource)]
    }

    async fn run(self, call: Call<'_>) -> Result<SigningProfile> {
        if self.platform != PLATFORM {
            return Err(Error::invalid_parameter(
                "platformId",
                format_args!("Member must be {PLATFORM}: only containers are signed"),
            ));
        }
        let (account, region) = (&call.context.account, &call.context.region);
        let arn = arn_of(region, account, &self.name);
        let exists = || {
            let message = format!("Signing profile {} exists already.", self.name);
            Error::new(ErrorKind::EntityAlreadyExists, message)
        };
        let mut tx = call.write().await?;
        if find(&mut tx, &arn).await?.is_some() {
            return call.refuse(tx, exists()).await;
        }
        let key =
            authority(&mut tx, &call, account).await?.issue(region, &self.name, call.now())?;
        let certificate = key
            .chain()
            .first()
            .cloned()
            .ok_or_else(|| Error::internal("a signing key without a certificate"))?;
        let sealed = call.app.root_key.seal(Purpose::SigningProfile, &arn, key.key())?;
        let profile = SigningProfile {
            arn,
            name: self.name.clone(),
            version: version()?,
            tags: self.tags.clone(),
            created_at: call.now(),
        };
        let inserted = tx
            .execute(
                "INSERT INTO signing_profiles (arn, account_id, region, name, version, tags, \
                 certificate, sealed_key, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) \
                 ON CONFLICT (arn) DO NOTHING",
                params![
                    &profile.arn,
                    account.as_str(),
                    region.as_str(),
                    &profile.name,
                    &profile.version,
                    serde_json::to_string(&profile.tags).map_err(Error::internal)?,
                    certificate,
                    sealed,
                    profile.created_at,
                ],
            )
            .await?;
        if inserted == 0 {
            return call.refuse(tx, exists()).await;
        }
        call.commit(tx).await?;
        Ok(profile)
    }
}

/// Ten letters and digits (botocore `signer`, shape `ProfileVersion`).
fn version() -> Result<String> {
    let bytes: [u8; 10] = random()?;
    let symbols = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    Ok(bytes
        .iter()
        .map(|byte| symbols.get(usize::from(byte % 32)).copied().map_or('A', char::from))
        .collect())
}
