//! Basic authentication with an authorization token, in ECR's words.

use http::header::{AUTHORIZATION, HeaderValue};
use http::{HeaderMap, StatusCode};
use tonnage_domain::app::App;
use tonnage_domain::error::{Error, ErrorKind};
use tonnage_domain::identities::authorization_token::{self, TokenIdentity};
use tonnage_domain::image_shares;

use super::error::OciError;
use super::{header, text};
use crate::Arrival;
use crate::request::Response;

/// The longest `Authorization` header that is looked at, in bytes.
pub(super) const AUTHORIZATION_BYTES_MAX: usize = 16 * 1024;

/// Why nobody is let in.
pub(super) enum Challenge {
    /// No credentials, or of another kind: docker logs in when it sees this.
    Missing,
    /// Credentials that cannot be read; ECR answers 400, which docker shows as it is.
    Malformed,
    /// Credentials that are readable and not good.
    Refused(Error),
}

impl Challenge {
    pub(super) fn into_response(self) -> Response {
        match self {
            Self::Missing => text(StatusCode::UNAUTHORIZED, "Not Authorized\n"),
            Self::Malformed => OciError::new(
                StatusCode::BAD_REQUEST,
                "UNAUTHORIZED",
                "The credentials cannot be read: the user name is AWS and the password is what \
                 `aws ecr get-login-password` prints, without spaces or line ends around it.",
            )
            .into_response(),
            Self::Refused(error) => OciError::from(error).into_response(),
        }
    }
}

/// What every 401 carries, in ECR's words.
pub(super) fn realm(arrival: &Arrival) -> Result<HeaderValue, OciError> {
    if arrival.host.is_public() {
        let (scheme, host) = (arrival.scheme(), arrival.host.authority());
        return header(&format!(
            "Bearer realm=\"{scheme}://{host}/token/\",service=\"{host}\",scope=\"aws\""
        ));
    }
    header(&format!(
        "Basic realm=\"{}://{}/\",service=\"ecr.amazonaws.com\"",
        arrival.scheme(),
        arrival.host.authority()
    ))
}

/// Who asks, and for which registry.
pub(super) async fn authenticate(
    app: &App,
    headers: &HeaderMap,
    arrival: &Arrival,
) -> Result<TokenIdentity, Challenge> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return Err(Challenge::Missing);
    };
    let value = value.to_str().map_err(|_| Challenge::Malformed)?;
    let Some((scheme, credentials)) = value.split_once(' ') else {
        return Err(Challenge::Missing);
    };
    let credentials = credentials.trim();
    let share = match scheme {
        _ if value.len() > AUTHORIZATION_BYTES_MAX => None,
        basic if basic.eq_ignore_ascii_case("basic") => image_shares::password_in(credentials),
        bearer if bearer.eq_ignore_ascii_case("bearer") => {
            image_shares::is_password(credentials).then(|| credentials.into())
        }
        _ => None,
    };
    if share.is_none() && !scheme.eq_ignore_ascii_case("basic") {
        return Err(Challenge::Missing);
    }
    if value.len() > AUTHORIZATION_BYTES_MAX {
        return Err(Challenge::Malformed);
    }
    let verified = match &share {
        Some(password) => Box::pin(image_shares::verify(app, password, arrival.now)).await,
        None => authorization_token::verify_basic(app, credentials, arrival.now).await,
    };
    let mut identity = verified.map_err(|error| match error.kind() {
        ErrorKind::TokenInvalid => Challenge::Malformed,
        _ => Challenge::Refused(error),
    })?;
    if identity.region.is_global() {
        return Err(Challenge::Refused(Error::new(
            ErrorKind::TokenInvalid,
            "The authorization token is for public registries; log in with the password that \
             `aws ecr get-login-password` prints.",
        )));
    }
    // On a named host the name says which registry; a token is good in its own region only.
    if let Some((account, region)) = arrival.host.registry() {
        if *region != identity.region {
            return Err(Challenge::Refused(Error::new(
                ErrorKind::TokenInvalid,
                format!(
                    "The authorization token is for region {} and this host is in {region}; log in \
                     with `aws ecr get-login-password --region {region}`.",
                    identity.region
                ),
            )));
        }
        identity.account = *account;
    }
    Ok(identity)
}
