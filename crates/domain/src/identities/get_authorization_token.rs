//! `GetAuthorizationToken`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::authorization_token;
use crate::clock::Millis;
use crate::context::RequestContext;
use crate::error::Result;
use crate::execute::{Call, Demand, Entry, Operation, Resource, Service};
use crate::names::AccountId;

/// Makes tokens for docker; nothing is stored.
#[derive(Clone, Debug)]
pub struct GetAuthorizationToken {
    /// One token per account; the addressed account when empty. At most 10.
    pub registry_ids: Vec<AccountId>,
}

/// A token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthorizationToken {
    /// Base64 of `AWS:` and the password.
    pub token: String,
    /// When it stops working.
    pub expires_at: Millis,
    /// The account of the registry it is for.
    pub account: AccountId,
}

impl Operation for GetAuthorizationToken {
    const ENTRY: Entry = Entry { service: Service::Ecr, name: "GetAuthorizationToken" };
    type Output = Vec<AuthorizationToken>;

    fn demands(&self, _context: &RequestContext) -> Vec<Demand> {
        vec![Demand::new("ecr:GetAuthorizationToken", Resource::Any)]
    }

    async fn run(self, call: Call<'_>) -> Result<Vec<AuthorizationToken>> {
        let context = call.context;
        let accounts =
            if self.registry_ids.is_empty() { vec![context.account] } else { self.registry_ids };
        let mut expires_at = call.now().plus_seconds(call.app.settings.token_seconds);
        if let Some(session) = &context.principal.session {
            expires_at = expires_at.min(Millis(session.session.expires_at));
        }
        let mut tokens = Vec::with_capacity(accounts.len());
        for account in accounts {
            let password = authorization_token::make(
                call.app,
                &context.principal,
                &account,
                &context.region,
                expires_at,
            )
            .await?;
            let token = STANDARD.encode(format!("AWS:{password}"));
            tokens.push(AuthorizationToken { token, expires_at, account });
        }
        Ok(tokens)
    }
}
