//! What the access records tell of signing in and out.

use serde_json::{Value, json};

use super::super::{begin, principal_from};
use super::{Credentials, account_of};
use crate::app::App;
use crate::audit::record::HIDDEN;
use crate::audit::sign_ins::note_failure;
use crate::context::{Principal, RequestContext};
use crate::error::Result;
use crate::identities::entities;
use crate::names::{AccountId, Partition};
use crate::params;

/// Who somebody said they were.
pub(super) enum Tried {
    Key(String),
    User {
        account: String,
        name: String,
    },
    /// Somebody at the identity provider.
    Provided,
}

impl Tried {
    pub(super) fn of(credentials: &Credentials) -> Self {
        match credentials {
            Credentials::AccessKey { id, .. } => Self::Key(id.clone()),
            Credentials::Password { account, user_name, .. } => {
                Self::User { account: account.clone(), name: entities::folded(user_name) }
            }
        }
    }

    /// What counts attempts.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Key(id) => id.clone(),
            Self::User { account, name } => format!("{account}/{name}"),
            Self::Provided => String::new(),
        }
    }

    fn with(&self) -> &'static str {
        match self {
            Self::Key(_) => "AccessKey",
            Self::User { .. } => "Password",
            Self::Provided => "IdentityProvider",
        }
    }

    /// What a record tells of the way to sign in.
    pub(super) fn additional(&self) -> Value {
        json!({ "MFAUsed": "No", "MobileVersion": "No", "SignedInWith": self.with() })
    }
}

/// A request of whoever a session is of.
pub(super) fn by(context: &RequestContext, principal: &Principal) -> RequestContext {
    RequestContext { principal: principal.clone(), account: principal.account, ..context.clone() }
}

/// Notes that somebody failed to sign in, unless too many did a moment ago. What is known of whoever
/// they said they are is for those who may read the records of that account; of a name that nobody
/// has, the management account is told that there was one.
///
/// # Errors
/// When the database fails.
pub(super) async fn failed(
    app: &App,
    context: &RequestContext,
    tried: &Tried,
    reason: Option<&str>,
) -> Result<()> {
    if !app.sign_ins.may_record(context.now) {
        return Ok(());
    }
    let (account, known) = whose(app, tried).await?;
    let reason = match (&account, &known) {
        _ if reason.is_some() => reason.unwrap_or_default(),
        (_, Some(_)) => "Failed authentication",
        (Some(_), None) => "No username found in supplied account",
        (None, None) => "No account or access key of this name",
    };
    let principal = known.unwrap_or_else(|| {
        let account = account.unwrap_or(context.account);
        let partition = Partition::of(&context.region).as_str();
        let arn = format!("arn:{partition}:iam::{account}:user/{HIDDEN}");
        Principal { arn, ..Principal::anonymous(account) }
    });
    note_failure(app, by(context, &principal), reason, tried.additional());
    Ok(())
}

/// The account that somebody named, and who they said they are, where there are such.
async fn whose(app: &App, tried: &Tried) -> Result<(Option<AccountId>, Option<Principal>)> {
    let mut tx = begin(app).await?;
    let (account, row) = match tried {
        Tried::Provided => return Ok((None, None)),
        Tried::Key(id) => {
            let row = tx
                .optional(
                    "SELECT principals.id, principals.kind, principals.account_id, \
                     principals.arn, principals.unique_id FROM access_keys \
                     JOIN principals ON principals.id = access_keys.principal_id \
                     WHERE access_keys.id = $1",
                    params![id],
                )
                .await?;
            (None, row)
        }
        Tried::User { account, name } => {
            let account = account_of(&mut tx, account).await?;
            let known = tx
                .optional("SELECT id FROM accounts WHERE id = $1", params![account.as_deref()])
                .await?;
            let account = known.map(|row| row.get::<String>(0)).transpose()?;
            let row = tx
                .optional(
                    "SELECT id, kind, account_id, arn, unique_id FROM principals \
                     WHERE account_id = $1 AND kind = 'user' AND name = $2",
                    params![account.as_deref(), name],
                )
                .await?;
            (account.and_then(|account| AccountId::parse(&account).ok()), row)
        }
    };
    let key = match tried {
        Tried::Key(id) => Some(id.clone()),
        _ => None,
    };
    let known = row.map(|row| principal_from(&row, key)).transpose()?;
    Ok((account.or_else(|| known.as_ref().map(|known| known.account)), known))
}
