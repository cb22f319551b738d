use super::*;
use crate::advisories::osv;
use crate::{PackageType, SourcePackage};
use serde_json::{Value, json};

fn advisory(affected: &Value) -> Advisory {
    let record = json!({"id": "TEST-1", "affected": affected});
    osv::parse(record.to_string().as_bytes()).expect("a record")
}

fn os(id: &str, version: &str) -> OsRelease {
    OsRelease { id: id.to_owned(), version_id: Some(version.to_owned()), ..OsRelease::default() }
}

/// One affected package with one range, its events in the words of the schema.
fn affected(ecosystem: &str, name: &str, events: &Value) -> Value {
    json!([{
        "package": {"ecosystem": ecosystem, "name": name},
        "ranges": [{"type": "ECOSYSTEM", "events": events}],
    }])
}

#[test]
fn languages() {
    use PackageType::*;
    let fixed = |from: &str, to: &str| json!([{"introduced": from}, {"fixed": to}]);
    let lodash = affected("npm", "lodash", &fixed("0", "4.17.21"));
    let listed = json!([{
        "package": {"ecosystem": "PyPI", "name": "Foo.Bar"},
        "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "2.0"}, {"fixed": "2.2"}]}],
        "versions": ["1.0", "0.9", "2.1"],
    }]);
    let two = json!([
        {"package": {"ecosystem": "Maven", "name": "org.a:b"},
         "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "2.3.1"}]}]},
        {"package": {"ecosystem": "Maven", "name": "org.a:b"},
         "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "2.0-beta1"}, {"fixed": "2.15.0"}]}]},
    ]);
    let maven = |version| Package {
        namespace: Some("org.a".to_owned()),
        ..Package::new(Maven, "b", version)
    };
    for (affected, package, expected) in [
        (&lodash, Package::new(Npm, "lodash", "4.17.20"), Some(("< 4.17.21", Some("4.17.21")))),
        (&lodash, Package::new(Npm, "lodash", "4.17.21"), None),
        (
            &lodash,
            Package::new(Npm, "lodash", "4.17.21-rc.1"),
            Some(("< 4.17.21", Some("4.17.21"))),
        ),
        (&lodash, Package::new(Npm, "lodash-es", "4.17.20"), None),
        (&lodash, Package::new(PyPi, "lodash", "4.17.20"), None),
        (&lodash, Package::new(Npm, "lodash", "latest"), None),
        (&listed, Package::new(PyPi, "foo_bar", "1.0"), Some(("= 1.0", Some("2.2")))),
        (&listed, Package::new(PyPi, "foo_bar", "1.0.0"), Some(("= 1.0.0", Some("2.2")))),
        (&listed, Package::new(PyPi, "foo_bar", "1.1"), None),
        (&listed, Package::new(PyPi, "foo_bar", "2.1"), Some((">= 2.0, < 2.2", Some("2.2")))),
        (&listed, Package::new(PyPi, "foo_bar", "2.2"), None),
        (&two, maven("2.1"), Some((">= 2.0-beta1, < 2.15.0", Some("2.15.0")))),
        (&two, maven("1.9"), Some(("< 2.3.1", Some("2.3.1")))),
        (&two, maven("2.15.0"), None),
        (
            &affected("Go", "stdlib", &fixed("1.22.0-0", "1.22.3")),
            Package::new(Go, "stdlib", "go1.22rc1"),
            Some((">= 1.22.0-0, < 1.22.3", Some("1.22.3"))),
        ),
        (
            &affected("Go", "golang.org/x/net", &fixed("0", "0.23.0")),
            Package::new(Go, "golang.org/x/net", "v0.22.0"),
            Some(("< 0.23.0", Some("0.23.0"))),
        ),
        (
            &affected("crates.io", "time", &fixed("0.1.0", "0.2.23")),
            Package::new(Cargo, "time", "0.1.42"),
            Some((">= 0.1.0, < 0.2.23", Some("0.2.23"))),
        ),
        (
            &affected("NuGet", "Newtonsoft.Json", &fixed("0", "13.0.1")),
            Package::new(NuGet, "newtonsoft.json", "12.0.3"),
            Some(("< 13.0.1", Some("13.0.1"))),
        ),
        (
            &affected("RubyGems", "rack", &json!([{"introduced": "0"}])),
            Package::new(Gem, "rack", "3.0"),
            Some(("all versions", None)),
        ),
        (
            &affected("RubyGems", "rack", &json!([{"introduced": "0"}, {"last_affected": "3.0"}])),
            Package::new(Gem, "rack", "3.0.0"),
            Some(("<= 3.0", None)),
        ),
    ] {
        let advisory = advisory(affected);
        let found = decide(&advisory, &package, None);
        let found = found.as_ref().map(|found| {
            assert_eq!(found.advisory, "TEST-1");
            let fixed = found.verdict.fixed_version.as_deref();
            let status = if fixed.is_some() { Status::Fixed } else { Status::NotFixed };
            assert_eq!(found.verdict.status, status, "{package:?}");
            (&*found.verdict.range, fixed)
        });
        assert_eq!(found, expected, "{package:?}");
    }
}

#[test]
fn systems() {
    use PackageType::*;
    let fixed = |to: &str| json!([{"introduced": "0"}, {"fixed": to}]);
    let from = |package: Package, name: &str, version: &str| Package {
        source: Some(SourcePackage { name: name.to_owned(), version: version.to_owned() }),
        ..package
    };
    let glibc = affected("Debian:12", "glibc", &fixed("2.36-9+deb12u4"));
    let openssl = affected("Alpine:v3.19", "openssl", &fixed("3.1.4-r6"));
    let curl = affected("Amazon Linux:2023", "libcurl", &fixed("8.5.0-1.amzn2023.0.2"));
    let (debian, alpine) = (os("debian", "12"), os("alpine", "3.19.1"));
    for (affected, package, os, expected) in [
        (
            &glibc,
            from(Package::new(Deb, "libc6", "2.36-9+deb12u3"), "glibc", "2.36-9+deb12u3"),
            &debian,
            true,
        ),
        (
            &glibc,
            from(Package::new(Deb, "libc6", "2.36-9+deb12u4"), "glibc", "2.36-9+deb12u4"),
            &debian,
            false,
        ),
        // The binary was rebuilt alone: the source's version counts.
        (
            &glibc,
            from(Package::new(Deb, "libc6", "2.36-9+deb12u4+b1"), "glibc", "2.36-9+deb12u3"),
            &debian,
            true,
        ),
        (&glibc, Package::new(Deb, "glibc", "2.36-9"), &debian, true),
        (&glibc, Package::new(Deb, "glibc", "2.36-9"), &os("debian", "11"), false),
        (&glibc, Package::new(Deb, "glibc", "2.36-9"), &os("ubuntu", "12"), false),
        (&glibc, Package::new(Rpm, "glibc", "2.36-9"), &debian, false),
        (
            &openssl,
            from(Package::new(Apk, "libcrypto3", "3.1.4-r5"), "openssl", "3.1.4-r5"),
            &alpine,
            true,
        ),
        (
            &openssl,
            from(Package::new(Apk, "libcrypto3", "3.1.4-r6"), "openssl", "3.1.4-r6"),
            &alpine,
            false,
        ),
        (&openssl, Package::new(Apk, "libcrypto3", "3.1.4-r5"), &alpine, false),
        (
            &curl,
            from(Package::new(Rpm, "libcurl", "8.3.0-1.amzn2023.0.2"), "curl", "8.3.0-1"),
            &os("amzn", "2023"),
            true,
        ),
        (&curl, Package::new(Rpm, "libcurl", "1:8.3.0-1.amzn2023.0.2"), &os("amzn", "2023"), false),
        (&curl, Package::new(Rpm, "libcurl", "8.3.0-1.amzn2"), &os("amzn", "2"), false),
    ] {
        let advisory = advisory(affected);
        let found = decide(&advisory, &package, Some(os));
        assert_eq!(found.is_some(), expected, "{package:?} in {}", os.id);
        // Both ways round: the stored entries of the advisory, and the package's subjects.
        let stored: Vec<(String, String, String)> = entry::entries(&advisory)
            .entries
            .iter()
            .map(|e| (e.ecosystem.to_string(), e.name.clone(), e.rules.encode()))
            .collect();
        let verdict = subjects(&package, Some(os)).iter().find_map(|subject| {
            stored
                .iter()
                .filter(|(e, name, _)| *e == subject.ecosystem.as_str() && *name == subject.name)
                .find_map(|(_, _, rules)| {
                    decide_rules(&Rules::decode(rules).expect("stored rules"), subject)
                })
        });
        assert_eq!(verdict, found.map(|found| found.verdict));
    }
}

#[test]
fn streams_and_architectures() {
    let rule = |module: Option<&str>, fixed: &str, architectures: &[&str]| {
        Rules::new(vec![Rule {
            intervals: vec![Interval { from: None, end: End::Fixed(fixed.into()) }],
            module: module.map(entry::Text::from),
            architectures: architectures.iter().map(|a| entry::Text::from(*a)).collect(),
            ..Rule::default()
        }])
    };
    let plain = rule(None, "2.0-1.el8", &[]);
    let modular = rule(None, "2.0-1.module_el8.7.0+1+abc", &[]);
    let stream = rule(Some("nodejs:18"), "2.0-1.module+el8.7.0+1+abc", &[]);
    let built = rule(None, "2.0-1.el8", &["x86_64", "noarch"]);
    for (rules, version, module, architecture, expected) in [
        (&plain, "1.0-1.el8", None, None, true),
        (&plain, "1.0-1.el8", Some(""), None, true),
        (&plain, "1.0-1.module_el8.7.0+1+abc", None, None, false),
        (&plain, "1.0-1.el8", Some("nodejs:18:8070:abc"), None, false),
        (&modular, "1.0-1.module_el8.7.0+1+abc", None, None, true),
        (&modular, "1.0-1.el8", None, None, false),
        (&modular, "1.0-1.el8", Some("nodejs:18:8070:abc"), None, true),
        (&stream, "1.0-1.module_el8.7.0+1+abc", Some("nodejs:18:8070:abc"), None, true),
        (&stream, "1.0-1.module_el8.7.0+1+abc", Some("nodejs:18"), None, true),
        (&stream, "1.0-1.module_el8.7.0+1+abc", Some("nodejs:180"), None, false),
        (&stream, "1.0-1.module_el8.7.0+1+abc", Some("nodejs:16:8070:abc"), None, false),
        (&stream, "1.0-1.module_el8.7.0+1+abc", None, None, true),
        (&stream, "1.0-1.el8", None, None, false),
        (&built, "1.0-1.el8", None, Some("x86_64"), true),
        (&built, "1.0-1.el8", None, Some("aarch64"), false),
        (&built, "1.0-1.el8", None, None, true),
    ] {
        let subject = Subject {
            ecosystem: Ecosystem::of_advisory("AlmaLinux:8").expect("an ecosystem"),
            name: "a".into(),
            version: version.into(),
            module: module.map(Cow::Borrowed),
            architecture: architecture.map(Cow::Borrowed),
        };
        let found = decide_rules(rules, &subject).is_some();
        assert_eq!(found, expected, "{version} {module:?} {architecture:?} {}", rules.encode());
    }
}

#[test]
fn statuses() {
    let package = Package::new(PackageType::Deb, "a", "1.0");
    let debian = os("debian", "12");
    for (specific, events, status, severity) in [
        (
            json!({"urgency": "low"}),
            json!([{"introduced": "0"}, {"fixed": "2"}]),
            Status::Fixed,
            Some(Severity::Low),
        ),
        (
            json!({"urgency": "unimportant"}),
            json!([{"introduced": "0"}]),
            Status::NotFixed,
            Some(Severity::Informational),
        ),
        (json!({"urgency": "end-of-life"}), json!([{"introduced": "0"}]), Status::EndOfLife, None),
        (
            json!({"urgency": "end-of-life"}),
            json!([{"introduced": "0"}, {"fixed": "2"}]),
            Status::Fixed,
            None,
        ),
    ] {
        let advisory = advisory(&json!([{
            "package": {"ecosystem": "Debian:12", "name": "a"},
            "ranges": [{"type": "ECOSYSTEM", "events": events}],
            "ecosystem_specific": specific,
        }]));
        let found = decide(&advisory, &package, Some(&debian)).expect("a match");
        assert_eq!(found.verdict.status, status, "{specific}");
        assert_eq!(found.verdict.severity, severity, "{specific}");
    }
}

#[test]
fn withdrawn() {
    let mut advisory = advisory(&affected("npm", "a", &json!([{"introduced": "0"}])));
    let package = Package::new(PackageType::Npm, "a", "1.0.0");
    assert!(decide(&advisory, &package, None).is_some());
    advisory.withdrawn = Some(0);
    assert_eq!(decide(&advisory, &package, None), None);
}
