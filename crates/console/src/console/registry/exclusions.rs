//! Whose pulls do not count as use of an image.

use maud::html;
use tonnage_domain::error::Error;
use tonnage_domain::names::Arn;
use tonnage_domain::pages::Page as Items;
use tonnage_domain::pull_time_exclusions::{
    DeregisterPullTimeUpdateExclusion, ListPullTimeUpdateExclusions,
    RegisterPullTimeUpdateExclusion,
};

use super::super::asked::{Asked, Part};
use super::super::forms;
use super::super::parts::{self, Field};
use super::super::reply::{Page, Reply};

const PAGE: u32 = 100;
/// The most characters of an ARN (botocore `ecr`, `PrincipalArn`).
const ARN_MAX: usize = 200;

pub(crate) async fn show(asked: &Asked<'_>) -> Result<Reply, Error> {
    respond(asked, None).await
}

async fn respond(asked: &Asked<'_>, refused: Option<&Error>) -> Result<Reply, Error> {
    let list = ListPullTimeUpdateExclusions { page: asked.page(PAGE) };
    let excluded = asked.part(list).await?;
    Ok(forms::shown(page(asked, &excluded, refused), refused))
}

pub(crate) fn page(
    asked: &Asked<'_>,
    excluded: &Part<Items<String>>,
    refused: Option<&Error>,
) -> Page {
    let path = asked.path("registry/pull-times");
    let first = excluded.as_ref().ok().and_then(|excluded| excluded.items.first().cloned());
    let example =
        first.unwrap_or_else(|| format!("arn:aws:iam::{}:role/scanner", asked.context.account));
    let content = html! {
        (parts::refusal(refused))
        p {
            "Each pull notes its time at the image, and lifecycle rules can go by when an image was last pulled. "
            "Whoever pulls everything, such as a scanner, would keep everything in use; name it here."
        }
        @match excluded {
            Err(error) => (parts::denied("Whose pulls do not count", error)),
            Ok(excluded) if excluded.items.is_empty() => p.quiet { "Everybody's pulls count." },
            Ok(excluded) => {
                (parts::table("Whose pulls do not count", &["User or role", ""], &html! {
                    @for arn in &excluded.items { tr {
                        th scope="row" { code { (arn) } }
                        td { (parts::button(asked, &path, "Count again", &[("do", "remove"), ("arn", arn)])) }
                    } }
                }))
                (parts::pages(asked, "registry/pull-times", &[], excluded.next.as_deref()))
            }
        }
        section aria-labelledby="add" {
            h2 #add { "Add a user or role" }
            (parts::form(asked, &path, &html! {
                input type="hidden" name="do" value="add";
                (Field { name: "arn", label: "ARN", value: asked.form.text("arn"), help: "Such as arn:aws:iam::123456789012:role/scanner.", required: true, ..Field::default() }.render())
                div.submit { button type="submit" { "Do not count its pulls" } }
            }))
        }
        (parts::same_with_aws(&[
            parts::aws(asked, "ecr list-pull-time-update-exclusions", &[]),
            parts::aws(asked, "ecr register-pull-time-update-exclusion", &[("principal-arn", &example)]),
            parts::aws(asked, "ecr deregister-pull-time-update-exclusion", &[("principal-arn", &example)]),
        ]))
    };
    super::page(asked, "Pull times", content)
}

/// Whether an ARN is of a user or a role.
fn is_of_somebody(arn: &str) -> bool {
    let resource = arn.rsplit(':').next().unwrap_or_default();
    let is_kind = resource.starts_with("user/") || resource.starts_with("role/");
    arn.len() <= ARN_MAX && Arn::parse(arn).is_ok() && arn.contains(":iam::") && is_kind
}

pub(crate) async fn act(asked: &Asked<'_>) -> Result<Reply, Error> {
    let path = asked.path("registry/pull-times");
    let principal_arn = asked.form.text("arn").trim().to_owned();
    let done = match asked.form.text("do") {
        "add" => {
            let told =
                "Give the ARN of a user or a role, such as arn:aws:iam::123456789012:role/scanner.";
            match forms::require(is_of_somebody(&principal_arn), told) {
                Ok(()) => {
                    asked.run(RegisterPullTimeUpdateExclusion { principal_arn }).await.map(drop)
                }
                Err(error) => Err(error),
            }
        }
        "remove" => {
            let removed = asked.run(DeregisterPullTimeUpdateExclusion { principal_arn }).await;
            return forms::came(removed, path, "Its pulls count again.");
        }
        _ => return Ok(Reply::Missing),
    };
    match done {
        Ok(()) => Ok(Reply::done(path, "Its pulls count no longer.")),
        Err(error) if parts::is_mendable(&error) => respond(asked, Some(&error)).await,
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_can_be_excluded() {
        for (arn, expected) in [
            ("arn:aws:iam::123456789012:role/scanner", true),
            ("arn:aws:iam::123456789012:user/robots/scanner", true),
            ("arn:aws:iam::123456789012:root", false),
            ("arn:aws:ecr:us-east-1:123456789012:repository/role/x", false),
            ("scanner", false),
        ] {
            assert_eq!(is_of_somebody(arn), expected, "{arn}");
        }
    }
}
