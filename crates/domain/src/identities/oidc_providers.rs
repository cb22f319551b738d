//! Providers of identities by OpenID Connect, whose tokens `AssumeRoleWithWebIdentity` exchanges.

use super::IamOperation;
use super::entities::{self, Entity, EntityKind, New, tags};
use super::policies::{by_arn, creation};
use crate::context::RequestContext;
use crate::error::{Error, ErrorKind, Result};
use crate::execute::{Call, Demand, Resource, Tx};
use crate::names::AccountId;
use crate::pages::PageRequest;
use crate::params;
use crate::resource_tags::ResourceTag;

const KIND: EntityKind = EntityKind::OidcProvider;
/// Client ids of a provider, and thumbprints; AWS's quotas.
const CLIENT_IDS_MAX: usize = 100;
const THUMBPRINTS_MAX: usize = 5;

/// A provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OidcProvider {
    /// The provider; its name is the URL without `https://`.
    pub entity: Entity,
    /// The audiences that its tokens may be for.
    pub client_ids: Vec<String>,
    /// SHA-1 of certificates, kept for the tools that set them; TLS is checked against the
    /// system's authorities.
    pub thumbprints: Vec<String>,
    /// Its tags.
    pub tags: Vec<ResourceTag>,
}

async fn describe(tx: &mut Tx, entity: Entity) -> Result<OidcProvider> {
    let row = tx
        .optional(
            "SELECT client_ids, thumbprints FROM iam_oidc_providers WHERE provider_id = $1",
            params![entity.id],
        )
        .await?
        .ok_or_else(|| Error::internal("a provider without its lists"))?;
    let list = |index| -> Result<Vec<String>> {
        serde_json::from_str(&row.get::<String>(index)?).map_err(Error::internal)
    };
    Ok(OidcProvider {
        client_ids: list(0)?,
        thumbprints: list(1)?,
        tags: tags::list(tx, entity.id).await?,
        entity,
    })
}

/// The provider of an account for the issuer that a token names; `https`, or `http` on this machine.
pub(super) async fn find_by_issuer(
    tx: &mut Tx,
    account: &AccountId,
    issuer: &str,
) -> Result<Option<OidcProvider>> {
    let Ok(name) = name_of(issuer) else { return Ok(None) };
    match entities::find(tx, account, KIND, name).await? {
        Some(entity) => describe(tx, entity).await.map(Some),
        None => Ok(None),
    }
}

async fn store(tx: &mut Tx, provider: &OidcProvider) -> Result<()> {
    if provider.client_ids.len() > CLIENT_IDS_MAX {
        return Err(Error::new(
            ErrorKind::LimitExceeded,
            format!("Cannot exceed quota for ClientIdsPerOpenIdConnectProvider: {CLIENT_IDS_MAX}"),
        ));
    }
    let json = |list: &Vec<String>| serde_json::to_string(list).map_err(Error::internal);
    tx.execute(
        "INSERT INTO iam_oidc_providers (provider_id, client_ids, thumbprints) \
         VALUES ($1, $2, $3) ON CONFLICT (provider_id) DO UPDATE SET \
         client_ids = excluded.client_ids, thumbprints = excluded.thumbprints",
        params![provider.entity.id, json(&provider.client_ids)?, json(&provider.thumbprints)?],
    )
    .await?;
    Ok(())
}

fn check_thumbprints(thumbprints: &[String]) -> Result<()> {
    let is_sha1 = |text: &String| text.len() == 40 && text.bytes().all(|b| b.is_ascii_hexdigit());
    if thumbprints.len() > THUMBPRINTS_MAX {
        return Err(Error::new(
            ErrorKind::InvalidInput,
            format!("Thumbprint list must contain fewer than {} entries.", THUMBPRINTS_MAX + 1),
        ));
    }
    if !thumbprints.iter().all(is_sha1) {
        return Err(Error::new(
            ErrorKind::InvalidInput,
            "Thumbprints are 40 hexadecimal digits: the SHA-1 of a certificate.",
        ));
    }
    Ok(())
}

/// The name of a provider: its URL without scheme and final slash.
///
/// # Errors
/// [`ErrorKind::InvalidInput`] for what is not the URL of an issuer: `https`, or `http` to this
/// machine itself, without user, query and fragment.
fn name_of(url: &str) -> Result<&str> {
    let invalid = || {
        Error::new(
            ErrorKind::InvalidInput,
            "Invalid Open ID Connect Provider URL: it begins with https:// and has no user, query \
             or fragment.",
        )
    };
    let name = match (url.strip_prefix("https://"), url.strip_prefix("http://")) {
        (Some(name), _) => name,
        (None, Some(name)) if is_loopback(name) => name,
        _ => return Err(invalid()),
    };
    let name = name.trim_end_matches('/');
    let host = name.split('/').next().unwrap_or_default();
    let plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~/:%".contains(&byte));
    if host.is_empty() || !plain || name.split('/').any(|part| part == "." || part == "..") {
        return Err(invalid());
    }
    Ok(name)
}

/// Whether the name of a provider is of this machine: only then may it be without TLS.
fn is_loopback(name: &str) -> bool {
    let host = name.split('/').next().unwrap_or_default();
    let host = host.rsplit_once(':').map_or(host, |(host, _)| host);
    matches!(host, "localhost" | "127.0.0.1")
}

/// Makes a provider.
#[derive(Clone, Debug)]
pub struct CreateOpenIdConnectProvider {
    /// `https://` and the rest of the issuer.
    pub url: String,
    /// The audiences that its tokens may be for.
    pub client_ids: Vec<String>,
    /// SHA-1 of certificates.
    pub thumbprints: Vec<String>,
    /// At most 50.
    pub tags: Vec<ResourceTag>,
}

impl IamOperation for CreateOpenIdConnectProvider {
    const ACTION: &'static str = "iam:CreateOpenIDConnectProvider";
    type Output = OidcProvider;

    fn demands(&self, context: &RequestContext) -> Vec<Demand> {
        let name = name_of(&self.url).unwrap_or_default();
        let resource = KIND.resource_at(context, Some("/"), name);
        creation(Self::ACTION, "iam:TagOpenIDConnectProvider", resource, &self.tags)
    }

    async fn apply(mut self, call: &Call<'_>, tx: &mut Tx) -> Result<OidcProvider> {
        let name = name_of(&self.url)?;
        check_thumbprints(&self.thumbprints)?;
        let new = New { kind: KIND, path: "/", name, description: "" };
        let entity = entities::insert(tx, call, new).await?;
        tags::put(tx, entity.id, &self.tags).await?;
        self.client_ids.dedup();
        let provider = OidcProvider {
            client_ids: self.client_ids,
            thumbprints: self.thumbprints,
            tags: self.tags,
            entity,
        };
        store(tx, &provider).await?;
        Ok(provider)
    }
}

async fn get(tx: &mut Tx, call: &Call<'_>, arn: &str) -> Result<OidcProvider> {
    let entity = tags::named(tx, call, KIND, arn).await?;
    describe(tx, entity).await
}

/// Describes a provider.
#[derive(Clone, Debug)]
pub struct GetOpenIdConnectProvider {
    /// Its ARN.
    pub arn: String,
}

impl IamOperation for GetOpenIdConnectProvider {
    const ACTION: &'static str = "iam:GetOpenIDConnectProvider";
    const CHANGES: bool = false;
    type Output = OidcProvider;

    fn demands(&self, context: &RequestContext) -> Vec<Demand> {
        vec![by_arn(Self::ACTION, &self.arn, context)]
    }

    async fn apply(self, call: &Call<'_>, tx: &mut Tx) -> Result<OidcProvider> {
        get(tx, call, &self.arn).await
    }
}

/// Lists the providers of the account.
#[derive(Clone, Copy, Debug)]
pub struct ListOpenIdConnectProviders;

impl IamOperation for ListOpenIdConnectProviders {
    const ACTION: &'static str = "iam:ListOpenIDConnectProviders";
    const CHANGES: bool = false;
    type Output = Vec<Entity>;

    fn demands(&self, _context: &RequestContext) -> Vec<Demand> {
        vec![Demand::new(Self::ACTION, Resource::Any)]
    }

    async fn apply(self, call: &Call<'_>, tx: &mut Tx) -> Result<Vec<Entity>> {
        let all = PageRequest { after: None, limit: 1000 };
        let account = call.context.principal.account;
        Ok(entities::list(tx, &account, KIND, "/", &all).await?.items)
    }
}

/// Deletes a provider. Idempotent; sessions that exist stay.
#[derive(Clone, Debug)]
pub struct DeleteOpenIdConnectProvider {
    /// Its ARN.
    pub arn: String,
}

impl IamOperation for DeleteOpenIdConnectProvider {
    const ACTION: &'static str = "iam:DeleteOpenIDConnectProvider";
    type Output = ();

    fn demands(&self, context: &RequestContext) -> Vec<Demand> {
        vec![by_arn(Self::ACTION, &self.arn, context)]
    }

    async fn apply(self, call: &Call<'_>, tx: &mut Tx) -> Result<()> {
        let entity = match tags::named(tx, call, KIND, &self.arn).await {
            Err(gone) if gone.kind() == ErrorKind::NoSuchEntity => return Ok(()),
            found => found?,
        };
        tx.execute("DELETE FROM iam_oidc_providers WHERE provider_id = $1", params![entity.id])
            .await?;
        entities::delete(tx, &entity).await
    }
}

/// Replaces the thumbprints of a provider. Idempotent.
#[derive(Clone, Debug)]
pub struct UpdateOpenIdConnectProviderThumbprint {
    /// Its ARN.
    pub arn: String,
    /// SHA-1 of certificates.
    pub thumbprints: Vec<String>,
}

impl IamOperation for UpdateOpenIdConnectProviderThumbprint {
    const ACTION: &'static str = "iam:UpdateOpenIDConnectProviderThumbprint";
    type Output = ();

    fn demands(&self, context: &RequestContext) -> Vec<Demand> {
        vec![by_arn(Self::ACTION, &self.arn, context)]
    }

    async fn apply(self, call: &Call<'_>, tx: &mut Tx) -> Result<()> {
        check_thumbprints(&self.thumbprints)?;
        let mut provider = get(tx, call, &self.arn).await?;
        provider.thumbprints = self.thumbprints;
        store(tx, &provider).await
    }
}

/// Lets the tokens of a provider be for one more audience. Idempotent.
#[derive(Clone, Debug)]
pub struct AddClientIdToOpenIdConnectProvider {
    /// Its ARN.
    pub arn: String,
    /// The audience.
    pub client_id: String,
}

impl IamOperation for AddClientIdToOpenIdConnectProvider {
    const ACTION: &'static str = "iam:AddClientIDToOpenIDConnectProvider";
    type Output = ();

    fn demands(&self, context: &RequestContext) -> Vec<Demand> {
        vec![by_arn(Self::ACTION, &self.arn, context)]
    }

    async fn apply(self, call: &Call<'_>, tx: &mut Tx) -> Result<()> {
        let mut provider = get(tx, call, &self.arn).await?;
        if !provider.client_ids.contains(&self.client_id) {
            provider.client_ids.push(self.client_id);
        }
        store(tx, &provider).await
    }
}

/// The tokens of a provider may no longer be for this audience. Idempotent.
#[derive(Clone, Debug)]
pub struct RemoveClientIdFromOpenIdConnectProvider {
    /// Its ARN.
    pub arn: String,
    /// The audience.
    pub client_id: String,
}

impl IamOperation for RemoveClientIdFromOpenIdConnectProvider {
    const ACTION: &'static str = "iam:RemoveClientIDFromOpenIDConnectProvider";
    type Output = ();

    fn demands(&self, context: &RequestContext) -> Vec<Demand> {
        vec![by_arn(Self::ACTION, &self.arn, context)]
    }

    async fn apply(self, call: &Call<'_>, tx: &mut Tx) -> Result<()> {
        let mut provider = get(tx, call, &self.arn).await?;
        provider.client_ids.retain(|id| *id != self.client_id);
        store(tx, &provider).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_of_issuers_are_read() {
        let check = |url: &str, expected: Option<&str>| {
            assert_eq!(name_of(url).ok(), expected, "{url}");
        };
        check("https://issuer.example", Some("issuer.example"));
        check("https://issuer.example/", Some("issuer.example"));
        check("https://issuer.example/realm/one", Some("issuer.example/realm/one"));
        check("https://127.0.0.1:8443/a", Some("127.0.0.1:8443/a"));
        check("http://issuer.example", None);
        check("http://127.0.0.1:8080/a", Some("127.0.0.1:8080/a"));
        check("http://localhost", Some("localhost"));
        check("http://127.0.0.1.evil.example", None);
        check("http://localhost@evil.example", None);
        check("issuer.example", None);
        check("https://", None);
        check("https:///path", None);
        check("https://user@issuer.example", None);
        check("https://issuer.example?a=b", None);
        check("https://issuer.example#a", None);
        check("https://issuer.example/../a", None);
        check("https://issuer.example/a b", None);
        check("file:///etc/passwd", None);
    }
}
