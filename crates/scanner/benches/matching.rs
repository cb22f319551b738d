//! How long it takes to find what is wrong with images. `cargo bench -p tonnage-scanner --bench
//! matching` prints a table; nothing here passes or fails.
#![allow(clippy::expect_used, reason = "a benchmark without its input is worth nothing")]

use std::collections::{BTreeSet, HashMap};

use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use serde_json::json;
use tonnage_scanner::advisories::versions::Scheme;
use tonnage_scanner::advisories::{
    Advisory, Ecosystem, Entry, Rules, Subject, decide_entry, decide_rules, entries, osv, subjects,
};
use tonnage_scanner::{OsRelease, Package, PackageType, SourcePackage};

const ADVISORIES: u64 = 100_000;
const IMAGES: u64 = 1_000;
const OS_PACKAGES: u64 = 90;
const LIBRARIES: u64 = 110;
/// Names of packages that advisories speak of; popular ones have hundreds.
const NAMES: u64 = 20_000;

fn main() {
    divan::main();
}

/// Numbers that look random and are the same in every run (splitmix64).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut value = self.0;
        value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (value ^ (value >> 31)) % limit
    }

    /// A name's number: half of all falls on one in a hundred of them.
    fn name(&mut self) -> u64 {
        match self.below(2) {
            0 => self.below(NAMES / 100),
            _ => self.below(NAMES),
        }
    }
}

fn version(ecosystem: &str, numbers: &mut Numbers) -> String {
    let (major, minor, patch) = (numbers.below(5), numbers.below(20), numbers.below(20));
    match ecosystem {
        "Debian:12" => format!("{major}.{minor}.{patch}-{}+deb12u{}", patch % 4, minor % 7),
        _ => format!("{major}.{minor}.{patch}"),
    }
}

const ECOSYSTEMS: [&str; 6] = ["Debian:12", "npm", "PyPI", "Go", "Maven", "crates.io"];

fn record(number: u64, numbers: &mut Numbers) -> String {
    let ecosystem = ECOSYSTEMS[usize::try_from(number % 6).unwrap_or_default()];
    let name = name(ecosystem, numbers.name());
    json!({
        "id": format!("TEST-{number}"),
        "modified": "2024-01-01T00:00:00Z",
        "aliases": [format!("CVE-2024-{number:04}")],
        "summary": "Something is wrong",
        "details": "It is wrong in this way. ".repeat(20),
        "affected": [{
            "package": {"ecosystem": ecosystem, "name": name},
            "ranges": [{"type": "ECOSYSTEM", "events": [
                {"introduced": "0"},
                {"fixed": version(ecosystem, numbers)},
            ]}],
        }],
        "severity": [{"type": "CVSS_V3", "score": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"}],
    })
    .to_string()
}

fn name(ecosystem: &str, number: u64) -> String {
    match ecosystem {
        "Maven" => format!("org.example.g{}:artifact-{number}", number % 100),
        "Go" => format!("example.org/team/module-{number}"),
        _ => format!("package-{number}"),
    }
}

fn advisories() -> Vec<Advisory> {
    let mut numbers = Numbers(1);
    let records = (0..ADVISORIES).map(|number| record(number, &mut numbers));
    records.map(|record| osv::parse(record.as_bytes()).expect("a record")).collect()
}

/// Rules as a database keeps them, found by ecosystem and name.
type Stored = HashMap<(String, String), Vec<String>>;

fn store(advisories: &[Advisory]) -> Stored {
    let mut stored = Stored::new();
    for entry in advisories.iter().flat_map(|advisory| entries(advisory).entries) {
        let key = (entry.ecosystem.to_string(), entry.name.clone());
        stored.entry(key).or_default().push(entry.rules.encode());
    }
    stored
}

fn images() -> Vec<Vec<Package>> {
    let mut numbers = Numbers(2);
    let image = |_| {
        let os = (0..OS_PACKAGES).map(|_| {
            let number = numbers.name();
            let version = version("Debian:12", &mut numbers);
            let source =
                SourcePackage { name: format!("package-{number}"), version: version.clone() };
            Package {
                source: Some(source),
                ..Package::new(PackageType::Deb, format!("lib{number}"), version)
            }
        });
        let mut packages: Vec<Package> = os.collect();
        packages.extend((0..LIBRARIES).map(|place| {
            let number = numbers.name();
            let version = version("npm", &mut numbers);
            match place % 4 {
                0 => Package::new(PackageType::Npm, name("npm", number), version),
                1 => Package::new(PackageType::PyPi, name("PyPI", number), version),
                2 => Package::new(PackageType::Go, name("Go", number), format!("v{version}")),
                _ => Package {
                    namespace: Some(format!("org.example.g{}", number % 100)),
                    ..Package::new(PackageType::Maven, format!("artifact-{number}"), version)
                },
            }
        }));
        packages
    };
    (0..IMAGES).map(image).collect()
}

fn os() -> OsRelease {
    let version_id = Some("12".to_owned());
    OsRelease { id: "debian".to_owned(), version_id, ..OsRelease::default() }
}

fn matches(stored: &Stored, package: &Package, os: &OsRelease) -> usize {
    let mut found = 0;
    for subject in subjects(package, Some(os)) {
        let key = (subject.ecosystem.to_string(), subject.name.to_string());
        for rules in stored.get(&key).into_iter().flatten() {
            let rules = Rules::decode(rules).expect("stored rules");
            found += usize::from(decide_rules(&rules, &subject).is_some());
        }
    }
    found
}

/// Every package of a thousand images against a hundred thousand advisories, as if no image had
/// anything in common with another.
#[divan::bench(sample_count = 5, sample_size = 1)]
fn thousand_images(bencher: Bencher) {
    let (stored, images, os) = (store(&advisories()), images(), os());
    let packages = images.iter().map(Vec::len).sum::<usize>();
    bencher.counter(ItemsCount::new(packages)).bench_local(|| {
        images.iter().flatten().map(|package| matches(&stored, package, &os)).sum::<usize>()
    });
}

/// One image more.
#[divan::bench]
fn one_image(bencher: Bencher) {
    let (stored, images, os) = (store(&advisories()), images(), os());
    let image = images.first().expect("an image");
    bencher
        .counter(ItemsCount::new(image.len()))
        .bench_local(|| image.iter().map(|package| matches(&stored, package, &os)).sum::<usize>());
}

/// One advisory more, about a popular package of which a hundred versions are known.
#[divan::bench]
fn one_advisory(bencher: Bencher) {
    let record = json!({"id": "TEST-1", "affected": [{
        "package": {"ecosystem": "Debian:12", "name": "openssl"},
        "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "3.0.11-1~deb12u2"}]}],
    }]})
    .to_string();
    let debian = Ecosystem::of_advisory("Debian:12").expect("an ecosystem");
    let known: Vec<Subject<'_>> = (0..100)
        .map(|number| Subject {
            ecosystem: debian.clone(),
            name: "openssl".into(),
            version: format!("3.0.{}-1~deb12u{}", number % 20, number % 5).into(),
            module: None,
            architecture: None,
        })
        .collect();
    bencher.bench_local(|| {
        let advisory = osv::parse(black_box(record.as_bytes())).expect("a record");
        let made: Vec<Entry> = entries(&advisory).entries;
        let pairs = made.iter().flat_map(|entry| known.iter().map(move |known| (entry, known)));
        pairs.filter(|(entry, known)| decide_entry(entry, known).is_some()).count()
    });
}

/// Reading a record and making what is stored of it.
#[divan::bench]
fn import(bencher: Bencher) {
    let record = record(1, &mut Numbers(3));
    bencher.counter(ItemsCount::new(1_usize)).bench_local(|| {
        let advisory = osv::parse(black_box(record.as_bytes())).expect("a record");
        entries(&advisory).entries.iter().map(|entry| entry.rules.encode().len()).sum::<usize>()
    });
}

/// Two versions of each scheme.
#[divan::bench(args = [
    "Debian 1:2.36-9+deb12u3 1:2.36-9+deb12u10", "Apk 3.1.4-r5 3.1.4_p1-r6",
    "Rpm 1:4.18.0-513.el8_9 1:4.18.0-513.24.1.el8_9", "SemVer 4.17.20 4.17.21-rc.1",
    "Go v0.0.0-20191109021931-daa7c04131f5 v0.23.0", "Pep440 2.0.1rc1 2.0.1.post1",
    "Maven 2.9.10.4 2.9.10.5-jre", "Gem 7.0.4.rc1 7.0.4.1", "NuGet 13.0.1 13.0.1-Beta1",
    "Composer v6.4.1 6.4.2-beta1",
])]
fn versions(bencher: Bencher, case: &str) {
    let mut words = case.split(' ');
    let mut next = || words.next().expect("three words");
    let (scheme, left, right) = (next(), next(), next());
    let scheme =
        Scheme::ALL.into_iter().find(|known| format!("{known:?}") == scheme).expect("a scheme");
    bencher.bench_local(|| black_box(scheme).compare(black_box(left), black_box(right)));
}

/// Names that the images have in common with advisories: how much the table above has to do.
#[divan::bench(sample_count = 1, sample_size = 1)]
fn distinct_packages(bencher: Bencher) {
    let (images, os) = (images(), os());
    bencher.bench_local(|| {
        let all = images.iter().flatten().flat_map(|package| subjects(package, Some(&os)));
        all.collect::<BTreeSet<Subject<'_>>>().len()
    });
}
