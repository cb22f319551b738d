//! Sessions of people in the console.
//!
//! A session is a row; the browser has a random token of which the row keeps a hash. It ends when
//! nothing was asked for a while, after twelve hours, on signing out, and at once when the access key
//! that began it is switched off, the password that began it is changed, or its user is deleted. One
//! that an identity provider began ends with its session of a role. What it may do is decided anew at
//! every operation.

pub(crate) mod attempts;
pub mod federation;
mod records;
pub mod switching;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::json;
use subtle::ConstantTimeEq as _;

use self::records::Tried;
use self::switching::{RememberedRole, TakenRole};
use super::access_keys::{self, uses};
use super::{begin, entities, login_profiles, principal_from, sessions};
use crate::app::App;
use crate::audit::sign_ins::{SignIn, put};
use crate::authorize::Permit;
use crate::clock::Millis;
use crate::context::{Principal, RequestContext};
use crate::encryption::sealing_key::random;
use crate::error::{Error, ErrorKind, Result};
use crate::execute::Tx;
use crate::metadata::Mode;
use crate::names::{AccountId, Algorithm, Digest};
use crate::params;

/// How long a session lasts at most, in seconds: 12 hours.
pub const LONGEST_SECONDS: i64 = 12 * 3600;
/// How exactly it is known when a session was last used, in seconds.
const NOTED_SECONDS: i64 = 60;
/// Sessions of one principal; the oldest goes for one more.
const PER_PRINCIPAL_MAX: i64 = 20;
/// Rows of ended sessions that one sign-in removes.
const PURGED: i64 = 200;
/// A longer token, name or password is none of ours.
const TEXT_BYTES_MAX: usize = 1024;

/// What somebody signs in with.
#[derive(Clone, Debug)]
pub enum Credentials {
    /// A long-term access key, of a user or of an account's root.
    AccessKey {
        /// Its id.
        id: String,
        /// Its secret.
        secret: SecretString,
    },
    /// The console password of a user.
    Password {
        /// The id or the alias of the account.
        account: String,
        /// The user.
        user_name: String,
        /// The password.
        password: SecretString,
    },
}

/// Somebody who is signed in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsoleSession {
    /// Who it is.
    pub principal: Principal,
    /// The role that they have taken, as which they act.
    pub role: Option<TakenRole>,
    /// Whether a role that they took is over, which they have to be told before they act as
    /// themselves.
    pub role_is_over: bool,
    /// The roles that they took last, the newest first.
    pub recent_roles: Vec<RememberedRole>,
    /// When they signed in.
    pub created_at: Millis,
    /// When they were last seen, to a minute.
    pub last_used_at: Millis,
    /// Whether they signed in with a password that they must change first.
    pub must_change_password: bool,
    /// Whether they signed in with a password.
    pub with_password: bool,
    /// Whether an identity provider let them in.
    pub federated: bool,
    /// Who they are at the identity provider; nothing of everybody else.
    subject_mark: String,
    /// What tells this session from others, and is no secret.
    pub id: String,
}

impl ConsoleSession {
    /// As whom operations run.
    pub fn acting(&self) -> &Principal {
        self.role.as_ref().map_or(&self.principal, |role| &role.principal)
    }
}

/// A session that has just begun.
#[derive(Clone, Debug)]
pub struct NewSession {
    /// What the browser shows from now on.
    pub token: SecretString,
    /// The session.
    pub session: ConsoleSession,
}

/// Begins a session.
///
/// # Errors
/// [`ErrorKind::Unauthenticated`], the same whatever was wrong; [`ErrorKind::Throttled`] after too
/// many failures.
pub async fn sign_in(
    app: &App,
    context: &RequestContext,
    credentials: Credentials,
) -> Result<NewSession> {
    let (source, now) = (context.source_address, context.now);
    let tried = Tried::of(&credentials);
    let name = tried.name();
    if name.len() > TEXT_BYTES_MAX {
        return Err(refused());
    }
    app.sign_ins.begin(&name, source, now).map_err(|seconds| {
        Error::new(
            ErrorKind::Throttled,
            format!(
                "There were too many attempts to sign in. Try again in {} minutes.",
                seconds.div_euclid(60) + 1
            ),
        )
    })?;
    let found = match credentials {
        Credentials::AccessKey { id, secret } => of_key(app, id, &secret, now).await?,
        Credentials::Password { account, user_name, password } => {
            of_password(app, &account, &user_name, password).await?
        }
    };
    let Some(found) = found else {
        tracing::warn!(%source, "somebody failed to sign in to the console");
        records::failed(app, context, &tried, None).await?;
        return Err(refused());
    };
    app.sign_ins.succeeded(&name, source);
    tracing::info!(principal = found.principal.arn, %source, "signed in to the console");
    insert(app, context, found, &tried).await
}

fn refused() -> Error {
    Error::new(
        ErrorKind::Unauthenticated,
        "These do not fit together. Check each of them and try again.",
    )
}

struct Found {
    principal: Principal,
    password_mark: Option<String>,
    must_change_password: bool,
    /// The token of a session of a role, and who it is at the identity provider.
    federated: Option<(String, String)>,
}

async fn of_key(
    app: &App,
    id: String,
    secret: &SecretString,
    now: Millis,
) -> Result<Option<Found>> {
    let Some(key) = access_keys::find_active(app, &id).await? else { return Ok(None) };
    let digest = |secret: &SecretString| mark(secret.expose_secret());
    let is_right = digest(secret).as_bytes().ct_eq(digest(&key.secret).as_bytes());
    if !bool::from(is_right) {
        return Ok(None);
    }
    uses::note(app, &key.principal, "signin", app.default_region.as_str(), now);
    Ok(Some(Found {
        principal: key.principal,
        password_mark: None,
        must_change_password: false,
        federated: None,
    }))
}

async fn of_password(
    app: &App,
    account: &str,
    user_name: &str,
    password: SecretString,
) -> Result<Option<Found>> {
    let _slot = app.sign_ins.comparing.acquire().await.map_err(Error::internal)?;
    let mut tx = begin(app).await?;
    let account = account_of(&mut tx, account).await?;
    let row = tx
        .optional(
            "SELECT principals.id, principals.kind, principals.account_id, principals.arn, \
             principals.unique_id, iam_login_profiles.password_hash, \
             iam_login_profiles.reset_required FROM principals \
             JOIN iam_login_profiles ON iam_login_profiles.user_id = principals.id \
             JOIN accounts ON accounts.id = principals.account_id \
             WHERE principals.account_id = $1 AND principals.kind = 'user' \
             AND principals.name = $2 AND accounts.state = 'ACTIVE'",
            params![account.unwrap_or_default(), entities::folded(user_name)],
        )
        .await?;
    drop(tx);
    let hash = row.as_ref().map(|row| row.get::<String>(5)).transpose()?;
    let is_short = password.expose_secret().len() <= TEXT_BYTES_MAX;
    let password = if is_short { password } else { SecretString::default() };
    let is_right = login_profiles::matches_any(password, hash.clone()).await?;
    let (Some(row), Some(hash), true) = (row, hash, is_right) else { return Ok(None) };
    Ok(Some(Found {
        principal: principal_from(&row, None)?,
        password_mark: Some(mark(&hash)),
        must_change_password: row.get(6)?,
        federated: None,
    }))
}

/// The account of an id, whether there is one or not, or of an alias.
async fn account_of(tx: &mut Tx, account: &str) -> Result<Option<String>> {
    if let Ok(account) = AccountId::parse(account) {
        return Ok(Some(account.to_string()));
    }
    let alias = "SELECT account_id FROM iam_account_aliases WHERE alias = $1";
    let row = tx.optional(alias, params![account]).await?;
    Ok(row.map(|row| row.get(0)).transpose()?)
}

/// What stands for a secret that is random enough not to be guessed from it.
fn mark(text: &str) -> String {
    Digest::of(Algorithm::Sha256, text.as_bytes()).to_string()
}

async fn write(app: &App) -> Result<Tx> {
    Tx::begin(app.metadata.as_ref(), Mode::Write, &Permit::maintenance()).await
}

async fn insert(
    app: &App,
    context: &RequestContext,
    found: Found,
    tried: &Tried,
) -> Result<NewSession> {
    let now = context.now;
    let token = URL_SAFE_NO_PAD.encode(random::<32>()?);
    let id = mark(&token);
    let (session_token, subject_mark) = found.federated.unzip();
    let mut tx = write(app).await?;
    tx.execute(
        "DELETE FROM console_sessions WHERE token_hash IN (SELECT token_hash \
         FROM console_sessions WHERE last_used_at <= $1 ORDER BY last_used_at LIMIT $2)",
        params![now.plus_seconds(-app.settings.console_idle_seconds), PURGED],
    )
    .await?;
    tx.execute(
        "DELETE FROM console_sessions WHERE token_hash IN (SELECT token_hash \
         FROM console_sessions WHERE principal_id = $1 AND COALESCE(subject_mark, '') = $4 \
         ORDER BY created_at DESC LIMIT $2 OFFSET $3)",
        params![
            found.principal.id,
            PURGED,
            PER_PRINCIPAL_MAX - 1,
            subject_mark.as_deref().unwrap_or_default()
        ],
    )
    .await?;
    tx.execute(
        "INSERT INTO console_sessions (token_hash, principal_id, access_key_id, password_mark, \
         created_at, last_used_at, session_token, subject_mark) \
         VALUES ($1, $2, $3, $4, $5, $5, $6, $7)",
        params![
            &id,
            found.principal.id,
            found.principal.access_key_id.clone(),
            found.password_mark.clone(),
            now,
            session_token.clone(),
            subject_mark.clone()
        ],
    )
    .await?;
    let who = records::by(context, &found.principal);
    put(&mut tx, app, &who, (SignIn::ConsoleLogin, "*"), tried.additional()).await?;
    tx.commit().await?;
    let session = ConsoleSession {
        principal: found.principal,
        role: None,
        role_is_over: false,
        recent_roles: Vec::new(),
        created_at: now,
        last_used_at: now,
        must_change_password: found.must_change_password,
        with_password: found.password_mark.is_some(),
        federated: session_token.is_some(),
        subject_mark: subject_mark.unwrap_or_default(),
        id,
    };
    Ok(NewSession { token: SecretString::from(token), session })
}

/// The session of a token, while it lasts; it was used now.
///
/// # Errors
/// When the database fails.
pub async fn find(app: &App, token: &str, now: Millis) -> Result<Option<ConsoleSession>> {
    read(app, token, now, true).await
}

/// As [`find`], for a page that looks again by itself: nobody used the session, so it ends when it
/// would have ended.
///
/// # Errors
/// As [`find`].
pub async fn look(app: &App, token: &str, now: Millis) -> Result<Option<ConsoleSession>> {
    read(app, token, now, false).await
}

async fn read(
    app: &App,
    token: &str,
    now: Millis,
    is_used: bool,
) -> Result<Option<ConsoleSession>> {
    if token.is_empty() || token.len() > TEXT_BYTES_MAX {
        return Ok(None);
    }
    let id = mark(token);
    let mut tx = begin(app).await?;
    let row = tx
        .optional(
            "SELECT principals.id, principals.kind, principals.account_id, principals.arn, \
             principals.unique_id, console_sessions.access_key_id, \
             console_sessions.password_mark, console_sessions.created_at, \
             console_sessions.last_used_at, access_keys.state, \
             iam_login_profiles.password_hash, iam_login_profiles.reset_required, \
             console_sessions.session_token, console_sessions.subject_mark, \
             console_sessions.role_key, console_sessions.role_token, \
             console_sessions.recent_roles FROM console_sessions \
             JOIN principals ON principals.id = console_sessions.principal_id \
             JOIN accounts ON accounts.id = principals.account_id \
             LEFT JOIN access_keys ON access_keys.id = console_sessions.access_key_id \
             AND access_keys.principal_id = principals.id \
             LEFT JOIN iam_login_profiles ON iam_login_profiles.user_id = principals.id \
             WHERE console_sessions.token_hash = $1 AND accounts.state = 'ACTIVE'",
            params![&id],
        )
        .await?;
    drop(tx);
    let Some(row) = row else { return Ok(None) };
    let key: Option<String> = row.get(5)?;
    let password_mark: Option<String> = row.get(6)?;
    let (created_at, last_used_at): (Millis, Millis) = (row.get(7)?, row.get(8)?);
    let has_key = row.get::<Option<String>>(9)?.as_deref() == Some("ACTIVE");
    let password_now = row.get::<Option<String>>(10)?.map(|hash| mark(&hash));
    let session_token: Option<String> = row.get(12)?;
    let mut principal = None;
    let is_good = match (&key, &password_mark, &session_token) {
        (Some(key), None, Some(token)) => {
            principal = of_session(app, key, token, now).await?;
            principal.is_some()
        }
        (Some(_), None, None) => has_key,
        (None, Some(_), None) => password_now == password_mark,
        _ => false,
    };
    let is_over = created_at.plus_seconds(LONGEST_SECONDS) <= now
        || last_used_at.plus_seconds(app.settings.console_idle_seconds) <= now;
    if !is_good || is_over {
        return Ok(None);
    }
    if is_used && last_used_at.plus_seconds(NOTED_SECONDS) <= now {
        let mut tx = write(app).await?;
        tx.execute(
            "UPDATE console_sessions SET last_used_at = $2 \
             WHERE token_hash = $1 AND last_used_at < $2",
            params![&id, now],
        )
        .await?;
        tx.commit().await?;
    }
    let taken = switching::Stored { key: row.get(14)?, token: row.get(15)?, recent: row.get(16)? };
    let taken = taken.read(app, now).await?;
    Ok(Some(ConsoleSession {
        principal: match principal {
            Some(principal) => principal,
            None => principal_from(&row, key)?,
        },
        role: taken.role,
        role_is_over: taken.is_over,
        recent_roles: taken.recent,
        created_at,
        last_used_at,
        must_change_password: password_mark.is_some()
            && row.get::<Option<bool>>(11)?.unwrap_or(false),
        with_password: password_mark.is_some(),
        federated: session_token.is_some(),
        subject_mark: row.get::<Option<String>>(13)?.unwrap_or_default(),
        id,
    }))
}

/// Who a session of a role is now; nobody when it is over, or its role is gone.
async fn of_session(app: &App, key: &str, token: &str, now: Millis) -> Result<Option<Principal>> {
    match sessions::authenticate(app, key, Some(token), now).await {
        Ok(active) => {
            let principal = active.map(|active| active.principal);
            if let Some(principal) = &principal {
                uses::note(app, principal, "signin", app.default_region.as_str(), now);
            }
            Ok(principal)
        }
        Err(error)
            if matches!(error.kind(), ErrorKind::TokenExpired | ErrorKind::Unauthenticated) =>
        {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// Ends a session.
///
/// # Errors
/// When the database fails; the session then goes on.
pub async fn end(app: &App, context: &RequestContext, session: &ConsoleSession) -> Result<()> {
    let mut tx = write(app).await?;
    tx.execute("DELETE FROM console_sessions WHERE token_hash = $1", params![&session.id]).await?;
    record_end(&mut tx, app, context, session, 1).await?;
    tx.commit().await?;
    Ok(())
}

async fn record_end(
    tx: &mut Tx,
    app: &App,
    context: &RequestContext,
    session: &ConsoleSession,
    sessions: u64,
) -> Result<()> {
    let who = records::by(context, &session.principal);
    put(tx, app, &who, (SignIn::Logout, "*"), json!({ "SessionsEnded": sessions })).await
}

/// Ends all sessions of whoever has this one; how many there were.
///
/// # Errors
/// When the database fails; the sessions then go on.
pub async fn end_all(app: &App, context: &RequestContext, session: &ConsoleSession) -> Result<u64> {
    let mut tx = write(app).await?;
    let ended = tx
        .execute(
            "DELETE FROM console_sessions \
             WHERE principal_id = $1 AND COALESCE(subject_mark, '') = $2",
            params![session.principal.id, &session.subject_mark],
        )
        .await?;
    record_end(&mut tx, app, context, session, ended).await?;
    tx.commit().await?;
    Ok(ended)
}

/// A session as its owner sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedSession {
    /// What tells it from others.
    pub id: String,
    /// The access key that began it; without one, a password did.
    pub access_key_id: Option<String>,
    /// When it began.
    pub created_at: Millis,
    /// When it was last used, to a minute.
    pub last_used_at: Millis,
}

/// The sessions of whoever has this one that are not over, newest first.
///
/// # Errors
/// When the database fails.
pub async fn list(app: &App, session: &ConsoleSession, now: Millis) -> Result<Vec<ListedSession>> {
    let mut tx = begin(app).await?;
    let rows = tx
        .all(
            "SELECT token_hash, access_key_id, created_at, last_used_at FROM console_sessions \
             WHERE principal_id = $1 AND created_at > $2 AND last_used_at > $3 \
             AND COALESCE(subject_mark, '') = $5 ORDER BY created_at DESC LIMIT $4",
            params![
                session.principal.id,
                now.plus_seconds(-LONGEST_SECONDS),
                now.plus_seconds(-app.settings.console_idle_seconds),
                PER_PRINCIPAL_MAX,
                &session.subject_mark
            ],
        )
        .await?;
    rows.iter()
        .map(|row| {
            Ok(ListedSession {
                id: row.get(0)?,
                access_key_id: row.get(1)?,
                created_at: row.get(2)?,
                last_used_at: row.get(3)?,
            })
        })
        .collect()
}

/// What nobody can guess, of 43 letters, digits, hyphens and underscores: for the form of signing in,
/// before there is a session.
///
/// # Errors
/// Only when the system has no randomness to give.
pub fn nonce() -> Result<String> {
    Ok(URL_SAFE_NO_PAD.encode(random::<32>()?))
}
