//! Sessions: temporary credentials, made by AWS STS.
//!
//! A session is no row. Its token carries what the session is, signed; its secret is derived from
//! that by the key that signed, so that whoever sees a token on the wire still cannot sign with it.
//! What a session depends on is looked up at every use: the account, the role or user, and the
//! long-term access key at the beginning of its chain. Switching that key off, or deleting the role
//! or user, ends the session at once; a policy with `aws:TokenIssueTime` ends the sessions of a
//! role that were made before a time.

pub mod assume_role;
pub mod assume_role_with_web_identity;
pub mod decode_authorization_message;
pub mod get_access_key_info;
pub mod get_federation_token;
pub mod get_session_token;
pub mod policies;

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use super::access_keys::{self, ActiveKey};
use super::{begin, get_principal, invalid_token, token_keys};
use crate::app::App;
use crate::clock::Millis;
use crate::context::{Principal, PrincipalKind};
use crate::error::{Error, ErrorKind, Result};
use crate::execute::{Call, Tx};
use crate::resource_tags::ResourceTag;

const PURPOSE: &str = "session-token";
const SECRET_PURPOSE: &str = "session-secret";
/// The longest token that is looked at, in bytes.
const TOKEN_BYTES_MAX: usize = 16 * 1024;
/// What policies and tags of a session may take, in bytes; AWS packs them into a limit it does not
/// publish.
const PACKED_BYTES_MAX: usize = 4096;
/// The longest session by [`get_session_token`] and [`get_federation_token`], in seconds: 36 hours.
pub(crate) const LONGEST_SECONDS: i64 = 129_600;
/// Sessions of these that say nothing, in seconds: 12 hours.
pub(crate) const DEFAULT_SECONDS: i64 = 43_200;

/// Who a session is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SessionKind {
    /// Whoever assumed a role.
    #[serde(rename = "r")]
    Role,
    /// A name that a user gave, with the user's permissions at most.
    #[serde(rename = "f")]
    Federated,
    /// The user or root itself.
    #[serde(rename = "c")]
    Caller,
    /// Whoever a service lets do a part of what it may do itself: a scanner that reads one image.
    /// Only authorization tokens carry it; it has no row and is no credential of STS.
    #[serde(rename = "x")]
    Service,
}

/// What a session is. The names are short because they travel in every request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// Who it is.
    #[serde(rename = "k")]
    pub kind: SessionKind,
    /// The row of the role, or of the user it was made by.
    #[serde(rename = "p")]
    pub(crate) principal_id: i64,
    /// Its name: of a role session or a federated user.
    #[serde(rename = "n", default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// When it was made, in milliseconds.
    #[serde(rename = "i")]
    pub(crate) issued_at: i64,
    /// When it ends, in milliseconds.
    #[serde(rename = "e")]
    pub(crate) expires_at: i64,
    /// What limits it, beside the policies of the role or user.
    #[serde(rename = "d", default, skip_serializing_if = "Option::is_none")]
    pub(crate) policy: Option<String>,
    /// Managed policies that limit it.
    #[serde(rename = "m", default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) policy_arns: Vec<String>,
    /// Its tags, which hide tags of the role or user.
    #[serde(rename = "t", default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) tags: Vec<(String, String)>,
    /// The keys of tags that sessions made by this one inherit.
    #[serde(rename = "tt", default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) transitive: Vec<String>,
    /// The long-term key at the beginning of the chain, and its account.
    #[serde(rename = "s", default, skip_serializing_if = "Option::is_none")]
    pub(crate) source_key: Option<(String, String)>,
    /// Who began the chain, as told by whoever assumed the first role.
    #[serde(rename = "si", default, skip_serializing_if = "Option::is_none")]
    pub source_identity: Option<String>,
    /// The ARN of the identity provider whose token it was made for.
    #[serde(rename = "fp", default, skip_serializing_if = "Option::is_none")]
    pub(crate) provider: Option<String>,
}

/// What the token carries.
#[derive(Serialize, Deserialize)]
struct Claims {
    #[serde(rename = "a")]
    access_key_id: String,
    #[serde(rename = "z")]
    session: Session,
}

/// A principal that is a session, beside what every principal has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionPrincipal {
    /// The session.
    pub session: Session,
    /// The ARN of the role or user.
    pub(crate) base_arn: String,
    /// The unique id of the role or user.
    pub(crate) base_unique_id: String,
}

/// Temporary credentials as they are handed out.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// Begins with `ASIA`.
    pub access_key_id: String,
    /// 40 characters.
    pub secret: SecretString,
    /// What must be sent with every request.
    pub token: SecretString,
    /// When they stop working.
    pub expires_at: Millis,
}

impl Session {
    /// A session without limits and tags.
    pub(crate) fn new(
        kind: SessionKind,
        principal_id: i64,
        name: String,
        call: &Call<'_>,
        seconds: i64,
    ) -> Self {
        let caller = &call.context.principal;
        let source_key = match &caller.session {
            Some(session) => session.session.source_key.clone(),
            None => caller.access_key_id.clone().map(|key| (key, caller.account.to_string())),
        };
        Self {
            kind,
            principal_id,
            name,
            issued_at: call.now().0,
            expires_at: call.now().plus_seconds(seconds).0,
            policy: None,
            policy_arns: Vec::new(),
            tags: Vec::new(),
            transitive: Vec::new(),
            source_key,
            source_identity: None,
            provider: None,
        }
    }

    /// A part of what a service may do, by this policy.
    pub(crate) fn of_service(policy: String, issued_at: Millis, expires_at: Millis) -> Self {
        Self {
            kind: SessionKind::Service,
            principal_id: 0,
            name: String::new(),
            issued_at: issued_at.0,
            expires_at: expires_at.0,
            policy: Some(policy),
            policy_arns: Vec::new(),
            tags: Vec::new(),
            transitive: Vec::new(),
            source_key: None,
            source_identity: None,
            provider: None,
        }
    }

    /// How much of what a session may carry it carries, in percent.
    ///
    /// # Errors
    /// [`ErrorKind::PackedPolicyTooLarge`].
    pub(crate) fn packed_percent(&self) -> Result<Option<u32>> {
        let size = self.policy.as_ref().map_or(0, String::len)
            + self.policy_arns.iter().map(String::len).sum::<usize>()
            + self.tags.iter().map(|(key, value)| key.len() + value.len()).sum::<usize>();
        let percent = (size * 100).div_ceil(PACKED_BYTES_MAX);
        if percent > 100 {
            return Err(Error::new(
                ErrorKind::PackedPolicyTooLarge,
                format!("Policies and tags consume {percent}% of the allotted space."),
            ));
        }
        Ok((percent > 0).then(|| u32::try_from(percent).unwrap_or(100)))
    }

    /// Makes its credentials.
    pub(crate) async fn issue(self, app: &App) -> Result<Credentials> {
        let expires_at = Millis(self.expires_at);
        let access_key_id = access_keys::key_id("ASIA")?;
        let claims = Claims { access_key_id: access_key_id.clone(), session: self };
        let claims = serde_json::to_vec(&claims).map_err(Error::internal)?;
        let token = token_keys::sign_text(app, PURPOSE, &claims).await?;
        let secret = secret(app, &token, &claims)
            .await?
            .ok_or_else(|| Error::internal("the key that signed a session is gone"))?;
        Ok(Credentials { access_key_id, secret, token: SecretString::from(token), expires_at })
    }

    /// The principal that a session is now.
    ///
    /// # Errors
    /// [`ErrorKind::Unauthenticated`] when the role or user is gone.
    pub(crate) async fn principal(
        self,
        tx: &mut Tx,
        access_key_id: Option<String>,
    ) -> Result<Principal> {
        if self.kind == SessionKind::Service {
            return Err(invalid_token());
        }
        let mut principal = get_principal(tx, self.principal_id, access_key_id).await?;
        let base_arn = principal.arn.clone();
        let base_unique_id = principal.unique_id.clone();
        let mut fields = base_arn.splitn(3, ':').skip(1);
        let partition = fields.next().unwrap_or("aws").to_owned();
        let account = principal.account;
        let base_name = base_arn.rsplit('/').next().unwrap_or_default();
        match self.kind {
            SessionKind::Role => {
                principal.kind = PrincipalKind::AssumedRole;
                principal.arn = format!(
                    "arn:{partition}:sts::{account}:assumed-role/{base_name}/{}",
                    self.name
                );
                principal.unique_id = format!("{base_unique_id}:{}", self.name);
            }
            SessionKind::Federated => {
                principal.kind = PrincipalKind::FederatedUser;
                principal.arn =
                    format!("arn:{partition}:sts::{account}:federated-user/{}", self.name);
                principal.unique_id = format!("{account}:{}", self.name);
            }
            SessionKind::Caller | SessionKind::Service => {}
        }
        principal.session =
            Some(Arc::new(SessionPrincipal { session: self, base_arn, base_unique_id }));
        Ok(principal)
    }

    /// Its tags over those of the role or user; keys in any case are the same key.
    pub(crate) fn merged_tags(&self, base: &[ResourceTag]) -> Vec<ResourceTag> {
        let hidden = |key: &str| self.tags.iter().any(|(own, _)| own.eq_ignore_ascii_case(key));
        let own = self
            .tags
            .iter()
            .map(|(key, value)| ResourceTag { key: key.clone(), value: value.clone() });
        base.iter().filter(|tag| !hidden(&tag.key)).cloned().chain(own).collect()
    }
}

/// The secret that belongs to a token.
async fn secret(app: &App, token: &str, claims: &[u8]) -> Result<Option<SecretString>> {
    let key_id = token.split('.').next().unwrap_or_default();
    let tag = token_keys::derive(app, key_id, SECRET_PURPOSE, claims).await?;
    Ok(tag.and_then(|tag| tag.get(..30).map(|bytes| SecretString::from(STANDARD.encode(bytes)))))
}

/// What a request is signed with: the long-term key of this id, or the session of this token.
///
/// # Errors
/// [`ErrorKind::Unauthenticated`] for a token that is not good or does not belong to the key,
/// [`ErrorKind::TokenExpired`].
pub async fn authenticate(
    app: &App,
    access_key_id: &str,
    token: Option<&str>,
    now: Millis,
) -> Result<Option<ActiveKey>> {
    let Some(token) = token else { return access_keys::find_active(app, access_key_id).await };
    if token.len() > TOKEN_BYTES_MAX {
        return Err(invalid_token());
    }
    let claims_text =
        token_keys::open_text(app, PURPOSE, token).await?.ok_or_else(invalid_token)?;
    let claims: Claims = serde_json::from_slice(&claims_text).map_err(|_| invalid_token())?;
    if claims.access_key_id != access_key_id {
        return Err(invalid_token());
    }
    refuse_expired(&claims.session, now)?;
    let secret = secret(app, token, &claims_text).await?.ok_or_else(invalid_token)?;
    let mut tx = begin(app).await?;
    let principal = claims.session.principal(&mut tx, Some(claims.access_key_id)).await?;
    Ok(Some(ActiveKey { secret, principal }))
}

/// # Errors
/// [`ErrorKind::TokenExpired`].
pub(crate) fn refuse_expired(session: &Session, now: Millis) -> Result<()> {
    if session.expires_at > now.0 {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::TokenExpired,
        "The security token included in the request is expired",
    ))
}

/// Refuses a caller that is itself a session.
pub(crate) fn refuse_sessions(call: &Call<'_>, operation: &str) -> Result<()> {
    if call.context.principal.session.is_none() {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::AccessDenied,
        format!("Cannot call {operation} with session credentials"),
    ))
}

/// A duration within its bounds, in seconds.
///
/// # Errors
/// `InvalidParameter` in AWS's words.
pub(crate) fn check_duration(seconds: i64, maximum: i64) -> Result<i64> {
    if (900..=maximum).contains(&seconds) {
        return Ok(seconds);
    }
    let (bound, than) = if seconds < 900 {
        (900, "greater than or equal to")
    } else {
        (maximum, "less than or equal to")
    };
    Err(Error::new(
        ErrorKind::InvalidParameter,
        format!(
            "1 validation error detected: Value '{seconds}' at 'durationSeconds' failed to satisfy \
             constraint: Member must have value {than} {bound}"
        ),
    ))
}
