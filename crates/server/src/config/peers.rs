//! Which other deployments registries are replicated to, and where those are.

use anyhow::{Result, bail};
use tonnage_domain::names::{AccountId, Region};
use tonnage_domain::replication::peer::PeerSettings;

use super::upstreams::parse_url;
use super::{Kind, Setting, Values};

pub(super) const SETTINGS: &[Setting] = &[Setting {
    key: "replication_peer",
    kind: Kind::List,
    value_name: "DESTINATION=URL",
    default: "none: every destination is a registry of this deployment",
    help: "Another deployment that has the destinations of a region, of an account, or one registry: \
           `eu-west-1=https://registry.eu.example.com`, `111122223333=URL`, \
           `111122223333/eu-west-1=URL`; what says most about a destination counts. The URL is that \
           of the deployment's API, without a path; more than one may be given. A secret \
           `ecr-replication/DESTINATION` in the registry that is copied holds the access key for it. \
           Addresses that are not public need `outbound_network` too.",
}];

pub(super) fn read(values: &Values) -> Result<PeerSettings> {
    let mut settings = PeerSettings::default();
    for (name, url) in values.many("replication_peer", parse_peer)?.unwrap_or_default() {
        if settings.urls.insert(name.clone(), url).is_some() {
            bail!("`replication_peer` has {name} twice");
        }
    }
    Ok(settings)
}

fn parse_peer(text: &str) -> Result<(String, String), String> {
    let wrong = || {
        format!(
            "{text:?} is not a region, an account, or both, with a URL, such as \
             `eu-west-1=https://registry.eu.example.com`"
        )
    };
    let (name, url) = text.split_once('=').ok_or_else(wrong)?;
    let is_known = match name.split_once('/') {
        Some((account, region)) => {
            AccountId::parse(account).is_ok() && Region::parse(region).is_ok()
        }
        None => AccountId::parse(name).is_ok() || Region::parse(name).is_ok(),
    };
    if !is_known {
        return Err(wrong());
    }
    Ok((name.to_owned(), parse_url(url)?))
}
