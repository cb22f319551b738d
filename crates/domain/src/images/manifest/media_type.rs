//! The media types a manifest can have.

/// What a manifest is, whoever defined its media type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ManifestKind {
    /// A configuration and layers.
    Image,
    /// A list of manifests.
    Index,
    /// Blobs under an artifact type; no longer part of the OCI specifications.
    Artifact,
}

/// A media type of manifests that the registry takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ManifestMediaType {
    /// The OCI image manifest, 1.0 and 1.1.
    OciImage,
    /// The OCI image index.
    OciIndex,
    /// The Docker image manifest, version 2, schema 2.
    DockerImage,
    /// The Docker manifest list.
    DockerList,
    /// The artifact manifest of the release candidates of OCI 1.1.
    OciArtifact,
    /// The artifact manifest of the ORAS project.
    OrasArtifact,
}

impl ManifestMediaType {
    /// Every accepted media type.
    pub const ALL: [Self; 6] = [
        Self::OciImage,
        Self::OciIndex,
        Self::DockerImage,
        Self::DockerList,
        Self::OciArtifact,
        Self::OrasArtifact,
    ];

    /// Reads a media type without parameters; nothing when it is not one of manifests or not
    /// accepted. Case matters.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|media_type| media_type.as_str() == text)
    }

    /// The media type as it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::OciImage => "application/vnd.oci.image.manifest.v1+json",
            Self::OciIndex => "application/vnd.oci.image.index.v1+json",
            Self::DockerImage => "application/vnd.docker.distribution.manifest.v2+json",
            Self::DockerList => "application/vnd.docker.distribution.manifest.list.v2+json",
            Self::OciArtifact => "application/vnd.oci.artifact.manifest.v1+json",
            Self::OrasArtifact => "application/vnd.cncf.oras.artifact.manifest.v1+json",
        }
    }

    /// What manifests of this type are.
    pub fn kind(self) -> ManifestKind {
        match self {
            Self::OciImage | Self::DockerImage => ManifestKind::Image,
            Self::OciIndex | Self::DockerList => ManifestKind::Index,
            Self::OciArtifact | Self::OrasArtifact => ManifestKind::Artifact,
        }
    }

    /// Whether Docker defined it; Docker's types know neither subject nor artifact type.
    pub fn is_docker(self) -> bool {
        matches!(self, Self::DockerImage | Self::DockerList)
    }
}

impl std::fmt::Display for ManifestMediaType {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// Docker's first schema, signed or not.
pub(super) fn is_schema1(text: &str) -> bool {
    matches!(
        text,
        "application/vnd.docker.distribution.manifest.v1+json"
            | "application/vnd.docker.distribution.manifest.v1+prettyjws"
    )
}
