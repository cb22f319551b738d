//! What decisions know of a principal: whether it may ask at all, how policies name it, and its
//! condition keys.

use std::sync::LazyLock;

use tonnage_policy::{Context, Policy, PolicyKind};

use crate::clock::Millis;
use crate::context::{Principal, PrincipalKind, RequestContext};
use crate::error::Result;
use crate::execute::Tx;
use crate::identities::sessions::{SessionKind, refuse_expired};
use crate::identities::{invalid_token, users};
use crate::names::AccountId;
use crate::policies::Stored;
use crate::resource_tags::ResourceTag;
use crate::{params, versions};

/// What AWS lets everybody do to learn who they are, and to turn long-term credentials into
/// temporary ones of the same power. Source: AWS STS API reference.
pub(super) static EVERYBODY: LazyLock<Policy> = LazyLock::new(|| {
    constant(
        r#"{"Statement":{"Effect":"Allow","Resource":"*",
            "Action":["sts:GetCallerIdentity","sts:GetSessionToken","tonnage:FindMirror"]}}"#,
        PolicyKind::Identity,
    )
});

/// The trust policy of a role that is not there: it names nobody.
static NOBODY: LazyLock<Policy> = LazyLock::new(|| {
    constant(
        r#"{"Statement":{"Effect":"Deny","Principal":{"Service":"nobody.invalid"},"Action":"*"}}"#,
        PolicyKind::Trust,
    )
});

#[expect(clippy::expect_used, reason = "constants, read by a test")]
fn constant(text: &str, kind: PolicyKind) -> Policy {
    Policy::parse(text, kind).expect("a constant policy is a policy")
}

/// The versions that decisions about a principal are made from: its account's, and that of the
/// account whose key a session began with.
pub(crate) fn version_names(principal: &Principal) -> Vec<String> {
    let mut names = vec![versions::identities(&principal.account)];
    let source = principal.session.as_ref().and_then(|it| it.session.source_key.as_ref());
    if let Some(source) = source.and_then(|(_, account)| AccountId::parse(account).ok())
        && source != principal.account
    {
        names.push(versions::identities(&source));
    }
    names
}

/// A suspended account, a key that was switched off after it signed, and what is gone may do
/// nothing; nor may a session whose time is over or whose first key is off.
pub(super) async fn refuse_inactive(tx: &mut Tx, context: &RequestContext) -> Result<()> {
    let principal = &context.principal;
    if principal.kind.is_service() {
        // Whoever is suspended has nothing done for them either, nor to them.
        for account in [&principal.account, &context.account] {
            let active = tx
                .optional(
                    "SELECT 1 FROM accounts WHERE id = $1 AND state = 'ACTIVE'",
                    params![account.as_str()],
                )
                .await?;
            active.ok_or_else(invalid_token)?;
        }
        return Ok(());
    }
    if principal.kind == PrincipalKind::Anonymous {
        let active = tx
            .optional(
                "SELECT 1 FROM accounts WHERE id = $1 AND state = 'ACTIVE'",
                params![context.account.as_str()],
            )
            .await?;
        return active.map(drop).ok_or_else(invalid_token);
    }
    if principal.kind == PrincipalKind::WebIdentity {
        let active = tx
            .optional(
                "SELECT 1 FROM iam_entities JOIN accounts ON accounts.id = iam_entities.account_id \
                 WHERE iam_entities.id = $1 AND accounts.state = 'ACTIVE'",
                params![principal.id],
            )
            .await?;
        return active.map(drop).ok_or_else(invalid_token);
    }
    let active = tx
        .optional(
            "SELECT 1 FROM principals JOIN accounts ON accounts.id = principals.account_id \
             WHERE principals.id = $1 AND accounts.state = 'ACTIVE'",
            params![principal.id],
        )
        .await?
        .is_some();
    if !active {
        return Err(invalid_token());
    }
    let Some(session) = principal.session.as_deref() else {
        let Some(key) = &principal.access_key_id else { return Ok(()) };
        let owned = tx
            .optional(
                "SELECT 1 FROM access_keys \
                 WHERE id = $1 AND principal_id = $2 AND state = 'ACTIVE'",
                params![key, principal.id],
            )
            .await?;
        return owned.map(drop).ok_or_else(invalid_token);
    };
    refuse_expired(&session.session, context.now)?;
    let Some((key, _)) = &session.session.source_key else { return Ok(()) };
    let source = tx
        .optional(
            "SELECT 1 FROM access_keys JOIN principals ON principals.id = access_keys.principal_id \
             JOIN accounts ON accounts.id = principals.account_id \
             WHERE access_keys.id = $1 AND access_keys.state = 'ACTIVE' \
             AND accounts.state = 'ACTIVE'",
            params![key],
        )
        .await?;
    source.map(drop).ok_or_else(invalid_token)
}

/// The unique ids that statements may name a principal by.
pub(super) fn ids(principal: &Principal) -> Vec<&str> {
    match principal.session.as_deref() {
        Some(session) if session.session.kind == SessionKind::Role => {
            vec![session.base_unique_id.as_str()]
        }
        _ => vec![principal.unique_id.as_str()],
    }
}

/// A principal as the policy engine knows it.
pub(super) fn for_policies<'a>(
    principal: &'a Principal,
    ids: &'a [&'a str],
) -> tonnage_policy::Principal<'a> {
    use tonnage_policy::PrincipalKind as Kind;
    let kind = match principal.kind {
        PrincipalKind::Root => Kind::Root,
        PrincipalKind::User => Kind::User,
        PrincipalKind::AssumedRole | PrincipalKind::ServiceLinkedRole => Kind::RoleSession,
        PrincipalKind::FederatedUser => Kind::FederatedUser,
        PrincipalKind::Service => Kind::Service,
        PrincipalKind::WebIdentity => Kind::FederatedProvider,
        PrincipalKind::Anonymous => return tonnage_policy::Principal::anonymous(),
    };
    tonnage_policy::Principal {
        kind,
        arn: &principal.arn,
        account: Some(principal.account.as_str()),
        role_arn: role_arn(principal),
        ids,
    }
}

fn role_arn(principal: &Principal) -> Option<&str> {
    let Some(session) = principal.session.as_deref() else {
        // The role itself, as an explanation asks for it, or as a service has it.
        let is_role =
            matches!(principal.kind, PrincipalKind::AssumedRole | PrincipalKind::ServiceLinkedRole);
        return is_role.then_some(principal.arn.as_str());
    };
    (session.session.kind == SessionKind::Role).then_some(session.base_arn.as_str())
}

/// Whether the trust policy of a role has a say in an action.
pub(super) fn is_decided_by_trust(action: &str) -> bool {
    matches!(
        action,
        "sts:AssumeRole"
            | "sts:AssumeRoleWithWebIdentity"
            | "sts:TagSession"
            | "sts:SetSourceIdentity"
    )
}

/// The trust policy that has a say in an action on a role.
pub(super) async fn trust_policy(tx: &mut Tx, action: &str, arn: &str) -> Result<Option<Policy>> {
    // A session is tagged while a role is assumed, or while a federated user is named.
    if !is_decided_by_trust(action) || arn.contains(":federated-user/") {
        return Ok(None);
    }
    let row = tx
        .optional(
            "SELECT iam_roles.trust_policy, iam_roles.trust_principals FROM iam_roles \
             JOIN iam_entities ON iam_entities.id = iam_roles.role_id WHERE iam_entities.arn = $1",
            params![arn],
        )
        .await?;
    let Some(row) = row else { return Ok(Some(NOBODY.clone())) };
    Stored::from_row(&row)?.compile(PolicyKind::Trust).map(Some)
}

/// The condition keys about a principal.
/// Source: IAM user guide, "AWS global condition context keys".
pub(super) fn add_condition_keys<'a>(
    keys: &mut Context<'a>,
    principal: &'a Principal,
    tags: &[ResourceTag],
) {
    // Of a role session, the ARN of the role.
    keys.set("aws:principalarn", role_arn(principal).unwrap_or(&principal.arn));
    keys.set("aws:principalaccount", principal.account.as_str());
    keys.set("aws:userid", principal.unique_id.as_str());
    let is_service = principal.kind == PrincipalKind::Service;
    keys.set("aws:principalisawsservice", if is_service { "true" } else { "false" });
    keys.set("aws:principaltype", principal.kind.condition_value());
    if let Some(name) = users::name_of(principal) {
        keys.set("aws:username", name.to_owned());
    }
    let Some(session) = principal.session.as_deref().map(|it| &it.session) else {
        for tag in tags {
            keys.add(format!("aws:principaltag/{}", tag.key), tag.value.clone());
        }
        return;
    };
    for tag in session.merged_tags(tags) {
        keys.add(format!("aws:principaltag/{}", tag.key), tag.value);
    }
    keys.set("aws:tokenissuetime", Millis(session.issued_at).timestamp().to_string());
    // Nobody can have a second factor here, and the key exists only for temporary credentials.
    keys.set("aws:multifactorauthpresent", "false");
    if let Some(provider) = &session.provider {
        keys.set("aws:federatedprovider", provider.as_str());
    }
    if let Some(identity) = &session.source_identity {
        keys.set("aws:sourceidentity", identity.as_str());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_constants_are_policies() {
        assert_eq!(EVERYBODY.statements().len(), 1);
        assert_eq!(NOBODY.statements().len(), 1);
    }
}
