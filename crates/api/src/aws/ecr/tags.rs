//! Resource tags of repositories.

use serde::{Deserialize, Serialize};
use tonnage_domain::resource_tags::{
    ListTagsForResource, ResourceTag, TagResource, UntagResource, parse_resource_arn,
};

use super::Call;
use crate::aws::error::Result;

/// A resource tag; its members alone are capitalised.
#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Tag {
    key: String,
    value: String,
}

impl From<ResourceTag> for Tag {
    fn from(tag: ResourceTag) -> Self {
        Self { key: tag.key, value: tag.value }
    }
}

pub(super) fn tags_from(tags: Vec<Tag>) -> Vec<ResourceTag> {
    tags.into_iter().map(|tag| ResourceTag { key: tag.key, value: tag.value }).collect()
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct TagResourceInput {
    resource_arn: String,
    tags: Vec<Tag>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct UntagResourceInput {
    resource_arn: String,
    tag_keys: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ListTagsForResourceInput {
    resource_arn: String,
}

#[derive(Serialize)]
pub(super) struct ListTagsForResourceOutput {
    tags: Vec<Tag>,
}

#[derive(Serialize)]
pub(super) struct Empty {}

pub(super) async fn tag_resource(call: &Call<'_>, input: TagResourceInput) -> Result<Empty> {
    let resource = parse_resource_arn(&call.context, &input.resource_arn)?;
    call.execute(TagResource { resource, tags: tags_from(input.tags) }).await?;
    Ok(Empty {})
}

pub(super) async fn untag_resource(call: &Call<'_>, input: UntagResourceInput) -> Result<Empty> {
    let resource = parse_resource_arn(&call.context, &input.resource_arn)?;
    call.execute(UntagResource { resource, keys: input.tag_keys }).await?;
    Ok(Empty {})
}

pub(super) async fn list_tags_for_resource(
    call: &Call<'_>,
    input: ListTagsForResourceInput,
) -> Result<ListTagsForResourceOutput> {
    let resource = parse_resource_arn(&call.context, &input.resource_arn)?;
    let tags = call.execute(ListTagsForResource { resource }).await?;
    let tags = tags.into_iter().map(|tag| Tag { key: tag.key, value: tag.value }).collect();
    Ok(ListTagsForResourceOutput { tags })
}
