//! What IAM names: users, groups, roles, managed policies, instance profiles and OIDC providers.
//! They share names, paths, ARNs, unique ids and tags, and so they share a table and this code.

pub mod tags;

use crate::clock::Millis;
use crate::context::RequestContext;
use crate::encryption::sealing_key::random;
use crate::error::{Error, ErrorKind, Result};
use crate::execute::{Call, Resource, Tx};
use crate::metadata::Row;
use crate::names::{AccountId, Partition};
use crate::pages::{Page, PageRequest};
use crate::params;

/// What an entity is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntityKind {
    /// A user.
    User,
    /// A group of users.
    Group,
    /// A role.
    Role,
    /// A managed policy of the account.
    Policy,
    /// An instance profile.
    InstanceProfile,
    /// A provider of identities by OpenID Connect.
    OidcProvider,
}

impl EntityKind {
    /// As stored, and as ARNs have it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Group => "group",
            Self::Role => "role",
            Self::Policy => "policy",
            Self::InstanceProfile => "instance-profile",
            Self::OidcProvider => "oidc-provider",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        [
            Self::User,
            Self::Group,
            Self::Role,
            Self::Policy,
            Self::InstanceProfile,
            Self::OidcProvider,
        ]
        .into_iter()
        .find(|kind| kind.as_str() == text)
    }

    /// The first letters of its unique ids (IAM user guide, "IAM identifiers"). OIDC providers show
    /// none; theirs is ours alone.
    fn id_prefix(self) -> &'static str {
        match self {
            Self::User => "AIDA",
            Self::Group => "AGPA",
            Self::Role => "AROA",
            Self::Policy => "ANPA",
            Self::InstanceProfile => "AIPA",
            Self::OidcProvider => "OIDC",
        }
    }

    /// Quotas per account (IAM user guide, "IAM and AWS STS quotas").
    fn count_max(self) -> i64 {
        match self {
            Self::User => 5000,
            Self::Group => 300,
            Self::Role | Self::InstanceProfile => 1000,
            Self::Policy => 1500,
            Self::OidcProvider => 100,
        }
    }

    fn quota_name(self) -> &'static str {
        match self {
            Self::User => "UsersPerAccount",
            Self::Group => "GroupsPerAccount",
            Self::Role => "RolesPerAccount",
            Self::Policy => "PoliciesPerAccount",
            Self::InstanceProfile => "InstanceProfilesPerAccount",
            Self::OidcProvider => "OpenIdConnectProvidersPerAccount",
        }
    }

    fn name_chars_max(self) -> usize {
        match self {
            Self::User | Self::Role => 64,
            Self::Group | Self::Policy | Self::InstanceProfile => 128,
            Self::OidcProvider => 255,
        }
    }

    /// There is none of this name, in AWS's words.
    pub(crate) fn not_found(self, name: &str) -> Error {
        let text = match self {
            Self::User => format!("The user with name {name} cannot be found."),
            Self::Group => format!("The group with name {name} cannot be found."),
            Self::Role => format!("The role with name {name} cannot be found."),
            Self::Policy => format!("Policy {name} was not found."),
            Self::InstanceProfile => format!("Instance Profile {name} cannot be found."),
            Self::OidcProvider => format!("OpenIDConnect Provider not found for arn {name}"),
        };
        Error::new(ErrorKind::NoSuchEntity, text)
    }

    fn exists(self, name: &str) -> Error {
        let text = match self {
            Self::User => format!("User with name {name} already exists."),
            Self::Group => format!("Group with name {name} already exists."),
            Self::Role => format!("Role with name {name} already exists."),
            Self::Policy => {
                format!("A policy called {name} already exists. Duplicate names are not allowed.")
            }
            Self::InstanceProfile => format!("Instance Profile {name} already exists."),
            Self::OidcProvider => "Provider with url already exists.".to_owned(),
        };
        Error::new(ErrorKind::EntityAlreadyExists, text)
    }

    /// Whether it asks for things itself, and so is a principal too.
    fn is_principal(self) -> bool {
        matches!(self, Self::User | Self::Role)
    }

    /// The resource of this name in the caller's account; its path is looked up when it is decided.
    pub(crate) fn resource(self, context: &RequestContext, name: &str) -> Resource {
        self.resource_at(context, None, name)
    }

    /// The resource that would be made under this path, or the stored one of this name.
    pub(crate) fn resource_at(
        self,
        context: &RequestContext,
        path: Option<&str>,
        name: &str,
    ) -> Resource {
        Resource::Entity {
            partition: Partition::of(&context.region),
            account: context.principal.account,
            kind: self,
            path: path.map(str::to_owned),
            name: name.to_owned(),
        }
    }

    /// `arn:aws:iam::{account}:{kind}{path}{name}`.
    pub(crate) fn arn(
        self,
        partition: Partition,
        account: &AccountId,
        path: &str,
        name: &str,
    ) -> String {
        format!("arn:{}:iam::{account}:{}{path}{name}", partition.as_str(), self.as_str())
    }
}

/// A stored entity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entity {
    pub(crate) id: i64,
    /// The account it belongs to.
    pub account: AccountId,
    /// What it is.
    pub kind: EntityKind,
    /// Begins and ends with a slash.
    pub path: String,
    /// As it was given; unique whatever the case.
    pub name: String,
    /// Its ARN.
    pub arn: String,
    /// Never given again, not even to one of the same name.
    pub unique_id: String,
    /// At most 1,000 characters; empty where there is none.
    pub description: String,
    /// When it was made.
    pub created_at: Millis,
    /// When it last changed.
    pub updated_at: Millis,
}

/// What a new entity is made of.
pub(crate) struct New<'a> {
    pub(crate) kind: EntityKind,
    pub(crate) path: &'a str,
    pub(crate) name: &'a str,
    pub(crate) description: &'a str,
}

#[cfg(test)]
const COLUMNS: &str = "id, account_id, kind, path, name, arn, unique_id, description, created_at, \
                       updated_at";

/// `SELECT` of all columns of `iam_entities`, with what follows.
macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT id, account_id, kind, path, name, arn, unique_id, description, created_at, \
             updated_at FROM iam_entities ",
            $rest
        )
    };
}
pub(crate) use select;

pub(crate) fn from_row(row: &Row) -> Result<Entity> {
    let kind: String = row.get(2)?;
    Ok(Entity {
        id: row.get(0)?,
        account: AccountId::parse(&row.get::<String>(1)?).map_err(Error::internal)?,
        kind: EntityKind::parse(&kind)
            .ok_or_else(|| Error::internal(format!("stored kind {kind}")))?,
        path: row.get(3)?,
        name: row.get(4)?,
        arn: row.get(5)?,
        unique_id: row.get(6)?,
        description: row.get(7)?,
        created_at: row.get(8)?,
        updated_at: row.get(9)?,
    })
}

/// The form in which names are compared.
pub(crate) fn folded(name: &str) -> String {
    name.to_ascii_lowercase()
}

/// Refuses names and paths that IAM refuses. Source: botocore `iam`, shapes `userNameType`,
/// `pathType` and their like.
fn validate(kind: EntityKind, path: &str, name: &str) -> Result<()> {
    let length = name.chars().count();
    // The name of an OIDC provider is a part of its URL, which has been checked.
    let named = kind == EntityKind::OidcProvider
        || name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_+=,.@-".contains(&byte));
    if length == 0 || length > kind.name_chars_max() || !named {
        return Err(Error::new(
            ErrorKind::InvalidInput,
            format!(
                "The specified value for name is invalid. It must contain only alphanumeric \
                 characters and/or the following: +=,.@_- and have 1 to {} characters.",
                kind.name_chars_max()
            ),
        ));
    }
    let well_formed = path == "/"
        || (path.len() >= 3
            && path.starts_with('/')
            && path.ends_with('/')
            && path.bytes().all(|byte| byte.is_ascii_graphic()));
    if !well_formed || path.len() > 512 {
        return Err(Error::new(
            ErrorKind::InvalidInput,
            "The specified value for path is invalid. It must begin and end with / and contain \
             only alphanumeric characters and/or / characters.",
        ));
    }
    Ok(())
}

/// Stores a new entity, and its principal where it is one.
///
/// # Errors
/// [`ErrorKind::InvalidInput`], [`ErrorKind::EntityAlreadyExists`], [`ErrorKind::LimitExceeded`].
pub(crate) async fn insert(tx: &mut Tx, call: &Call<'_>, new: New<'_>) -> Result<Entity> {
    validate(new.kind, new.path, new.name)?;
    let account = call.context.principal.account;
    if find(tx, &account, new.kind, new.name).await?.is_some() {
        return Err(new.kind.exists(new.name));
    }
    let maximum = new.kind.count_max();
    if count(tx, &account, new.kind).await? >= maximum {
        let quota = new.kind.quota_name();
        return Err(Error::new(
            ErrorKind::LimitExceeded,
            format!("Cannot exceed quota for {quota}: {maximum}."),
        ));
    }
    let partition = Partition::of(&call.context.region);
    let separator = if new.kind == EntityKind::OidcProvider { "/" } else { new.path };
    let entity = Entity {
        id: call.next_id(),
        account,
        kind: new.kind,
        path: new.path.to_owned(),
        name: new.name.to_owned(),
        arn: new.kind.arn(partition, &account, separator, new.name),
        unique_id: unique_id(new.kind.id_prefix())?,
        description: new.description.to_owned(),
        created_at: call.now(),
        updated_at: call.now(),
    };
    tx.execute(
        "INSERT INTO iam_entities (id, account_id, kind, path, name, folded_name, arn, unique_id, \
         description, created_at, updated_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10)",
        params![
            entity.id,
            account.as_str(),
            entity.kind.as_str(),
            &entity.path,
            &entity.name,
            folded(&entity.name),
            &entity.arn,
            &entity.unique_id,
            &entity.description,
            entity.created_at
        ],
    )
    .await?;
    if entity.kind.is_principal() {
        tx.execute(
            "INSERT INTO principals (id, account_id, kind, name, arn, unique_id, created_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7)",
            params![
                entity.id,
                account.as_str(),
                entity.kind.as_str(),
                folded(&entity.name),
                &entity.arn,
                &entity.unique_id,
                entity.created_at
            ],
        )
        .await?;
    }
    Ok(entity)
}

/// A prefix and 17 random letters and digits.
pub(crate) fn unique_id(prefix: &str) -> Result<String> {
    const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let random: [u8; 17] = random()?;
    let letters = random.iter().filter_map(|byte| ALPHABET.get(usize::from(byte % 32)));
    Ok(prefix.chars().chain(letters.map(|&byte| char::from(byte))).collect())
}

pub(crate) async fn find(
    tx: &mut Tx,
    account: &AccountId,
    kind: EntityKind,
    name: &str,
) -> Result<Option<Entity>> {
    let row = tx
        .optional(
            select!("WHERE account_id = $1 AND kind = $2 AND folded_name = $3"),
            params![account.as_str(), kind.as_str(), folded(name)],
        )
        .await?;
    row.as_ref().map(from_row).transpose()
}

/// # Errors
/// [`ErrorKind::NoSuchEntity`].
pub(crate) async fn get(
    tx: &mut Tx,
    call: &Call<'_>,
    kind: EntityKind,
    name: &str,
) -> Result<Entity> {
    find(tx, &call.context.principal.account, kind, name).await?.ok_or_else(|| kind.not_found(name))
}

pub(crate) async fn find_by_arn(tx: &mut Tx, arn: &str) -> Result<Option<Entity>> {
    let row = tx.optional(select!("WHERE arn = $1"), params![arn]).await?;
    row.as_ref().map(from_row).transpose()
}

/// A page of an account's entities of a kind whose path begins so, by name.
pub(crate) async fn list(
    tx: &mut Tx,
    account: &AccountId,
    kind: EntityKind,
    path_prefix: &str,
    page: &PageRequest,
) -> Result<Page<Entity>> {
    let rows = tx
        .all(
            select!(
                "WHERE account_id = $1 AND kind = $2 AND folded_name > $3 \
                 AND SUBSTR(path, 1, LENGTH(CAST($4 AS TEXT))) = $4 \
                 ORDER BY folded_name LIMIT $5"
            ),
            params![
                account.as_str(),
                kind.as_str(),
                page.after.as_deref().unwrap_or_default(),
                path_prefix,
                page.limit_and_one()
            ],
        )
        .await?;
    let entities = rows.iter().map(from_row).collect::<Result<Vec<_>>>()?;
    Ok(page.cut(entities, |entity| folded(&entity.name)))
}

pub(crate) async fn count(tx: &mut Tx, account: &AccountId, kind: EntityKind) -> Result<i64> {
    let row = tx
        .optional(
            "SELECT COUNT(*) FROM iam_entities WHERE account_id = $1 AND kind = $2",
            params![account.as_str(), kind.as_str()],
        )
        .await?;
    Ok(row.map_or(Ok(0), |row| row.get(0))?)
}

/// Gives an entity another name or path; its unique id stays.
///
/// # Errors
/// As [`insert`].
pub(crate) async fn rename(
    tx: &mut Tx,
    call: &Call<'_>,
    mut entity: Entity,
    name: Option<String>,
    path: Option<String>,
) -> Result<Entity> {
    if let Some(name) = name {
        let other = find(tx, &entity.account, entity.kind, &name).await?;
        if other.is_some_and(|other| other.id != entity.id) {
            return Err(entity.kind.exists(&name));
        }
        entity.name = name;
    }
    if let Some(path) = path {
        entity.path = path;
    }
    validate(entity.kind, &entity.path, &entity.name)?;
    let partition = Partition::of(&call.context.region);
    entity.arn = entity.kind.arn(partition, &entity.account, &entity.path, &entity.name);
    entity.updated_at = call.now();
    tx.execute(
        "UPDATE iam_entities SET name = $2, folded_name = $3, path = $4, arn = $5, \
         updated_at = $6 WHERE id = $1",
        params![
            entity.id,
            &entity.name,
            folded(&entity.name),
            &entity.path,
            &entity.arn,
            entity.updated_at
        ],
    )
    .await?;
    if entity.kind.is_principal() {
        tx.execute(
            "UPDATE principals SET name = $2, arn = $3 WHERE id = $1",
            params![entity.id, folded(&entity.name), &entity.arn],
        )
        .await?;
    }
    Ok(entity)
}

/// Notes that something about an entity changed.
pub(crate) async fn touch(tx: &mut Tx, call: &Call<'_>, entity: &Entity) -> Result<()> {
    tx.execute(
        "UPDATE iam_entities SET updated_at = $2 WHERE id = $1",
        params![entity.id, call.now()],
    )
    .await?;
    Ok(())
}

/// Removes an entity that nothing refers to any more, with its tags and its boundary.
pub(crate) async fn delete(tx: &mut Tx, entity: &Entity) -> Result<()> {
    tx.execute("DELETE FROM iam_tags WHERE entity_id = $1", params![entity.id]).await?;
    tx.execute("DELETE FROM iam_boundaries WHERE entity_id = $1", params![entity.id]).await?;
    tx.execute("DELETE FROM iam_entities WHERE id = $1", params![entity.id]).await?;
    if entity.kind.is_principal() {
        tx.execute("DELETE FROM principals WHERE id = $1", params![entity.id]).await?;
    }
    Ok(())
}

/// Something uses what shall be deleted; AWS's words after "Cannot delete entity, ".
pub(crate) fn in_use(rest: &str) -> Error {
    Error::new(ErrorKind::DeleteConflict, format!("Cannot delete entity, {rest}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_paths_are_checked() {
        let check = |kind, path: &str, name: &str, expected: bool| {
            assert_eq!(validate(kind, path, name).is_ok(), expected, "{path} {name}");
        };
        let user = EntityKind::User;
        check(user, "/", "alice", true);
        check(user, "/", "a+=,.@_-9", true);
        check(user, "/team/deep/", "alice", true);
        check(user, "/", &"x".repeat(64), true);
        check(user, "/", &"x".repeat(65), false);
        check(EntityKind::Group, "/", &"x".repeat(128), true);
        check(user, "/", "", false);
        check(user, "/", "a/b", false);
        check(user, "/", "a:b", false);
        check(user, "/", "é", false);
        check(user, "", "alice", false);
        check(user, "//", "alice", false);
        check(user, "team/", "alice", false);
        check(user, "/team", "alice", false);
        check(user, "/a b/", "alice", false);
        check(user, &format!("/{}/", "x".repeat(511)), "alice", false);
    }

    #[test]
    fn the_macro_selects_the_columns() {
        assert_eq!(select!(""), format!("SELECT {COLUMNS} FROM iam_entities "));
    }
}
