//! What only owners see of pulls: every count that there is, and sums of them.

use super::pulls::{day_of, start_of};
use crate::context::RequestContext;
use crate::error::{Error, Result};
use crate::execute::{Call, Demand, Entry, Operation, Service};
use crate::metadata::Row;
use crate::names::Digest;
use crate::pages::{Page, PageRequest};
use crate::params;
use crate::repositories::{self, RepositoryAddress};

/// Lists how often a public repository was pulled on the last days: every count, the last day first;
/// or the sums of one kind, the largest first, days from the last one on.
///
/// # Errors
/// [`crate::error::ErrorKind::RepositoryNotFound`].
#[derive(Clone, Debug)]
pub struct GetPullStatistics {
    /// The repository.
    pub repository: RepositoryAddress,
    /// How many days, the one under way among them.
    pub days: u32,
    /// What is added up; nothing for every count by itself.
    pub by: Option<PullGroup>,
    /// Which page.
    pub page: PageRequest,
}

/// What pulls are added up by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PullGroup {
    /// Days of UTC.
    Day,
    /// Tags, those by digest alone among them.
    Tag,
    /// Digests: of an index its own.
    Digest,
    /// Platforms, those that are not known among them.
    Platform,
    /// Networks of clients, for 90 days: 24 bits of IPv4, 48 of IPv6.
    Network,
}

impl PullGroup {
    /// Every one.
    pub const ALL: [Self; 5] = [Self::Day, Self::Tag, Self::Digest, Self::Platform, Self::Network];

    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Tag => "tag",
            Self::Digest => "digest",
            Self::Platform => "platform",
            Self::Network => "network",
        }
    }

    /// The one of this name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|group| group.as_str() == text)
    }

    fn sql(self) -> &'static str {
        macro_rules! sums {
            ($table:literal, $column:literal, $order:literal) => {
                concat!(
                    "SELECT ",
                    $column,
                    ", CAST(SUM(pulls) AS BIGINT) FROM ",
                    $table,
                    " WHERE repository_id = $1 AND day > $2 GROUP BY ",
                    $column,
                    " HAVING SUM(pulls) > 0 ORDER BY ",
                    $order,
                    " LIMIT $3 OFFSET $4"
                )
            };
        }
        match self {
            Self::Day => sums!("public_pulls", "day", "1 DESC"),
            Self::Tag => sums!("public_pulls", "tag", "2 DESC, 1"),
            Self::Digest => sums!("public_pulls", "digest", "2 DESC, 1"),
            Self::Platform => sums!("public_pulls", "platform", "2 DESC, 1"),
            Self::Network => sums!("public_pull_networks", "network", "2 DESC, 1"),
        }
    }
}

/// Pulls that are counted together. Of a sum only what it is by is there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PullCount {
    /// The day, counted from 1970 in UTC.
    pub day: Option<i64>,
    /// The tag; none where only the digest is known.
    pub tag: Option<String>,
    /// What was pulled.
    pub digest: Option<Digest>,
    /// The platform, where it is known.
    pub platform: Option<String>,
    /// The network, where it was told apart from others.
    pub network: Option<String>,
    /// How often.
    pub pulls: u64,
}

impl PullCount {
    /// The day as `2026-01-31`.
    pub fn date(&self) -> Option<String> {
        self.day.map(|day| start_of(day).timestamp().strftime("%Y-%m-%d").to_string())
    }
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
        let given = params![
            repository.id,
            day_of(call.now()) - i64::from(self.days),
            self.page.limit_and_one(),
            offset
        ];
        let sql = self.by.map_or(
            "SELECT day, tag, digest, platform, pulls FROM public_pulls \
             WHERE repository_id = $1 AND day > $2 AND pulls > 0 \
             ORDER BY day DESC, tag, digest, platform LIMIT $3 OFFSET $4",
            PullGroup::sql,
        );
        let rows = tx.all(sql, given).await?;
        let counts = rows.iter().map(|row| count_from(row, self.by)).collect::<Result<Vec<_>>>()?;
        let next = offset.saturating_add(self.page.limit);
        Ok(self.page.cut(counts, |_| next.to_string()))
    }
}

fn count_from(row: &Row, by: Option<PullGroup>) -> Result<PullCount> {
    let known = |index| -> Result<Option<String>> {
        Ok(Some(row.get::<String>(index)?).filter(|text| !text.is_empty()))
    };
    let digest = |index| -> Result<Option<Digest>> {
        Ok(Some(Digest::parse(&row.get::<String>(index)?).map_err(Error::internal)?))
    };
    let Some(by) = by else {
        return Ok(PullCount {
            day: Some(row.get(0)?),
            tag: known(1)?,
            digest: digest(2)?,
            platform: known(3)?,
            network: None,
            pulls: row.get(4)?,
        });
    };
    let sum = PullCount { pulls: row.get(1)?, ..PullCount::default() };
    Ok(match by {
        PullGroup::Day => PullCount { day: Some(row.get(0)?), ..sum },
        PullGroup::Tag => PullCount { tag: known(0)?, ..sum },
        PullGroup::Digest => PullCount { digest: digest(0)?, ..sum },
        PullGroup::Platform => PullCount { platform: known(0)?, ..sum },
        PullGroup::Network => PullCount { network: known(0)?, ..sum },
    })
}
