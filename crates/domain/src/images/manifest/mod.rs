//! Reading pushed manifests, strictly.
//!
//! A manifest's bytes are the truth: they are stored, hashed and served as they came and are never
//! written anew. What is read here is only what the registry must know about them. Clients read the
//! same bytes with other parsers, so whatever two parsers could read differently is refused:
//! members given twice, members that differ from a known one only in case, one document that is
//! both an image and an index (CVE-2021-41190), numbers that are not exact.
//!
//! `null` counts as absent, except that a list that must be there may be `null` for empty, as some
//! writers spell it.

mod descriptor;
mod error;
mod json;
mod media_type;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

pub use descriptor::{Child, Descriptor, Platform};
pub use error::ManifestError;
pub use media_type::{ManifestKind, ManifestMediaType};

use json::{Members, Path, TextRule, Value};

/// Most bytes of a manifest (AWS service quotas of ECR: 4 MiB).
pub const MAXIMUM_BYTES: usize = 4 * 1024 * 1024;

/// Most entries of each of a manifest's lists and maps: layers, children, annotations.
pub const MAXIMUM_ENTRIES: usize = 10_000;

/// Deepest nesting of arrays and objects, the document itself included.
pub const MAXIMUM_DEPTH: usize = 32;

/// Most `urls` of one descriptor.
pub const MAXIMUM_URLS: usize = 100;

/// Longest media type and artifact type, in characters (botocore `ecr`, shape `ArtifactType`;
/// RFC 6838, section 4.2).
pub const MAXIMUM_MEDIA_TYPE_LENGTH: usize = 255;

/// The members of a manifest that are read, of all kinds together.
const MEMBERS: &[&str] = &[
    "schemaVersion",
    "mediaType",
    "artifactType",
    "config",
    "layers",
    "blobs",
    "manifests",
    "subject",
    "annotations",
    "fsLayers",
];

/// What the registry knows about a manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// The manifest's own media type: its `mediaType` member, else the `Content-Type` it came with,
    /// else what its members leave no doubt about.
    pub media_type: ManifestMediaType,
    /// Whether nothing but the manifest's members says what it is.
    pub media_type_is_inferred: bool,
    /// The configuration; every image has one, nothing else has.
    pub config: Option<Descriptor>,
    /// The layers of an image or the blobs of an artifact, in order; empty for an index.
    pub layers: Vec<Descriptor>,
    /// The manifests an index refers to, in order, repetitions kept; empty for anything else.
    pub children: Vec<Child>,
    /// The manifest this one refers to as its subject. Docker's types have none.
    pub subject: Option<Descriptor>,
    /// The artifact type by which referrers are listed and filtered (OCI distribution specification
    /// 1.1, "Listing Referrers"): the member `artifactType`, else the media type of an image's
    /// configuration.
    pub artifact_type: Option<String>,
    /// The manifest's own annotations; those of descriptors are not read.
    pub annotations: BTreeMap<String, String>,
}

/// Whether a config's media type is that of a container image (OCI image specification; Docker's
/// image manifest, version 2, schema 2).
pub(crate) fn is_image_config(media_type: &str) -> bool {
    const CONFIGS: [&str; 2] = [
        "application/vnd.oci.image.config.v1+json",
        "application/vnd.docker.container.image.v1+json",
    ];
    CONFIGS.contains(&media_type)
}

impl Manifest {
    /// Whether it is an image that containers run from: neither an index, nor another artifact, nor
    /// something that refers to a subject.
    pub(crate) fn is_container_image(&self) -> bool {
        let config = self.config.as_ref();
        self.kind() == ManifestKind::Image
            && self.subject.is_none()
            && config.is_some_and(|config| is_image_config(&config.media_type))
    }

    /// Reads a manifest.
    ///
    /// `content_type` is what the client declared beside the bytes: a `Content-Type` header or
    /// `imageManifestMediaType`. Its parameters are ignored, its case does not matter, and it must
    /// agree with the document's own `mediaType`.
    ///
    /// Time and memory are linear in the length of `bytes`.
    ///
    /// # Errors
    /// A [`ManifestError`] says what is wrong and where. Whether the blobs and manifests referred
    /// to exist is not looked at.
    pub fn parse(bytes: &[u8], content_type: Option<&str>) -> Result<Self, ManifestError> {
        let root = Path::Root;
        let members = json::document(bytes)?.members(&root, MEMBERS)?;
        let media_type = media_type(&members, &root, content_type)?;
        refuse_confusion(&members, &root, media_type)?;
        check_schema_version(&members, media_type)?;

        let kind = media_type.kind();
        let read_descriptor = |name| match members.get(name) {
            Some(value) => Descriptor::read(value, &root.member(name)).map(Some),
            None => Ok(None),
        };
        let config = match kind {
            ManifestKind::Image => Some(
                read_descriptor("config")?
                    .ok_or_else(|| ManifestError::missing(&root.member("config")))?,
            ),
            ManifestKind::Index | ManifestKind::Artifact => None,
        };
        let layers = match kind {
            ManifestKind::Image => {
                list(members.required("layers", &root)?, &root.member("layers"), Descriptor::read)?
            }
            ManifestKind::Artifact => match members.get("blobs") {
                Some(blobs) => list(blobs, &root.member("blobs"), Descriptor::read)?,
                None => Vec::new(),
            },
            ManifestKind::Index => Vec::new(),
        };
        let children = match kind {
            ManifestKind::Index => {
                let manifests = members.required("manifests", &root)?;
                list(manifests, &root.member("manifests"), Child::read)?
            }
            ManifestKind::Image | ManifestKind::Artifact => Vec::new(),
        };
        let (subject, declared_artifact_type) = if media_type.is_docker() {
            (None, None)
        } else {
            (read_descriptor("subject")?, artifact_type(&members, &root)?)
        };
        let artifact_type = declared_artifact_type
            .or_else(|| config.as_ref().map(|config| config.media_type.clone()));
        let annotations = match members.get("annotations") {
            Some(value) => value.string_map(&root.member("annotations"))?,
            None => BTreeMap::new(),
        };
        Ok(Self {
            media_type,
            media_type_is_inferred: members.get("mediaType").is_none()
                && content_type.is_none_or(|text| text.trim().is_empty()),
            config,
            layers,
            children,
            subject,
            artifact_type,
            annotations,
        })
    }

    /// Image, index or artifact.
    pub fn kind(&self) -> ManifestKind {
        self.media_type.kind()
    }

    /// The blobs that must be in the repository for the manifest to be servable: the configuration
    /// and the layers that are not foreign, in order, repetitions kept.
    pub fn required_blobs(&self) -> impl Iterator<Item = &Descriptor> {
        self.config.iter().chain(self.layers.iter().filter(|layer| !layer.is_foreign()))
    }
}

fn list<'a, T>(
    value: Value<'a>,
    path: &Path<'_>,
    read: impl Fn(Value<'a>, &Path<'_>) -> Result<T, ManifestError>,
) -> Result<Vec<T>, ManifestError> {
    let mut entries = Vec::new();
    if !value.is_null() {
        value.elements(path, MAXIMUM_ENTRIES, |element, path| {
            entries.push(read(element, path)?);
            Ok(())
        })?;
    }
    Ok(entries)
}

/// An empty artifact type means the same as none (OCI distribution specification 1.1).
fn artifact_type(members: &Members<'_>, root: &Path<'_>) -> Result<Option<String>, ManifestError> {
    let path = root.member("artifactType");
    let Some(value) = members.get("artifactType") else { return Ok(None) };
    if value.string(&path, TextRule::Free)?.is_empty() {
        return Ok(None);
    }
    value.string(&path, TextRule::MediaType).map(|text| Some(text.into_owned()))
}

fn media_type(
    members: &Members<'_>,
    root: &Path<'_>,
    content_type: Option<&str>,
) -> Result<ManifestMediaType, ManifestError> {
    let declared = match members.get("mediaType") {
        Some(value) => {
            Some(value.string(&root.member("mediaType"), TextRule::MediaType)?.into_owned())
        }
        None => None,
    };
    let sent = content_type
        .map(|value| value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase())
        .filter(|essence| !essence.is_empty());

    let schema_version_is_1 = members.get("schemaVersion").is_some_and(|value| value.text() == "1");
    let is_schema1 = |text: &Option<String>| text.as_deref().is_some_and(media_type::is_schema1);
    if schema_version_is_1 || is_schema1(&declared) || is_schema1(&sent) {
        return Err(ManifestError::Schema1);
    }
    if let (Some(declared), Some(sent)) = (&declared, &sent)
        && declared != sent
    {
        return Err(ManifestError::media_type_mismatch(declared, sent));
    }
    match declared.or(sent) {
        Some(text) => {
            ManifestMediaType::parse(&text).ok_or_else(|| ManifestError::unknown_media_type(&text))
        }
        None => infer_media_type(members),
    }
}

/// The OCI image specification 1.0 lets `mediaType` be absent. Docker's types require it, so a
/// document without one is an OCI document, and its members say which.
fn infer_media_type(members: &Members<'_>) -> Result<ManifestMediaType, ManifestError> {
    let has = |name| members.get(name).is_some();
    let image = has("config") && members.contains("layers");
    let index = has("manifests");
    let other = has("blobs") || has("fsLayers");
    match (image, index, other) {
        (true, false, false) => Ok(ManifestMediaType::OciImage),
        (false, true, false) if !has("config") && !has("layers") => Ok(ManifestMediaType::OciIndex),
        (true, true, _) => Err(ManifestError::LayersAndManifests),
        _ => Err(ManifestError::MediaTypeMissing),
    }
}

/// Refuses documents that another reader could take for another kind.
fn refuse_confusion(
    members: &Members<'_>,
    root: &Path<'_>,
    media_type: ManifestMediaType,
) -> Result<(), ManifestError> {
    if members.get("layers").is_some() && members.get("manifests").is_some() {
        return Err(ManifestError::LayersAndManifests);
    }
    let foreign: &[&'static str] = match media_type.kind() {
        ManifestKind::Image => &["manifests", "fsLayers"],
        ManifestKind::Index => &["layers", "config", "fsLayers"],
        ManifestKind::Artifact => &["manifests", "layers", "config", "fsLayers"],
    };
    match foreign.iter().find(|name| members.get(name).is_some()) {
        Some(name) => Err(ManifestError::foreign_member(&root.member(name), media_type)),
        None => Ok(()),
    }
}

/// Images and indexes have schema version 2. The artifact manifests have no schema version, but
/// writers that add 2 do no harm.
fn check_schema_version(
    members: &Members<'_>,
    media_type: ManifestMediaType,
) -> Result<(), ManifestError> {
    match members.get("schemaVersion") {
        Some(value) if value.text() == "2" => Ok(()),
        None if media_type.kind() == ManifestKind::Artifact => Ok(()),
        None => Err(ManifestError::missing(&Path::Root.member("schemaVersion"))),
        Some(value) => Err(ManifestError::schema_version(value.text())),
    }
}
