//! Where an upstream really is, and what to enter it with.

use super::credentials;
use super::rules::{Covered, Rule};
use super::upstream::Origin;
use crate::app::App;
use crate::error::{Error, ErrorKind, Result};

impl Covered {
    /// Where the upstream is and what to log in with. The secret is read anew each time, so that a
    /// changed one is used at once. Nothing may be open that writes.
    ///
    /// # Errors
    /// [`ErrorKind::UnsupportedUpstreamRegistry`] when the upstream cannot be asked as the server is
    /// set up, [`ErrorKind::CredentialNotFound`], [`ErrorKind::CredentialInaccessible`] or
    /// [`ErrorKind::CredentialUnreadable`] when there is something about the secret.
    pub(crate) async fn origin(&self, app: &App) -> Result<Origin> {
        self.rule.origin(app).await
    }
}

impl Rule {
    /// As [`Covered::origin`].
    pub(super) async fn origin(&self, app: &App) -> Result<Origin> {
        let url = app.settings.upstreams.url(self.upstream_registry, &self.upstream_host);
        let url = url.ok_or_else(|| no_location(&self.upstream_host))?;
        Ok(Origin { url, credentials: credentials::of(app, self).await? })
    }
}

pub(super) fn no_location(host: &str) -> Error {
    Error::new(
        ErrorKind::UnsupportedUpstreamRegistry,
        format!(
            "Requests to {host} would have to be made with credentials of AWS, which Tonnage does \
             not have. The operator can say where this registry is served otherwise: \
             `upstream_location` with `{host}=URL`."
        ),
    )
}
