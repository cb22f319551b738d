//! `DELETE` of an upload.

use super::UploadId;
use crate::blobs;
use crate::context::RequestContext;
use crate::error::Result;
use crate::execute::{Call, Demand, Entry, Operation, Service, registry_action};
use crate::params;
use crate::repositories::{self, RepositoryAddress};

/// Gives an upload up; its bytes go at once. A second call finds nothing.
#[derive(Clone, Debug)]
pub struct CancelUpload {
    /// The repository.
    pub repository: RepositoryAddress,
    /// The upload.
    pub upload_id: UploadId,
}

impl Operation for CancelUpload {
    const ENTRY: Entry = Entry { service: Service::Tonnage, name: "CancelUpload" };
    type Output = ();

    fn demands(&self, _context: &RequestContext) -> Vec<Demand> {
        vec![self.repository.demand(registry_action!("UploadLayerPart"))]
    }

    async fn run(self, call: Call<'_>) -> Result<()> {
        let _lock = call.app.upload_locks.lock(&self.upload_id)?;
        let mut tx = call.write().await?;
        let repository = repositories::get(&mut tx, &self.repository).await?;
        let upload = super::get(&mut tx, &call, &repository, &self.upload_id).await?;
        tx.execute("DELETE FROM uploads WHERE id = $1", params![upload.id.as_str()]).await?;
        blobs::put_garbage_object(&mut tx, &call, &upload.object_id).await?;
        call.commit(tx).await?;
        call.app.garbage.wake();
        Ok(())
    }
}
