//! `UpdateImageStorageClass`.

use serde::{Deserialize, Serialize};
use tonnage_domain::archive::update_image_storage_class::{StorageClass, UpdateImageStorageClass};
use tonnage_domain::error::Error;

use super::Call;
use super::images::{ImageId, required_identifier};
use crate::aws::error::Result;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct UpdateInput {
    registry_id: Option<String>,
    repository_name: String,
    image_id: ImageId,
    target_storage_class: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct UpdateOutput {
    registry_id: String,
    repository_name: String,
    image_id: ImageId,
    image_status: &'static str,
}

pub(super) async fn update_image_storage_class(
    call: &Call<'_>,
    input: UpdateInput,
) -> Result<UpdateOutput> {
    let repository = call.address(input.registry_id.as_deref(), &input.repository_name)?;
    let id = required_identifier(&input.image_id)?;
    let target = StorageClass::parse(&input.target_storage_class).ok_or_else(|| {
        Error::invalid_parameter(
            "targetStorageClass",
            "Member must satisfy enum value set: [STANDARD, ARCHIVE]",
        )
    })?;
    let account = repository.account;
    let updated = call.execute(UpdateImageStorageClass { repository, id, target }).await?;
    Ok(UpdateOutput {
        registry_id: account.to_string(),
        repository_name: input.repository_name,
        image_id: ImageId::from(&updated.id),
        image_status: updated.status.as_str(),
    })
}
