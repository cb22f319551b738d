//! An image: what is in it, what belongs to it, and what may be done with it.

use std::collections::BTreeMap;

use maud::{Markup, html};
use tonnage_domain::archive::update_image_storage_class::{StorageClass, UpdateImageStorageClass};
use tonnage_domain::error::{Error, ErrorKind};
use tonnage_domain::image_shares::ImageShare;
use tonnage_domain::images::batch_delete_image::BatchDeleteImage;
use tonnage_domain::images::describe_images::DescribeImages;
use tonnage_domain::images::list_images::TagStatus;
use tonnage_domain::images::{
    ImageFailure, ImageIdentifier, ImageStatus, ImageStatusFilter, not_found,
};
use tonnage_domain::names::{Digest, Tag};
use tonnage_domain::overview::describe_activity::{Activity, DescribeActivity, Of};
use tonnage_domain::overview::describe_image_content::{
    DescribeImageContent, ImageConfig, ImageContent, Part as Piece,
};
use tonnage_domain::pages::PageRequest;
use tonnage_domain::replication::describe_image_replication_status::{
    DescribeImageReplicationStatus, ImageReplicationStatus,
};
use tonnage_domain::repositories::RepositoryAddress;
use tonnage_domain::scanning::describe_finding_origins::{DescribeFindingOrigins, FindingOrigins};
use tonnage_domain::scanning::describe_image_scan_findings::DescribeImageScanFindings;
use tonnage_domain::scanning::start_image_scan::StartImageScan;
use tonnage_domain::scanning::state::Scan;
use tonnage_domain::signing::describe_image_signing_status::{
    DescribeImageSigningStatus, ImageSigningStatus,
};

use super::super::asked::{Asked, Part};
use super::super::parts;
use super::super::reply::{Page, Reply};
use super::{activity, findings, scan_words, shares};
use crate::format;

/// Images of an index whose scans are looked at.
const PLATFORMS: usize = 20;

/// What the page of an image shows.
pub(crate) struct Shown {
    pub(crate) content: ImageContent,
    /// Why nothing is known of what is in it.
    pub(crate) denied: Option<Error>,
    pub(crate) scan: Part<Option<FindingOrigins>>,
    /// The scans of images of an index, in their order, as far as they are looked at.
    pub(crate) scans: Vec<Option<Scan>>,
    pub(crate) signing: Part<Vec<ImageSigningStatus>>,
    pub(crate) replication: Part<Vec<ImageReplicationStatus>>,
    pub(crate) activity: Part<Activity>,
    /// Nothing where images are not shared.
    pub(crate) shares: Option<Part<Vec<ImageShare>>>,
}

fn id_of(asked: &Asked<'_>) -> Option<ImageIdentifier> {
    let digest = Digest::parse(asked.parameter("digest")).ok()?;
    Some(ImageIdentifier { digest: Some(digest), tag: None })
}

pub(crate) async fn show(asked: &Asked<'_>) -> Result<Reply, Error> {
    let (Some(repository), Some(id)) = (asked.repository(), id_of(asked)) else {
        return Ok(Reply::Missing);
    };
    let content = DescribeImageContent { repository: repository.clone(), id: id.clone() };
    let (content, denied) = match asked.part(content).await? {
        Ok(content) => (content, None),
        Err(error) => (without_content(asked, &repository, &id).await?, Some(error)),
    };
    let findings = DescribeFindingOrigins {
        repository: repository.clone(),
        id: id.clone(),
        page: asked.page(findings::PAGE),
    };
    let scan = asked.part_or_none(findings, ErrorKind::ScanNotFound).await?;
    let scans = scans_of(asked, &repository, &content).await?;
    let signing = DescribeImageSigningStatus { repository: repository.clone(), id: id.clone() };
    let signing = asked.part(signing).await?.map(|(_, statuses)| statuses);
    let replication = DescribeImageReplicationStatus { repository: repository.clone(), id };
    let replication = asked.part(replication).await?;
    let of = Of::Image(repository.clone(), content.digest.clone());
    let activity = asked.part(DescribeActivity { of }).await?;
    let shares = shares::of_image(asked, &repository, &content.digest).await?;
    let shown = Shown { content, denied, scan, scans, signing, replication, activity, shares };
    Ok(page(asked, &repository, &shown).into())
}

/// What whoever may see an image in lists, and not read it, sees of it.
async fn without_content(
    asked: &Asked<'_>,
    repository: &RepositoryAddress,
    id: &ImageIdentifier,
) -> Result<ImageContent, Error> {
    let describe = DescribeImages {
        repository: repository.clone(),
        ids: vec![id.clone()],
        tag_status: TagStatus::Any,
        image_status: ImageStatusFilter::Any,
        page: PageRequest { after: None, limit: 1 },
    };
    let image = asked.run(describe).await?.items.into_iter().next();
    let image = image.ok_or_else(|| not_found(repository, id))?;
    Ok(ImageContent {
        digest: image.digest,
        tags: image.tags,
        size: image.size,
        pushed_at: image.pushed_at,
        last_pulled_at: image.last_pulled_at,
        status: image.status,
        media_type: image.manifest_media_type,
        artifact_type: image.artifact_media_type,
        subject: image.subject,
        parents: Vec::new(),
        annotations: BTreeMap::new(),
        manifest: String::new(),
        config: None,
        layers: Vec::new(),
        children: Vec::new(),
        referrers: Vec::new(),
    })
}

pub(crate) fn page(asked: &Asked<'_>, repository: &RepositoryAddress, shown: &Shown) -> Page {
    let image = &shown.content;
    let name = &repository.name;
    let digest = image.digest.as_str();
    let uri = format!("{}/{name}", asked.registry());
    let latest = image.tags.iter().find(|tag| tag.as_str() == "latest");
    let tag = latest.or(image.tags.first());
    let link = |digest: &Digest| {
        let path = asked.repository_path(name, &format!("images/{digest}"));
        html! { a.mono href=(path) title=(digest) { (format::short(digest.as_str())) } }
    };
    let content = html! {
        (parts::copy(&format!("docker pull {uri}@{digest}")))
        @if let Some(tag) = tag { (parts::copy(&format!("docker pull {uri}:{tag}"))) }
        div.part { (parts::facts(&[
            ("Digest", html! { code { (digest) } }),
            ("Tags", html! { @if image.tags.is_empty() { span.quiet { "none" } } @else {
                ul.badges { @for tag in &image.tags { li.badge { (tag) } } }
            } }),
            ("Status", html! {
                @let kind = if image.status == ImageStatus::Active { "good" } else { "warn" };
                (parts::badge(kind, &image.status.as_str().to_lowercase()))
            }),
            ("Size", html! { (format::size(image.size)) }),
            ("Pushed", format::moment(image.pushed_at)),
            ("Last pulled", html! { @match image.last_pulled_at { Some(at) => (format::moment(at)), None => span.quiet { "never" } } }),
            ("Media type", html! { code { (image.media_type) } }),
            ("Artifact type", html! { @match &image.artifact_type { Some(kind) => code { (kind) }, None => span.quiet { "none" } } }),
            ("Subject", html! { @match &image.subject { Some(subject) => (link(subject)), None => span.quiet { "none" } } }),
            ("Part of", html! { @if shown.denied.is_some() { span.quiet { "unknown" } } @else if image.parents.is_empty() { span.quiet { "no index" } } @for parent in &image.parents { (link(parent)) " " } }),
        ])) }
        @if let Some(error) = &shown.denied { div.part { (parts::denied("What is in the image", error)) } }
        (tree(image, &shown.scans, &link))
        (findings::section(asked, repository, image, &shown.scan))
        (activity::of_image(asked, &shown.activity))
        @if let Some(config) = &image.config { (configuration(config)) }
        (layers(image, &shown.scan))
        (pairs("annotations", "Annotations", &image.annotations))
        (statuses(shown))
        @if let Some(found) = &shown.shares { (shares::section(asked, repository, &image.digest, found)) }
        @if shown.denied.is_none() {
            section aria-labelledby="manifest" {
                h2 #manifest { "Manifest" }
                details { summary { "Show it as it was pushed" } pre.document tabindex="0" { code { (image.manifest) } } }
            }
        }
        (actions(asked, repository, image))
        (parts::same_with_aws(&commands(asked, repository, shown)))
    };
    let title = tag.map_or_else(|| format::short(digest), ToString::to_string);
    Page::new(title, content)
        .under("Repositories", asked.path("repositories"))
        .under(name.as_str(), asked.repository_path(name, ""))
}

/// The commands that do the same.
fn commands(asked: &Asked<'_>, repository: &RepositoryAddress, shown: &Shown) -> Vec<String> {
    let (name, digest) = (repository.name.as_str(), &shown.content.digest);
    let id = format!("imageDigest={digest}");
    let mut commands: Vec<String> = [
        ("ecr batch-get-image", "image-ids"),
        ("ecr describe-image-scan-findings", "image-id"),
        ("ecr start-image-scan", "image-id"),
        ("ecr batch-delete-image", "image-ids"),
    ]
    .into_iter()
    .map(|(command, ids)| parts::aws(asked, command, &[("repository-name", name), (ids, &id)]))
    .collect();
    commands.push(parts::aws(
        asked,
        "ecr update-image-storage-class",
        &[("repository-name", name), ("image-id", &id), ("target-storage-class", "ARCHIVE")],
    ));
    commands.push(format!(
        "tonnage images findings {name} {digest} --in-region {}",
        asked.context.region
    ));
    if shown.shares.is_some() {
        commands.extend(shares::commands(asked, repository, digest));
    }
    commands
}

/// The images of an index, and what refers to the image.
fn tree(image: &ImageContent, scans: &[Option<Scan>], link: &dyn Fn(&Digest) -> Markup) -> Markup {
    let row = |piece: &Piece, what: &str| {
        html! { tr {
            th scope="row" { (what) }
            td { code { (piece.media_type) } }
            td.number { (format::size(piece.size)) }
            td { (link(&piece.digest)) }
        } }
    };
    let platform = |piece: &Piece| match piece.platform.as_str() {
        "" | "unknown/unknown" => "attestation".to_owned(),
        platform => platform.to_owned(),
    };
    html! {
        @if !image.children.is_empty() {
            section aria-labelledby="platforms" {
                h2 #platforms { "Platforms" }
                (parts::table("Platforms", &["Platform", "Scan", "#Size", "Digest", "Media type"], &html! {
                    @for (index, child) in image.children.iter().enumerate() { tr {
                        th scope="row" { (platform(child)) }
                        td { @match scans.get(index) {
                            _ if !is_platform(child) => span.quiet { "no packages" },
                            Some(scan) => (scan_words(scan.as_ref())),
                            None => span.quiet { "on its page" },
                        } }
                        td.number { (format::size(child.size)) }
                        td { (link(&child.digest)) }
                        td { code { (child.media_type) } }
                    } }
                }))
            }
        }
        @if !image.referrers.is_empty() {
            section aria-labelledby="attached" {
                h2 #attached { "Attached documents" }
                (parts::table("Attached documents", &["Document", "Type", "#Size", "Digest"], &html! {
                    @for referrer in &image.referrers { (row(referrer, document_words(&referrer.media_type))) }
                }))
            }
        }
    }
}

/// Whether a part of an index is an image that runs somewhere.
fn is_platform(child: &Piece) -> bool {
    !matches!(child.platform.as_str(), "" | "unknown/unknown")
}

/// The scans of images of an index; none where they may not be seen, and of what is none.
async fn scans_of(
    asked: &Asked<'_>,
    repository: &RepositoryAddress,
    content: &ImageContent,
) -> Result<Vec<Option<Scan>>, Error> {
    let mut scans = Vec::new();
    for child in content.children.iter().take(PLATFORMS) {
        if !is_platform(child) {
            scans.push(None);
            continue;
        }
        let findings = DescribeImageScanFindings {
            repository: repository.clone(),
            id: ImageIdentifier { digest: Some(child.digest.clone()), tag: None },
            page: PageRequest { after: None, limit: 1 },
        };
        match asked.run(findings).await {
            Ok(found) => scans.push(Some(found.scan)),
            Err(error) if error.kind() == ErrorKind::AccessDenied => return Ok(Vec::new()),
            // One that is not held here, or was not scanned.
            Err(error) if parts::is_mendable(&error) => scans.push(None),
            Err(error) => return Err(error),
        }
    }
    Ok(scans)
}

/// What people call an artifact.
fn document_words(media_type: &str) -> &'static str {
    let has = |part: &str| media_type.contains(part);
    if has("signature") || has("cosign") || has("sigstore") || has("notary") {
        "Signature"
    } else if has("spdx") || has("cyclonedx") || has("sbom") {
        "List of packages"
    } else if has("in-toto") || has("provenance") {
        "Attestation"
    } else {
        "Document"
    }
}

fn configuration(config: &ImageConfig) -> Markup {
    html! {
        section aria-labelledby="configuration" {
            h2 #configuration { "Configuration" }
            (parts::facts(&[
                ("Platform", html! { @if config.platform.is_empty() { span.quiet { "not said" } } @else { (config.platform) } }),
                ("Runs", html! { @if config.command.is_empty() { span.quiet { "nothing by itself" } } @else { code { (config.command.join(" ")) } } }),
                ("As user", html! { (config.user.as_deref().unwrap_or("root")) }),
                ("Ports", html! { @if config.ports.is_empty() { span.quiet { "none" } } @else { (config.ports.join(", ")) } }),
            ]))
        }
        (pairs("labels", "Labels", &config.labels))
    }
}

fn pairs(id: &str, title: &str, values: &BTreeMap<String, String>) -> Markup {
    html! {
        @if !values.is_empty() {
            section aria-labelledby=(id) {
                h2 id=(id) { (title) }
                dl."box"."pairs"."keys" { @for (name, value) in values { div { dt { (name) } dd { (value) } } } }
            }
        }
    }
}

fn layers(image: &ImageContent, scan: &Part<Option<FindingOrigins>>) -> Markup {
    let base = scan.as_ref().ok().and_then(Option::as_ref).and_then(|it| it.base.as_ref());
    let of_base = base.and_then(|base| base.layers).unwrap_or_default();
    let steps = image.config.as_ref().map(|config| &config.steps);
    let steps = steps.filter(|steps| steps.len() == image.layers.len());
    html! {
        @if !image.layers.is_empty() {
            section aria-labelledby="layers" {
                h2 #layers { "Layers" }
                (parts::table("Layers", &["Made by", "#Size", "Digest"], &html! {
                    @for (index, layer) in image.layers.iter().enumerate() { tr {
                        th scope="row" {
                            @match steps.and_then(|steps| steps.get(index)).filter(|step| !step.is_empty()) {
                                Some(step) => code.step { (step) },
                                None => { (index + 1) ". " span.quiet { (layer.media_type) } },
                            }
                            @if index < of_base { " " (parts::badge("", "base")) }
                        }
                        td.number { (format::size(layer.size)) }
                        td { code title=(layer.digest) { (format::short(layer.digest.as_str())) } }
                    } }
                }))
            }
        }
    }
}

fn statuses(shown: &Shown) -> Markup {
    html! {
        section aria-labelledby="signing" {
            h2 #signing { "Signing" }
            @match &shown.signing {
                Err(error) => (parts::denied("Signing", error)),
                Ok(statuses) if statuses.is_empty() => p.quiet { "No rule signed this image when it was pushed." },
                Ok(statuses) => (parts::table("Signing", &["Profile", "Status", "Why"], &html! {
                    @for status in statuses { tr {
                        th scope="row" { (status.profile_arn) }
                        td { (status_badge(status.status.as_str())) }
                        td { @if let Some((code, why)) = &status.failure { (code) ": " (why) } }
                    } }
                })),
            }
        }
        section aria-labelledby="replication" {
            h2 #replication { "Replication" }
            @match &shown.replication {
                Err(error) => (parts::denied("Replication", error)),
                Ok(statuses) if statuses.is_empty() => p.quiet { "No rule copied this image when it was pushed." },
                Ok(statuses) => (parts::table("Replication", &["To", "Status", "Queued", "Done", "Why"], &html! {
                    @for status in statuses { tr {
                        th scope="row" { (status.destination.account) " in " (status.destination.region) }
                        td { (status_badge(status.status.as_str())) }
                        td { (format::moment(status.queued_at)) }
                        td { @if let Some(at) = status.ended_at { (format::moment(at)) } }
                        td { (status.failure_code.as_deref().unwrap_or_default()) }
                    } }
                })),
            }
        }
    }
}

fn status_badge(status: &str) -> Markup {
    let kind = match status {
        "COMPLETE" => "good",
        "FAILED" => "bad",
        _ => "",
    };
    parts::badge(kind, &status.to_lowercase().replace('_', " "))
}

fn actions(asked: &Asked<'_>, repository: &RepositoryAddress, image: &ImageContent) -> Markup {
    let own = asked.repository_path(&repository.name, &format!("images/{}", image.digest));
    html! {
        section aria-labelledby="actions" {
            h2 #actions { "Archive or delete" }
            div.actions {
                @match image.status {
                    ImageStatus::Active => (parts::button(asked, &own, "Archive", &[("do", "archive")])),
                    ImageStatus::Archived => (parts::button(asked, &own, "Restore", &[("do", "restore")])),
                    ImageStatus::Activating => p.quiet { "It is being restored." },
                }
                @for tag in image.tags.iter().take(10) {
                    (parts::end_button(asked, &own, &format!("Remove tag {tag}"), &[("do", "untag"), ("tag", tag.as_str())]))
                }
            }
            p.quiet.small { "An archived image is kept and cannot be pulled until it is restored. With its last tag an image goes." }
            div.danger-zone {
                (parts::form(asked, &own, &html! {
                    input type="hidden" name="do" value="delete";
                    div.option {
                        input type="checkbox" #field-sure name="sure" value="yes" required;
                        label for="field-sure" { "Delete this image with all its tags, for good" }
                    }
                    div.submit { button.danger type="submit" { "Delete image" } }
                }))
            }
        }
    }
}

pub(crate) async fn act(asked: &Asked<'_>) -> Result<Reply, Error> {
    let (Some(repository), Some(id)) = (asked.repository(), id_of(asked)) else {
        return Ok(Reply::Missing);
    };
    let name = repository.name.clone();
    let own = asked.repository_path(&name, &format!("images/{}", asked.parameter("digest")));
    let done = match asked.form.text("do") {
        "share" | "unshare" => return shares::act(asked, repository, id, own).await,
        "scan" => {
            let scan = asked.run(StartImageScan { repository, id }).await;
            scan.map(|_| (own.clone(), "The scan begins; what it finds is below in a moment."))
        }
        what @ ("archive" | "restore") => {
            let (target, text) = match what {
                "archive" => (StorageClass::Archive, "The image is archived."),
                _ => (StorageClass::Standard, "The image is being restored."),
            };
            let update = asked.run(UpdateImageStorageClass { repository, id, target }).await;
            update.map(|_| (own.clone(), text))
        }
        "untag" => {
            let Ok(tag) = Tag::parse(asked.form.text("tag")) else { return Ok(Reply::Missing) };
            let id = ImageIdentifier { digest: id.digest, tag: Some(tag) };
            let removed = remove(asked, repository, id).await;
            removed.map(|()| (asked.repository_path(&name, ""), "The tag is removed."))
        }
        "delete" if asked.form.checked("sure") => {
            let removed = remove(asked, repository, id).await;
            removed.map(|()| (asked.repository_path(&name, ""), "The image is deleted."))
        }
        "delete" => Err(Error::invalid_parameter("sure", "checked, to delete the image")),
        _ => return Ok(Reply::Missing),
    };
    match done {
        Ok((path, text)) => Ok(Reply::done(path, text)),
        Err(error) if parts::is_mendable(&error) => Ok(Reply::failed(own, error.message())),
        Err(error) => Err(error),
    }
}

async fn remove(
    asked: &Asked<'_>,
    repository: RepositoryAddress,
    id: ImageIdentifier,
) -> Result<(), Error> {
    let output = asked.run(BatchDeleteImage { repository, ids: vec![id] }).await?;
    let Some((_, failure)) = output.failures.into_iter().next() else { return Ok(()) };
    let text = match failure {
        ImageFailure::ImageReferencedByManifestList(indexes) => {
            let indexes: Vec<_> =
                indexes.iter().map(|digest| format::short(digest.as_str())).collect();
            format!("The image is part of an index; delete that first: {}.", indexes.join(", "))
        }
        _ => "There is no such image any more.".to_owned(),
    };
    Err(Error::new(ErrorKind::InvalidParameter, text))
}
