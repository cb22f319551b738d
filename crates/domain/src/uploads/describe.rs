//! `GET` of an upload: how far it got.

use super::UploadId;
use super::append::Progress;
use crate::context::RequestContext;
use crate::error::Result;
use crate::execute::{Call, Demand, Entry, Operation, Service, registry_action};
use crate::repositories::{self, RepositoryAddress};

/// Says how far an upload got, so that a client can go on after a broken connection.
#[derive(Clone, Debug)]
pub struct DescribeUpload {
    /// The repository.
    pub repository: RepositoryAddress,
    /// The upload.
    pub upload_id: UploadId,
}

impl Operation for DescribeUpload {
    const ENTRY: Entry = Entry { service: Service::Tonnage, name: "DescribeUpload" };
    type Output = Progress;

    fn demands(&self, _context: &RequestContext) -> Vec<Demand> {
        vec![self.repository.demand(registry_action!("UploadLayerPart"))]
    }

    async fn run(self, call: Call<'_>) -> Result<Progress> {
        let mut tx = call.read().await?;
        let repository = repositories::get(&mut tx, &self.repository).await?;
        let upload = super::get(&mut tx, &call, &repository, &self.upload_id).await?;
        Ok(Progress { received: upload.received })
    }
}
