//! Console passwords of users. Only their hash is kept: Argon2id with its recommended parameters.

use std::sync::LazyLock;

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use secrecy::{ExposeSecret, SecretString};

use super::entities::{self, Entity, EntityKind};
use super::users::{name_of, named_or_caller, resource};
use crate::clock::Millis;
use crate::context::RequestContext;
use crate::error::{Error, ErrorKind, Result};
use crate::execute::{Call, Demand, Entry, Operation, Resource, Service, Tx};
use crate::identities::IamOperation;
use crate::params;
use crate::versions;

const KIND: EntityKind = EntityKind::User;

/// That a user has a password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoginProfile {
    /// The user.
    pub user_name: String,
    /// Whether the user must choose another at the next sign-in.
    pub reset_required: bool,
    /// When it was made.
    pub created_at: Millis,
}

/// Hashing takes tens of milliseconds and 19 MiB, so it happens on a thread that may block, before
/// any transaction is open.
async fn hash(password: SecretString) -> Result<String> {
    check(&password)?;
    let hashed = tokio::task::spawn_blocking(move || {
        Argon2::default()
            .hash_password(password.expose_secret().as_bytes())
            .map(|hash| hash.to_string())
    })
    .await
    .map_err(Error::internal)?;
    hashed.map_err(|error| Error::internal(error.to_string()))
}

/// A hash of nothing that anybody has, so that users who are not there take as long as others.
static NOBODY: LazyLock<Option<String>> = LazyLock::new(|| {
    let hash = Argon2::default().hash_password(b"a password of nobody").ok()?;
    Some(hash.to_string())
});

/// As [`matches`], where it shall take as long to find that there is nothing to compare with.
pub(super) async fn matches_any(password: SecretString, hash: Option<String>) -> Result<bool> {
    let exists = hash.is_some();
    let hash = match hash {
        Some(hash) => hash,
        None => tokio::task::spawn_blocking(|| NOBODY.clone())
            .await
            .map_err(Error::internal)?
            .ok_or_else(|| Error::internal("no password can be hashed"))?,
    };
    Ok(matches(password, hash).await? && exists)
}

/// Whether `password` is the one that was hashed.
async fn matches(password: SecretString, hash: String) -> Result<bool> {
    tokio::task::spawn_blocking(move || {
        let parsed = PasswordHash::new(&hash).map_err(|error| error.to_string())?;
        Ok(Argon2::default().verify_password(password.expose_secret().as_bytes(), &parsed).is_ok())
    })
    .await
    .map_err(Error::internal)?
    .map_err(|error: String| Error::internal(error))
}

/// The rule of an account without a password policy (IAM user guide, "Default password policy"):
/// 8 to 128 characters, three of upper case, lower case, digits and symbols.
fn check(password: &SecretString) -> Result<()> {
    let text = password.expose_secret();
    let length = text.chars().count();
    let kinds = [
        text.chars().any(char::is_uppercase),
        text.chars().any(char::is_lowercase),
        text.chars().any(|character| character.is_ascii_digit()),
        text.chars().any(|character| character.is_ascii_punctuation()),
    ];
    let kinds = kinds.into_iter().filter(|there| *there).count();
    if (8..=128).contains(&length) && kinds >= 3 {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::PasswordPolicyViolation,
        "Password does not conform to the account password policy: 8 to 128 characters, with at \
         least three of uppercase letters, lowercase letters, numbers and symbols.",
    ))
}

async fn find(tx: &mut Tx, user: &Entity) -> Result<Option<(String, LoginProfile)>> {
    let row = tx
        .optional(
            "SELECT password_hash, reset_required, created_at FROM iam_login_profiles \
             WHERE user_id = $1",
            params![user.id],
        )
        .await?;
    row.map(|row| {
        let profile = LoginProfile {
            user_name: user.name.clone(),
            reset_required: row.get(1)?,
            created_at: row.get(2)?,
        };
        Ok((row.get(0)?, profile))
    })
    .transpose()
}

async fn get(tx: &mut Tx, user: &Entity) -> Result<(String, LoginProfile)> {
    find(tx, user).await?.ok_or_else(|| {
        Error::new(
            ErrorKind::NoSuchEntity,
            format!("Login Profile for User {} cannot be found.", user.name),
        )
    })
}

async fn store(tx: &mut Tx, user: &Entity, hash: &str, profile: &LoginProfile) -> Result<()> {
    tx.execute(
        "INSERT INTO iam_login_profiles (user_id, password_hash, reset_required, created_at) \
         VALUES ($1, $2, $3, $4) ON CONFLICT (user_id) DO UPDATE SET \
         password_hash = excluded.password_hash, reset_required = excluded.reset_required",
        params![user.id, hash, profile.reset_required, profile.created_at],
    )
    .await?;
    Ok(())
}

/// Ends a change of an identity, as [`IamOperation`] does for those that hash nothing.
async fn finish(call: &Call<'_>, mut tx: Tx) -> Result<()> {
    let version = versions::identities(&call.context.principal.account);
    versions::bump(&mut tx, &version).await?;
    call.commit(tx).await
}

/// Gives a user a password.
#[derive(Clone, Debug)]
pub struct CreateLoginProfile {
    /// The user.
    pub user_name: Option<String>,
    /// The password.
    pub password: SecretString,
    /// Whether the user must choose another at the next sign-in.
    pub reset_required: bool,
}

impl Operation for CreateLoginProfile {
    const ENTRY: Entry = Entry { service: Service::Iam, name: "CreateLoginProfile" };
    type Output = LoginProfile;

    fn demands(&self, context: &RequestContext) -> Vec<Demand> {
        vec![Demand::new("iam:CreateLoginProfile", resource(self.user_name.as_deref(), context))]
    }

    async fn run(self, call: Call<'_>) -> Result<LoginProfile> {
        let name = named_or_caller(self.user_name.as_deref(), call.context)?;
        let hash = hash(self.password).await?;
        let mut tx = call.write().await?;
        let user = match entities::get(&mut tx, &call, KIND, name).await {
            Err(error) if error.kind() == ErrorKind::NoSuchEntity => {
                return call.refuse(tx, error).await;
            }
            found => found?,
        };
        if find(&mut tx, &user).await?.is_some() {
            let exists = Error::new(
                ErrorKind::EntityAlreadyExists,
                format!("Login Profile for user {} already exists.", user.name),
            );
            return call.refuse(tx, exists).await;
        }
        let profile = LoginProfile {
            user_name: user.name.clone(),
            reset_required: self.reset_required,
            created_at: call.now(),
        };
        store(&mut tx, &user, &hash, &profile).await?;
        finish(&call, tx).await?;
        Ok(profile)
    }
}

/// Whether a user has a password.
#[derive(Clone, Debug)]
pub struct GetLoginProfile {
    /// The user.
    pub user_name: Option<String>,
}

impl IamOperation for GetLoginProfile {
    const ACTION: &'static str = "iam:GetLoginProfile";
    const CHANGES: bool = false;
    type Output = LoginProfile;

    fn demands(&self, context: &RequestContext) -> Vec<Demand> {
        vec![Demand::new(Self::ACTION, resource(self.user_name.as_deref(), context))]
    }

    async fn apply(self, call: &Call<'_>, tx: &mut Tx) -> Result<LoginProfile> {
        let name = named_or_caller(self.user_name.as_deref(), call.context)?;
        let user = entities::get(tx, call, KIND, name).await?;
        Ok(get(tx, &user).await?.1)
    }
}

/// Changes the password of a user.
#[derive(Clone, Debug)]
pub struct UpdateLoginProfile {
    /// The user.
    pub user_name: String,
    /// The new password.
    pub password: Option<SecretString>,
    /// Whether the user must choose another at the next sign-in.
    pub reset_required: Option<bool>,
}

impl Operation for UpdateLoginProfile {
    const ENTRY: Entry = Entry { service: Service::Iam, name: "UpdateLoginProfile" };
    type Output = ();

    fn demands(&self, context: &RequestContext) -> Vec<Demand> {
        vec![Demand::new("iam:UpdateLoginProfile", KIND.resource(context, &self.user_name))]
    }

    async fn run(self, call: Call<'_>) -> Result<()> {
        let new_hash = match self.password {
            Some(password) => Some(hash(password).await?),
            None => None,
        };
        let mut tx = call.write().await?;
        let user = entities::get(&mut tx, &call, KIND, &self.user_name).await?;
        let (old_hash, mut profile) = get(&mut tx, &user).await?;
        profile.reset_required = self.reset_required.unwrap_or(profile.reset_required);
        store(&mut tx, &user, new_hash.as_deref().unwrap_or(&old_hash), &profile).await?;
        finish(&call, tx).await
    }
}

/// Takes a user's password away.
#[derive(Clone, Debug)]
pub struct DeleteLoginProfile {
    /// The user.
    pub user_name: Option<String>,
}

impl IamOperation for DeleteLoginProfile {
    const ACTION: &'static str = "iam:DeleteLoginProfile";
    type Output = ();

    fn demands(&self, context: &RequestContext) -> Vec<Demand> {
        vec![Demand::new(Self::ACTION, resource(self.user_name.as_deref(), context))]
    }

    async fn apply(self, call: &Call<'_>, tx: &mut Tx) -> Result<()> {
        let name = named_or_caller(self.user_name.as_deref(), call.context)?;
        let user = entities::get(tx, call, KIND, name).await?;
        get(tx, &user).await?;
        tx.execute("DELETE FROM iam_login_profiles WHERE user_id = $1", params![user.id]).await?;
        Ok(())
    }
}

/// Changes the caller's own password.
#[derive(Clone, Debug)]
pub struct ChangePassword {
    /// The present one.
    pub old: SecretString,
    /// The next one.
    pub new: SecretString,
}

impl Operation for ChangePassword {
    const ENTRY: Entry = Entry { service: Service::Iam, name: "ChangePassword" };
    type Output = ();

    fn demands(&self, context: &RequestContext) -> Vec<Demand> {
        let resource: Resource = resource(None, context);
        vec![Demand::new("iam:ChangePassword", resource)]
    }

    async fn run(self, call: Call<'_>) -> Result<()> {
        let name = name_of(&call.context.principal).ok_or_else(|| {
            Error::new(ErrorKind::InvalidUserType, "Only IAM Users can change their own password.")
        })?;
        let mut tx = call.read().await?;
        let user = entities::get(&mut tx, &call, KIND, name).await?;
        let (old_hash, _) = get(&mut tx, &user).await?;
        drop(tx);
        if !matches(self.old, old_hash.clone()).await? {
            return Err(Error::new(ErrorKind::AccessDenied, "The old password was incorrect."));
        }
        let new_hash = hash(self.new).await?;
        let mut tx = call.write().await?;
        let (stored, mut profile) = get(&mut tx, &user).await?;
        if stored != old_hash {
            return Err(Error::new(
                ErrorKind::Unavailable,
                "The password was changed meanwhile; try again.",
            ));
        }
        profile.reset_required = false;
        store(&mut tx, &user, &new_hash, &profile).await?;
        finish(&call, tx).await
    }
}
