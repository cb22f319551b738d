//! The operations on access keys: of a user, or of the caller when no user is named.

use secrecy::SecretString;

use super::{AccessKey, insert, uses};
use crate::clock::Millis;
use crate::context::{PrincipalKind, RequestContext};
use crate::error::{Error, ErrorKind, Result};
use crate::execute::{Call, Demand, Resource, Tx};
use crate::identities::IamOperation;
use crate::identities::entities::{self, EntityKind};
use crate::identities::users::{named_or_caller, resource};
use crate::pages::{Page, PageRequest};
use crate::params;

/// Keys of one user; AWS's quota.
const KEYS_MAX: usize = 2;

/// A key without its secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessKeyInfo {
    /// Its id.
    pub id: String,
    /// The user; empty for the root of the account.
    pub user_name: String,
    /// Whether it works.
    pub active: bool,
    /// When it was made.
    pub created_at: Millis,
}

/// A key as it is shown once.
#[derive(Clone, Debug)]
pub struct NewAccessKey {
    /// The key.
    pub info: AccessKeyInfo,
    /// Its secret.
    pub secret: SecretString,
}

/// Whose keys are meant: the principal's row and the user's name.
async fn owner(tx: &mut Tx, call: &Call<'_>, name: Option<&str>) -> Result<(i64, String)> {
    let principal = &call.context.principal;
    if name.is_none() && principal.kind == PrincipalKind::Root {
        return Ok((principal.id, String::new()));
    }
    let name = named_or_caller(name, call.context)?;
    let user = entities::get(tx, call, EntityKind::User, name).await?;
    Ok((user.id, user.name))
}

async fn list(tx: &mut Tx, principal_id: i64, user_name: &str) -> Result<Vec<AccessKeyInfo>> {
    let rows = tx
        .all(
            "SELECT id, state, created_at FROM access_keys WHERE principal_id = $1 \
             ORDER BY id LIMIT 100",
            params![principal_id],
        )
        .await?;
    rows.iter()
        .map(|row| {
            Ok(AccessKeyInfo {
                id: row.get(0)?,
                user_name: user_name.to_owned(),
                active: row.get::<String>(1)? == "ACTIVE",
                created_at: row.get(2)?,
            })
        })
        .collect()
}

fn no_such(id: &str) -> Error {
    Error::new(ErrorKind::NoSuchEntity, format!("The Access Key with id {id} cannot be found."))
}

/// Makes a key; its secret is never shown again.
#[derive(Clone, Debug)]
pub struct CreateAccessKey {
    /// The user.
    pub user_name: Option<String>,
}

impl IamOperation for CreateAccessKey {
    const ACTION: &'static str = "iam:CreateAccessKey";
    type Output = NewAccessKey;

    fn demands(&self, context: &RequestContext) -> Vec<Demand> {
        vec![Demand::new(Self::ACTION, resource(self.user_name.as_deref(), context))]
    }

    async fn apply(self, call: &Call<'_>, tx: &mut Tx) -> Result<NewAccessKey> {
        let (principal_id, user_name) = owner(tx, call, self.user_name.as_deref()).await?;
        if list(tx, principal_id, &user_name).await?.len() >= KEYS_MAX {
            return Err(Error::new(
                ErrorKind::LimitExceeded,
                format!("Cannot exceed quota for AccessKeysPerUser: {KEYS_MAX}"),
            ));
        }
        let key = AccessKey::random()?;
        insert(tx, &call.app.root_key, principal_id, &key, call.now()).await?;
        Ok(NewAccessKey {
            info: AccessKeyInfo { id: key.id, user_name, active: true, created_at: call.now() },
            secret: key.secret,
        })
    }
}

/// Switches a key on or off. A key that is off ends everything made with it at once: requests,
/// tokens, sessions. Idempotent.
#[derive(Clone, Debug)]
pub struct UpdateAccessKey {
    /// The user.
    pub user_name: Option<String>,
    /// The key.
    pub id: String,
    /// Whether it works.
    pub active: bool,
}

impl IamOperation for UpdateAccessKey {
    const ACTION: &'static str = "iam:UpdateAccessKey";
    type Output = ();

    fn demands(&self, context: &RequestContext) -> Vec<Demand> {
        vec![Demand::new(Self::ACTION, resource(self.user_name.as_deref(), context))]
    }

    async fn apply(self, call: &Call<'_>, tx: &mut Tx) -> Result<()> {
        let (principal_id, _) = owner(tx, call, self.user_name.as_deref()).await?;
        let changed = tx
            .execute(
                "UPDATE access_keys SET state = $3 WHERE id = $1 AND principal_id = $2",
                params![&self.id, principal_id, if self.active { "ACTIVE" } else { "INACTIVE" }],
            )
            .await?;
        if changed == 0 { Err(no_such(&self.id)) } else { Ok(()) }
    }
}

/// Deletes a key, and ends everything made with it.
#[derive(Clone, Debug)]
pub struct DeleteAccessKey {
    /// The user.
    pub user_name: Option<String>,
    /// The key.
    pub id: String,
}

impl IamOperation for DeleteAccessKey {
    const ACTION: &'static str = "iam:DeleteAccessKey";
    type Output = ();

    fn demands(&self, context: &RequestContext) -> Vec<Demand> {
        vec![Demand::new(Self::ACTION, resource(self.user_name.as_deref(), context))]
    }

    async fn apply(self, call: &Call<'_>, tx: &mut Tx) -> Result<()> {
        let (principal_id, user_name) = owner(tx, call, self.user_name.as_deref()).await?;
        let keys = list(tx, principal_id, &user_name).await?;
        if !keys.iter().any(|key| key.id == self.id) {
            return Err(no_such(&self.id));
        }
        tx.execute("DELETE FROM access_key_uses WHERE access_key_id = $1", params![&self.id])
            .await?;
        tx.execute("DELETE FROM access_keys WHERE id = $1", params![&self.id]).await?;
        Ok(())
    }
}

/// The keys of a user.
#[derive(Clone, Debug)]
pub struct ListAccessKeys {
    /// The user.
    pub user_name: Option<String>,
    /// Which page.
    pub page: PageRequest,
}

impl IamOperation for ListAccessKeys {
    const ACTION: &'static str = "iam:ListAccessKeys";
    const CHANGES: bool = false;
    type Output = Page<AccessKeyInfo>;

    fn demands(&self, context: &RequestContext) -> Vec<Demand> {
        vec![Demand::new(Self::ACTION, resource(self.user_name.as_deref(), context))]
    }

    async fn apply(self, call: &Call<'_>, tx: &mut Tx) -> Result<Page<AccessKeyInfo>> {
        let (principal_id, user_name) = owner(tx, call, self.user_name.as_deref()).await?;
        let keys = list(tx, principal_id, &user_name).await?;
        Ok(self.page.cut_all(keys, |key| key.id.clone()))
    }
}

/// When a key of the account was last used.
#[derive(Clone, Debug)]
pub struct GetAccessKeyLastUsed {
    /// The key.
    pub id: String,
}

impl IamOperation for GetAccessKeyLastUsed {
    const ACTION: &'static str = "iam:GetAccessKeyLastUsed";
    const CHANGES: bool = false;
    type Output = (String, Option<uses::Use>);

    fn demands(&self, context: &RequestContext) -> Vec<Demand> {
        // Whose key it is, only the answer says; so this is decided for all users of the account.
        let all: Resource = EntityKind::User.resource_at(context, Some("/"), "*");
        vec![Demand::new(Self::ACTION, all)]
    }

    async fn apply(self, call: &Call<'_>, tx: &mut Tx) -> Result<(String, Option<uses::Use>)> {
        let row = tx
            .optional(
                "SELECT iam_entities.name FROM access_keys \
                 JOIN principals ON principals.id = access_keys.principal_id \
                 LEFT JOIN iam_entities ON iam_entities.id = principals.id \
                 WHERE access_keys.id = $1 AND principals.account_id = $2",
                params![&self.id, call.context.principal.account.as_str()],
            )
            .await?
            .ok_or_else(|| no_such(&self.id))?;
        let name: Option<String> = row.get(0)?;
        Ok((name.unwrap_or_default(), uses::find(tx, &self.id).await?))
    }
}
