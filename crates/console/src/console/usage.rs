//! What the registry takes up, who takes the most, how it grows, and what would be given back.

use maud::{Markup, html};
use tonnage_domain::error::Error;
use tonnage_domain::gc::operations::DescribeGarbageCollection;
use tonnage_domain::gc::{Plan, Status};
use tonnage_domain::overview::describe_activity::{Activity, DescribeActivity, Of};
use tonnage_domain::overview::describe_storage::{DAYS, DescribeStorage, StorageUsage};

use super::asked::{Asked, Part};
use super::parts;
use super::reply::{Page, Reply};
use super::repositories::activity;
use crate::format;

pub(crate) async fn show(asked: &Asked<'_>) -> Result<Reply, Error> {
    let usage = asked.part(DescribeStorage).await?;
    let activity = asked.part(DescribeActivity { of: Of::Registry }).await?;
    let management_account = asked.app.management_account;
    let garbage = asked.part(DescribeGarbageCollection { management_account }).await?;
    Ok(page(asked, &usage, &activity, &garbage).into())
}

pub(crate) fn page(
    asked: &Asked<'_>,
    usage: &Part<StorageUsage>,
    activity: &Part<Activity>,
    garbage: &Part<(Status, Plan)>,
) -> Page {
    let largest = usage.as_ref().ok().and_then(|usage| usage.repositories.first());
    let named = largest.map_or_else(|| "app".to_owned(), |repository| repository.name.to_string());
    let content = html! {
        @match usage {
            Err(error) => (parts::denied("What is stored", error)),
            Ok(usage) if usage.blobs == 0 => (parts::empty("Nothing is stored yet", &html! {
                p { "Once images are pushed in " (asked.context.region) ", this page says how much they take, which repositories take the most, and how it grows." }
                (parts::copy(&format!("docker push {}/app:v1", asked.registry())))
            })),
            Ok(usage) => {
                (sums(usage))
                (parts::counted_at(usage.counted_at))
                (repositories(asked, usage))
                (days(usage))
                @if let Ok(activity) = activity { (activity::pulls_and_pushes(asked, activity)) }
            },
        }
        section aria-labelledby="garbage" {
            h2 #garbage { "What would be given back" }
            @match garbage {
                Err(error) => (parts::denied("Garbage of the deployment", error)),
                Ok((_, plan)) => (given_back(plan)),
            }
        }
        (parts::same_with_aws(&[
            parts::aws(asked, "ecr describe-images", &[("repository-name", &named), ("query", "sum(imageDetails[].imageSizeInBytes)")]),
            "tonnage gc --dry-run".to_owned(),
            "tonnage gc".to_owned(),
        ]))
    };
    Page::new("Storage and usage", content)
}

/// A part of a whole in percent, with one digit after the point.
fn share(part: u64, whole: u64) -> String {
    let tenths = u128::from(part) * 1000 / u128::from(whole.max(1));
    format!("{}.{} %", tenths / 10, tenths % 10)
}

fn sums(usage: &StorageUsage) -> Markup {
    let saved = usage.logical_bytes.saturating_sub(usage.unique_bytes);
    let standard = usage.unique_bytes.saturating_sub(usage.unique_archived_bytes);
    html! {
        @if usage.is_partial {
            div."notice"."warn" { p { "There is more than one page looks at: these are the sums of a part of the registry." } }
        }
        dl.numbers {
            div {
                dt { "Stored" } dd { (format::size(usage.unique_bytes)) }
                dd.small { (format::count(usage.blobs, "layer", "layers")) ", equal ones once" }
            }
            div {
                dt { "In repositories" } dd { (format::size(usage.logical_bytes)) }
                dd.small { "sharing saves " (share(saved, usage.logical_bytes)) }
            }
            div {
                dt { "Standard" } dd { (format::size(standard)) }
                dd.small { (share(standard, usage.unique_bytes)) " of what is stored" }
            }
            div {
                dt { "Archived" } dd { (format::size(usage.unique_archived_bytes)) }
                dd.small { (share(usage.unique_archived_bytes, usage.unique_bytes)) " of what is stored" }
            }
            div {
                dt { "Not pulled for " (DAYS) " days" } dd { (format::number(usage.unused_images)) }
                dd.small { "of " (format::count(usage.images, "image", "images")) }
            }
        }
    }
}

fn repositories(asked: &Asked<'_>, usage: &StorageUsage) -> Markup {
    html! {
        section aria-labelledby="repositories" {
            h2 #repositories { "Repositories that take the most" }
            (parts::table("Repositories", &["Repository", "#Standard", "#Archived", "#Layers", "#Of all", ""], &html! {
                @for repository in &usage.repositories { tr {
                    th scope="row" { a href=(asked.repository_path(&repository.name, "")) { (repository.name) } }
                    td.number { (format::size(repository.bytes.saturating_sub(repository.archived_bytes))) }
                    td.number { @if repository.archived_bytes == 0 { span.quiet { "–" } } @else { (format::size(repository.archived_bytes)) } }
                    td.number { (format::number(repository.blobs)) }
                    td.number { (share(repository.bytes, usage.logical_bytes)) }
                    td { a href=(asked.repository_path(&repository.name, "lifecycle")) { "Lifecycle" } }
                } }
            }))
            p.quiet { "A lifecycle policy expires or archives what nobody needs; layers that several images share go with the last of them." }
        }
    }
}

fn days(usage: &StorageUsage) -> Markup {
    let (pushes, bytes) = usage
        .days
        .iter()
        .fold((0, 0), |(pushes, bytes), day| (pushes + day.pushes, bytes + day.new_bytes));
    let most = usage.days.iter().map(|day| day.new_bytes).max().unwrap_or(0);
    html! {
        section aria-labelledby="growth" {
            h2 #growth { "Growth" }
            p { "Pushed in " (DAYS) " days and still there: " (format::count(pushes, "image", "images")) ", with " (format::size(bytes)) " of layers that were not there before." }
            (parts::table("Pushes by day", &["Day (UTC)", "#Pushes", "#New", ""], &html! {
                @for day in usage.days.iter().rev().filter(|day| day.pushes > 0 || day.new_bytes > 0) { tr {
                    th scope="row" { (format::day(day.begins_at)) }
                    td.number { (format::number(day.pushes)) }
                    td.number { (format::size(day.new_bytes)) }
                    td { meter min="0" max=(most.max(1)) value=(day.new_bytes) aria-label="New, of the day with the most" {} }
                } }
                @if pushes == 0 && bytes == 0 { tr { th scope="row" { "No day" } td.number { "0" } td.number { "0 B" } td {} } }
            }))
        }
    }
}

fn given_back(plan: &Plan) -> Markup {
    html! {
        dl.numbers {
            div {
                dt { "A sweep removes now" } dd { (format::size(plan.removes.bytes)) }
                dd.small { (format::count(plan.removes.blobs, "layer", "layers")) " that no repository holds" }
            }
            div {
                dt { "Held without need" } dd { (format::number(plan.removes.edges)) }
                dd.small { "layers in repositories" }
            }
            div {
                dt { "Uploads nobody went on with" } dd { (format::number(plan.removes.expired_uploads)) }
            }
        }
        p.quiet { "Of the whole deployment. The server removes it by itself, once it is older than " code { "gc_grace" } "." }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares() {
        for (part, whole, expected) in
            [(0, 0, "0.0 %"), (1, 3, "33.3 %"), (5, 5, "100.0 %"), (u64::MAX, u64::MAX, "100.0 %")]
        {
            assert_eq!(share(part, whole), expected);
        }
    }
}
