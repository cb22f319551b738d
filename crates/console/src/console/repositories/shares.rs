//! Shares of an image: who may pull it without an account, and for how long.

use maud::{Markup, html};
use secrecy::ExposeSecret as _;
use tonnage_domain::error::{Error, ErrorKind};
use tonnage_domain::image_shares::operations::{
    CreateImageShare, ListImageShares, RevokeImageShare,
};
use tonnage_domain::image_shares::{ImageShare, NewImageShare, ShareStatus, USER};
use tonnage_domain::images::ImageIdentifier;
use tonnage_domain::names::Digest;
use tonnage_domain::pages::PageRequest;
use tonnage_domain::repositories::RepositoryAddress;

use super::super::asked::{Asked, Part};
use super::super::forms;
use super::super::parts::{self, Field};
use super::super::reply::{Page, Reply};
use crate::format;

/// Shares of the repository that are looked through for those of the image: the ones that are good,
/// and many that ended.
const LOOKED_AT: u32 = 1_000;
/// How long a share may be good, in seconds, and what that is called.
const TIMES: [(&str, &str); 5] = [
    ("3600", "1 hour"),
    ("28800", "8 hours"),
    ("86400", "1 day"),
    ("259200", "3 days"),
    ("604800", "7 days"),
];
const TIME: &str = "86400";

/// The shares of an image, the newest first; nothing where images are not shared.
///
/// # Errors
/// As [`Asked::part`].
pub(super) async fn of_image(
    asked: &Asked<'_>,
    repository: &RepositoryAddress,
    digest: &Digest,
) -> Result<Option<Part<Vec<ImageShare>>>, Error> {
    if !asked.app.settings.image_shares {
        return Ok(None);
    }
    let page = PageRequest { after: None, limit: LOOKED_AT };
    let list = ListImageShares { repository: repository.clone(), page };
    let found = asked.part(list).await?;
    let of_it = |share: &ImageShare| share.digest == *digest;
    Ok(Some(found.map(|page| page.items.into_iter().filter(of_it).collect())))
}

pub(super) fn section(
    asked: &Asked<'_>,
    repository: &RepositoryAddress,
    digest: &Digest,
    shares: &Part<Vec<ImageShare>>,
) -> Markup {
    let own = asked.repository_path(&repository.name, &format!("images/{digest}"));
    html! {
        section aria-labelledby="shares" {
            h2 #shares { "Shares" }
            p.quiet { "A share lets somebody without an account pull this image and nothing else, as long as whoever made it may pull it too." }
            @match shares {
                Err(error) => (parts::denied("The list of shares", error)),
                Ok(shares) if shares.is_empty() => {},
                Ok(shares) => (parts::table("Shares", &["Share", "Status", "Good until", "#Pulls", "Made by", ""], &html! {
                    @for share in shares { (row(asked, &own, share)) }
                })),
            }
            (parts::form(asked, &own, &html! {
                input type="hidden" name="do" value="share";
                div.filters {
                    (parts::select("time", "Good for", TIME, &TIMES))
                    (Field { name: "uses", label: "Pulls at most (empty: any number)", kind: "number", ..Field::default() }.render())
                    button.plain type="submit" { "Share this image" }
                }
            }))
        }
    }
}

fn row(asked: &Asked<'_>, own: &str, share: &ImageShare) -> Markup {
    let status = share.status(asked.context.now);
    let kind = if status == ShareStatus::Active { "good" } else { "" };
    html! { tr {
        th scope="row" { code { (share.id) } }
        td { (parts::badge(kind, &status.as_str().to_lowercase())) }
        td { (format::moment(share.expires_at)) }
        td.number {
            (format::number(u64::from(share.uses)))
            @if let Some(max) = share.uses_max { " of " (format::number(u64::from(max))) }
        }
        td { span.small.wrap title=(share.made_by) { (share.made_by.rsplit(':').next().unwrap_or_default()) } }
        td {
            @if status == ShareStatus::Active {
                (parts::end_button(asked, own, "Revoke", &[("do", "unshare"), ("share", &share.id)]))
            }
        }
    } }
}

/// The commands that do the same.
pub(super) fn commands(
    asked: &Asked<'_>,
    repository: &RepositoryAddress,
    digest: &Digest,
) -> [String; 2] {
    let name = repository.name.as_str();
    [
        format!("tonnage images share {} --for 24h", parts::shell(&format!("{name}@{digest}"))),
        parts::aws(
            asked,
            "tonnage create-image-share",
            &[
                ("repository-name", name),
                ("image-id", &format!("imageDigest={digest}")),
                ("valid-for-seconds", TIME),
            ],
        ),
    ]
}

/// Makes a share of the image, or ends one; `own` is the page of the image.
///
/// # Errors
/// What was not the sender's to mend.
pub(super) async fn act(
    asked: &Asked<'_>,
    repository: RepositoryAddress,
    id: ImageIdentifier,
    own: String,
) -> Result<Reply, Error> {
    if asked.form.text("do") == "unshare" {
        let share = asked.form.text("share").to_owned();
        let told = format!("The share {share} is not good any more.");
        return forms::came(asked.run(RevokeImageShare { repository, share }).await, own, told);
    }
    match share(asked, repository.clone(), id).await {
        Ok(made) => Ok(made_page(asked, &repository, &own, &made).into()),
        failed => forms::came(failed, own, ""),
    }
}

async fn share(
    asked: &Asked<'_>,
    repository: RepositoryAddress,
    id: ImageIdentifier,
) -> Result<NewImageShare, Error> {
    let told = |text: &str| Error::new(ErrorKind::InvalidParameter, text);
    let seconds = asked.form.text("time").parse();
    let seconds = seconds.map_err(|_| told("Choose how long the share is good."))?;
    let uses = asked.form.optional("uses").map(str::parse).transpose();
    let uses_max = uses.map_err(|_| told("Pulls at most is a number, or nothing for any."))?;
    asked.run(CreateImageShare { repository, id, seconds, uses_max }).await
}

/// The password of a new share is in this answer and nowhere else.
fn made_page(
    asked: &Asked<'_>,
    repository: &RepositoryAddress,
    own: &str,
    made: &NewImageShare,
) -> Page {
    let NewImageShare { share, password } = made;
    let (host, password) = (asked.registry(), password.expose_secret());
    let reference = format!("{host}/{}@{}", repository.name, share.digest);
    let content = html! {
        div."notice"."warn" role="status" {
            p { strong { "The password is shown this once." } " Keep it now; nobody can look it up later. Whoever has it may pull this image." }
        }
        (parts::facts(&[
            ("Share", html! { code { (share.id) } }),
            ("Image", parts::copy(&reference)),
            ("User", parts::copy(USER)),
            ("Password", parts::copy(password)),
            ("Good until", format::moment(share.expires_at)),
            ("Pulls at most", html! { @match share.uses_max { Some(max) => (format::number(u64::from(max))), None => span.quiet { "any number" } } }),
        ]))
        section aria-labelledby="use" {
            h2 #use { "Use it" }
            (parts::copy(&format!("echo {password} | docker login --username {USER} --password-stdin {host}")))
            (parts::copy(&format!("docker pull {reference}")))
            p.quiet { "Or without logging in:" }
            (parts::copy(&format!("skopeo copy --src-creds {USER}:{password} docker://{reference} oci:image")))
        }
        p { a.button href=(own) { "I have kept it" } }
    };
    let name = &repository.name;
    Page::new("New share", content)
        .under("Repositories", asked.path("repositories"))
        .under(name.as_str(), asked.repository_path(name, ""))
        .under(format::short(share.digest.as_str()), own.to_owned())
}
