//! Pulls by clients that take the registry for a mirror of another one, and ask by the names that
//! images have there.
//!
//! containerd says which registry it means (`ns`, of its host configuration). Docker does not
//! (`registry-mirrors`): it means Docker Hub, and never asks under the host of a registry.

use std::sync::Arc;

use tonnage_domain::app::App;
use tonnage_domain::context::RequestContext;
use tonnage_domain::error::{Error, ErrorKind};
use tonnage_domain::execute::execute;
use tonnage_domain::pull_through::find_mirror::{DOCKER_HUB, FindMirror};
use tonnage_domain::repositories::RepositoryAddress;

use super::Call;
use super::error::OciError;
use crate::host::Host;

/// Which repository is meant, and how the client came to mean it.
pub(super) struct Named {
    pub(super) repository: RepositoryAddress,
    /// Whether it may be the name of an image of Docker Hub, if it is none here.
    may_be_docker: bool,
}

/// What a request for a manifest or blob of `name` is about, before anything is looked for.
pub(super) struct Asked {
    repository: RepositoryAddress,
    /// The registry that the client means.
    host: Option<String>,
    is_bare: bool,
}

impl Asked {
    pub(super) fn of(call: &Call<'_>, name: &str) -> Result<Self, OciError> {
        let is_other = |host: &String| {
            !host.is_empty()
                && *host != call.arrival.host.authority()
                && Host::parse(host).is_some_and(|host| host.registry().is_none())
        };
        let repository = call.repository(name)?;
        // Public registries stand for no other one.
        let is_public = repository.region.is_global();
        Ok(Self {
            host: call.query("ns").filter(is_other).filter(|_| !is_public),
            is_bare: !is_public && call.arrival.host.registry().is_none(),
            repository,
        })
    }

    /// Finds the repository that stands for the one of the other registry. Where none does, the name
    /// means what it means here.
    pub(super) async fn named(
        self,
        app: &Arc<App>,
        context: &RequestContext,
    ) -> Result<Named, Error> {
        let Self { repository, host, is_bare } = self;
        let Some(host) = host else { return Ok(Named { repository, may_be_docker: is_bare }) };
        let mirror = FindMirror { host, name: repository.name.clone() };
        let found = Box::pin(find(app, context, mirror)).await?;
        Ok(Named { repository: found.unwrap_or(repository), may_be_docker: false })
    }
}

impl Named {
    /// The repository that stands for one of Docker Hub, if a pull failed because there is none of
    /// this name here, or none that the client may pull from.
    pub(super) async fn of_docker_hub(
        &self,
        app: &Arc<App>,
        context: &RequestContext,
        error: &Error,
    ) -> Result<Option<RepositoryAddress>, Error> {
        let is_absent =
            matches!(error.kind(), ErrorKind::RepositoryNotFound | ErrorKind::AccessDenied);
        if !self.may_be_docker || !is_absent {
            return Ok(None);
        }
        let mirror = FindMirror { host: DOCKER_HUB.to_owned(), name: self.repository.name.clone() };
        let found = Box::pin(find(app, context, mirror)).await?;
        Ok(found.filter(|found| *found != self.repository))
    }
}

/// Whoever may not ask finds nothing.
async fn find(
    app: &Arc<App>,
    context: &RequestContext,
    mirror: FindMirror,
) -> Result<Option<RepositoryAddress>, Error> {
    match execute(app, context, mirror).await {
        Err(error) if error.kind() == ErrorKind::AccessDenied => Ok(None),
        found => found,
    }
}
