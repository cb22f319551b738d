//! The overview of a registry.

use maud::{Markup, html};
use tonnage_domain::error::Error;
use tonnage_domain::jobs::operations::{JobState, ListJobs};
use tonnage_domain::overview::describe_activity::{Activity, DescribeActivity, Of};
use tonnage_domain::overview::summarize_registry::{RegistrySummary, SummarizeRegistry};
use tonnage_domain::pages::PageRequest;
use tonnage_domain::scanning::state::SeverityCounts;

use super::asked::{Asked, Part};
use super::parts;
use super::reply::{Page, Reply};
use super::repositories::{activity, severity_badges};
use crate::{chart, format};

/// Jobs that failed for good, as many as are shown.
const JOBS: u32 = 5;

pub(crate) async fn show(asked: &Asked<'_>) -> Result<Reply, Error> {
    let summary = asked.part(SummarizeRegistry).await?;
    let is_empty = summary.as_ref().map_or(true, |summary| summary.images == 0);
    let activity = match is_empty {
        true => None,
        // It takes what the sums take.
        false => asked.part(DescribeActivity { of: Of::Registry }).await?.ok(),
    };
    let jobs = ListJobs {
        management_account: asked.app.management_account,
        kind: None,
        state: Some(JobState::Dead),
        page: PageRequest { after: None, limit: JOBS },
    };
    let jobs = asked.part(jobs).await?.ok().map(|page| page.items);
    Ok(page(asked, &summary, activity.as_ref(), jobs.as_deref()).into())
}

pub(crate) fn page(
    asked: &Asked<'_>,
    summary: &Part<RegistrySummary>,
    activity: Option<&Activity>,
    jobs: Option<&[tonnage_domain::jobs::operations::JobDetail]>,
) -> Page {
    let content = html! {
        @match summary {
            Ok(summary) if summary.repositories == 0 => (welcome(asked)),
            Ok(summary) => {
                (sums(asked, summary, activity))
                @if let Some(activity) = activity { (use_of(asked, activity)) }
                (recent(asked, summary))
            }
            Err(error) => {
                (parts::denied("The sum of the registry", error))
                (open_by_name(asked))
            }
        }
        @if let Some(jobs) = jobs { @if !jobs.is_empty() {
            section aria-labelledby="jobs" {
                h2 #jobs { "Jobs that were given up" }
                (parts::table("Jobs", &["Job", "Of", "Attempts", "Since", "Why"], &html! {
                    @for job in jobs { tr {
                        th scope="row" { a href=(asked.path(&format!("jobs/{}", job.id))) { (job.kind) } }
                        td.wrap { (job.subject) }
                        td { (job.attempts) }
                        td { (format::moment(job.updated_at)) }
                        td { (job.last_error.as_deref().unwrap_or("unknown")) }
                    } }
                }))
                p.quiet { "Once the reason is gone, the page of a job tries it again. " a href=(asked.path("jobs")) { "All jobs" } }
            }
        } }
        (parts::same_with_aws(&[parts::aws(asked, "ecr describe-repositories", &[])]))
    };
    Page::new("Overview", content)
}

fn sums(asked: &Asked<'_>, summary: &RegistrySummary, activity: Option<&Activity>) -> Markup {
    html! {
        dl.numbers {
            div {
                dt { "Repositories" }
                dd { a href=(asked.path("repositories")) { (format::number(summary.repositories)) } }
            }
            div {
                dt { "Images" } dd { (format::number(summary.images)) }
                dd.small { "with " (format::count(summary.tags, "tag", "tags")) }
            }
            div {
                dt { "Stored" } dd { a href=(asked.path("usage")) { (format::size(summary.unique_bytes)) } }
                dd.small { "equal layers once" }
            }
            div {
                dt { "In repositories" } dd { (format::size(summary.logical_bytes)) }
                dd.small { "layers, once in each" }
            }
            div {
                dt { "Findings of scans" }
                dd { (format::number(summary.findings.values().sum())) }
                dd.small { "in " (format::count(summary.scanned, "scanned image", "scanned images")) }
            }
            @if let Some(found) = activity { div {
                dt { "Never pulled" } dd { (activity::counted(found.never_pulled)) }
                dd.small { "images that nobody has used yet" }
            } }
        }
        (parts::counted_at(summary.counted_at))
        @if !summary.findings.is_empty() {
            section aria-labelledby="findings" {
                h2 #findings { "Findings by severity" }
                (severities(&summary.findings))
            }
        }
    }
}

/// What is pulled and pushed, and how old things are.
fn use_of(asked: &Asked<'_>, activity: &Activity) -> Markup {
    let most: Vec<_> = activity
        .repositories
        .iter()
        .map(|(name, pulls)| {
            let path = asked.repository_path(name, "activity");
            (html! { a href=(path) { (name) } }, *pulls, format::number(*pulls))
        })
        .collect();
    html! {
        (activity::pulls_and_pushes(asked, activity))
        div.side-by-side {
            section aria-labelledby="most" {
                h2 #most { "Pulled most" }
                @if most.is_empty() {
                    p.quiet { "Nothing was pulled in the last 30 days. What is pulled from now on is counted here." }
                } @else {
                    p.quiet { "Pulls of repositories in the last 30 days." }
                    (chart::ranks(&most))
                }
            }
            (activity::ages(activity))
        }
    }
}

fn recent(asked: &Asked<'_>, summary: &RegistrySummary) -> Markup {
    html! {
        section aria-labelledby="recent" {
            h2 #recent { "Pushed last" }
            @if summary.recent.is_empty() {
                p.quiet { "Nothing is pushed yet. The page of a repository has the commands." }
            } @else {
                (parts::table("Images pushed last", &["Repository", "Tags", "#Size", "Pushed", "Digest"], &html! {
                    @for push in &summary.recent { tr {
                        th scope="row" { a href=(asked.repository_path(&push.repository, "")) { (push.repository) } }
                        td { @if push.tags.is_empty() { span.quiet { "none" } } @else {
                            ul.badges { @for tag in push.tags.iter().take(5) { li.badge { (tag) } } }
                        } }
                        td.number { (format::size(push.size)) }
                        td { (format::moment(push.pushed_at)) }
                        td { a.mono href=(asked.repository_path(&push.repository, &format!("images/{}", push.digest))) {
                            (format::short(push.digest.as_str()))
                        } }
                    } }
                }))
            }
        }
    }
}

fn severities(counts: &SeverityCounts) -> Markup {
    html! { p { (severity_badges(counts)) } }
}

fn welcome(asked: &Asked<'_>) -> Markup {
    let registry = asked.registry();
    parts::empty(
        "This registry is empty",
        &html! {
            p {
                "A registry has the repositories of one account in one region; this is that of account "
                (asked.context.account) " in " (asked.context.region) ". Begin with a repository:"
            }
            p { a.button href=(asked.path("create-repository")) { "Create a repository" } }
            p { "Or from a shell:" }
            (parts::copy(&parts::aws(asked, "ecr create-repository", &[("repository-name", "my-app")])))
            (parts::copy(&format!(
                "aws ecr get-login-password --region {} | docker login --username AWS --password-stdin {registry}",
                asked.context.region
            )))
            (parts::copy(&format!("docker push {registry}/my-app:latest")))
        },
    )
}

/// For whoever may see one repository and not the list of them.
pub(crate) fn open_by_name(asked: &Asked<'_>) -> Markup {
    html! {
        form.filters action=(asked.path("open")) method="get" {
            div."row"."grow" {
                label for="name" { "Open a repository by its name" }
                input #name name="name" maxlength="256" required autocomplete="off" spellcheck="false" autocapitalize="none";
            }
            button type="submit" { "Open" }
        }
    }
}
