//! What owners and the operator do with domains.

use super::check::CheckPublicDomain;
use super::{DOMAINS_MAX, DomainName, DomainProof, DomainStatus, PublicDomains, absent};
use crate::context::RequestContext;
use crate::encryption::sealing_key::random;
use crate::error::{Error, ErrorKind, Result};
use crate::execute::{Call, Demand, Entry, Operation, Resource, Service};
use crate::names::{AccountId, Region};
use crate::public::registries::resource;
use crate::registries::Document as _;
use crate::{gallery, jobs, registries};

/// Seconds between two looks at one domain, however often somebody asks.
const PAUSE_SECONDS: i64 = 60;

/// Says that the caller's public registry belongs to whoever has a domain, and has the proof looked
/// for: at once, but not more than once a minute. For a domain that is known this only looks again.
///
/// # Errors
/// [`ErrorKind::LimitExceeded`]; [`ErrorKind::InvalidParameter`] for a domain that the operator
/// revoked.
#[derive(Clone, Debug)]
pub struct ProvePublicDomain {
    /// The domain.
    pub domain: DomainName,
}

impl Operation for ProvePublicDomain {
    const ENTRY: Entry = Entry { service: Service::Tonnage, name: "ProvePublicDomain" };
    type Output = DomainProof;

    fn demands(&self, context: &RequestContext) -> Vec<Demand> {
        vec![Demand::new("tonnage:ProvePublicDomain", resource(context.account))]
    }

    async fn run(self, call: Call<'_>) -> Result<DomainProof> {
        let account = call.context.account;
        let mut tx = call.write().await?;
        let registry_id = registries::ensure(&mut tx, &call, &account, &Region::global()).await?;
        let mut domains = PublicDomains::load(&mut tx, Some(registry_id)).await?;
        let now = call.app.clock.now();
        let is_full = domains.domains.len() >= DOMAINS_MAX;
        let proof = match domains.find_mut(&self.domain) {
            Some(known) if known.status == DomainStatus::Revoked => {
                let refusal = Error::new(
                    ErrorKind::InvalidParameter,
                    format!("The operator revoked the domain '{}'.", self.domain),
                );
                return call.refuse(tx, refusal).await;
            }
            Some(known) => {
                known.requested_at = now;
                known.clone()
            }
            None if is_full => {
                let refusal = Error::new(
                    ErrorKind::LimitExceeded,
                    format!("A registry has at most {DOMAINS_MAX} domains; remove one first."),
                );
                return call.refuse(tx, refusal).await;
            }
            None => {
                let proof = DomainProof {
                    domain: self.domain,
                    token: hex::encode(random::<16>()?),
                    status: DomainStatus::Pending,
                    requested_at: now,
                    checked_at: None,
                    seen_at: None,
                    failures: 0,
                    problem: String::new(),
                };
                domains.domains.push(proof.clone());
                proof
            }
        };
        domains.store(&mut tx, registry_id).await?;
        let rested = proof.checked_at.map(|at| at.plus_seconds(PAUSE_SECONDS));
        let job = CheckPublicDomain::new(account, registry_id, proof.domain.clone());
        jobs::enqueue(&mut tx, call.app, &job, rested.map_or(now, |at| at.max(now))).await?;
        call.commit(tx).await?;
        Ok(proof)
    }
}

/// Lists the domains of the caller's public registry.
#[derive(Clone, Copy, Debug)]
pub struct ListPublicDomains;

impl Operation for ListPublicDomains {
    const ENTRY: Entry = Entry { service: Service::Tonnage, name: "ListPublicDomains" };
    type Output = Vec<DomainProof>;

    fn demands(&self, context: &RequestContext) -> Vec<Demand> {
        vec![Demand::new("tonnage:ListPublicDomains", resource(context.account))]
    }

    async fn run(self, call: Call<'_>) -> Result<Vec<DomainProof>> {
        let mut tx = call.read().await?;
        let account = &call.context.account;
        let registry_id = registries::find(&mut tx, account, &Region::global()).await?;
        Ok(PublicDomains::load(&mut tx, registry_id).await?.domains)
    }
}

/// Removes a domain from the caller's public registry; one that the operator revoked stays.
/// Idempotent.
///
/// # Errors
/// [`ErrorKind::InvalidParameter`] for a domain that the operator revoked.
#[derive(Clone, Debug)]
pub struct RemovePublicDomain {
    /// The domain.
    pub domain: DomainName,
}

impl Operation for RemovePublicDomain {
    const ENTRY: Entry = Entry { service: Service::Tonnage, name: "RemovePublicDomain" };
    type Output = ();

    fn demands(&self, context: &RequestContext) -> Vec<Demand> {
        vec![Demand::new("tonnage:RemovePublicDomain", resource(context.account))]
    }

    async fn run(self, call: Call<'_>) -> Result<()> {
        let account = call.context.account;
        let mut tx = call.write().await?;
        let registry_id = registries::ensure(&mut tx, &call, &account, &Region::global()).await?;
        let mut domains = PublicDomains::load(&mut tx, Some(registry_id)).await?;
        let revoked = domains.find_mut(&self.domain).map(|known| known.status);
        if revoked == Some(DomainStatus::Revoked) {
            let refusal = Error::new(
                ErrorKind::InvalidParameter,
                format!("The operator revoked the domain '{}', which stays known.", self.domain),
            );
            return call.refuse(tx, refusal).await;
        }
        domains.domains.retain(|proof| proof.domain != self.domain);
        domains.store(&mut tx, registry_id).await?;
        gallery::note_registry(&mut tx, &call, registry_id).await?;
        call.commit(tx).await
    }
}

/// Has a domain shown no more, whatever proves it, or lets it be proven again. Idempotent.
///
/// # Errors
/// [`ErrorKind::RegistryNotFound`] when the registry has no such domain.
#[derive(Clone, Debug)]
pub struct DecidePublicDomain {
    /// The management account, whose permission it takes.
    pub management_account: AccountId,
    /// Whose registry it is.
    pub account: AccountId,
    /// The domain.
    pub domain: DomainName,
    /// Whether it may be shown.
    pub allowed: bool,
}

impl Operation for DecidePublicDomain {
    const ENTRY: Entry = Entry { service: Service::Tonnage, name: "DecidePublicDomain" };
    type Output = DomainProof;

    fn demands(&self, _context: &RequestContext) -> Vec<Demand> {
        let resource = Resource::Deployment { account: self.management_account };
        vec![Demand::new("tonnage:DecidePublicDomain", resource)]
    }

    async fn run(self, call: Call<'_>) -> Result<DomainProof> {
        let mut tx = call.write().await?;
        let registry_id = registries::find(&mut tx, &self.account, &Region::global()).await?;
        let mut domains = PublicDomains::load(&mut tx, registry_id).await?;
        let (Some(registry_id), Some(known)) = (registry_id, domains.find_mut(&self.domain)) else {
            return call.refuse(tx, absent(&self.account, &self.domain)).await;
        };
        match (self.allowed, known.status) {
            (false, _) => known.status = DomainStatus::Revoked,
            (true, DomainStatus::Revoked) => known.status = DomainStatus::Pending,
            (true, _) => {}
        }
        let proof = known.clone();
        domains.store(&mut tx, registry_id).await?;
        gallery::note_registry(&mut tx, &call, registry_id).await?;
        if self.allowed {
            let job = CheckPublicDomain::new(self.account, registry_id, self.domain);
            jobs::enqueue(&mut tx, call.app, &job, call.app.clock.now()).await?;
        }
        call.commit(tx).await?;
        Ok(proof)
    }
}
