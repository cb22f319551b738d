//! Who signed a request: signature version 4 to a principal, and to the context of its operation.

use http::request::Parts;
use secrecy::ExposeSecret;
use tonnage_domain::app::App;
use tonnage_domain::context::RequestContext;
use tonnage_domain::error::{Error, chain};
use tonnage_domain::identities::access_keys::{ActiveKey, uses};
use tonnage_domain::identities::sessions;
use tonnage_domain::names::Region;

use super::error::{Failure, Refusal, Result};
use super::json::off_thread;
use crate::Arrival;
use crate::sigv4::{self, Claim, RequestView, SignatureError, SigningKey, payload_hash};

/// A request that says who signed it; nothing is believed before [`Claimed::verify`].
pub(super) struct Claimed {
    claim: Claim,
    key: ActiveKey,
    region: Region,
}

impl From<SignatureError> for Refusal {
    fn from(error: SignatureError) -> Self {
        match error {
            SignatureError::Missing => Self::MissingAuthentication,
            SignatureError::UnrecognizedClient => Self::InvalidToken,
            SignatureError::Incomplete(text) => Self::IncompleteSignature(text),
            SignatureError::InvalidSignature(_) | SignatureError::BodyMismatch => {
                Self::InvalidSignature(error.to_string())
            }
        }
    }
}

impl From<SignatureError> for Failure {
    fn from(error: SignatureError) -> Self {
        Self::Refused(error.into())
    }
}

/// Reads the signature, and refuses what can be refused without the body.
pub(super) async fn claim(
    app: &App,
    parts: &Parts,
    arrival: &Arrival,
    service: &'static str,
) -> Result<Claimed> {
    let claim = sigv4::parse(&view(parts))?.ok_or(Refusal::MissingAuthentication)?;
    if claim.service != service {
        return Err(SignatureError::wrong_service(service).into());
    }
    let region = Region::parse(&claim.region).map_err(|error| {
        Refusal::InvalidSignature(format!("Credential should be scoped to a valid region: {error}"))
    })?;
    if let Some(addressed) = arrival.host.region().filter(|addressed| **addressed != region) {
        return Err(SignatureError::wrong_region(region.as_str(), addressed.as_str()).into());
    }
    let token = claim.session_token.as_ref().map(ExposeSecret::expose_secret);
    let key = sessions::authenticate(app, &claim.access_key_id, token, arrival.now)
        .await
        .map_err(|error| logged(error, arrival))?
        .ok_or(Refusal::InvalidToken)?;
    Ok(Claimed { claim, key, region })
}

impl Claimed {
    /// Checks the signature over the body that was received.
    pub(super) async fn verify(
        self,
        app: &App,
        parts: &Parts,
        body: &bytes::Bytes,
        arrival: &Arrival,
    ) -> Result<RequestContext> {
        let hashed = body.clone();
        let body_hash = off_thread(body.len(), move || payload_hash(&hashed)).await?;
        let Self { claim, key, region } = self;
        let signing_key =
            SigningKey::derive(&key.secret, &claim.date, &claim.region, &claim.service);
        sigv4::verify(&claim, &view(parts), &body_hash, &signing_key, arrival.now.timestamp())?;
        uses::note(app, &key.principal, &claim.service, &claim.region, arrival.now);
        let account = key.principal.account;
        Ok(arrival.context(&parts.headers, key.principal, account, region))
    }
}

fn view(parts: &Parts) -> RequestView<'_> {
    RequestView {
        method: parts.method.as_str(),
        path: parts.uri.path(),
        query: parts.uri.query().unwrap_or_default(),
        headers: &parts.headers,
    }
}

/// Operations log their own failures; before there is one, this does.
pub(super) fn logged(error: Error, arrival: &Arrival) -> Error {
    if error.is_fault() {
        let cause = chain(&error);
        tracing::error!(request_id = arrival.request_id, cause, "authentication failed");
    }
    error
}
