//! What the server does on its own, and what of it was given up.

use maud::{Markup, html};
use tonnage_domain::error::Error;
use tonnage_domain::jobs::operations::{
    CancelJob, DescribeJob, JobDetail, JobState, ListJobs, RetryJob,
};
use tonnage_domain::pages::Page as Items;

use super::asked::{Asked, Part};
use super::forms;
use super::parts;
use super::reply::{Page, Reply};
use crate::format;

const PAGE: u32 = 50;

/// Tabs: the state in addresses, its title, what to say when there is none.
const TABS: [(Option<JobState>, &str, &str, &str); 6] = [
    (
        Some(JobState::Dead),
        "dead",
        "Given up",
        "No job was given up: each ended, or is tried again.",
    ),
    (Some(JobState::Running), "running", "Running", "Nothing is being done at the moment."),
    (Some(JobState::Waiting), "waiting", "Waiting", "Nothing waits to be done."),
    (Some(JobState::Cancelled), "cancelled", "Cancelled", "Nobody cancelled a job."),
    (Some(JobState::Done), "done", "Done", "No job that ended is kept."),
    (None, "", "All", "There is no job."),
];

/// What each kind does.
const TOLD: [(&str, &str); 24] = [
    ("archive-blobs", "Moves layers that only archived images need to the archive, and back."),
    ("attach-sboms", "Attaches bills of materials to images that were pushed."),
    ("check-public-domain", "Looks whether a domain still proves whose public registry it is."),
    ("complete-images", "Fetches the layers of an image that came through the cache."),
    ("enrol-images", "Has images scanned that a change of the scanning settings is for."),
    ("expire-finding-filters", "Ends rules that suppress findings for a time."),
    ("expire-images", "Carries out the lifecycle policy of a repository."),
    ("forget-backfills", "Forgets results of replication backfills that are old."),
    ("forget-history", "Forgets events and moves of tags that are old."),
    ("forget-jobs", "Forgets jobs that ended long ago."),
    ("forget-packages", "Forgets packages of layers that nobody has any more."),
    ("lifecycle-turns", "Gives repositories with a lifecycle policy their daily turn."),
    ("prepare-backfill", "Finds the images that a replication backfill copies."),
    ("preview-lifecycle-policy", "Makes the preview of a lifecycle policy."),
    ("purge-secrets", "Deletes secrets whose time to be restored is over."),
    ("rematch-packages", "Compares what is in images with advisories that changed."),
    ("replicate", "Copies images and settings of a repository to another registry."),
    ("restore-image", "Brings an archived image back."),
    ("review-findings", "Applies changed rules of suppression to findings that are known."),
    ("scan-image", "Scans an image."),
    ("scan-public-images", "Has images of public repositories scanned."),
    ("sign-image", "Signs an image."),
    ("sync-advisories", "Looks which sources of advisories are due."),
    ("sync-advisory-source", "Reads a source of advisories."),
];

fn told(kind: &str) -> Option<&'static str> {
    TOLD.iter().find(|(known, _)| *known == kind).map(|(_, told)| *told)
}

pub(crate) async fn list(asked: &Asked<'_>) -> Result<Reply, Error> {
    let state = asked.query.text("state");
    let state = TABS.iter().find(|(_, name, ..)| *name == state).and_then(|(state, ..)| *state);
    let list = ListJobs {
        management_account: asked.app.management_account,
        kind: asked.query.optional("kind").map(str::to_owned),
        state,
        page: asked.page(PAGE),
    };
    let jobs = asked.part(list).await?;
    Ok(list_page(asked, &jobs).into())
}

pub(crate) fn list_page(asked: &Asked<'_>, jobs: &Part<Items<JobDetail>>) -> Page {
    let (state, kind) = (asked.query.text("state"), asked.query.text("kind"));
    let told = TABS.iter().find(|(_, name, ..)| *name == state).map_or("", |(.., told)| told);
    let content = html! {
        nav.tabs aria-label="State" {
            @for (_, name, title, _) in TABS {
                @let path = asked.path_with("jobs", &[("state", name), ("kind", kind)]);
                @if name == state { a href=(path) aria-current="page" { (title) } } @else { a href=(path) { (title) } }
            }
        }
        @match jobs {
            Err(error) => (parts::denied("The list of jobs", error)),
            Ok(jobs) => {
                form.filters action=(asked.path("jobs")) method="get" {
                    input type="hidden" name="state" value=(state);
                    @let options: Vec<(&str, &str)> = std::iter::once(("", "Every kind")).chain(TOLD.map(|(name, _)| (name, name))).collect();
                    (parts::select("kind", "Kind", kind, &options))
                    button.plain type="submit" { "Show" }
                }
                (parts::live("jobs", &html! { @if jobs.items.is_empty() {
                    (parts::empty("No job", &html! {
                        p { (told) }
                        p.quiet { "Jobs delete what nobody refers to any more, copy images, follow lifecycle policies, scan and sign." }
                    }))
                } @else {
                    (parts::table("Jobs", &["Kind", "Of", "State", "Progress", "#Attempts", "Next or last run", ""], &html! {
                        @for job in &jobs.items { (row(asked, job)) }
                    }))
                    (parts::pages(asked, "jobs", &[("state", state), ("kind", kind)], jobs.next.as_deref()))
                } }))
            }
        }
        (parts::same_with_aws(&[
            "tonnage jobs list --state dead".to_owned(),
            "tonnage jobs retry ID".to_owned(),
            "tonnage jobs cancel ID".to_owned(),
        ]))
    };
    Page::new("Jobs", content)
}

fn job_path(asked: &Asked<'_>, job: &JobDetail) -> String {
    asked.path(&format!("jobs/{}", job.id))
}

fn subject(job: &JobDetail) -> Markup {
    html! { @if job.subject.is_empty() { span.quiet { "–" } } @else { (job.subject) } }
}

fn row(asked: &Asked<'_>, job: &JobDetail) -> Markup {
    html! {
        tr {
            th scope="row" { a href=(job_path(asked, job)) { (job.kind) } }
            td.wrap { (subject(job)) }
            td { (state(job)) }
            td { (progress(job)) }
            td.number { (job.attempts) }
            td { (format::moment(job.run_at)) }
            td { (buttons(asked, job)) }
        }
        @if let Some(error) = job.last_error.as_deref().filter(|_| job.state != JobState::Done) {
            tr.why { td colspan="7" { span.quiet { "Failed last: " } (error) } }
        }
    }
}

fn state(job: &JobDetail) -> Markup {
    match job.state {
        JobState::Waiting if job.attempts > 0 => parts::badge("warn", "failed, tried again"),
        JobState::Waiting => parts::badge("", "waiting"),
        JobState::Running if job.cancel_requested => parts::badge("warn", "being cancelled"),
        JobState::Running => parts::badge("good", "running"),
        JobState::Done => parts::badge("good", "done"),
        JobState::Dead => parts::badge("bad", "given up"),
        JobState::Cancelled => parts::badge("", "cancelled"),
    }
}

fn progress(job: &JobDetail) -> Markup {
    html! {
        @match (job.progress.done, job.progress.total) {
            (0, None) => span.quiet { "–" },
            (done, None) => (format::number(done)),
            (done, Some(total)) => {
                progress max=(total.max(1)) value=(done.min(total)) aria-label="How far it has come" {}
                " " (format::number(done)) " of " (format::number(total))
            },
        }
    }
}

/// Whether a job that stands so can be tried again.
fn can_be_retried(state: JobState) -> bool {
    matches!(state, JobState::Dead | JobState::Cancelled | JobState::Waiting)
}

/// Whether a job that stands so can be cancelled.
fn can_be_cancelled(state: JobState) -> bool {
    matches!(state, JobState::Waiting | JobState::Running)
}

fn buttons(asked: &Asked<'_>, job: &JobDetail) -> Markup {
    let path = job_path(asked, job);
    html! {
        @if can_be_retried(job.state) {
            (parts::button(asked, &path, if job.state == JobState::Waiting { "Run now" } else { "Try again" }, &[("do", "retry")])) " "
        }
        @if can_be_cancelled(job.state) { (parts::end_button(asked, &path, "Cancel", &[("do", "cancel")])) }
    }
}

fn id(asked: &Asked<'_>) -> Option<i64> {
    asked.parameter("id").parse().ok()
}

pub(crate) async fn show(asked: &Asked<'_>) -> Result<Reply, Error> {
    let Some(id) = id(asked) else { return Ok(Reply::Missing) };
    let management_account = asked.app.management_account;
    let job = asked.run(DescribeJob { management_account, id }).await?;
    Ok(page(asked, &job).into())
}

pub(crate) fn page(asked: &Asked<'_>, job: &JobDetail) -> Page {
    let id = job.id.to_string();
    let content = html! {
        @if let Some(told) = told(&job.kind) { p { (told) } }
        (parts::live("job", &parts::facts(&[
            ("State", state(job)),
            ("Of", subject(job)),
            ("Account", html! { @match &job.account { Some(account) => (account), None => span.quiet { "the whole deployment" } } }),
            ("Progress", progress(job)),
            ("Attempts", html! { (job.attempts) }),
            ("Next or last run", format::moment(job.run_at)),
            ("Made", format::moment(job.created_at)),
            ("Changed", format::moment(job.updated_at)),
        ])))
        @if let Some(error) = &job.last_error {
            section aria-labelledby="failure" {
                h2 #failure { "What failed last" }
                pre.document tabindex="0" role="group" aria-label="What failed last" { (error) }
            }
        }
        div.submit { (buttons(asked, job)) }
        (parts::same_with_aws(&[
            format!("tonnage jobs show {id}"),
            format!("tonnage jobs retry {id}"),
            format!("tonnage jobs cancel {id}"),
        ]))
    };
    Page::new(job.kind.as_str(), content).under("Jobs", asked.path("jobs"))
}

pub(crate) async fn act(asked: &Asked<'_>) -> Result<Reply, Error> {
    let Some(id) = id(asked) else { return Ok(Reply::Missing) };
    let management_account = asked.app.management_account;
    let path = asked.path(&format!("jobs/{id}"));
    match asked.form.text("do") {
        "retry" => {
            let retry = RetryJob { management_account, id };
            forms::came(asked.run(retry).await, path, "The job runs now, with all its attempts.")
        }
        "cancel" => match asked.run(CancelJob { management_account, id }).await {
            Ok(job) if job.state == JobState::Cancelled => {
                Ok(Reply::done(path, "The job is cancelled. What it did stays."))
            }
            cancelled => forms::came(
                cancelled,
                path,
                "The job ends before its next change. What it did stays.",
            ),
        },
        _ => Ok(Reply::Missing),
    }
}

#[cfg(test)]
mod tests {
    use tonnage_domain::jobs::KINDS;

    use super::*;

    #[test]
    fn every_kind_is_told() {
        let mut known: Vec<&str> = KINDS.iter().map(|kind| kind.name()).collect();
        known.sort_unstable();
        assert_eq!(TOLD.map(|(name, _)| name).as_slice(), known);
    }
}
