//! Manifests: reading one ends, errors stay short, and what is read another reader reads alike.

use tonnage_domain::images::manifest::{
    MAXIMUM_ENTRIES, Manifest, ManifestKind, ManifestMediaType,
};

/// Reads `data` as a manifest of its own word, and as every type in turn.
pub fn target(data: &[u8]) {
    read(data, None);
    for media_type in ManifestMediaType::ALL {
        if let Some(manifest) = read(data, Some(media_type.as_str())) {
            assert_eq!(manifest.media_type, media_type);
        }
    }
}

fn read(data: &[u8], media_type: Option<&str>) -> Option<Manifest> {
    let manifest = match Manifest::parse(data, media_type) {
        Ok(manifest) => manifest,
        Err(error) => {
            assert!(error.to_string().len() < 1_500, "{error}");
            return None;
        }
    };
    let document: serde_json::Value =
        serde_json::from_slice(data).expect("what is stored is JSON to others");
    let length = |name: &str| document[name].as_array().map_or(0, Vec::len);
    let (layers, children) = match manifest.kind() {
        ManifestKind::Image => ("layers", "-"),
        ManifestKind::Artifact => ("blobs", "-"),
        ManifestKind::Index => ("-", "manifests"),
    };
    assert_eq!(manifest.layers.len(), length(layers));
    assert_eq!(manifest.children.len(), length(children));
    assert!(manifest.layers.len() + manifest.children.len() <= MAXIMUM_ENTRIES);
    if let Some(subject) = &manifest.subject {
        assert_eq!(document["subject"]["digest"], subject.digest.as_str());
    }
    if let Some(said) = document["mediaType"].as_str() {
        assert_eq!(said, manifest.media_type.as_str());
    }
    Some(manifest)
}
