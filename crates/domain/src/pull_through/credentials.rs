//! What upstreams are entered with: a secret of AWS Secrets Manager, or a role of IAM.

use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;

use super::registries::ecr_host;
use super::rules::Rule;
use super::upstream::Credentials;
use crate::app::App;
use crate::error::{Error, ErrorKind, Result, chain};
use crate::execute::execute;
use crate::identities::get_authorization_token::GetAuthorizationToken;
use crate::identities::sessions::assume_role::AssumeRole;
use crate::identities::{authorization_token, sessions};
use crate::names::{AccountId, Region};
use crate::secrets::get_secret_value::GetSecretValue;
use crate::secrets::{SecretId, Value};
use crate::services::PULL_THROUGH_CACHE;

/// What a secret holds.
#[derive(Deserialize)]
struct Body {
    username: String,
    #[serde(rename = "accessToken")]
    access_token: String,
}

/// Whether a rule of this registry may name a secret: it must be there and open. What it holds is
/// looked at when it is used, and by `ValidatePullThroughCacheRule`.
///
/// # Errors
/// [`ErrorKind::CredentialNotFound`], [`ErrorKind::CredentialInaccessible`] or
/// [`ErrorKind::CredentialUnreadable`].
pub(super) async fn check(app: &App, registry: (AccountId, &Region), arn: &str) -> Result<()> {
    open(app, registry, arn).await.map(drop)
}

/// What a rule logs in with at its upstream, if with anything.
///
/// # Errors
/// As [`check`].
pub(super) async fn of(app: &App, rule: &Rule) -> Result<Option<Credentials>> {
    match (&rule.credential_arn, &rule.custom_role_arn) {
        (Some(arn), _) => parse(&open(app, (rule.account, &rule.region), arn).await?).map(Some),
        (None, Some(role_arn)) => of_role(app, rule, role_arn).await.map(Some),
        (None, None) => Ok(None),
    }
}

/// Opens a secret, as the service's linked role: whoever writes rules needs no right to read it, and
/// the role may read such secrets of its own account only. As in ECR.
async fn open(app: &App, registry: (AccountId, &Region), arn: &str) -> Result<Value> {
    let id = check_place(registry, arn)?;
    let of = (registry.0, registry.1.clone());
    let context = PULL_THROUGH_CACHE.linked_context(app, registry.0, of, request_id(app));
    let opened = execute(app, &context, GetSecretValue { id, version_id: None, stage: None }).await;
    let error = match opened {
        Ok(opened) => return Ok(opened.value),
        Err(error) => error,
    };
    Err(match error.kind() {
        // There is none, its deletion is scheduled, or it has no value yet.
        ErrorKind::NoSuchEntity | ErrorKind::InvalidState => not_found(),
        ErrorKind::AccessDenied => inaccessible("").caused_by(error),
        ErrorKind::Internal => {
            tracing::error!(secret = arn, cause = chain(&error), "a secret does not open");
            Error::new(
                ErrorKind::CredentialUnreadable,
                "The secret is accessible but is unable to be decrypted. Verify the resource \
                 permissions and try again.",
            )
        }
        _ => error,
    })
}

fn request_id(app: &App) -> String {
    format!("pull-through-cache-{}", app.ids.next(app.clock.now()))
}

/// The service-linked role may open secrets of its own account only; and ECR looks for a secret
/// where the rule is.
fn check_place((account, region): (AccountId, &Region), arn: &str) -> Result<SecretId> {
    let id = SecretId::parse_arn(arn).map_err(|_| not_found())?;
    if *id.account() != account {
        return Err(inaccessible("The secret must be in the account of the registry."));
    }
    if id.region() != region {
        return Err(inaccessible("The secret must be in the region of the registry."));
    }
    Ok(id)
}

/// Reads what a secret holds.
fn parse(value: &Value) -> Result<Credentials> {
    // What the parser says quotes the text, so nobody is told.
    let body = match value {
        // The parser would take a list for an object.
        Value::Text(text) if text.expose_secret().trim_start().starts_with('{') => {
            serde_json::from_str::<Body>(text.expose_secret()).ok()
        }
        Value::Text(_) | Value::Binary(_) => None,
    };
    let body = body.ok_or_else(|| {
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
    let service =
        PULL_THROUGH_CACHE.context(app, rule.account, rule.region.clone(), request_id(app));
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
    let space = if why.is_empty() { "" } else { " " };
    Error::new(
        ErrorKind::CredentialInaccessible,
        format!(
            "The secret is unable to be accessed. Verify the resource permissions for the secret \
             and try again.{space}{why}"
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
            let found = parse(&Value::Text(SecretString::from(*text)));
            let found = found.as_ref().ok();
            let found = found.map(|it| (it.username.as_str(), it.password.expose_secret()));
            assert_eq!(found, *expected, "{text}");
            if let Err(error) = parse(&Value::Text(SecretString::from(*text))) {
                assert!(!error.message().contains("token"), "{error}");
            }
        }
    }

    #[test]
    fn secrets_are_where_the_rule_is() {
        let account = AccountId::parse("123456789012").unwrap();
        let region = Region::parse("us-east-1").unwrap();
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
