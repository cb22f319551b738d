//! Descriptors: how a manifest refers to content.

use super::error::ManifestError;
use super::json::{Path, TextRule, Value};
use super::{MAXIMUM_URLS, json::Members};
use crate::names::Digest;

/// The members that are read of a descriptor, wherever it stands.
const MEMBERS: &[&str] = &["mediaType", "digest", "size", "urls", "platform"];

/// A reference to content (OCI image specification 1.1, "Content Descriptors").
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Descriptor {
    /// The content's media type: 1 to 255 characters of visible ASCII and spaces, otherwise as the
    /// client likes.
    pub media_type: String,
    /// The content's digest.
    pub digest: Digest,
    /// The content's size in bytes, at most 2^53. It is the client's claim, not a measurement.
    pub size: u64,
    /// Where else the content can be had; at most 100 and usually none.
    pub urls: Vec<String>,
}

impl Descriptor {
    /// Whether the content of this layer need not be in the registry: it has `urls`, or its media
    /// type says that it must not be distributed.
    pub fn is_foreign(&self) -> bool {
        const PREFIXES: [&str; 2] = [
            "application/vnd.docker.image.rootfs.foreign.",
            "application/vnd.oci.image.layer.nondistributable.",
        ];
        !self.urls.is_empty() || PREFIXES.iter().any(|prefix| self.media_type.starts_with(prefix))
    }

    pub(super) fn read(value: Value<'_>, path: &Path<'_>) -> Result<Self, ManifestError> {
        Self::from_members(&value.members(path, MEMBERS)?, path)
    }

    fn from_members(members: &Members<'_>, path: &Path<'_>) -> Result<Self, ManifestError> {
        let required =
            |name| members.get(name).ok_or_else(|| ManifestError::missing(&path.member(name)));
        let media_type = required("mediaType")?
            .string(&path.member("mediaType"), TextRule::MediaType)?
            .into_owned();
        let digest_path = path.member("digest");
        let digest = required("digest")?.string(&digest_path, TextRule::Free)?;
        let digest =
            Digest::parse(&digest).map_err(|_| ManifestError::digest(&digest_path, &digest))?;
        let size = required("size")?.size(&path.member("size"))?;
        let mut urls = Vec::new();
        if let Some(value) = members.get("urls") {
            value.elements(&path.member("urls"), MAXIMUM_URLS, |url, path| {
                urls.push(url.string(path, TextRule::NotEmpty)?.into_owned());
                Ok(())
            })?;
        }
        Ok(Self { media_type, digest, size, urls })
    }
}

/// A manifest that an index refers to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Child {
    /// The reference itself.
    pub descriptor: Descriptor,
    /// What the manifest runs on, if the index says it.
    pub platform: Option<Platform>,
}

impl Child {
    pub(super) fn read(value: Value<'_>, path: &Path<'_>) -> Result<Self, ManifestError> {
        let members = value.members(path, MEMBERS)?;
        let descriptor = Descriptor::from_members(&members, path)?;
        let platform = match members.get("platform") {
            Some(value) => Some(Platform::read(value, &path.member("platform"))?),
            None => None,
        };
        Ok(Self { descriptor, platform })
    }
}

/// The minimum requirements of an image (OCI image specification 1.1, "Image Index", `platform`).
/// Absent members are empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Platform {
    /// Operating system, for instance `linux`; `unknown` for attestations.
    pub os: String,
    /// Processor architecture, for instance `arm64`.
    pub architecture: String,
    /// Variant of the architecture, for instance `v8`.
    pub variant: String,
    /// Version of the operating system; Windows images have one.
    pub os_version: String,
}

impl Platform {
    fn read(value: Value<'_>, path: &Path<'_>) -> Result<Self, ManifestError> {
        let members = value.members(path, &["os", "architecture", "variant", "os.version"])?;
        let read = |name| match members.get(name) {
            Some(value) => {
                value.string(&path.member(name), TextRule::Free).map(std::borrow::Cow::into_owned)
            }
            None => Ok(String::new()),
        };
        Ok(Self {
            os: read("os")?,
            architecture: read("architecture")?,
            variant: read("variant")?,
            os_version: read("os.version")?,
        })
    }
}
