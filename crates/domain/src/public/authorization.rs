//! `GetAuthorizationToken` of ECR Public, and the tokens that its Docker endpoint takes.
//!
//! The password is that of private registries, made for no region: it opens the public registries
//! of every account, as far as its principal may. Whoever has none gets an anonymous token, because
//! clients of the distribution protocol ask for one before they pull.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use crate::app::App;
use crate::clock::Millis;
use crate::context::{Principal, RequestContext};
use crate::error::{Error, ErrorKind, Result};
use crate::execute::{Call, Demand, Entry, Operation, Resource, Service};
use crate::identities::authorization_token::{self, TokenIdentity};
use crate::identities::token_keys;

const PURPOSE: &str = "anonymous-public-token";
/// The longest token that is looked at, in bytes.
const ANONYMOUS_BYTES_MAX: usize = 512;
/// How long an anonymous token is good, in seconds.
pub const ANONYMOUS_SECONDS: i64 = 3600;
/// The service that bearer tokens are asked of STS for (IAM user guide, "Using service bearer
/// tokens").
const BEARER_SERVICE: &str = "ecr-public.amazonaws.com";

/// Makes a token for docker; nothing is stored. It takes two permissions: that of ECR Public, and
/// that of STS to be given a bearer token.
#[derive(Clone, Copy, Debug)]
pub struct GetPublicAuthorizationToken {
    /// How long it would be good, in seconds: what a condition on `sts:DurationSeconds` is about.
    pub seconds: i64,
}

/// A token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicAuthorizationToken {
    /// Base64 of `AWS:` and the password.
    pub token: String,
    /// When it stops working.
    pub expires_at: Millis,
}

impl Operation for GetPublicAuthorizationToken {
    const ENTRY: Entry = Entry { service: Service::EcrPublic, name: "GetAuthorizationToken" };
    type Output = PublicAuthorizationToken;

    fn demands(&self, _context: &RequestContext) -> Vec<Demand> {
        vec![
            Demand::new("ecr-public:GetAuthorizationToken", Resource::Any),
            Demand::new("sts:GetServiceBearerToken", Resource::Any)
                .with_key("sts:AWSServiceName", vec![BEARER_SERVICE.to_owned()])
                .with_key("sts:DurationSeconds", vec![self.seconds.to_string()]),
        ]
    }

    async fn run(self, call: Call<'_>) -> Result<PublicAuthorizationToken> {
        let context = call.context;
        let mut expires_at = call.now().plus_seconds(self.seconds);
        if let Some(session) = &context.principal.session {
            expires_at = expires_at.min(Millis(session.session.expires_at));
        }
        let password = authorization_token::make(
            call.app,
            &context.principal,
            &context.account,
            &context.region,
            expires_at,
        )
        .await?;
        Ok(PublicAuthorizationToken {
            token: STANDARD.encode(format!("AWS:{password}")),
            expires_at,
        })
    }
}

#[derive(Serialize, Deserialize)]
struct Claims {
    expires_at: i64,
}

/// A token for whoever shows no credentials.
///
/// # Errors
/// When the database fails.
pub async fn anonymous_token(app: &App, now: Millis) -> Result<String> {
    let claims = Claims { expires_at: now.plus_seconds(ANONYMOUS_SECONDS).0 };
    let claims = serde_json::to_vec(&claims).map_err(Error::internal)?;
    token_keys::sign_text(app, PURPOSE, &claims).await
}

/// Who asks at a public registry.
#[derive(Clone, Debug)]
pub enum PublicIdentity {
    /// Nobody in particular.
    Anonymous,
    /// A principal.
    Known(Box<Principal>),
}

/// Whom the token of HTTP's Bearer scheme speaks for: an anonymous one, or that of
/// `GetAuthorizationToken`.
///
/// # Errors
/// [`ErrorKind::TokenInvalid`], [`ErrorKind::TokenExpired`], [`ErrorKind::Unauthenticated`].
pub async fn verify_bearer(app: &App, token: &str, now: Millis) -> Result<PublicIdentity> {
    if token.len() <= ANONYMOUS_BYTES_MAX
        && let Some(claims) = token_keys::open_text(app, PURPOSE, token).await?
    {
        let claims: Claims = serde_json::from_slice(&claims).map_err(Error::internal)?;
        if claims.expires_at <= now.0 {
            return Err(authorization_token::expired());
        }
        return Ok(PublicIdentity::Anonymous);
    }
    verify_basic(app, token, now).await
}

/// Whom the credentials of HTTP's Basic scheme speak for.
///
/// # Errors
/// As [`verify_bearer`]; also for the token of a private registry.
pub async fn verify_basic(app: &App, credentials: &str, now: Millis) -> Result<PublicIdentity> {
    let TokenIdentity { principal, region, .. } =
        authorization_token::verify_basic(app, credentials, now).await?;
    if !region.is_global() {
        return Err(Error::new(
            ErrorKind::TokenInvalid,
            format!(
                "The authorization token is for private registries in {region}; log in with the \
                 password that `aws ecr-public get-login-password` prints."
            ),
        ));
    }
    Ok(PublicIdentity::Known(Box::new(principal)))
}
