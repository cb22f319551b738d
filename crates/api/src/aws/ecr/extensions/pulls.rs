//! Pulls of public repositories.

use serde::{Deserialize, Serialize};
use tonnage_domain::error::Error;
use tonnage_domain::gallery::get_pull_statistics::{GetPullStatistics, PullCount, PullGroup};

use super::super::listings::Listing;
use crate::aws::Call;
use crate::aws::error::Result;

/// Days that are told of unless a request says how many.
const DAYS: u32 = 30;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct GetPullStatisticsInput {
    registry_id: Option<String>,
    repository_name: String,
    days: Option<u32>,
    group_by: Option<String>,
    next_token: Option<String>,
    max_results: Option<u32>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct GetPullStatisticsOutput {
    pull_counts: Vec<Count>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Count {
    #[serde(skip_serializing_if = "Option::is_none")]
    day: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    image_tag: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    image_digest: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    platform: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    network: Option<String>,
    pulls: u64,
}

impl From<PullCount> for Count {
    fn from(count: PullCount) -> Self {
        Self {
            day: count.date(),
            image_tag: count.tag,
            image_digest: count.digest.map(|digest| digest.to_string()),
            platform: count.platform,
            network: count.network,
            pulls: count.pulls,
        }
    }
}

pub(super) async fn get_pull_statistics(
    call: &Call<'_>,
    input: GetPullStatisticsInput,
) -> Result<GetPullStatisticsOutput> {
    let repository = call.address(input.registry_id.as_deref(), &input.repository_name)?;
    let by = input.group_by.as_deref().map(|text| {
        PullGroup::parse(text).ok_or_else(|| {
            let names = PullGroup::ALL.map(PullGroup::as_str).join(", ");
            Error::invalid_parameter("groupBy", format_args!("one of {names}"))
        })
    });
    let (by, days) = (by.transpose()?, input.days.unwrap_or(DAYS));
    let shown_days = days.to_string();
    let filters =
        [repository.name.as_str(), by.map_or("each", PullGroup::as_str), shown_days.as_str()];
    let listing = Listing::new(call, "GetPullStatistics", &repository.account, &filters);
    let page = listing.request(call, input.next_token.as_deref(), input.max_results).await?;
    let found = call.execute(GetPullStatistics { repository, days, by, page }).await?;
    Ok(GetPullStatisticsOutput {
        pull_counts: found.items.into_iter().map(Count::from).collect(),
        next_token: listing.token(call, found.next.as_deref()).await?,
    })
}
