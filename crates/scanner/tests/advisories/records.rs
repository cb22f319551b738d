//! Real records (`data/advisories`), and what they say of packages, looked up by hand.

use std::collections::HashMap;
use std::path::Path;

use tonnage_scanner::advisories::bundle::{self, Limits};
use tonnage_scanner::advisories::{
    Advisory, Hit, Opinion, Rules, Severity, decide, decide_rules, entries, join, osv, rate,
    subjects,
};
use tonnage_scanner::{Package, PackageType};

fn records() -> Vec<Advisory> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/advisories");
    let mut records = Vec::new();
    let read = bundle::read(&root, Limits::default(), |file| {
        let bytes = file.bytes.expect(&file.name);
        records.push(osv::parse(&bytes).expect(&file.name));
        true
    });
    assert_eq!(read.expect("a bundle"), 26);
    records
}

/// A database: stored rules by ecosystem and name.
type Stored<'a> = HashMap<(String, String), Vec<(&'a Advisory, String)>>;

fn store(records: &[Advisory]) -> Stored<'_> {
    let mut stored = Stored::new();
    for advisory in records {
        let made = entries(advisory);
        assert_eq!(made.unusable_ranges, 0, "{}", advisory.id);
        for entry in made.entries {
            let key = (entry.ecosystem.to_string(), entry.name.clone());
            stored.entry(key).or_default().push((advisory, entry.rules.encode()));
        }
    }
    stored
}

fn hits(stored: &Stored<'_>, package: &Package) -> Vec<Hit> {
    let mut hits = Vec::new();
    for subject in subjects(package, None) {
        let key = (subject.ecosystem.to_string(), subject.name.to_string());
        for (advisory, rules) in stored.get(&key).into_iter().flatten() {
            let rules = Rules::decode(rules).expect("stored rules");
            hits.extend(decide_rules(&rules, &subject).map(|verdict| Hit::new(advisory, verdict)));
        }
    }
    hits
}

fn package(package_type: PackageType, name: &str, version: &str) -> Package {
    match (package_type, name.split_once(':')) {
        (PackageType::Maven, Some((group, artifact))) => Package {
            namespace: Some(group.to_owned()),
            ..Package::new(package_type, artifact, version)
        },
        _ => Package::new(package_type, name, version),
    }
}

#[test]
fn matches() {
    use PackageType::*;
    let records = records();
    let stored = store(&records);
    let snakeyaml = "org.yaml:snakeyaml";
    let jackson = "com.fasterxml.jackson.core:jackson-databind";
    let protobuf = "com.google.protobuf:protobuf-java";
    let docker = "github.com/docker/docker";
    for (package_type, name, version, expected) in [
        // A fixed minor release in the middle of affected ones: 0.2.0 is not affected, 0.2.1-0 is.
        (Cargo, "time", "0.1.42", "CVE-2020-26235 < 0.2.0"),
        (Cargo, "time", "0.2.0", ""),
        (Cargo, "time", "0.2.22", "CVE-2020-26235 < 0.2.23"),
        (Cargo, "time", "0.2.23", ""),
        (Cargo, "smallvec", "1.6.0", "CVE-2021-25900 < 1.6.1"),
        (Cargo, "smallvec", "0.6.14", ""),
        (Cargo, "smallvec", "0.6.2", ""),
        (Cargo, "regex", "1.5.4", "CVE-2022-24713 < 1.5.5"),
        (Cargo, "openssl", "0.10.65", "RUSTSEC-2024-0357 < 0.10.66"),
        // Withdrawn.
        (Cargo, "dirs", "2.0.0", ""),
        (Go, "k8s.io/kubernetes", "v1.20.0", ""),
        (PyPi, "loguru", "0.5.0", ""),
        (Go, "stdlib", "1.22.6", "CVE-2024-34158 < 1.22.7"),
        (Go, "stdlib", "1.22.7", ""),
        (Go, "stdlib", "1.23.0", "CVE-2024-34158 < 1.23.1"),
        (Go, "stdlib", "1.23rc2", "CVE-2024-34158 < 1.23.1"),
        (Go, "stdlib", "1.24rc1", "CVE-2025-22865 < 1.24.0-rc.2"),
        (Go, "stdlib", "1.24rc2", ""),
        (Go, "golang.org/x/net", "v0.12.0", "CVE-2023-3978 < 0.13.0"),
        (
            Go,
            "golang.org/x/net",
            "v0.0.0-20180920000000-aaaaaaaaaaaa",
            "CVE-2018-17142 < 0.0.0-20180925071336-cf3bd585ca2a, CVE-2023-3978 < 0.13.0",
        ),
        (Go, docker, "v25.0.4+incompatible", "CVE-2024-29018 < 25.0.5+incompatible"),
        (Go, docker, "v25.0.5+incompatible", ""),
        (Go, docker, "v26.0.0-rc2+incompatible", "CVE-2024-29018 < 26.0.0-rc3+incompatible"),
        (Go, docker, "v26.0.0+incompatible", ""),
        (PyPi, "Jinja2", "2.10", "CVE-2019-10906 < 2.10.1, CVE-2020-28493 < 2.11.3"),
        (PyPi, "jinja2", "2.10.1", "CVE-2020-28493 < 2.11.3"),
        (PyPi, "PyYAML", "5.1", "CVE-2019-20477 < 5.2b1, CVE-2020-14343 < 5.4"),
        (PyPi, "PyYAML", "5.4", ""),
        (PyPi, "requests", "2.19.0", "CVE-2023-32681 < 2.31.0"),
        (PyPi, "requests", "2.2.1", ""),
        (Npm, "lodash", "4.17.15", "CVE-2021-23337 < 4.17.21"),
        (Npm, "minimist", "0.2.1", "CVE-2021-44906 < 0.2.4"),
        (Npm, "minimist", "0.2.4", ""),
        (Npm, "minimist", "1.2.0", "CVE-2021-44906 < 1.2.6"),
        (Npm, "axios", "0.21.0", "CVE-2023-45857 < 1.6.0"),
        (Npm, "axios", "0.8.0", ""),
        (Npm, "express", "4.17.1", "CVE-2024-43796 < 4.20.0"),
        (Npm, "express", "5.0.0-beta.3", "CVE-2024-43796 < 5.0.0"),
        (Maven, snakeyaml, "1.30", "CVE-2022-25857 < 1.31, CVE-2022-38752 < 1.32"),
        (Maven, snakeyaml, "1.31", "CVE-2022-38752 < 1.32"),
        (Maven, snakeyaml, "1.32", ""),
        (Maven, jackson, "2.9.10.4", "CVE-2020-14195 < 2.9.10.5"),
        (Maven, jackson, "2.9.10.5", ""),
        (Maven, jackson, "2.8.11", ""),
        (Maven, protobuf, "3.21.0-rc-2", "CVE-2022-3171 < 3.21.7"),
        (Maven, protobuf, "3.19.5", "CVE-2022-3171 < 3.19.6"),
        (Maven, protobuf, "3.19.6", ""),
        // Two records speak of it, each with a range that begins before the first version.
        (Maven, protobuf, "2.5.0", "CVE-2021-22570 < 3.15.0, CVE-2022-3171 < 3.16.3"),
        // NuGet: names in any case, and what comes before a release is older than it.
        (NuGet, "Google.Protobuf", "3.14.0", "CVE-2021-22570 < 3.15.0"),
        (NuGet, "google.protobuf", "3.9.0-rc1", "CVE-2021-22570 < 3.15.0"),
        (NuGet, "Google.Protobuf", "3.15.0-rc1", "CVE-2021-22570 < 3.15.0"),
        (NuGet, "Google.Protobuf", "3.15.0", ""),
        // Composer: the `v` of a version is no part of it.
        (Composer, "google/protobuf", "v3.14.0", "CVE-2021-22570 < 3.15.0"),
        (Composer, "google/protobuf", "3.9.0RC1", "CVE-2021-22570 < 3.15.0"),
        (Composer, "google/protobuf", "v3.15.0", ""),
        (Gem, "google-protobuf", "3.20.2", "CVE-2022-3171 < 3.20.3"),
        (Gem, "google-protobuf", "3.20.3", ""),
        (Maven, "google-protobuf", "3.20.2", ""),
    ] {
        let package = package(package_type, name, version);
        let hits = hits(&stored, &package);
        let scheme = tonnage_scanner::advisories::versions::Scheme::of(package_type);
        let flaws: Vec<String> = join(scheme, &hits)
            .into_iter()
            .map(|flaw| {
                let fixed = flaw.verdict.fixed_version.expect("a fix");
                format!("{} < {fixed}", flaw.name)
            })
            .collect();
        assert_eq!(flaws.join(", "), expected, "{name} {version}");

        // The other way round: each advisory against the package.
        let mut one_by_one: Vec<String> = records
            .iter()
            .filter_map(|advisory| decide(advisory, &package, None))
            .map(|found| found.advisory)
            .collect();
        let mut looked_up: Vec<String> = hits.into_iter().map(|hit| hit.advisory).collect();
        one_by_one.sort();
        looked_up.sort();
        assert_eq!(one_by_one, looked_up, "{name} {version}");
    }
}

#[test]
fn ratings() {
    let records = records();
    for (id, severity, score) in [
        ("GHSA-xvch-5gv4-984h", Severity::Critical, Some(9.8)),
        ("GHSA-35jh-r3h4-6jhm", Severity::High, Some(7.2)),
        // A word and no vector.
        ("GHSA-wf5p-g6vw-rhxx", Severity::Medium, None),
        // Version 4 counts more than version 3.
        ("GHSA-qw6h-vgh9-j6wx", Severity::Medium, Some(2.3)),
        ("RUSTSEC-2020-0071", Severity::Medium, Some(6.2)),
        ("RUSTSEC-2021-0003", Severity::Critical, Some(9.8)),
        // Neither.
        ("GO-2024-3107", Severity::Undefined, None),
        ("RUSTSEC-2024-0357", Severity::Undefined, None),
    ] {
        let advisory = records.iter().find(|advisory| advisory.id == id).expect(id);
        let opinion = Opinion { source: id, word: advisory.severity, cvss: &advisory.cvss };
        let rating = rate([opinion]);
        assert_eq!(rating.severity, severity, "{id}");
        assert_eq!(rating.cvss.map(|cvss| cvss.score()), score, "{id}");
    }
}
