//! Advisories and feeds: reading one ends, and what is read can be stored and decided.

use tonnage_scanner::advisories::{Rules, decide_rules, entries, feeds, osv, subjects, updateinfo};
use tonnage_scanner::{OsRelease, Package, PackageType};

/// Reads `data` as everything that brings advisories.
pub fn target(data: &[u8]) {
    let mut advisories = Vec::new();
    advisories.extend(osv::parse(data));
    let _ = updateinfo::read(data, "Amazon Linux:2023", |advisory| advisories.push(advisory));
    let _ = feeds::epss(data, |score| assert!((0.0..=1.0).contains(&score.score)));
    let _ = feeds::kev(data);
    let _ = feeds::cve(data);

    let os = OsRelease {
        id: "debian".to_owned(),
        version_id: Some("12".to_owned()),
        ..OsRelease::default()
    };
    for advisory in advisories {
        let _ = advisory.cves();
        for entry in entries(&advisory).entries {
            let text = entry.rules.encode();
            let rules = Rules::decode(&text);
            assert_eq!(rules.as_ref().ok(), Some(&entry.rules), "{text}");
            for package_type in PackageType::ALL {
                let package = Package::new(package_type, entry.name.as_str(), "1.2.3-4");
                for subject in subjects(&package, Some(&os)) {
                    assert_eq!(
                        decide_rules(&entry.rules, &subject),
                        rules.as_ref().ok().and_then(|rules| decide_rules(rules, &subject)),
                    );
                }
            }
        }
    }
}
