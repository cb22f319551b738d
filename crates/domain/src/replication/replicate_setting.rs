//! Writing a setting of a repository to a destination that gets it.
//!
//! It is decided like the operation that would set it there: the registry policy of another account
//! permits `ecr:PutLifecyclePolicy`, `ecr:SetRepositoryPolicy`, … to the source's account, each by
//! itself. What is demanded depends on the source alone, so that nothing is told of a destination that
//! permits nothing. What the source lost the destination loses only where it still has what was
//! carried.

use std::collections::BTreeMap;

use super::carry::{Source, To};
use super::settings::{self, Outcome, ReplicatedSetting, SettingChange};
use crate::context::RequestContext;
use crate::error::{Error, Result};
use crate::execute::{Call, Demand, Entry, Operation, Service, Tx};
use crate::lifecycle;
use crate::policies::{self, Subject, repository_policy};
use crate::repositories::{self, Repository, TagMutabilityRule};
use crate::resource_tags::{self, ResourceTag};

/// Sets at the destination what `plan` found, if that is still so. Idempotent.
#[derive(Clone, Debug)]
pub struct ReplicateSetting {
    /// From where to where.
    pub to: To,
    /// The change that is carried.
    pub change: SettingChange,
    /// What it comes to.
    pub plan: Plan,
}

/// What is to be done at the destination.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Plan {
    /// The lifecycle policy becomes this.
    PutLifecyclePolicy(String),
    /// The lifecycle policy goes, if it is the one that was carried.
    DeleteLifecyclePolicy,
    /// The policy of the repository becomes this.
    SetRepositoryPolicy(String),
    /// The policy of the repository goes, if it is the one that was carried.
    DeleteRepositoryPolicy,
    /// These tags are set, and those go that were carried and still have their value.
    Tag {
        /// To set.
        put: Vec<ResourceTag>,
        /// To remove.
        remove: Vec<ResourceTag>,
    },
    /// Tags may move as this says.
    PutImageTagMutability(TagMutabilityRule),
}

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SettingReplicated {
    /// The destination has it.
    Done,
    /// There is no such repository yet.
    NoRepository,
    /// The source has another setting or another name by now.
    Changed,
}

impl Operation for ReplicateSetting {
    const ENTRY: Entry = Entry { service: Service::Tonnage, name: "ReplicateSetting" };
    type Output = SettingReplicated;

    fn demands(&self, _context: &RequestContext) -> Vec<Demand> {
        let demand = |action| Demand::new(action, self.to.destination.resource());
        match &self.plan {
            Plan::PutLifecyclePolicy(_) => vec![demand("ecr:PutLifecyclePolicy")],
            Plan::DeleteLifecyclePolicy => vec![demand("ecr:DeleteLifecyclePolicy")],
            Plan::SetRepositoryPolicy(_) => vec![demand("ecr:SetRepositoryPolicy")],
            Plan::DeleteRepositoryPolicy => vec![demand("ecr:DeleteRepositoryPolicy")],
            Plan::PutImageTagMutability(_) => vec![demand("ecr:PutImageTagMutability")],
            Plan::Tag { put, remove } => {
                let mut demands = Vec::new();
                // Nothing runs without a decision, whatever it comes to.
                if !put.is_empty() || remove.is_empty() {
                    let keys = resource_tags::condition_keys(put);
                    demands.push(Demand { keys, ..demand("ecr:TagResource") });
                }
                if !remove.is_empty() {
                    let keys = remove.iter().map(|tag| tag.key.clone()).collect();
                    demands.push(demand("ecr:UntagResource").with_key("aws:TagKeys", keys));
                }
                demands
            }
        }
    }

    async fn run(self, call: Call<'_>) -> Result<SettingReplicated> {
        let mut tx = call.write().await?;
        self.to.lease.hold(&mut tx, call.app.clock.now()).await?;
        let planned = match self.to.source(&mut tx).await? {
            Source::There(from) => plan(&mut tx, &self.change, &from).await?,
            Source::Renamed | Source::Gone => None,
        };
        let Some(Planned { plan, carried }) = planned.filter(|found| found.plan == self.plan)
        else {
            drop(tx);
            return Ok(SettingReplicated::Changed);
        };
        let Some(to) = repositories::find(&mut tx, &self.to.destination).await? else {
            drop(tx);
            return Ok(SettingReplicated::NoRepository);
        };
        let was = self.change.carried.as_deref();
        apply(&mut tx, &call, &to, plan, was).await?;
        let of = (self.to.repository_id, &self.to.registry());
        let outcome = Outcome::Complete { carried };
        settings::settle(&mut tx, call.app, of, &self.change, outcome).await?;
        call.commit(tx).await?;
        Ok(SettingReplicated::Done)
    }
}

/// A plan, and what the destination has of the source once it is carried out.
pub(super) struct Planned {
    pub(super) plan: Plan,
    pub(super) carried: Option<String>,
}

/// What has to be done so that a destination has the source's setting; nothing where the source has
/// none and never had one that was carried.
pub(super) async fn plan(
    tx: &mut Tx,
    change: &SettingChange,
    from: &Repository,
) -> Result<Option<Planned>> {
    let carried = change.carried.as_deref();
    let (plan, carried) = match change.setting {
        ReplicatedSetting::LifecyclePolicy => match lifecycle::text_of(tx, from.id).await? {
            Some(text) => (Plan::PutLifecyclePolicy(text.clone()), Some(text)),
            None if carried.is_some() => (Plan::DeleteLifecyclePolicy, None),
            None => return Ok(None),
        },
        ReplicatedSetting::RepositoryPolicy => match repository_policy::text_of(tx, from).await? {
            Some(text) => (Plan::SetRepositoryPolicy(text.clone()), Some(text)),
            None if carried.is_some() => (Plan::DeleteRepositoryPolicy, None),
            None => return Ok(None),
        },
        ReplicatedSetting::ResourceTags => {
            let put = resource_tags::list(tx, from.id).await?;
            let is: BTreeMap<&str, &str> =
                put.iter().map(|tag| (tag.key.as_str(), tag.value.as_str())).collect();
            let was: BTreeMap<String, String> = match carried {
                Some(text) => serde_json::from_str(text).map_err(Error::internal)?,
                None => BTreeMap::new(),
            };
            let remove: Vec<ResourceTag> = was
                .into_iter()
                .filter(|(key, _)| !is.contains_key(key.as_str()))
                .map(|(key, value)| ResourceTag { key, value })
                .collect();
            if put.is_empty() && remove.is_empty() {
                return Ok(None);
            }
            let carried = serde_json::to_string(&is).map_err(Error::internal)?;
            (Plan::Tag { put, remove }, Some(carried))
        }
        ReplicatedSetting::TagMutability => {
            (Plan::PutImageTagMutability(from.tag_mutability.clone()), None)
        }
    };
    Ok(Some(Planned { plan, carried }))
}

async fn apply(
    tx: &mut Tx,
    call: &Call<'_>,
    to: &Repository,
    plan: Plan,
    was: Option<&str>,
) -> Result<()> {
    match plan {
        Plan::PutLifecyclePolicy(text) => lifecycle::put(tx, call, to, &text).await,
        Plan::DeleteLifecyclePolicy => {
            if lifecycle::text_of(tx, to.id).await?.as_deref() == was {
                lifecycle::remove(tx, to.id).await?;
            }
            Ok(())
        }
        Plan::SetRepositoryPolicy(text) => {
            let checked = policies::check(tx, Subject::Repository, &text).await?;
            repository_policy::put(tx, to, &text, &checked, call.now()).await
        }
        Plan::DeleteRepositoryPolicy => {
            if repository_policy::text_of(tx, to).await?.as_deref() == was {
                repository_policy::remove(tx, to).await?;
            }
            Ok(())
        }
        Plan::Tag { put, remove } => {
            let there = resource_tags::list(tx, to.id).await?;
            for tag in remove.iter().filter(|tag| there.contains(tag)) {
                resource_tags::remove(tx, to.id, &tag.key).await?;
            }
            resource_tags::put(tx, to.id, &put).await
        }
        Plan::PutImageTagMutability(rule) => {
            repositories::put_image_tag_mutability::store(tx, to.id, &rule).await
        }
    }
}
