//! How often a public repository is pulled: every breakdown, for its owner.

use maud::{Markup, html};
use tonnage_domain::error::Error;
use tonnage_domain::gallery::get_pull_statistics::{GetPullStatistics, PullCount, PullGroup};
use tonnage_domain::gallery::pulls::day_of;
use tonnage_domain::pages::{Page as Items, PageRequest};
use tonnage_domain::repositories::RepositoryAddress;

use super::super::asked::{Asked, Part};
use super::super::parts;
use super::super::reply::{Page, Reply};
use crate::chart::{self, PULLS};
use crate::format;

/// The periods to choose from, in days, and what they are called.
const PERIODS: [(u32, &str); 4] =
    [(7, "7 days"), (30, "30 days"), (90, "90 days"), (364, "52 weeks")];
const PERIOD: u32 = 30;
/// The sums that are shown of a kind.
const RANKS: u32 = 10;
/// How long networks are kept, in days.
const NETWORK_DAYS: u32 = 90;

/// Sums of one kind.
type Sums = Items<PullCount>;

pub(crate) async fn show(asked: &Asked<'_>) -> Result<Reply, Error> {
    let Some(repository) = super::address(asked) else { return Ok(Reply::Missing) };
    let wanted = asked.query.text("days").parse().ok();
    let days = PERIODS.iter().map(|(days, _)| *days).find(|days| Some(*days) == wanted);
    let days = days.unwrap_or(PERIOD);
    let sums = sums(asked, &repository, days).await?;
    Ok(page(asked, &repository, days, &sums).into())
}

/// The sums of every kind, in the order of [`PullGroup::ALL`].
async fn sums(
    asked: &Asked<'_>,
    repository: &RepositoryAddress,
    days: u32,
) -> Result<Part<Vec<Sums>>, Error> {
    let mut sums = Vec::new();
    for by in PullGroup::ALL {
        let limit = if by == PullGroup::Day { days } else { RANKS };
        let operation = GetPullStatistics {
            repository: repository.clone(),
            days,
            by: Some(by),
            page: PageRequest { after: None, limit },
        };
        match super::part(asked, operation).await? {
            Ok(found) => sums.push(found),
            Err(denied) => return Ok(Err(denied)),
        }
    }
    Ok(Ok(sums))
}

fn page(
    asked: &Asked<'_>,
    repository: &RepositoryAddress,
    days: u32,
    sums: &Part<Vec<Sums>>,
) -> Page {
    let name = &repository.name;
    let shown_days = days.to_string();
    let content = html! {
        (super::tabs(asked, name, "pulls"))
        @match sums {
            Err(error) => (parts::denied("How often it is pulled", error)),
            Ok(sums) => (statistics(asked, repository, days, sums)),
        }
        (parts::same_with_aws(&[
            format!("tonnage public pulls {} {} --by day --days {days}", repository.account, parts::shell(name.as_str())),
            parts::aws_global("tonnage get-pull-statistics", &[
                ("region", "us-east-1"), ("repository-name", name.as_str()),
                ("group-by", "day"), ("days", &shown_days),
            ]),
        ]))
    };
    Page::new(name.as_str(), content).under("Public repositories", asked.path("public"))
}

fn statistics(
    asked: &Asked<'_>,
    repository: &RepositoryAddress,
    days: u32,
    sums: &[Sums],
) -> Markup {
    let own = format!("public/repositories/{}/-/pulls", repository.name);
    let of = |by| PullGroup::ALL.iter().position(|known| *known == by).and_then(|at| sums.get(at));
    let by_day = of(PullGroup::Day).map_or(&[][..], |found| &found.items);
    let daily: Vec<(i64, u64)> =
        by_day.iter().filter_map(|count| Some((count.day?, count.pulls))).collect();
    html! {
        nav.periods aria-label="Period" {
            @for (period, title) in PERIODS {
                @let path = asked.path_with(&own, &[("days", &period.to_string())]);
                @if period == days { a href=(path) aria-current="page" { (title) } }
                @else { a href=(path) { (title) } }
            }
        }
        section aria-labelledby="by-day" {
            h2 #by-day { "Pulls" }
            (chart::of_days(PULLS, &daily, day_of(asked.context.now), i64::from(days)))
        }
        @if !daily.is_empty() {
            div.side-by-side {
                @for by in [PullGroup::Tag, PullGroup::Platform] { @if let Some(found) = of(by) { (ranks(by, days, found)) } }
            }
            div.side-by-side {
                @for by in [PullGroup::Digest, PullGroup::Network] { @if let Some(found) = of(by) { (ranks(by, days, found)) } }
            }
        }
    }
}

/// The largest sums of a kind.
fn ranks(by: PullGroup, days: u32, found: &Sums) -> Markup {
    let title = match by {
        PullGroup::Day => "By day",
        PullGroup::Tag => "By tag",
        PullGroup::Digest => "By digest",
        PullGroup::Platform => "By platform",
        PullGroup::Network => "By network",
    };
    let id = format!("by-{}", by.as_str());
    let rows: Vec<_> = found
        .items
        .iter()
        .map(|count| (named(count, by), count.pulls, format::number(count.pulls)))
        .collect();
    html! {
        section aria-labelledby=(id) {
            h2 id=(id) { (title) }
            @match rows.is_empty() {
                true => p.quiet { "Nothing of this is known any more." },
                false => (chart::ranks(&rows)),
            }
            @if found.next.is_some() { p.quiet.small { "The " (RANKS) " with the most pulls; the command below shows all of them with " code { "--by " (by.as_str()) } "." } }
            @if by == PullGroup::Network {
                p.quiet.small {
                    "24 bits of IPv4, 48 of IPv6."
                    @if days > NETWORK_DAYS { " Networks are kept for " (NETWORK_DAYS) " days." }
                }
            }
        }
    }
}

fn named(count: &PullCount, by: PullGroup) -> Markup {
    let or = |text: &Option<String>, otherwise: &str| match text {
        Some(text) => html! { (text) },
        None => html! { span.quiet { (otherwise) } },
    };
    match by {
        PullGroup::Day => or(&count.date(), "some day"),
        PullGroup::Tag => or(&count.tag, "by digest alone"),
        PullGroup::Digest => match &count.digest {
            Some(digest) => {
                let short = format::short(digest.as_str());
                // The name of the algorithm, nearly always the same, has no room here.
                let hex = short.strip_prefix("sha256:").unwrap_or(&short);
                html! { code title=(digest) { (hex) } }
            }
            None => html! { span.quiet { "not known" } },
        },
        PullGroup::Platform => or(&count.platform, "not known"),
        PullGroup::Network => or(&count.network, "not told apart"),
    }
}
