//! `ListSigningProfiles`.

use super::{SigningProfile, from_row};
use crate::context::RequestContext;
use crate::error::Result;
use crate::execute::{Call, Demand, Entry, Operation, Resource, Service};
use crate::pages::{Page, PageRequest};
use crate::params;

/// Lists the profiles of the caller's account and region by name.
#[derive(Clone, Debug)]
pub struct ListSigningProfiles {
    /// Which page.
    pub page: PageRequest,
}

impl Operation for ListSigningProfiles {
    const ENTRY: Entry = Entry { service: Service::Signer, name: "ListSigningProfiles" };
    type Output = Page<SigningProfile>;

    fn demands(&self, _context: &RequestContext) -> Vec<Demand> {
        vec![Demand::new("signer:ListSigningProfiles", Resource::Any)]
    }

    async fn run(self, call: Call<'_>) -> Result<Page<SigningProfile>> {
        let mut tx = call.read().await?;
        let rows = tx
            .all(
                "SELECT arn, name, version, tags, created_at FROM signing_profiles \
                 WHERE account_id = $1 AND region = $2 AND name > $3 ORDER BY name LIMIT $4",
                params![
                    call.context.account.as_str(),
                    call.context.region.as_str(),
                    self.page.after.as_deref().unwrap_or_default(),
                    self.page.limit_and_one(),
                ],
            )
            .await?;
        let profiles = rows.iter().map(from_row).collect::<Result<Vec<_>>>()?;
        Ok(self.page.cut(profiles, |profile| profile.name.clone()))
    }
}
