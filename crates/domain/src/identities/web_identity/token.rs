//! JSON Web Tokens of identity providers (RFC 7519; OpenID Connect Core 1.0, section 2).

use std::collections::BTreeMap;

use jsonwebtoken::jwk::{Jwk, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde::Deserialize;

use super::invalid;
use crate::clock::Millis;
use crate::error::{Error, ErrorKind, Result};
use crate::identities::oidc_providers::OidcProvider;
use crate::resource_tags::ResourceTag;

/// Signatures that are looked at: none that a shared secret makes, and none that is no signature.
const ALGORITHMS: [Algorithm; 8] = [
    Algorithm::RS256,
    Algorithm::RS384,
    Algorithm::RS512,
    Algorithm::PS256,
    Algorithm::PS384,
    Algorithm::PS512,
    Algorithm::ES256,
    Algorithm::ES384,
];
/// The longest token, in bytes: the `sts` model's bound of `clientTokenType`.
const TOKEN_BYTES_MAX: usize = 20_000;
/// How far the clock of a provider may be ahead of ours, in seconds.
const SKEW_SECONDS: i64 = 300;

/// What a token says of itself before anything of it is believed.
pub(super) struct Unverified {
    pub(super) algorithm: Algorithm,
    pub(super) key_id: Option<String>,
    pub(super) issuer: String,
}

/// A claim that is one text or several.
#[derive(Deserialize, Default)]
#[serde(untagged)]
enum Texts {
    One(String),
    Several(Vec<String>),
    #[default]
    None,
}

impl Texts {
    fn into_vec(self) -> Vec<String> {
        match self {
            Self::One(text) => vec![text],
            Self::Several(texts) => texts,
            Self::None => Vec::new(),
        }
    }
}

/// Session tags, as AWS reads them from a token.
#[derive(Deserialize, Default)]
struct SessionTags {
    #[serde(default)]
    principal_tags: BTreeMap<String, Texts>,
    #[serde(default)]
    transitive_tag_keys: Vec<String>,
}

#[derive(Deserialize)]
pub(super) struct Claims {
    iss: String,
    sub: String,
    #[serde(default)]
    aud: Texts,
    azp: Option<String>,
    exp: i64,
    nbf: Option<i64>,
    iat: Option<i64>,
    #[serde(default)]
    amr: Texts,
    #[serde(rename = "https://aws.amazon.com/tags", default)]
    tags: SessionTags,
    #[serde(rename = "https://aws.amazon.com/source_identity")]
    source_identity: Option<String>,
}

/// Who a verified token is about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WebIdentity {
    /// The issuer without its scheme: the prefix of its condition keys.
    pub provider: String,
    /// The ARN of the provider.
    pub provider_arn: String,
    /// `sub`.
    pub subject: String,
    /// The audience that the provider knows: `azp` where the token has it, else one of `aud`.
    pub audience: String,
    /// `aud` of a token that has `azp`.
    pub original_audience: Vec<String>,
    /// `amr`: how the subject was authenticated.
    pub methods: Vec<String>,
    /// Tags for the session.
    pub tags: Vec<ResourceTag>,
    /// Keys of those that sessions made by the session inherit.
    pub transitive_tag_keys: Vec<String>,
    /// The source identity for the session.
    pub source_identity: Option<String>,
}

/// Reads what has to be known to find the key of a token.
pub(super) fn read(token: &str) -> Result<Unverified> {
    #[derive(Deserialize)]
    struct Issuer {
        iss: String,
    }
    if token.len() > TOKEN_BYTES_MAX {
        return Err(invalid(format!("The token is longer than {TOKEN_BYTES_MAX} bytes.")));
    }
    let header = jsonwebtoken::decode_header(token).map_err(|_| not_a_token())?;
    if !ALGORITHMS.contains(&header.alg) {
        return Err(invalid(format!(
            "The token is signed with {:?}; RS256, PS256, ES256 and their longer forms are taken.",
            header.alg
        )));
    }
    let claims =
        jsonwebtoken::dangerous::insecure_decode::<Issuer>(token).map_err(|_| not_a_token())?;
    Ok(Unverified { algorithm: header.alg, key_id: header.kid, issuer: claims.claims.iss })
}

fn not_a_token() -> Error {
    invalid(
        "The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)",
    )
}

/// Whether a key may have made the signature of a token.
pub(super) fn fits(key: &Jwk, token: &Unverified) -> bool {
    let signs = matches!(key.common.public_key_use, None | Some(PublicKeyUse::Signature));
    let algorithm = key.common.key_algorithm.map(|algorithm| algorithm.to_string());
    let same = algorithm.is_none_or(|algorithm| algorithm == format!("{:?}", token.algorithm));
    let named = token.key_id.is_none() || token.key_id == key.common.key_id;
    signs && same && named
}

/// The claims of a token whose signature is good.
pub(super) fn verify(token: &str, unverified: &Unverified, key: &Jwk) -> Result<Claims> {
    let key = DecodingKey::from_jwk(key)
        .map_err(|_| invalid("The key of the identity provider cannot be used."))?;
    let mut validation = Validation::new(unverified.algorithm);
    // Times and audience are checked against our clock and the stored provider.
    validation.validate_exp = false;
    validation.validate_aud = false;
    validation.required_spec_claims.clear();
    let decoded = jsonwebtoken::decode::<Claims>(token, &key, &validation);
    decoded.map(|token| token.claims).map_err(|error| match error.kind() {
        jsonwebtoken::errors::ErrorKind::Json(error) => {
            invalid(format!("The claims of the token cannot be read: {error}"))
        }
        _ => invalid("The signature of the token is not good."),
    })
}

impl Claims {
    /// Checks what the provider and the time have to say.
    pub(super) fn check(
        self,
        issuer: &str,
        provider: &OidcProvider,
        now: Millis,
    ) -> Result<WebIdentity> {
        if self.iss != issuer || self.sub.is_empty() {
            return Err(invalid("The token has no subject, or more than one issuer."));
        }
        let seconds = now.0 / 1000;
        if self.exp <= seconds {
            return Err(Error::new(
                ErrorKind::IdentityTokenExpired,
                format!(
                    "Token expired: current date/time {seconds} must be before the expiration date/time {}",
                    self.exp
                ),
            ));
        }
        if self.nbf.into_iter().chain(self.iat).any(|from| from > seconds + SKEW_SECONDS) {
            return Err(invalid("The token is not good yet: compare the clocks."));
        }
        let audiences = self.aud.into_vec();
        let (candidates, original_audience) = match self.azp {
            Some(azp) => (vec![azp], audiences),
            None => (audiences, Vec::new()),
        };
        let known = |audience: &String| provider.client_ids.contains(audience);
        let Some(audience) = candidates.into_iter().find(known) else {
            return Err(invalid("Incorrect token audience"));
        };
        let tags = self.tags.principal_tags.into_iter().flat_map(|(key, values)| {
            values
                .into_vec()
                .into_iter()
                .take(1)
                .map(move |value| ResourceTag { key: key.clone(), value })
        });
        Ok(WebIdentity {
            provider: provider.entity.name.clone(),
            provider_arn: provider.entity.arn.clone(),
            subject: self.sub,
            audience,
            original_audience,
            methods: self.amr.into_vec(),
            tags: tags.collect(),
            transitive_tag_keys: self.tags.transitive_tag_keys,
            source_identity: self.source_identity,
        })
    }
}
