//! Shares of images.

use secrecy::ExposeSecret as _;
use serde::{Deserialize, Serialize};
use tonnage_domain::clock::Millis;
use tonnage_domain::image_shares::operations::{
    CreateImageShare, ListImageShares, RevokeImageShare,
};
use tonnage_domain::image_shares::{self, ImageShare};

use super::super::images::{ImageId, required_identifier};
use super::super::listings::Listing;
use crate::aws::Call;
use crate::aws::error::Result;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CreateImageShareInput {
    registry_id: Option<String>,
    repository_name: String,
    image_id: ImageId,
    valid_for_seconds: i64,
    max_uses: Option<u32>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CreateImageShareOutput {
    image_share: Share,
    user_name: &'static str,
    password: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ListImageSharesInput {
    registry_id: Option<String>,
    repository_name: String,
    next_token: Option<String>,
    max_results: Option<u32>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ListImageSharesOutput {
    image_shares: Vec<Share>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RevokeImageShareInput {
    registry_id: Option<String>,
    repository_name: String,
    share_id: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RevokeImageShareOutput {
    image_share: Share,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Share {
    share_id: String,
    share_status: &'static str,
    image_digest: String,
    created_by: String,
    created_at: f64,
    expires_at: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_uses: Option<u32>,
    uses: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_used_at: Option<f64>,
}

impl Share {
    fn new(share: ImageShare, now: Millis) -> Self {
        Self {
            share_status: share.status(now).as_str(),
            share_id: share.id,
            image_digest: share.digest.to_string(),
            created_by: share.made_by,
            created_at: share.created_at.epoch_seconds(),
            expires_at: share.expires_at.epoch_seconds(),
            max_uses: share.uses_max,
            uses: share.uses,
            last_used_at: share.used_at.map(Millis::epoch_seconds),
        }
    }
}

pub(super) async fn create_image_share(
    call: &Call<'_>,
    input: CreateImageShareInput,
) -> Result<CreateImageShareOutput> {
    let operation = CreateImageShare {
        repository: call.address(input.registry_id.as_deref(), &input.repository_name)?,
        id: required_identifier(&input.image_id)?,
        seconds: input.valid_for_seconds,
        uses_max: input.max_uses,
    };
    let made = call.execute(operation).await?;
    Ok(CreateImageShareOutput {
        image_share: Share::new(made.share, call.context.now),
        user_name: image_shares::USER,
        password: made.password.expose_secret().to_owned(),
    })
}

pub(super) async fn list_image_shares(
    call: &Call<'_>,
    input: ListImageSharesInput,
) -> Result<ListImageSharesOutput> {
    let repository = call.address(input.registry_id.as_deref(), &input.repository_name)?;
    let filters = [repository.name.as_str()];
    let listing = Listing::new(call, "ListImageShares", &repository.account, &filters);
    let page = listing.request(call, input.next_token.as_deref(), input.max_results).await?;
    let found = call.execute(ListImageShares { repository, page }).await?;
    let shares = found.items.into_iter().map(|share| Share::new(share, call.context.now));
    Ok(ListImageSharesOutput {
        image_shares: shares.collect(),
        next_token: listing.token(call, found.next.as_deref()).await?,
    })
}

pub(super) async fn revoke_image_share(
    call: &Call<'_>,
    input: RevokeImageShareInput,
) -> Result<RevokeImageShareOutput> {
    let repository = call.address(input.registry_id.as_deref(), &input.repository_name)?;
    let share = call.execute(RevokeImageShare { repository, share: input.share_id }).await?;
    Ok(RevokeImageShareOutput { image_share: Share::new(share, call.context.now) })
}
