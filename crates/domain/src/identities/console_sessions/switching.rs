//! Taking a role without signing out, and being oneself again.
//!
//! What is gained is what `AssumeRole` gives to whoever signed in, and nothing else: it is run as
//! them, not as the role that they have at the moment. The session of the role ends with the session
//! that took it, or before.

use secrecy::ExposeSecret as _;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::federation::session_name;
use super::records::by;
use super::{ConsoleSession, LONGEST_SECONDS, account_of, of_session, write};
use crate::app::App;
use crate::audit::sign_ins::{SignIn, put};
use crate::clock::Millis;
use crate::context::{Principal, PrincipalKind, RequestContext};
use crate::error::{Error, ErrorKind, Result};
use crate::execute::execute;
use crate::identities::begin;
use crate::identities::roles::SESSION_SECONDS;
use crate::identities::sessions::assume_role::{AssumeRole, CHAINED_SECONDS_MAX, role_account};
use crate::names::Partition;
use crate::params;

/// Roles that a session remembers.
const REMEMBERED_MAX: usize = 5;
/// The shortest session of a role, in seconds.
const SHORTEST_SECONDS: i64 = 900;
/// Characters of a role's path and name.
const NAME_MAX: usize = 576;

/// A role that a session has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TakenRole {
    /// The ARN of the role.
    pub arn: String,
    /// Who acts.
    pub principal: Principal,
    /// When the session of the role ends.
    pub expires_at: Millis,
}

/// A role that was taken before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RememberedRole {
    /// The role.
    pub arn: String,
}

impl RememberedRole {
    /// The account of the role.
    pub fn account(&self) -> &str {
        self.arn.split(':').nth(4).unwrap_or_default()
    }

    /// The path and name of the role.
    pub fn name(&self) -> &str {
        self.arn.split_once(":role/").map_or(self.arn.as_str(), |(_, name)| name)
    }
}

/// What a row has of the role that was taken.
pub(super) struct Stored {
    pub(super) key: Option<String>,
    pub(super) token: Option<String>,
    pub(super) recent: String,
}

impl Stored {
    /// The role, whether it is over, and those before it.
    pub(super) async fn read(self, app: &App, now: Millis) -> Result<Read> {
        let recent = serde_json::from_str(&self.recent).map_err(Error::internal)?;
        let (Some(key), Some(token)) = (self.key, self.token) else {
            return Ok(Read { role: None, is_over: false, recent });
        };
        let principal = of_session(app, &key, &token, now).await?;
        let role = principal.and_then(TakenRole::of);
        Ok(Read { is_over: role.is_none(), role, recent })
    }
}

impl TakenRole {
    fn of(principal: Principal) -> Option<Self> {
        let session = principal.session.as_ref()?;
        let (arn, expires_at) = (session.base_arn.clone(), Millis(session.session.expires_at));
        Some(Self { arn, principal, expires_at })
    }
}

pub(super) struct Read {
    pub(super) role: Option<TakenRole>,
    pub(super) is_over: bool,
    pub(super) recent: Vec<RememberedRole>,
}

fn refused() -> Error {
    Error::new(
        ErrorKind::AccessDenied,
        "You cannot take this role: there is none of this account and name, or its trust policy or \
         your own policies do not allow sts:AssumeRole.",
    )
}

/// Takes a role, as an account's id or alias and the role's name with its path, or as an ARN in place
/// of the name.
///
/// # Errors
/// [`ErrorKind::InvalidParameter`] for what names no role; [`ErrorKind::AccessDenied`], the same
/// whether there is such an account and role; [`ErrorKind::Unauthenticated`] when the session is over.
pub async fn switch_role(
    app: &App,
    context: &RequestContext,
    session: &ConsoleSession,
    (account, role): (&str, &str),
) -> Result<TakenRole> {
    let context = &by(context, &session.principal);
    if session.principal.kind == PrincipalKind::Root {
        return Err(Error::new(
            ErrorKind::AccessDenied,
            "The root of an account cannot take roles, as in AWS. Sign in as a user or with a \
             provider.",
        ));
    }
    let arn = role_arn(app, context, account, role).await?;
    let seconds = seconds(app, context, session, &arn).await?;
    let own_name = session.principal.arn.rsplit('/').next().unwrap_or_default();
    let assume = AssumeRole {
        role_arn: arn.clone(),
        session_name: session_name(own_name, &session.principal.unique_id),
        duration_seconds: Some(seconds),
        policy: None,
        policy_arns: Vec::new(),
        tags: Vec::new(),
        transitive_tag_keys: Vec::new(),
        external_id: None,
        source_identity: None,
    };
    let assumed = execute(app, context, assume).await;
    let credentials = assumed
        .map_err(|error| match error.kind() {
            ErrorKind::AccessDenied => refused(),
            _ => error,
        })?
        .credentials;
    let token = credentials.token.expose_secret();
    let principal = of_session(app, &credentials.access_key_id, token, context.now).await?;
    let role = principal
        .and_then(TakenRole::of)
        .ok_or_else(|| Error::internal("a session that has just begun is none"))?;

    let mut recent = session.recent_roles.clone();
    recent.retain(|known| known.arn != arn);
    recent.insert(0, RememberedRole { arn: arn.clone() });
    recent.truncate(REMEMBERED_MAX);
    let recent = serde_json::to_string(&recent).map_err(Error::internal)?;
    let mut tx = write(app).await?;
    let changed = tx
        .execute(
            "UPDATE console_sessions SET role_key = $2, role_token = $3, recent_roles = $4 \
             WHERE token_hash = $1",
            params![&session.id, &credentials.access_key_id, token, recent],
        )
        .await?;
    if changed == 0 {
        return Err(Error::new(ErrorKind::Unauthenticated, "The session is over."));
    }
    let from = session.principal.recorded_arn();
    let more = json!({ "SwitchFrom": from, "SwitchTo": role.principal.arn });
    let what = (SignIn::SwitchRole, arn.as_str());
    put(&mut tx, app, &by(context, &role.principal), what, more.clone()).await?;
    if role.principal.account != session.principal.account {
        // The account that somebody comes from is told, too.
        put(&mut tx, app, context, what, more).await?;
    }
    tx.commit().await?;
    Ok(role)
}

/// Leaves the role.
///
/// # Errors
/// When the database fails; the session then has the role still.
pub async fn leave_role(
    app: &App,
    context: &RequestContext,
    session: &ConsoleSession,
) -> Result<()> {
    let mut tx = write(app).await?;
    tx.execute(
        "UPDATE console_sessions SET role_key = NULL, role_token = NULL WHERE token_hash = $1",
        params![&session.id],
    )
    .await?;
    if let Some(role) = &session.role {
        let more = json!({ "SwitchTo": session.principal.recorded_arn() });
        let what = (SignIn::ExitRole, "*");
        put(&mut tx, app, &by(context, &role.principal), what, more).await?;
    }
    tx.commit().await?;
    Ok(())
}

async fn role_arn(
    app: &App,
    context: &RequestContext,
    account: &str,
    role: &str,
) -> Result<String> {
    if role.starts_with("arn:") {
        return match role_account(role) {
            Some(_) if role.len() <= 2048 => Ok(role.to_owned()),
            _ => Err(Error::new(
                ErrorKind::InvalidParameter,
                "That is no ARN of a role, such as arn:aws:iam::123456789012:role/deploy.",
            )),
        };
    }
    let is_of_name = |byte: u8| byte.is_ascii_alphanumeric() || b"+=,.@-_/".contains(&byte);
    let name = role.trim_start_matches('/');
    if name.is_empty() || name.len() > NAME_MAX || !name.bytes().all(is_of_name) {
        return Err(Error::new(
            ErrorKind::InvalidParameter,
            "That is no name of a role: letters, digits and +=,.@-_, after its path if it has one.",
        ));
    }
    let mut tx = begin(app).await?;
    let account = account_of(&mut tx, account).await?.ok_or_else(refused)?;
    let partition = Partition::of(&context.region).as_str();
    Ok(format!("arn:{partition}:iam::{account}:role/{name}"))
}

/// As long as the role lets sessions last and this one still does.
async fn seconds(
    app: &App,
    context: &RequestContext,
    session: &ConsoleSession,
    arn: &str,
) -> Result<i64> {
    let mut tx = begin(app).await?;
    let row = tx
        .optional(
            "SELECT iam_roles.session_seconds_max FROM iam_roles \
             JOIN iam_entities ON iam_entities.id = iam_roles.role_id WHERE iam_entities.arn = $1",
            params![arn],
        )
        .await?;
    let longest = row.map(|row| row.get::<i64>(0)).transpose()?.unwrap_or(SESSION_SECONDS);
    let is_chained = session.principal.kind == PrincipalKind::AssumedRole;
    let longest = if is_chained { longest.min(CHAINED_SECONDS_MAX) } else { longest };
    let left = session.created_at.plus_seconds(LONGEST_SECONDS).0 - context.now.0;
    Ok(longest.min(left / 1000).max(SHORTEST_SECONDS))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn remembered_roles_have_names() {
        let role = RememberedRole { arn: "arn:aws:iam::123456789012:role/team/deploy".to_owned() };
        assert_eq!((role.account(), role.name()), ("123456789012", "team/deploy"));
    }
}
