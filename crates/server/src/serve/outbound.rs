//! How servers of others are asked: the client, and the documents of identity providers.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result};
use bytes::Bytes;
use futures_util::future::BoxFuture;
use secrecy::{ExposeSecret as _, SecretString};
use tonnage_domain::identities::web_identity::Documents;
use tonnage_outbound::dns::Resolver;
use tonnage_outbound::{Client, Rules};

use crate::config::Outbound;

/// How long one document may take.
const DOCUMENT_TIME: Duration = Duration::from_secs(10);
/// Where the system says which name servers it asks.
const SYSTEM_RESOLVERS: &str = "/etc/resolv.conf";

/// A client under the operator's rules.
///
/// # Errors
/// When the file of authorities cannot be used.
pub(super) fn client(config: &Outbound) -> Result<Client> {
    let rules =
        Rules { networks: config.networks.clone(), authorities: config.authorities_file.clone() };
    Client::new(rules).context("`outbound_authorities_file` cannot be used")
}

/// Fetches documents under the operator's rules, and asks the operator's name servers.
pub(super) struct GuardedDocuments {
    client: Client,
    resolver: Resolver,
}

impl GuardedDocuments {
    pub(super) fn new(client: Client, config: &Outbound) -> Self {
        let resolver = match &config.resolvers {
            Some(servers) => Resolver::new(servers.clone()),
            None => Resolver::of_file(Path::new(SYSTEM_RESOLVERS)),
        };
        Self { client, resolver }
    }
}

impl Documents for GuardedDocuments {
    fn get<'a>(&'a self, url: &'a str, bytes_max: usize) -> BoxFuture<'a, Result<Bytes, String>> {
        Box::pin(async move {
            let got = self.client.get(url, bytes_max, DOCUMENT_TIME).await;
            got.map_err(|error| format!("{:#}", anyhow::Error::from(error)))
        })
    }

    fn texts<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Vec<Vec<u8>>, String>> {
        Box::pin(async move {
            let texts = self.resolver.txt(name).await;
            texts.map_err(|error| format!("{name}: {:#}.", anyhow::Error::from(error)))
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
            let got =
                self.client.post_form(url, form, authorization, bytes_max, DOCUMENT_TIME).await;
            got.map_err(|error| format!("{:#}", anyhow::Error::from(error)))
        })
    }
}
