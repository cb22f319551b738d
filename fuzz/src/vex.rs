//! VEX documents: reading one ends, and what is read can be asked.

use tonnage_scanner::vex::{Place, Target, decide, parse};
use tonnage_scanner::{Package, PackageType, Purl};

/// Reads `data` as a document, and as a package URL.
pub fn target(data: &[u8]) {
    if let Some(purl) = Purl::parse(&String::from_utf8_lossy(data)) {
        assert!(purl.covers(&purl), "{purl:?}");
    }
    let Ok(document) = parse(data) else { return };
    let package = Package::new(PackageType::Npm, "a", "1");
    let digest = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    let digests = [digest];
    let target = Target::new(&digests, Some(Place::At("registry.example.org/a")), &package, None);
    let names: Vec<String> =
        document.statements.iter().flat_map(|statement| statement.flaws.clone()).collect();
    let documents = [document];
    for name in &names {
        let _ = decide(&documents, &[name], &target);
    }
}
