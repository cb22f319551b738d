//! What the socket answers about images.

use http::StatusCode;
use serde::{Deserialize, Serialize};
use tonnage_domain::clock::Millis;
use tonnage_domain::context::RequestContext;
use tonnage_domain::error::Error;
use tonnage_domain::execute::execute;
use tonnage_domain::images::ImageIdentifier;
use tonnage_domain::names::{Reference, Tag};
use tonnage_domain::pages::PageRequest;
use tonnage_domain::repositories::RepositoryAddress;
use tonnage_domain::scanning::describe_finding_origins::{DescribeFindingOrigins, FindingOrigins};
use tonnage_domain::scanning::find_images::{FindImages, FoundImage};
use tonnage_domain::scanning::findings::VulnerablePackage;
use tonnage_domain::scanning::sboms::attach_image_sbom::AttachImageSbom;
use tonnage_domain::scanning::sboms::configuration::{
    GetSbomConfiguration, PutSbomConfiguration, SbomConfiguration,
};
use tonnage_domain::scanning::sboms::get_image_sbom::GetImageSbom;
use tonnage_domain::scanning::sboms::{Format, format_name, format_of_name};

use super::repositories::name;
use super::server::{Admin, Answer, json, malformed};
use super::{Sbom, WantedSbom};

/// Images of one answer.
const PAGE: u32 = 200;

/// What `POST /images/find` takes.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct WantedImages {
    /// The account of the registry; the management account when absent.
    pub(crate) account: Option<String>,
    /// Its region; the server's when absent.
    pub(crate) region: Option<String>,
    /// The package's name.
    pub(crate) package: String,
    /// Its ecosystem.
    pub(crate) ecosystem: Option<String>,
    /// Only versions before this one.
    pub(crate) below: Option<String>,
    /// Only this version and those after it.
    pub(crate) at_least: Option<String>,
    /// Only images that were pulled since, in RFC 3339.
    pub(crate) pulled_since: Option<String>,
    /// Only repositories whose names begin so.
    pub(crate) repository_prefix: Option<String>,
    /// Only images with this tag.
    pub(crate) tag: Option<String>,
    /// Where an earlier answer left off.
    pub(crate) after: Option<String>,
}

/// A version of the package.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Package {
    /// Its ecosystem, with its release.
    pub(crate) ecosystem: String,
    /// Its name.
    pub(crate) name: String,
    /// The version.
    pub(crate) version: String,
    /// False for what the ecosystem would not take for a version, so that it was not compared.
    pub(crate) is_ordered: bool,
}

/// An image that has the package.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Image {
    /// Its repository.
    pub(crate) repository: String,
    /// Its digest.
    pub(crate) digest: String,
    /// The indexes that it is in.
    pub(crate) indexes: Vec<String>,
    /// Its tags and those of the indexes.
    pub(crate) tags: Vec<String>,
    /// When it was pushed, in RFC 3339 like the other time.
    pub(crate) pushed_at: String,
    /// When it, or an index that it is in, was last pulled.
    pub(crate) last_pulled_at: Option<String>,
    /// `ACTIVE`, `ARCHIVED` or `ACTIVATING`.
    pub(crate) status: String,
    /// The package, in each version that it has.
    pub(crate) packages: Vec<Package>,
}

/// What `POST /images/find` answers.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Images {
    /// The newest first.
    pub(crate) images: Vec<Image>,
    /// What to ask for as `after` when there may be more.
    pub(crate) next: Option<String>,
}

/// What `POST /images/sbom/attach` answers.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Attached {
    /// The digest of the image.
    pub(crate) subject: String,
    /// The digest of the manifest that has the bill.
    pub(crate) digest: String,
    /// Its artifact type.
    pub(crate) artifact_type: String,
    /// Whether it was not there before.
    pub(crate) is_new: bool,
}

/// What is attached to images that are pushed: what `PUT /images/sbom/on-push` takes and answers,
/// and `POST` answers.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SbomsOnPush {
    /// The account of the registry; the management account when absent.
    pub(crate) account: Option<String>,
    /// Its region; the server's when absent.
    pub(crate) region: Option<String>,
    /// The formats; none when nothing is attached.
    #[serde(default)]
    pub(crate) formats: Vec<String>,
    /// Filters of repositories; none for all.
    #[serde(default)]
    pub(crate) filters: Vec<String>,
}

/// What `POST /images/findings` takes.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct WantedFindings {
    /// The account of the registry; the management account when absent.
    pub(crate) account: Option<String>,
    /// Its region; the server's when absent.
    pub(crate) region: Option<String>,
    /// The repository's name.
    pub(crate) repository: String,
    /// A tag or a digest.
    pub(crate) image: String,
    /// Where an earlier answer left off.
    pub(crate) after: Option<String>,
}

/// A layer of an image.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Layer {
    /// Its digest.
    pub(crate) digest: String,
    /// The command that made it.
    pub(crate) created_by: Option<String>,
}

/// What an image was built on.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Base {
    /// `annotation` where the image says so, `layers` where it begins with those of that image.
    pub(crate) known_by: String,
    /// Its name, as the image says it.
    pub(crate) name: Option<String>,
    /// Its digest.
    pub(crate) digest: Option<String>,
    /// The repository that has it.
    pub(crate) repository: Option<String>,
    /// Its tags there.
    pub(crate) tags: Vec<String>,
    /// How many layers are its own.
    pub(crate) layers: Option<usize>,
}

/// A package that has a flaw.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct FlawedPackage {
    /// Its name.
    pub(crate) name: String,
    /// Its version.
    pub(crate) version: String,
    /// The first version without the flaw.
    pub(crate) fixed_version: Option<String>,
    /// The digest of the layer that brought it.
    pub(crate) layer_digest: Option<String>,
    /// The position of that layer, from 0.
    pub(crate) layer: Option<usize>,
    /// Whether the layer is one of the base; absent where nobody knows.
    pub(crate) is_base: Option<bool>,
}

/// A finding.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Finding {
    /// The flaw.
    pub(crate) name: String,
    /// How bad it is.
    pub(crate) severity: String,
    /// `ACTIVE`, or `SUPPRESSED` where it does not count.
    pub(crate) status: String,
    /// The packages that have it.
    pub(crate) packages: Vec<FlawedPackage>,
}

/// What `POST /images/findings` answers.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Findings {
    /// The digest of the image.
    pub(crate) digest: String,
    /// Where its scan stands.
    pub(crate) status: String,
    /// Why, in a sentence.
    pub(crate) description: String,
    /// What it was built on, if that is known.
    pub(crate) base: Option<Base>,
    /// Its layers, the lowest first.
    pub(crate) layers: Vec<Layer>,
    /// The worst first.
    pub(crate) findings: Vec<Finding>,
    /// What to ask for as `after` when there are more.
    pub(crate) next: Option<String>,
}

impl Admin {
    pub(super) async fn finding_origins(&self, given: WantedFindings) -> Result<Answer, Error> {
        let context = self.context_in(given.account.as_deref(), given.region.as_deref()).await?;
        let repository =
            RepositoryAddress::new(&context, None, name("repository", &given.repository)?);
        let page = PageRequest { after: given.after, limit: PAGE };
        let operation = DescribeFindingOrigins { repository, id: id(&given.image)?, page };
        let found = execute(&self.app, &context, operation).await?;
        Ok(json(StatusCode::OK, &findings(found)))
    }

    pub(super) async fn get_sbom(&self, given: WantedSbom) -> Result<Answer, Error> {
        let (context, repository, id, format) = self.image(&given).await?;
        let operation = GetImageSbom { repository, id, format };
        let sbom = execute(&self.app, &context, operation).await?;
        let shown = Sbom {
            digest: sbom.digest.to_string(),
            media_type: sbom.media_type.to_owned(),
            document: sbom.document,
        };
        Ok(json(StatusCode::OK, &shown))
    }

    pub(super) async fn attach_sbom(&self, given: WantedSbom) -> Result<Answer, Error> {
        let (context, repository, id, format) = self.image(&given).await?;
        let operation = AttachImageSbom { repository, id, format };
        let attached = execute(&self.app, &context, operation).await?;
        let shown = Attached {
            subject: attached.subject.to_string(),
            digest: attached.digest.to_string(),
            artifact_type: attached.artifact_type.to_owned(),
            is_new: attached.is_new,
        };
        Ok(json(StatusCode::OK, &shown))
    }

    pub(super) async fn put_sboms_on_push(&self, given: SbomsOnPush) -> Result<Answer, Error> {
        let context = self.context_in(given.account.as_deref(), given.region.as_deref()).await?;
        let formats = given.formats.iter().map(|text| format(text));
        let formats = formats.collect::<Result<Vec<_>, _>>()?;
        let configuration = SbomConfiguration::new(&formats, given.filters.clone())?;
        execute(&self.app, &context, PutSbomConfiguration { configuration }).await?;
        Ok(json(StatusCode::OK, &given))
    }

    pub(super) async fn get_sboms_on_push(&self, given: SbomsOnPush) -> Result<Answer, Error> {
        let context = self.context_in(given.account.as_deref(), given.region.as_deref()).await?;
        let found = execute(&self.app, &context, GetSbomConfiguration).await?;
        let formats = found.formats().into_iter().map(|it| format_name(it).to_owned());
        let shown =
            SbomsOnPush { formats: formats.collect(), filters: found.filters().to_vec(), ..given };
        Ok(json(StatusCode::OK, &shown))
    }

    /// The image that is meant, in the form that is wanted.
    async fn image(
        &self,
        given: &WantedSbom,
    ) -> Result<(RequestContext, RepositoryAddress, ImageIdentifier, Format), Error> {
        let context = self.context_in(given.account.as_deref(), given.region.as_deref()).await?;
        let repository =
            RepositoryAddress::new(&context, None, name("repository", &given.repository)?);
        Ok((context, repository, id(&given.image)?, format(&given.format)?))
    }

    pub(super) async fn find_images(&self, given: WantedImages) -> Result<Answer, Error> {
        let context = self.context_in(given.account.as_deref(), given.region.as_deref()).await?;
        let invalid = |error: &dyn std::fmt::Display, field| Error::invalid_parameter(field, error);
        let tag = given.tag.as_deref().map(Tag::parse).transpose();
        let since = given.pulled_since.as_deref().map(str::parse::<jiff::Timestamp>).transpose();
        let operation = FindImages {
            package: given.package,
            ecosystem: given.ecosystem,
            below: given.below,
            at_least: given.at_least,
            repository_prefix: given.repository_prefix,
            tag: tag.map_err(|error| invalid(&error, "tag"))?,
            pulled_since: since
                .map_err(|error| invalid(&error, "pulledSince"))?
                .map(|time| Millis(time.as_millisecond())),
            page: PageRequest { after: given.after, limit: PAGE },
        };
        let page = execute(&self.app, &context, operation).await?;
        let images = page.items.into_iter().map(shown).collect();
        Ok(json(StatusCode::OK, &Images { images, next: page.next }))
    }
}

fn id(text: &str) -> Result<ImageIdentifier, Error> {
    let reference =
        Reference::parse(text).map_err(|error| Error::invalid_parameter("image", error))?;
    Ok(match reference {
        Reference::Digest(digest) => ImageIdentifier { digest: Some(digest), tag: None },
        Reference::Tag(tag) => ImageIdentifier { digest: None, tag: Some(tag) },
    })
}

fn findings(found: FindingOrigins) -> Findings {
    let package = |package: &VulnerablePackage| {
        let origin = found.of(package.layer_digest.as_deref());
        FlawedPackage {
            name: package.name.clone(),
            version: package.version.clone(),
            fixed_version: package.fixed_version.clone(),
            layer_digest: package.layer_digest.clone(),
            layer: origin.layer,
            is_base: origin.is_base,
        }
    };
    let items = found.findings.findings.items.iter().map(|stored| Finding {
        name: stored.finding.name.clone(),
        severity: stored.finding.severity.as_str().to_owned(),
        status: stored.status.as_str().to_owned(),
        packages: stored.finding.packages.iter().map(package).collect(),
    });
    let items = items.collect();
    let base = found.base.map(|base| Base {
        known_by: base.source.as_str().to_owned(),
        name: base.name,
        digest: base.digest,
        repository: base.repository.map(|name| name.to_string()),
        tags: base.tags.iter().map(ToString::to_string).collect(),
        layers: base.layers,
    });
    let layers = found.layers.into_iter();
    Findings {
        digest: found.findings.image.digest.to_string(),
        status: found.findings.scan.status.as_str().to_owned(),
        description: found.findings.scan.description,
        base,
        layers: layers
            .map(|layer| Layer { digest: layer.digest, created_by: layer.created_by })
            .collect(),
        findings: items,
        next: found.findings.findings.next,
    }
}

fn format(text: &str) -> Result<Format, Error> {
    format_of_name(text).ok_or_else(|| malformed("cyclonedx-1.5, cyclonedx-1.6 or spdx-2.3"))
}

fn shown(image: FoundImage) -> Image {
    let time = |at: Millis| at.timestamp().to_string();
    let packages = image.packages.into_iter().map(|package| Package {
        ecosystem: package.ecosystem,
        name: package.name,
        version: package.version,
        is_ordered: package.is_ordered,
    });
    Image {
        repository: image.repository.to_string(),
        digest: image.digest.to_string(),
        indexes: image.indexes.iter().map(ToString::to_string).collect(),
        tags: image.tags,
        pushed_at: time(image.pushed_at),
        last_pulled_at: image.last_pulled_at.map(time),
        status: image.status.as_str().to_owned(),
        packages: packages.collect(),
    }
}
