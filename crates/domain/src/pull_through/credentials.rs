//! What upstreams are entered with: a secret of AWS Secrets Manager, or a role of IAM.

use serde::Deserialize;

use super::registries::ecr_host;
use super::rules::Rule;
use super::upstream::Credentials;
use crate::app::App;
use crate::error::{Error, ErrorKind, Result};
use crate::execute::execute;
use crate::identities::get_authorization_token::GetAuthorizationToken;
use crate::identities::sessions::assume_role::AssumeRole;
use crate::identities::{authorization_token, sessions};
use crate::names::{AccountId, Arn, Region};
use crate::services::PULL_THROUGH_CACHE;
use secrecy::{ExposeSecret as _, SecretString};

/// What a secret holds.
#[derive(Deserialize)]
struct Body {
    username: String,
    #[serde(rename = "accessToken")]
    access_token: String,
}

/// Whether a rule of this registry may name a secret: the secret must be there, and of the same
/// account and region.
///
/// # Errors
/// [`ErrorKind::CredentialNotFound`] or [`ErrorKind::CredentialInaccessible`].
pub(super) async fn check(_app: &App, registry: (AccountId, &Region), arn: &str) -> Result<()> {
    check_place(registry, arn)?;
    Err(not_found())
}

/// What a rule logs in with at its upstream, if with anything.
///
/// # Errors
/// [`ErrorKind::CredentialNotFound`], [`ErrorKind::CredentialInaccessible`] or
/// [`ErrorKind::CredentialUnreadable`].
pub(super) async fn of(app: &App, rule: &Rule) -> Result<Option<Credentials>> {
    match (&rule.credential_arn, &rule.custom_role_arn) {
        (Some(arn), _) => {
            check_place((rule.account, &rule.region), arn)?;
            Err(not_found())
        }
        (None, Some(role_arn)) => of_role(app, rule, role_arn).await.map(Some),
        (None, None) => Ok(None),
    }
}

/// The service-linked role may open secrets of its own account only; and ECR looks for a secret
/// where the rule is.
fn check_place((account, region): (AccountId, &Region), arn: &str) -> Result<()> {
    let parsed = Arn::parse(arn).map_err(|_| not_found())?;
    if parsed.account() != account.as_str() {
        return Err(inaccessible("The secret must be in the account of the registry."));
    }
    if parsed.region() != region.as_str() {
        return Err(inaccessible("The secret must be in the region of the registry."));
    }
    Ok(())
}

/// Reads the body of a secret.
fn parse(body: &SecretString) -> Result<Credentials> {
    // What the parser says quotes the text, so nobody is told.
    let body: Body = serde_json::from_str(body.expose_secret()).map_err(|_| {
        Error::new(
            ErrorKind::CredentialUnreadable,
            "The secret is accessible but does not hold credentials. Store a JSON object with the \
             keys `username` and `accessToken` in it.",
        )
    })?;
    Ok(Credentials { username: body.username, password: SecretString::from(body.access_token) })
}

/// An authorization token of another registry of this deployment, as the role gets it there.
async fn of_role(app: &App, rule: &Rule, role_arn: &str) -> Result<Credentials> {
    let (account, region, _) = ecr_host(&rule.upstream_host)
        .ok_or_else(|| Error::internal("a rule with a role is not for a registry of ECR"))?;
    let number = app.ids.next(app.clock.now());
    let id = format!("pull-through-cache-{number}");
    let service = PULL_THROUGH_CACHE.context(app, rule.account, rule.region.clone(), id);
    let assume = AssumeRole {
        role_arn: role_arn.to_owned(),
        session_name: "ecr-pull-through-cache".to_owned(),
        duration_seconds: None,
        policy: None,
        policy_arns: Vec::new(),
        tags: Vec::new(),
        transitive_tag_keys: Vec::new(),
        external_id: None,
        source_identity: None,
    };
    let refused = |error: Error| match error.is_fault() {
        true => error,
        false => Error::new(
            ErrorKind::CredentialInaccessible,
            format!(
                "The role {role_arn} cannot be used: {}. It must exist, trust {} and be allowed \
                 ecr:GetAuthorizationToken.",
                error.message(),
                PULL_THROUGH_CACHE.name
            ),
        ),
    };
    let assumed = execute(app, &service, assume).await.map_err(refused)?.credentials;
    let token = Some(assumed.token.expose_secret());
    let key = sessions::authenticate(app, &assumed.access_key_id, token, service.now).await?;
    let key = key.ok_or_else(|| Error::internal("a session has no key"))?;
    let mut context = service;
    context.principal = key.principal;
    context.account = account;
    context.region = region;
    let tokens = GetAuthorizationToken { registry_ids: vec![account] };
    let tokens = execute(app, &context, tokens).await.map_err(refused)?;
    let password = tokens.first().and_then(|token| authorization_token::password_in(&token.token));
    let password = password.ok_or_else(|| Error::internal("there is no token"))?;
    Ok(Credentials { username: "AWS".to_owned(), password: SecretString::from(password) })
}

fn not_found() -> Error {
    Error::new(
        ErrorKind::CredentialNotFound,
        "The ARN of the secret specified in the pull through cache rule was not found. Update the \
         pull through cache rule with a valid secret ARN and try again.",
    )
}

fn inaccessible(why: &str) -> Error {
    Error::new(
        ErrorKind::CredentialInaccessible,
        format!(
            "The secret is unable to be accessed. Verify the resource permissions for the secret \
             and try again. {why}"
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_are_json_with_two_keys() {
        let rows: &[(&str, Option<(&str, &str)>)] = &[
            (r#"{"username":"me","accessToken":"token"}"#, Some(("me", "token"))),
            (r#"{"username":"me","accessToken":"token","note":1}"#, Some(("me", "token"))),
            (r#"{"username":"me"}"#, None),
            (r#"{"username":"me","accessToken":null}"#, None),
            (r#"{"username":"me","password":"token"}"#, None),
            (r#"["me","token"]"#, None),
            ("me:token", None),
            ("", None),
        ];
        for (text, expected) in rows {
            let found = parse(&SecretString::from(*text));
            let found = found.as_ref().ok();
            let found = found.map(|it| (it.username.as_str(), it.password.expose_secret()));
            assert_eq!(found, *expected, "{text}");
            if let Err(error) = parse(&SecretString::from(*text)) {
                assert!(!error.message().contains("token"), "{error}");
            }
        }
    }

    #[test]
    fn secrets_are_where_the_rule_is() {
        let account = AccountId::parse("123456789012").expect("an account");
        let region = Region::parse("us-east-1").expect("a region");
        let name = "secret:ecr-pullthroughcache/hub-AbCdEf";
        let rows = [
            (format!("arn:aws:secretsmanager:us-east-1:123456789012:{name}"), None),
            (
                format!("arn:aws:secretsmanager:us-east-1:210987654321:{name}"),
                Some(ErrorKind::CredentialInaccessible),
            ),
            (
                format!("arn:aws:secretsmanager:us-west-2:123456789012:{name}"),
                Some(ErrorKind::CredentialInaccessible),
            ),
            ("arn:aws".to_owned(), Some(ErrorKind::CredentialNotFound)),
        ];
        for (arn, expected) in rows {
            let found = check_place((account, &region), &arn).err().map(|error| error.kind());
            assert_eq!(found, expected, "{arn}");
        }
    }
}
