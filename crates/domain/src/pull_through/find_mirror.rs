//! Which repository of a registry stands for one of another registry, for clients that take the
//! registry for a mirror and ask by the name that the image has there.

use super::namespace::Namespace;
use super::rules;
use crate::context::RequestContext;
use crate::error::Result;
use crate::execute::{Call, Demand, Entry, Operation, Resource, Service};
use crate::names::RepositoryName;
use crate::repositories::RepositoryAddress;

/// Docker Hub, as clients call it.
pub const DOCKER_HUB: &str = "docker.io";

/// Rules of a registry that are looked at; there can be no more unless the operator allows it.
const RULES_MAX: i64 = 1_000;

/// Finds the repository that is a cache of the repository `name` of the registry `host`, in the
/// registry that the request addresses. Everybody may ask that of the registry of their own
/// account; of another it finds nothing. What may be done with the repository is decided by who
/// does it.
#[derive(Clone, Debug)]
pub struct FindMirror {
    /// The other registry: a host, perhaps with a port.
    pub host: String,
    /// The name there.
    pub name: RepositoryName,
}

impl Operation for FindMirror {
    const ENTRY: Entry = Entry { service: Service::Tonnage, name: "FindMirror" };
    type Output = Option<RepositoryAddress>;

    fn demands(&self, _context: &RequestContext) -> Vec<Demand> {
        vec![Demand::new("tonnage:FindMirror", Resource::Caller)]
    }

    async fn run(self, call: Call<'_>) -> Result<Self::Output> {
        let context = call.context;
        if context.principal.account != context.account {
            return Ok(None);
        }
        let mut tx = call.read().await?;
        let rules = rules::list(&mut tx, context.account, &context.region, "", RULES_MAX).await?;
        let host = real(&self.host.to_ascii_lowercase()).to_owned();
        let found = rules
            .into_iter()
            .filter(|rule| rule.upstream_host == host)
            .filter_map(|rule| {
                let rest = rule.upstream_prefix.strip(self.name.as_str())?;
                let name = RepositoryName::parse(&rule.prefix.join(rest)).ok()?;
                // The rule that says most about the name there, and least about the one here.
                let is_for_all = rule.prefix == Namespace::Root;
                Some(((rule.upstream_prefix.depth(), !is_for_all), name))
            })
            .max_by_key(|(rank, _)| *rank);
        Ok(found.map(|(_, name)| RepositoryAddress::new(context, None, name)))
    }
}

/// The host that serves what clients call by another one.
fn real(host: &str) -> &str {
    match host {
        DOCKER_HUB | "index.docker.io" => "registry-1.docker.io",
        other => other,
    }
}
