//! The account as IAM sees it: its alias, its numbers, and everything in it.

use super::attachments::AttachedPolicy;
use super::entities::{self, Entity, EntityKind};
use super::inline_policies::InlinePolicy;
use super::instance_profiles::{self, InstanceProfile};
use super::managed_policies::AWS_POLICIES;
use super::policies::{self, Found, ManagedPolicy, PolicyVersion};
use super::roles::{self, Role};
use super::users::{self, User};
use super::{IamOperation, attachments, groups, inline_policies};
use crate::context::RequestContext;
use crate::error::{Error, ErrorKind, Result};
use crate::execute::{Call, Demand, Resource, Tx};
use crate::pages::{Page, PageRequest};
use crate::params;

async fn alias(tx: &mut Tx, call: &Call<'_>) -> Result<Option<String>> {
    let row = tx
        .optional(
            "SELECT alias FROM iam_account_aliases WHERE account_id = $1",
            params![call.context.principal.account.as_str()],
        )
        .await?;
    Ok(row.map(|row| row.get(0)).transpose()?)
}

/// Gives the account a name for its sign-in address; it replaces the one it had.
#[derive(Clone, Debug)]
pub struct CreateAccountAlias {
    /// 3 to 63 lower-case letters, digits and single hyphens; unique in the deployment.
    pub alias: String,
}

impl IamOperation for CreateAccountAlias {
    const ACTION: &'static str = "iam:CreateAccountAlias";
    type Output = ();

    fn demands(&self, _context: &RequestContext) -> Vec<Demand> {
        vec![Demand::new(Self::ACTION, Resource::Any)]
    }

    async fn apply(self, call: &Call<'_>, tx: &mut Tx) -> Result<()> {
        let alias = &self.alias;
        let well_formed = (3..=63).contains(&alias.len())
            && alias.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'))
            && !alias.starts_with('-')
            && !alias.ends_with('-')
            && !alias.contains("--");
        if !well_formed {
            return Err(Error::new(
                ErrorKind::InvalidInput,
                "An account alias has 3 to 63 lower-case letters, digits and single hyphens.",
            ));
        }
        let account = call.context.principal.account;
        let owner = tx
            .optional("SELECT account_id FROM iam_account_aliases WHERE alias = $1", params![alias])
            .await?;
        match owner {
            Some(row) if row.get::<String>(0)? != account.as_str() => Err(Error::new(
                ErrorKind::EntityAlreadyExists,
                format!("The account alias {alias} already exists."),
            )),
            _ => {
                tx.execute(
                    "INSERT INTO iam_account_aliases (account_id, alias) VALUES ($1, $2) \
                     ON CONFLICT (account_id) DO UPDATE SET alias = excluded.alias",
                    params![account.as_str(), alias],
                )
                .await?;
                Ok(())
            }
        }
    }
}

/// Takes the account's alias away.
#[derive(Clone, Debug)]
pub struct DeleteAccountAlias {
    /// The alias.
    pub alias: String,
}

impl IamOperation for DeleteAccountAlias {
    const ACTION: &'static str = "iam:DeleteAccountAlias";
    type Output = ();

    fn demands(&self, _context: &RequestContext) -> Vec<Demand> {
        vec![Demand::new(Self::ACTION, Resource::Any)]
    }

    async fn apply(self, call: &Call<'_>, tx: &mut Tx) -> Result<()> {
        let deleted = tx
            .execute(
                "DELETE FROM iam_account_aliases WHERE account_id = $1 AND alias = $2",
                params![call.context.principal.account.as_str(), &self.alias],
            )
            .await?;
        if deleted == 0 {
            return Err(Error::new(
                ErrorKind::NoSuchEntity,
                format!("The account alias {} cannot be found.", self.alias),
            ));
        }
        Ok(())
    }
}

/// The account's alias, if it has one.
#[derive(Clone, Copy, Debug)]
pub struct ListAccountAliases;

impl IamOperation for ListAccountAliases {
    const ACTION: &'static str = "iam:ListAccountAliases";
    const CHANGES: bool = false;
    type Output = Option<String>;

    fn demands(&self, _context: &RequestContext) -> Vec<Demand> {
        vec![Demand::new(Self::ACTION, Resource::Any)]
    }

    async fn apply(self, call: &Call<'_>, tx: &mut Tx) -> Result<Option<String>> {
        alias(tx, call).await
    }
}

/// How much there is of everything, and how much there may be.
#[derive(Clone, Copy, Debug)]
pub struct GetAccountSummary;

impl IamOperation for GetAccountSummary {
    const ACTION: &'static str = "iam:GetAccountSummary";
    const CHANGES: bool = false;
    /// By the names of botocore `iam`, shape `summaryKeyType`.
    type Output = Vec<(&'static str, i64)>;

    fn demands(&self, _context: &RequestContext) -> Vec<Demand> {
        vec![Demand::new(Self::ACTION, Resource::Any)]
    }

    async fn apply(self, call: &Call<'_>, tx: &mut Tx) -> Result<Vec<(&'static str, i64)>> {
        let account = call.context.principal.account;
        let row = tx
            .optional(
                "SELECT (SELECT COUNT(*) FROM access_keys JOIN principals \
                 ON principals.id = access_keys.principal_id \
                 WHERE account_id = $1 AND kind = 'root'), \
                 (SELECT COUNT(*) FROM iam_policy_versions JOIN iam_entities \
                 ON iam_entities.id = iam_policy_versions.policy_id WHERE account_id = $1)",
                params![account.as_str()],
            )
            .await?
            .ok_or_else(|| Error::internal("a count without a row"))?;
        let root_keys: i64 = row.get(0)?;
        Ok(vec![
            ("Users", entities::count(tx, &account, EntityKind::User).await?),
            ("UsersQuota", 5000),
            ("Groups", entities::count(tx, &account, EntityKind::Group).await?),
            ("GroupsQuota", 300),
            ("Roles", entities::count(tx, &account, EntityKind::Role).await?),
            ("RolesQuota", 1000),
            ("InstanceProfiles", entities::count(tx, &account, EntityKind::InstanceProfile).await?),
            ("InstanceProfilesQuota", 1000),
            ("Providers", entities::count(tx, &account, EntityKind::OidcProvider).await?),
            ("Policies", entities::count(tx, &account, EntityKind::Policy).await?),
            ("PoliciesQuota", 1500),
            ("PolicyVersionsInUse", row.get(1)?),
            ("PolicySizeQuota", 6144),
            ("UserPolicySizeQuota", 2048),
            ("GroupPolicySizeQuota", 5120),
            ("RolePolicySizeQuota", 10240),
            ("AssumeRolePolicySizeQuota", 2048),
            ("AttachedPoliciesPerUserQuota", 10),
            ("AttachedPoliciesPerGroupQuota", 10),
            ("AttachedPoliciesPerRoleQuota", 10),
            ("VersionsPerPolicyQuota", 5),
            ("GroupsPerUserQuota", 10),
            ("AccessKeysPerUserQuota", 2),
            ("AccountAccessKeysPresent", i64::from(root_keys > 0)),
            ("AccountMFAEnabled", 0),
            ("MFADevices", 0),
            ("MFADevicesInUse", 0),
        ])
    }
}

/// One identity or policy with everything that belongs to it.
#[derive(Clone, Debug)]
pub enum Detail {
    /// A user: its inline policies, attachments and the names of its groups.
    User(User, Vec<InlinePolicy>, Vec<AttachedPolicy>, Vec<String>),
    /// A group: its inline policies and attachments.
    Group(Entity, Vec<InlinePolicy>, Vec<AttachedPolicy>),
    /// A role: its inline policies, attachments and instance profiles.
    Role(Role, Vec<InlinePolicy>, Vec<AttachedPolicy>, Vec<InstanceProfile>),
    /// A managed policy: its versions.
    Policy(ManagedPolicy, Vec<PolicyVersion>),
}

/// What of an account is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DetailKind {
    /// Users.
    User,
    /// Groups.
    Group,
    /// Roles.
    Role,
    /// The account's own policies.
    LocalPolicy,
    /// AWS's policies.
    AwsPolicy,
}

impl DetailKind {
    /// All of them, in the order of a listing.
    pub const ALL: [Self; 5] =
        [Self::User, Self::Group, Self::Role, Self::LocalPolicy, Self::AwsPolicy];

    fn entity_kind(self) -> Option<EntityKind> {
        match self {
            Self::User => Some(EntityKind::User),
            Self::Group => Some(EntityKind::Group),
            Self::Role => Some(EntityKind::Role),
            Self::LocalPolicy => Some(EntityKind::Policy),
            Self::AwsPolicy => None,
        }
    }
}

/// Everything in the account that decides what is allowed.
#[derive(Clone, Debug)]
pub struct GetAccountAuthorizationDetails {
    /// Which kinds; all when empty.
    pub kinds: Vec<DetailKind>,
    /// Which page.
    pub page: PageRequest,
}

impl IamOperation for GetAccountAuthorizationDetails {
    const ACTION: &'static str = "iam:GetAccountAuthorizationDetails";
    const CHANGES: bool = false;
    type Output = Page<Detail>;

    fn demands(&self, _context: &RequestContext) -> Vec<Demand> {
        vec![Demand::new(Self::ACTION, Resource::Any)]
    }

    async fn apply(self, call: &Call<'_>, tx: &mut Tx) -> Result<Page<Detail>> {
        let account = call.context.principal.account;
        let after = self.page.after.as_deref().unwrap_or_default();
        let mut found: Vec<(String, Found)> = Vec::new();
        for (rank, kind) in DetailKind::ALL.into_iter().enumerate() {
            if !self.kinds.is_empty() && !self.kinds.contains(&kind) {
                continue;
            }
            let key = |name: &str| format!("{rank}/{}", entities::folded(name));
            let rest = self.page.limit_and_one() - i64::try_from(found.len()).unwrap_or(i64::MAX);
            let Ok(limit @ 1..) = u32::try_from(rest) else { break };
            let Some(kind) = kind.entity_kind() else {
                let aws = AWS_POLICIES.iter().map(|it| (key(it.name), Found::Aws(it)));
                found.extend(aws.filter(|(key, _)| key.as_str() > after));
                continue;
            };
            let prefix = format!("{rank}/");
            let within = match after.strip_prefix(&prefix) {
                Some(name) => Some(name.to_owned()),
                None if after > prefix.as_str() => continue,
                None => None,
            };
            let page = PageRequest { after: within, limit };
            let entities = entities::list(tx, &account, kind, "/", &page).await?.items;
            found.extend(entities.into_iter().map(|it| (key(&it.name), Found::Own(it))));
        }
        let page = PageRequest { after: None, limit: self.page.limit };
        let page = page.cut(found, |(key, _)| key.clone());
        let mut items = Vec::with_capacity(page.items.len());
        for (_, found) in page.items {
            items.push(detail(tx, call, found).await?);
        }
        Ok(Page { items, next: page.next })
    }
}

async fn detail(tx: &mut Tx, call: &Call<'_>, found: Found) -> Result<Detail> {
    let entity = match &found {
        Found::Own(entity) if entity.kind != EntityKind::Policy => entity.clone(),
        policy => {
            let described = policies::describe(tx, call, policy).await?;
            return Ok(Detail::Policy(described, policies::versions::all_of(tx, policy).await?));
        }
    };
    let id = entity.id;
    let inline = inline_policies::list(tx, id).await?;
    let attached = attachments::attached(tx, id).await?;
    Ok(match entity.kind {
        EntityKind::User => {
            let groups = groups::of_user(tx, id).await?.into_iter().map(|group| group.name);
            Detail::User(users::describe(tx, entity).await?, inline, attached, groups.collect())
        }
        EntityKind::Role => {
            let profiles = instance_profiles::of_role(tx, id).await?;
            Detail::Role(roles::describe(tx, entity).await?, inline, attached, profiles)
        }
        _ => Detail::Group(entity, inline, attached),
    })
}
