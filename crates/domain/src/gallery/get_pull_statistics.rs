//! What only owners see of pulls: every count that there is.

use super::pulls::day_of;
use crate::context::RequestContext;
use crate::error::{Error, Result};
use crate::execute::{Call, Demand, Entry, Operation, Service};
use crate::names::Digest;
use crate::pages::{Page, PageRequest};
use crate::params;
use crate::repositories::{self, RepositoryAddress};

/// Lists how often a public repository was pulled on the last days, the last one first: by tag,
/// digest and platform.
///
/// # Errors
/// [`crate::error::ErrorKind::RepositoryNotFound`].
#[derive(Clone, Debug)]
pub struct GetPullStatistics {
    /// The repository.
    pub repository: RepositoryAddress,
    /// How many days, the one under way among them.
    pub days: u32,
    /// Which page.
    pub page: PageRequest,
}

/// Pulls that are counted together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PullCount {
    /// The day, counted from 1970 in UTC.
    pub day: i64,
    /// The tag; none where only the digest is known.
    pub tag: Option<String>,
    /// What was pulled.
    pub digest: Digest,
    /// The platform, where it is known.
    pub platform: Option<String>,
    /// How often.
    pub pulls: u64,
}

impl Operation for GetPullStatistics {
    const ENTRY: Entry = Entry { service: Service::Tonnage, name: "GetPullStatistics" };
    type Output = Page<PullCount>;

    fn demands(&self, _context: &RequestContext) -> Vec<Demand> {
        vec![Demand::new("tonnage:GetPullStatistics", self.repository.resource())]
    }

    async fn run(self, call: Call<'_>) -> Result<Page<PullCount>> {
        let offset: u32 = match self.page.after.as_deref() {
            None => 0,
            Some(after) => {
                after.parse().map_err(|_| Error::invalid_parameter("after", "Invalid token"))?
            }
        };
        let mut tx = call.read().await?;
        let repository = repositories::get(&mut tx, &self.repository).await?;
        let rows = tx
            .all(
                "SELECT day, tag, digest, platform, pulls FROM public_pulls \
                 WHERE repository_id = $1 AND day > $2 AND pulls > 0 \
                 ORDER BY day DESC, tag, digest, platform LIMIT $3 OFFSET $4",
                params![
                    repository.id,
                    day_of(call.now()) - i64::from(self.days),
                    self.page.limit_and_one(),
                    offset
                ],
            )
            .await?;
        let known = |text: String| Some(text).filter(|text| !text.is_empty());
        let counts = rows
            .iter()
            .map(|row| {
                Ok(PullCount {
                    day: row.get(0)?,
                    tag: known(row.get(1)?),
                    digest: Digest::parse(&row.get::<String>(2)?).map_err(Error::internal)?,
                    platform: known(row.get(3)?),
                    pulls: row.get(4)?,
                })
            })
            .collect::<Result<Vec<_>>>()?;
        let next = offset.saturating_add(self.page.limit);
        Ok(self.page.cut(counts, |_| next.to_string()))
    }
}
