//! Bills of materials beside their images.

use serde_json::Value;
use tonnage_domain::error::ErrorKind;
use tonnage_domain::names::Digest;
use tonnage_domain::repositories::RepositoryAddress;
use tonnage_domain::scanning::sboms::Format;
use tonnage_domain::scanning::sboms::attach_image_sbom::AttachImageSbom;
use tonnage_domain::scanning::sboms::configuration::{
    GetSbomConfiguration, PutSbomConfiguration, SbomConfiguration,
};
use tonnage_domain::scanning::sboms::get_image_sbom::GetImageSbom;

use super::world::{BOOKWORM, debian, dpkg, layer, npm};
use crate::lifecycle::drain;
use crate::registry::{Registry, by_tag, check_kind};

/// The artifact types of what refers to an image, by name.
async fn attached(registry: &Registry, subject: &Digest) -> Vec<String> {
    let rows = registry
        .rows("SELECT subject_digest, artifact_type FROM images WHERE subject_digest IS NOT NULL")
        .await;
    let of = rows.into_iter().filter(|row| row[0] == subject.as_str());
    let mut types: Vec<String> = of.map(|row| row[1].clone()).collect();
    types.sort();
    types
}

/// The bill that a manifest has.
async fn bill(registry: &Registry, app: &RepositoryAddress, digest: &Digest) -> Vec<u8> {
    let (_, manifest) = registry.manifest(app, digest.as_str()).await.unwrap();
    let manifest: Value = serde_json::from_slice(&manifest).unwrap();
    let blob = Digest::parse(manifest["layers"][0]["digest"].as_str().unwrap()).unwrap();
    registry.blob(app, &blob).await.unwrap()
}

#[tokio::test]
async fn bills_are_attached() {
    const CYCLONEDX: &str = "application/vnd.cyclonedx+json";
    const SPDX: &str = "application/spdx+json";
    let registry = Registry::new().await;
    let (app, other) = (registry.create("team/app").await, registry.create("other").await);
    let base = debian(&[("libc6", "glibc", "2.36-9")]);
    let image = registry.push_layers(&app, "v1", &[&base, &npm("left-pad", "1.0.0")]).await;
    let attach = |format| AttachImageSbom { repository: app.clone(), id: by_tag("v1"), format };
    check_kind(registry.run(attach(Format::Spdx2_3)).await, ErrorKind::ScanNotFound);
    registry.start_scan(&app, by_tag("v1")).await.unwrap();
    drain(&registry).await;
    assert_eq!(attached(&registry, &image.digest).await, Vec::<String>::new());

    // On request, each once, however often and whenever it is asked for.
    let mut digests = Vec::new();
    for (format, artifact_type) in [
        (Format::Spdx2_3, SPDX),
        (Format::CycloneDx1_5, CYCLONEDX),
        (Format::CycloneDx1_6, CYCLONEDX),
    ] {
        let first = registry.run(attach(format)).await.unwrap();
        assert_eq!((&first.subject, first.artifact_type), (&image.digest, artifact_type));
        registry.clock.advance_seconds(3600);
        let second = registry.run(attach(format)).await.unwrap();
        assert_eq!((first.is_new, second.is_new), (true, false), "{format:?}");
        assert_eq!(first.digest, second.digest, "{format:?}");
        let get = GetImageSbom { repository: app.clone(), id: by_tag("v1"), format };
        let document = registry.run(get).await.unwrap().document;
        assert_eq!(bill(&registry, &app, &first.digest).await, document.as_bytes());
        digests.push(first.digest);
    }
    digests.sort();
    digests.dedup();
    assert_eq!(digests.len(), 3);
    assert_eq!(attached(&registry, &image.digest).await, [SPDX, CYCLONEDX, CYCLONEDX]);

    // When an image is pushed: of these repositories, and however long they get.
    let filters = vec!["team/*".to_owned()];
    let formats = [Format::CycloneDx1_6, Format::Spdx2_3];
    let configuration = SbomConfiguration::new(&formats, filters).unwrap();
    registry.run(PutSbomConfiguration { configuration: configuration.clone() }).await.unwrap();
    assert_eq!(registry.run(GetSbomConfiguration).await.unwrap(), configuration);
    let names: Vec<String> = (0..400).map(|number| format!("package-{number}")).collect();
    let packages: Vec<_> = names.iter().map(|name| (name.as_str(), "large", "1.0-1")).collect();
    let large = layer(&[BOOKWORM, ("var/lib/dpkg/status", &dpkg(&packages))]);
    let pushed = registry.push_layers(&app, "v2", &[&large]).await;
    let elsewhere = registry.push_layers(&other, "v2-other", &[&large]).await;
    let chart = registry.push_layers(&app, "chart", &[&layer(&[])]).await;
    drain(&registry).await;
    assert_eq!(attached(&registry, &pushed.digest).await, [SPDX, CYCLONEDX]);
    assert_eq!(attached(&registry, &elsewhere.digest).await, Vec::<String>::new());
    // What has nothing in it says so.
    assert_eq!(attached(&registry, &chart.digest).await, [SPDX, CYCLONEDX]);
    registry.check_images(&app).await;

    // They are there already, and end when the registry wants none.
    let again =
        AttachImageSbom { repository: app.clone(), id: by_tag("v2"), format: Format::CycloneDx1_6 };
    let again = registry.run(again).await.unwrap();
    assert!(!again.is_new);
    assert!(bill(&registry, &app, &again.digest).await.len() > 64 * 1024);
    let configuration = SbomConfiguration::default();
    registry.run(PutSbomConfiguration { configuration }).await.unwrap();
    let last = registry.push_layers(&app, "v3", &[&base]).await;
    drain(&registry).await;
    assert_eq!(attached(&registry, &last.digest).await, Vec::<String>::new());
    registry.check_no_orphans().await;
}
