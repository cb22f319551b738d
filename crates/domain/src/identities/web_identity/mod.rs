//! Workload identity: a token of an OpenID Connect provider that an account made stands for its
//! subject, until it is exchanged for a session of a role.
//!
//! What a token says is believed once its signature is good under a key of the issuer, which is
//! fetched and remembered (`key_sets`), and once issuer, audience and times are right (`token`).
//! Whether its subject may have the role is for the trust policy of the role to say, like everything
//! else that somebody may do.

pub(crate) mod key_sets;
mod token;

use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use secrecy::SecretString;

pub(crate) use self::key_sets::KeySets;
use self::token::Claims;
pub use self::token::WebIdentity;
use super::sessions::assume_role::role_account;
use super::{begin, oidc_providers};
use crate::app::App;
use crate::clock::Millis;
use crate::context::{Principal, PrincipalKind};
use crate::error::{Error, ErrorKind, Result};

/// Fetches documents from the servers of identity providers.
pub trait Documents: Send + Sync {
    /// The content of `url`, of at most `bytes_max` bytes; an error is a sentence for the operator.
    /// The whole takes a few seconds at most.
    fn get<'a>(&'a self, url: &'a str, bytes_max: usize) -> BoxFuture<'a, Result<Bytes, String>>;

    /// The text records that the DNS has of `name`, each as one; an error is a sentence for the
    /// operator. It takes a few seconds at most.
    fn texts<'a>(&'a self, _name: &'a str) -> BoxFuture<'a, Result<Vec<Vec<u8>>, String>> {
        Box::pin(async { Err("No name server is asked here.".to_owned()) })
    }

    /// What `url` answers to a form that is sent there, whatever its status is below 500.
    fn post<'a>(
        &'a self,
        url: &'a str,
        form: SecretString,
        authorization: Option<SecretString>,
        bytes_max: usize,
    ) -> BoxFuture<'a, Result<Bytes, String>>;
}

/// Reaches nobody.
pub(crate) struct NoDocuments;

impl Documents for NoDocuments {
    fn get<'a>(&'a self, _url: &'a str, _bytes_max: usize) -> BoxFuture<'a, Result<Bytes, String>> {
        Box::pin(async { Err("requests to identity providers are not set up".to_owned()) })
    }

    fn post<'a>(
        &'a self,
        url: &'a str,
        _form: SecretString,
        _authorization: Option<SecretString>,
        bytes_max: usize,
    ) -> BoxFuture<'a, Result<Bytes, String>> {
        self.get(url, bytes_max)
    }
}

impl App {
    /// Says how documents of identity providers are fetched; before that, none is.
    pub fn set_documents(&mut self, documents: Arc<dyn Documents>) {
        self.documents = documents;
    }
}

/// Whom a token stands for when it asks for a role: the provider, in the account of the role.
///
/// # Errors
/// [`ErrorKind::InvalidIdentityToken`] for what is no token of a provider of that account,
/// [`ErrorKind::IdentityTokenExpired`], [`ErrorKind::IdentityProviderUnreachable`].
pub async fn authenticate(
    app: &App,
    role_arn: &str,
    token: &str,
    now: Millis,
) -> Result<(Principal, WebIdentity)> {
    let unverified = token::read(token)?;
    let account = role_account(role_arn)
        .ok_or_else(|| Error::new(ErrorKind::InvalidParameter, format!("{role_arn} is invalid")))?;
    let issuer = unverified.issuer.as_str();
    let mut tx = begin(app).await?;
    let provider = oidc_providers::find_by_issuer(&mut tx, &account, issuer).await?;
    drop(tx);
    let provider = provider.ok_or_else(|| {
        invalid(format!("No OpenIDConnect provider found in your account for {issuer}"))
    })?;
    let key = app.key_sets.find(app, issuer, &unverified).await?;
    let claims: Claims = token::verify(token, &unverified, &key)?;
    let identity = claims.check(issuer, &provider, now)?;
    let principal = Principal {
        id: provider.entity.id,
        kind: PrincipalKind::WebIdentity,
        account,
        arn: provider.entity.arn.clone(),
        unique_id: format!("{}:{}", provider.entity.name, identity.subject),
        access_key_id: None,
        session: None,
        share: None,
    };
    Ok((principal, identity))
}

fn invalid(text: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidIdentityToken, text.into())
}
