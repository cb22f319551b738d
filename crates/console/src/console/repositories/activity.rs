//! How often a repository is pulled and pushed to, what is pulled most, and what nobody pulls.

use maud::{Markup, html};
use tonnage_domain::error::Error;
use tonnage_domain::gallery::pulls::day_of;
use tonnage_domain::overview::describe_activity::{
    AGES, Activity, COUNTED_MAX, DescribeActivity, ImageActivity, Of,
};
use tonnage_domain::repositories::RepositoryAddress;

use super::super::asked::{Asked, Part};
use super::super::parts;
use super::super::reply::{Page, Reply};
use crate::chart::{self, Counted};
use crate::format;

const PULLS: Counted = Counted {
    title: "Pulls",
    one: "pull",
    many: "pulls",
    told: "A pull is one fetch of an image; that of an index counts once, whatever platforms follow. \
           Days are of UTC.",
};
const PULLS_OF_IMAGE: Counted = Counted {
    told: "A pull is one fetch of this image by tag, by digest or as a part of an index. Days are of UTC.",
    ..PULLS
};
const PUSHES: Counted = Counted {
    title: "Pushes",
    one: "push",
    many: "pushes",
    told: "A push is one tag that came to name another image.",
};

pub(crate) async fn show(asked: &Asked<'_>) -> Result<Reply, Error> {
    let Some(repository) = asked.repository() else { return Ok(Reply::Missing) };
    let of = Of::Repository(repository.clone());
    let activity = asked.part(DescribeActivity { of }).await?;
    Ok(page(asked, &repository, &activity).into())
}

fn page(asked: &Asked<'_>, repository: &RepositoryAddress, activity: &Part<Activity>) -> Page {
    let name = repository.name.as_str();
    let content = html! {
        @match activity {
            Err(error) => (parts::denied("What is pulled and pushed", error)),
            Ok(activity) => {
                (pulls_and_pushes(asked, activity))
                section aria-labelledby="most" {
                    h2 #most { "Pulled most" }
                    @if activity.pulled_most.is_empty() {
                        p.quiet { "No image was pulled in the last 30 days." }
                    } @else {
                        (images(asked, repository, "Images pulled most", &activity.pulled_most, true))
                    }
                }
                section aria-labelledby="unused" {
                    h2 #unused { "Never pulled" }
                    @if activity.unused.is_empty() {
                        p.quiet { "Every image was pulled at least once." }
                    } @else {
                        p.quiet {
                            (counted(activity.never_pulled)) " of the images here, parts of indexes and attached documents among them, nobody has pulled since the push. The oldest whole ones:"
                        }
                        (images(asked, repository, "Images that nobody pulled", &activity.unused, false))
                        p { a href=(asked.repository_path(&repository.name, "lifecycle")) { "Let such images go by a lifecycle policy" } }
                    }
                }
                (ages(activity))
            }
        }
        (parts::same_with_aws(&[
            parts::aws(asked, "ecr describe-images", &[
                ("repository-name", name),
                ("query", "sort_by(imageDetails,&imagePushedAt)[?lastRecordedPullTime==null].[imageDigest,imagePushedAt]"),
            ]),
        ]))
    };
    super::page(asked, repository, "activity", &content)
}

/// The charts of the last days.
pub(crate) fn pulls_and_pushes(asked: &Asked<'_>, activity: &Activity) -> Markup {
    let today = day_of(asked.context.now);
    let pulls: Vec<_> = activity.days.iter().map(|day| (day.day, day.pulls)).collect();
    let pushes: Vec<_> = activity.days.iter().map(|day| (day.day, day.pushes)).collect();
    html! {
        section aria-labelledby="pulls" { h2 #pulls { "Pulls" } (chart::by_day(PULLS, &pulls, today)) }
        section aria-labelledby="pushes" { h2 #pushes { "Pushes" } (chart::by_day(PUSHES, &pushes, today)) }
    }
}

/// The chart of an image.
pub(crate) fn of_image(asked: &Asked<'_>, activity: &Part<Activity>) -> Markup {
    html! {
        section aria-labelledby="pulls" {
            h2 #pulls { "Pulls" }
            @match activity {
                Err(error) => (parts::denied("How often it is pulled", error)),
                Ok(activity) => {
                    @let pulls: Vec<_> = activity.days.iter().map(|day| (day.day, day.pulls)).collect();
                    (chart::by_day(PULLS_OF_IMAGE, &pulls, day_of(asked.context.now)))
                }
            }
        }
    }
}

/// A count, which may have ended before all were counted.
pub(crate) fn counted(count: u64) -> String {
    let more = i64::try_from(count).is_ok_and(|count| count >= COUNTED_MAX);
    format!("{}{}", format::number(count), if more { "+" } else { "" })
}

/// Images by age.
pub(crate) fn ages(activity: &Activity) -> Markup {
    let name = |days: i64| match days {
        1 => "Up to a day".to_owned(),
        7 => "Up to a week".to_owned(),
        30 => "Up to a month".to_owned(),
        90 => "Up to three months".to_owned(),
        365 => "Up to a year".to_owned(),
        i64::MAX => "Older".to_owned(),
        days => format!("Up to {days} days"),
    };
    let rows: Vec<_> = AGES
        .into_iter()
        .zip(&activity.ages)
        .map(|(days, count)| (html! { (name(days)) }, *count, counted(*count)))
        .collect();
    html! {
        section aria-labelledby="ages" {
            h2 #ages { "Age of images" }
            p.quiet { "By the day of the push; images of each platform count for themselves." }
            (chart::ranks(&rows))
        }
    }
}

fn images(
    asked: &Asked<'_>,
    repository: &RepositoryAddress,
    label: &str,
    images: &[ImageActivity],
    with_pulls: bool,
) -> Markup {
    let columns: &[&str] = match with_pulls {
        true => &["Tags", "#Pulls in 30 days", "#Size", "Pushed", "Digest"],
        false => &["Tags", "#Size", "Pushed", "Digest"],
    };
    parts::table(
        label,
        columns,
        &html! {
            @for image in images {
                @let digest = image.digest.as_str();
                @let path = asked.repository_path(&repository.name, &format!("images/{digest}"));
                tr {
                    th scope="row" {
                        @if image.tags.is_empty() { a href=(path) { "no tag" } }
                        @for tag in image.tags.iter().take(6) { a href=(path) { (tag) } " " }
                    }
                    @if with_pulls { td.number { (format::number(image.pulls)) } }
                    td.number { (format::size(image.size)) }
                    td { (format::moment(image.pushed_at)) }
                    td { a.mono href=(path) title=(digest) { (format::short(digest)) } }
                }
            }
        },
    )
}
