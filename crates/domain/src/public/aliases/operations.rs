//! What is done with aliases beside the model of ECR Public, which has no operation for it: AWS
//! takes requests in its console, and decides about them itself. Here the operator does both.

use super::{ALIASES_MAX, Alias, AliasName, AliasStatus, from_row, look_alike, select_aliases};
use crate::context::RequestContext;
use crate::error::{Error, ErrorKind, Result};
use crate::execute::{Call, Demand, Entry, Operation, Resource, Service, Tx};
use crate::gallery;
use crate::names::{AccountId, Region};
use crate::pages::{Page, PageRequest};
use crate::public::registries::Verification;
use crate::registries::Document as _;
use crate::{params, registries};

fn demand(action: &'static str, management_account: AccountId) -> Vec<Demand> {
    vec![Demand::new(action, Resource::Deployment { account: management_account })]
}

/// Asks for an alias. A second request for one that is pending changes nothing; one for an alias that
/// was rejected lets it be decided about again.
///
/// # Errors
/// [`ErrorKind::InvalidParameter`] for names that are reserved or look like an active alias,
/// [`ErrorKind::LimitExceeded`], [`ErrorKind::AccountNotFound`].
#[derive(Clone, Debug)]
pub struct RequestPublicAlias {
    /// The management account, whose permission it takes.
    pub management_account: AccountId,
    /// Whose registry it is for.
    pub account: AccountId,
    /// The name.
    pub name: AliasName,
}

impl Operation for RequestPublicAlias {
    const ENTRY: Entry = Entry { service: Service::Tonnage, name: "RequestPublicAlias" };
    type Output = Alias;

    fn demands(&self, _context: &RequestContext) -> Vec<Demand> {
        demand("tonnage:RequestPublicAlias", self.management_account)
    }

    async fn run(self, call: Call<'_>) -> Result<Alias> {
        self.name.refuse_reserved()?;
        let mut tx = call.write().await?;
        let registry_id =
            registries::ensure(&mut tx, &call, &self.account, &Region::global()).await?;
        refuse_look_alike(&mut tx, &self.name).await?;
        let held = super::of_account(&mut tx, &self.account).await?;
        let known = held.iter().find(|alias| alias.name == self.name);
        if known.is_none() && held.len() >= ALIASES_MAX {
            return Err(Error::new(
                ErrorKind::LimitExceeded,
                format!("A registry has at most {ALIASES_MAX} aliases, whatever their status."),
            ));
        }
        if known.is_none_or(|alias| alias.status != AliasStatus::Pending) {
            tx.execute(
                "INSERT INTO public_aliases (registry_id, name, status, active_skeleton, \
                 is_primary, is_default, requested_at, decided_at) \
                 VALUES ($1, $2, 'PENDING', NULL, 0, 0, $3, NULL) \
                 ON CONFLICT (registry_id, name) DO UPDATE SET status = 'PENDING', \
                 requested_at = excluded.requested_at, decided_at = NULL",
                params![registry_id, self.name.as_str(), call.now()],
            )
            .await?;
        }
        let alias = get(&mut tx, &self.account, &self.name).await?;
        call.commit(tx).await?;
        Ok(alias)
    }
}

async fn refuse_look_alike(tx: &mut Tx, name: &AliasName) -> Result<()> {
    let Some(other) = look_alike(tx, name).await? else { return Ok(()) };
    let told = match other == name.as_str() {
        true => format!("The alias '{name}' is taken."),
        false => format!("The alias '{name}' looks too much like '{other}', which is taken."),
    };
    Err(Error::new(ErrorKind::InvalidParameter, told))
}

async fn find(tx: &mut Tx, account: &AccountId, name: &AliasName) -> Result<Option<Alias>> {
    let row = tx
        .optional(
            select_aliases!(
                "WHERE registries.account_id = $1 AND registries.region = '' \
                 AND public_aliases.name = $2"
            ),
            params![account.as_str(), name.as_str()],
        )
        .await?;
    row.map(|row| from_row(&row)).transpose()
}

async fn get(tx: &mut Tx, account: &AccountId, name: &AliasName) -> Result<Alias> {
    find(tx, account, name).await?.ok_or_else(|| absent(account, name))
}

fn absent(account: &AccountId, name: &AliasName) -> Error {
    Error::new(
        ErrorKind::RegistryNotFound,
        format!("The public registry of account {account} has no alias '{name}'."),
    )
}

/// What an operator decides about an alias.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It works from now on.
    Approve,
    /// It does not, and does no more if it did.
    Reject,
}

/// Approves or rejects an alias, also one that was decided about before. Idempotent.
///
/// # Errors
/// [`ErrorKind::RegistryNotFound`] when nobody asked for it; [`ErrorKind::InvalidParameter`] when an
/// alias that looks like it became active since, or when the primary alias shall go.
#[derive(Clone, Debug)]
pub struct DecidePublicAlias {
    /// The management account, whose permission it takes.
    pub management_account: AccountId,
    /// Whose registry it is for.
    pub account: AccountId,
    /// The name.
    pub name: AliasName,
    /// What is decided.
    pub decision: Decision,
}

impl Operation for DecidePublicAlias {
    const ENTRY: Entry = Entry { service: Service::Tonnage, name: "DecidePublicAlias" };
    type Output = Alias;

    fn demands(&self, _context: &RequestContext) -> Vec<Demand> {
        demand("tonnage:DecidePublicAlias", self.management_account)
    }

    async fn run(self, call: Call<'_>) -> Result<Alias> {
        let mut tx = call.write().await?;
        let Some(alias) = find(&mut tx, &self.account, &self.name).await? else {
            return call.refuse(tx, absent(&self.account, &self.name)).await;
        };
        let skeleton = match self.decision {
            Decision::Approve if alias.status == AliasStatus::Active => None,
            Decision::Approve => {
                refuse_look_alike(&mut tx, &self.name).await?;
                Some(self.name.skeleton())
            }
            Decision::Reject if alias.primary => {
                return Err(Error::new(
                    ErrorKind::InvalidParameter,
                    format!(
                        "'{}' is the primary alias of account {}; make another one primary first.",
                        self.name, self.account
                    ),
                ));
            }
            Decision::Reject => None,
        };
        let decided = match self.decision {
            Decision::Approve => AliasStatus::Active,
            Decision::Reject => AliasStatus::Rejected,
        };
        if decided != alias.status {
            tx.execute(
                "UPDATE public_aliases SET status = $3, active_skeleton = $4, decided_at = $5 \
                 WHERE name = $2 AND registry_id = (SELECT id FROM registries \
                 WHERE account_id = $1 AND region = '')",
                params![
                    self.account.as_str(),
                    self.name.as_str(),
                    decided.as_str(),
                    skeleton,
                    call.now()
                ],
            )
            .await?;
        }
        let registry_id = registries::find(&mut tx, &self.account, &Region::global()).await?;
        if let Some(registry_id) = registry_id {
            gallery::note_registry(&mut tx, &call, registry_id).await?;
        }
        let alias = get(&mut tx, &self.account, &self.name).await?;
        call.commit(tx).await?;
        Ok(alias)
    }
}

/// Makes an active alias the primary one. Idempotent.
///
/// # Errors
/// [`ErrorKind::RegistryNotFound`]; [`ErrorKind::InvalidParameter`] when the alias is not active.
#[derive(Clone, Debug)]
pub struct SetPrimaryPublicAlias {
    /// The management account, whose permission it takes.
    pub management_account: AccountId,
    /// Whose registry it is for.
    pub account: AccountId,
    /// The name.
    pub name: AliasName,
}

impl Operation for SetPrimaryPublicAlias {
    const ENTRY: Entry = Entry { service: Service::Tonnage, name: "SetPrimaryPublicAlias" };
    type Output = Alias;

    fn demands(&self, _context: &RequestContext) -> Vec<Demand> {
        demand("tonnage:SetPrimaryPublicAlias", self.management_account)
    }

    async fn run(self, call: Call<'_>) -> Result<Alias> {
        let mut tx = call.write().await?;
        let Some(alias) = find(&mut tx, &self.account, &self.name).await? else {
            return call.refuse(tx, absent(&self.account, &self.name)).await;
        };
        if alias.status != AliasStatus::Active {
            return Err(Error::new(
                ErrorKind::InvalidParameter,
                format!(
                    "The alias '{}' is {}; only an active one can be primary.",
                    self.name,
                    alias.status.as_str()
                ),
            ));
        }
        tx.execute(
            "UPDATE public_aliases SET is_primary = CASE WHEN name = $2 THEN 1 ELSE 0 END \
             WHERE registry_id = (SELECT id FROM registries \
             WHERE account_id = $1 AND region = '')",
            params![self.account.as_str(), self.name.as_str()],
        )
        .await?;
        let registry_id = registries::find(&mut tx, &self.account, &Region::global()).await?;
        if let Some(registry_id) = registry_id {
            gallery::note_registry(&mut tx, &call, registry_id).await?;
        }
        let alias = get(&mut tx, &self.account, &self.name).await?;
        call.commit(tx).await?;
        Ok(alias)
    }
}

/// Lists aliases by name, of all registries.
#[derive(Clone, Debug)]
pub struct ListPublicAliases {
    /// The management account, whose permission it takes.
    pub management_account: AccountId,
    /// Which page.
    pub page: PageRequest,
}

impl Operation for ListPublicAliases {
    const ENTRY: Entry = Entry { service: Service::Tonnage, name: "ListPublicAliases" };
    type Output = Page<Alias>;

    fn demands(&self, _context: &RequestContext) -> Vec<Demand> {
        demand("tonnage:ListPublicAliases", self.management_account)
    }

    async fn run(self, call: Call<'_>) -> Result<Page<Alias>> {
        let after = self.page.after.as_deref().unwrap_or_default();
        let (name, account) = after.split_once(' ').unwrap_or((after, ""));
        let mut tx = call.read().await?;
        let rows = tx
            .all(
                select_aliases!(
                    "WHERE public_aliases.name > $1 \
                     OR (public_aliases.name = $1 AND registries.account_id > $2) \
                     ORDER BY public_aliases.name, registries.account_id LIMIT $3"
                ),
                params![name, account, self.page.limit_and_one()],
            )
            .await?;
        let aliases = rows.iter().map(from_row).collect::<Result<Vec<_>>>()?;
        Ok(self.page.cut(aliases, |alias| format!("{} {}", alias.name, alias.account)))
    }
}

/// Says of a public registry whether its owner is who they say, which AWS's support does. Idempotent.
///
/// # Errors
/// [`ErrorKind::AccountNotFound`].
#[derive(Clone, Debug)]
pub struct VerifyPublicRegistry {
    /// The management account, whose permission it takes.
    pub management_account: AccountId,
    /// Whose registry it is.
    pub account: AccountId,
    /// Whether it is verified.
    pub verified: bool,
}

impl Operation for VerifyPublicRegistry {
    const ENTRY: Entry = Entry { service: Service::Tonnage, name: "VerifyPublicRegistry" };
    type Output = ();

    fn demands(&self, _context: &RequestContext) -> Vec<Demand> {
        demand("tonnage:VerifyPublicRegistry", self.management_account)
    }

    async fn run(self, call: Call<'_>) -> Result<()> {
        let mut tx = call.write().await?;
        let registry_id =
            registries::ensure(&mut tx, &call, &self.account, &Region::global()).await?;
        Verification { verified: self.verified }.store(&mut tx, registry_id).await?;
        gallery::note_registry(&mut tx, &call, registry_id).await?;
        call.commit(tx).await
    }
}
