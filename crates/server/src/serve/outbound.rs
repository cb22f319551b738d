//! How servers of others are asked: the client, and the documents of identity providers.

use std::time::Duration;

use anyhow::{Context as _, Result};
use bytes::Bytes;
use futures_util::future::BoxFuture;
use secrecy::{ExposeSecret as _, SecretString};
use tonnage_domain::identities::web_identity::Documents;
use tonnage_outbound::{Client, Rules};

use crate::config::Outbound;

/// How long one document may take.
const DOCUMENT_TIME: Duration = Duration::from_secs(10);

/// A client under the operator's rules.
///
/// # Errors
/// When the file of authorities cannot be used.
pub(super) fn client(config: &Outbound) -> Result<Client> {
    let rules =
        Rules { networks: config.networks.clone(), authorities: config.authorities_file.clone() };
    Client::new(rules).context("`outbound_authorities_file` cannot be used")
}

/// Fetches documents under the operator's rules.
pub(super) struct GuardedDocuments(pub(super) Client);

impl Documents for GuardedDocuments {
    fn get<'a>(&'a self, url: &'a str, bytes_max: usize) -> BoxFuture<'a, Result<Bytes, String>> {
        Box::pin(async move {
            let got = self.0.get(url, bytes_max, DOCUMENT_TIME).await;
            got.map_err(|error| format!("{:#}", anyhow::Error::from(error)))
        })
    }

    fn post<'a>(
        &'a self,
        url: &'a str,
        form: SecretString,
        authorization: Option<SecretString>,
        bytes_max: usize,
    ) -> BoxFuture<'a, Result<Bytes, String>> {
        Box::pin(async move {
            let form = Bytes::from(form.expose_secret().to_owned());
            let authorization = authorization.as_ref().map(|secret| secret.expose_secret());
            let got = self.0.post_form(url, form, authorization, bytes_max, DOCUMENT_TIME).await;
            got.map_err(|error| format!("{:#}", anyhow::Error::from(error)))
        })
    }
}
