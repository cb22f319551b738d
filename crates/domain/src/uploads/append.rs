//! `UploadLayerPart`, and `PATCH` of an upload.

use std::sync::Arc;

use super::ingest::{End, ingest};
use super::{BodyStream, PARTS_MAX, PUBLIC_PARTS_MAX, UploadId, UploadRules, part_out_of_order};
use crate::context::RequestContext;
use crate::error::{Error, ErrorKind, Result};
use crate::execute::{Call, Demand, Entry, Operation, Service, registry_action};
use crate::repositories::{self, RepositoryAddress};

/// Adds bytes to an upload. When it returns, they survive a power failure.
///
/// Not idempotent: sending the same part twice is refused, and says where to go on.
pub struct UploadLayerPart {
    /// The repository.
    pub repository: RepositoryAddress,
    /// The upload.
    pub upload_id: UploadId,
    /// Where the part begins, if the client said so.
    pub first_byte: Option<u64>,
    /// How many bytes the part has, if the client said so; another number is refused.
    pub length: Option<u64>,
    /// The bytes.
    pub body: BodyStream,
    /// Whose rules hold.
    pub rules: UploadRules,
}

/// How far an upload got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Bytes received in all.
    pub received: u64,
}

impl Operation for UploadLayerPart {
    const ENTRY: Entry = Entry { service: Service::Ecr, name: "UploadLayerPart" };
    type Output = Progress;

    fn demands(&self, _context: &RequestContext) -> Vec<Demand> {
        vec![self.repository.demand(registry_action!("UploadLayerPart"))]
    }

    async fn run(self, call: Call<'_>) -> Result<Progress> {
        let lock = Arc::new(call.app.upload_locks.lock(&self.upload_id)?);
        let mut tx = call.read().await?;
        let repository = repositories::get(&mut tx, &self.repository).await?;
        let mut upload = super::get(&mut tx, &call, &repository, &self.upload_id).await?;
        drop(tx);
        lock.writes(&upload.object_id);

        let received_before = upload.received;
        if let Some(first_byte) = self.first_byte
            && first_byte != received_before
        {
            return Err(part_out_of_order(&repository, &upload, first_byte));
        }
        let parts_max = match self.repository.region.is_global() {
            true => PUBLIC_PARTS_MAX,
            false => PARTS_MAX,
        };
        if self.rules == UploadRules::LayerParts && upload.parts >= parts_max {
            return Err(Error::new(
                ErrorKind::LimitExceeded,
                format!("A layer has at most {parts_max} parts."),
            ));
        }

        let end = ingest(call.app, &mut upload, Some(self.body), false, &lock).await?;
        let part = upload.received - received_before;
        if let (End::Complete, Some(length)) = (&end, self.length)
            && length != part
        {
            return Err(Error::new(
                ErrorKind::InvalidLayerPart,
                format!("The part has {part} bytes, but its range says {length}."),
            )
            .with_detail(super::Detail {
                received: received_before,
                ..super::detail(&repository, &upload)
            }));
        }
        if upload.parts > 0 {
            let smallest = upload.smallest_inner_part.unwrap_or(u64::MAX);
            upload.smallest_inner_part = Some(smallest.min(upload.last_part));
        }
        upload.parts += 1;
        upload.last_part = part;

        let mut tx = call.write().await?;
        super::save(&mut tx, &call, &repository, &upload, received_before).await?;
        call.commit(tx).await?;
        match end {
            End::Complete => Ok(Progress { received: upload.received }),
            End::Broken(error) => Err(error.with_detail(super::detail(&repository, &upload))),
        }
    }
}
