use super::*;
use crate::SourcePackage;

#[test]
fn of_advisory() {
    for (text, expected) in [
        ("Debian:12", Some("Debian:12")),
        ("Debian", None),
        ("Alpine:v3.19", Some("Alpine:v3.19")),
        ("Ubuntu:22.04:LTS", Some("Ubuntu:22.04")),
        ("Ubuntu:23.10", Some("Ubuntu:23.10")),
        ("Ubuntu:Pro:16.04:LTS", Some("Ubuntu:Pro:16.04")),
        ("AlmaLinux:9", Some("AlmaLinux:9")),
        ("Rocky Linux:9", Some("Rocky Linux:9")),
        ("Red Hat:enterprise_linux:9::baseos", Some("Red Hat:enterprise_linux:9")),
        ("Red Hat:enterprise_linux:9::appstream", Some("Red Hat:enterprise_linux:9")),
        ("Red Hat:enterprise_linux:10.0", Some("Red Hat:enterprise_linux:10")),
        ("Red Hat:rhel_eus:9.2::baseos", Some("Red Hat:rhel_eus:9.2")),
        ("Red Hat:openshift:4.13::el9", Some("Red Hat:openshift:4.13")),
        ("SUSE:Linux Enterprise Server 15 SP5", Some("SUSE:Linux Enterprise 15 SP5")),
        (
            "SUSE:Linux Enterprise Module for Basesystem 15 SP5",
            Some("SUSE:Linux Enterprise 15 SP5"),
        ),
        ("SUSE:Linux Enterprise Server 12", Some("SUSE:Linux Enterprise 12")),
        ("SUSE:Linux Enterprise 15 SP5", Some("SUSE:Linux Enterprise 15 SP5")),
        (
            "SUSE:Linux Enterprise Server 15 SP4-LTSS",
            Some("SUSE:Linux Enterprise Server 15 SP4-LTSS"),
        ),
        (
            "SUSE:Linux Enterprise Server for SAP Applications 15 SP5",
            Some("SUSE:Linux Enterprise Server for SAP Applications 15 SP5"),
        ),
        ("SUSE:Linux Enterprise Micro 5.5", Some("SUSE:Linux Enterprise Micro 5.5")),
        ("openSUSE:Leap 15.5", Some("openSUSE:Leap 15.5")),
        ("openSUSE:Tumbleweed", Some("openSUSE:Tumbleweed")),
        ("Wolfi", Some("Wolfi")),
        ("Chainguard", Some("Chainguard")),
        ("Amazon Linux:2023", Some("Amazon Linux:2023")),
        ("npm", Some("npm")),
        ("PyPI", Some("PyPI")),
        ("Maven:https://maven.google.com", None),
        ("Hex", None),
        ("GIT", None),
        ("", None),
    ] {
        let ecosystem = Ecosystem::of_advisory(text);
        assert_eq!(ecosystem.as_ref().map(Ecosystem::as_str), expected, "{text}");
        // The name that is kept leads to itself.
        if let Some(ecosystem) = ecosystem {
            assert_eq!(Ecosystem::of_advisory(ecosystem.as_str()).as_ref(), Some(&ecosystem));
        }
    }
}

fn os(id: &str, version: &str) -> OsRelease {
    OsRelease {
        id: id.to_owned(),
        version_id: (!version.is_empty()).then(|| version.to_owned()),
        ..OsRelease::default()
    }
}

#[test]
fn of_os() {
    let pretty = |os: OsRelease, name: &str| OsRelease { pretty_name: Some(name.to_owned()), ..os };
    let cpe = |os: OsRelease, cpe: &str| OsRelease { cpe_name: Some(cpe.to_owned()), ..os };
    let codename =
        |os: OsRelease, name: &str| OsRelease { version_codename: Some(name.to_owned()), ..os };
    let branch = |os: OsRelease, name: &str| OsRelease { apk_branch: Some(name.to_owned()), ..os };
    for (os, expected) in [
        (os("debian", "12"), Some("Debian:12")),
        (codename(os("debian", ""), "trixie/sid"), Some("Debian:13")),
        (codename(os("debian", ""), "sid"), None),
        (os("ubuntu", "22.04"), Some("Ubuntu:22.04")),
        (os("ubuntu", "23.10"), Some("Ubuntu:23.10")),
        (os("alpine", "3.19.1"), Some("Alpine:v3.19")),
        (branch(os("alpine", "3.21.0_alpha20240807"), "edge"), Some("Alpine:edge")),
        (branch(os("alpine", "3.19.1"), "v3.20"), Some("Alpine:v3.20")),
        (os("wolfi", "20230201"), Some("Wolfi")),
        (os("chainguard", ""), Some("Chainguard")),
        (os("almalinux", "9.3"), Some("AlmaLinux:9")),
        (os("rocky", "8.9"), Some("Rocky Linux:8")),
        (
            cpe(os("rhel", "9.3"), "cpe:/o:redhat:enterprise_linux:9::baseos"),
            Some("Red Hat:enterprise_linux:9"),
        ),
        (
            cpe(os("rhel", "7.9"), "cpe:/o:redhat:enterprise_linux:7.9:GA:server"),
            Some("Red Hat:enterprise_linux:7"),
        ),
        (os("rhel", "10.0"), Some("Red Hat:enterprise_linux:10")),
        (pretty(os("centos", "7"), "CentOS Linux 7 (Core)"), Some("Red Hat:enterprise_linux:7")),
        (pretty(os("centos", "9"), "CentOS Stream 9"), None),
        (os("amzn", "2"), Some("Amazon Linux:2")),
        (os("amzn", "2023"), Some("Amazon Linux:2023")),
        (os("ol", "9.3"), Some("Oracle Linux:9")),
        (os("sles", "15.5"), Some("SUSE:Linux Enterprise 15 SP5")),
        (os("sles", "12"), Some("SUSE:Linux Enterprise 12")),
        (os("sles", "16.0"), Some("SUSE:Linux Enterprise 16.0")),
        (os("opensuse-leap", "15.5"), Some("openSUSE:Leap 15.5")),
        (os("opensuse-tumbleweed", "20240101"), Some("openSUSE:Tumbleweed")),
        (os("azurelinux", "3.0"), Some("Azure Linux:3")),
        (
            pretty(os("openeuler", "22.03"), "openEuler 22.03 (LTS-SP3)"),
            Some("openEuler:22.03-LTS-SP3"),
        ),
        (os("linuxmint", "21"), None),
        (os("debian", ""), None),
        (os("ubuntu", ""), None),
        (os("amzn", ""), None),
        (os("alpine", ""), None),
    ] {
        let ecosystem = Ecosystem::of_os(&os);
        assert_eq!(ecosystem.as_ref().map(Ecosystem::as_str), expected, "{os:?}");
    }
}

#[test]
fn of_package() {
    let debian = os("debian", "12");
    for (package_type, os, expected) in [
        (PackageType::Deb, Some(&debian), Some("Debian:12")),
        (PackageType::Deb, None, None),
        (PackageType::Rpm, Some(&debian), None),
        (PackageType::PyPi, Some(&debian), Some("PyPI")),
        (PackageType::Npm, None, Some("npm")),
        (PackageType::Composer, None, Some("Packagist")),
    ] {
        let ecosystem = Ecosystem::of_package(package_type, os);
        assert_eq!(ecosystem.as_ref().map(Ecosystem::as_str), expected, "{package_type:?}");
    }
}

#[test]
fn names() {
    use PackageType::*;
    let source = |package: Package| Package {
        source: Some(SourcePackage { name: "source".to_owned(), version: "2".to_owned() }),
        ..package
    };
    let within = |package: Package, namespace: &str| Package {
        namespace: Some(namespace.to_owned()),
        ..package
    };
    for (ecosystem, package, expected) in [
        ("Debian:12", source(Package::new(Deb, "binary", "1")), vec![("source", "2")]),
        ("Debian:12", Package::new(Deb, "binary", "1"), vec![("binary", "1")]),
        ("Alpine:v3.19", source(Package::new(Apk, "binary", "1")), vec![("source", "2")]),
        ("Wolfi", source(Package::new(Apk, "binary", "1")), vec![("binary", "1"), ("source", "2")]),
        ("Wolfi", source(Package::new(Apk, "source", "2")), vec![("source", "2")]),
        ("AlmaLinux:9", source(Package::new(Rpm, "binary", "1")), vec![("binary", "1")]),
        ("PyPI", Package::new(PyPi, "Foo_.Bar--baz", "1"), vec![("foo-bar-baz", "1")]),
        ("PyPI", Package::new(PyPi, "requests", "1"), vec![("requests", "1")]),
        ("NuGet", Package::new(NuGet, "Newtonsoft.Json", "1"), vec![("newtonsoft.json", "1")]),
        ("Packagist", within(Package::new(Composer, "B", "1"), "A"), vec![("a/b", "1")]),
        ("Maven", within(Package::new(Maven, "b", "1"), "a.A"), vec![("a.A:b", "1")]),
        ("npm", within(Package::new(Npm, "core", "1"), "@babel"), vec![("@babel/core", "1")]),
        ("Go", Package::new(Go, "stdlib", "1.22.1"), vec![("stdlib", "1.22.1")]),
        ("RubyGems", Package::new(Gem, "RedCloth", "1"), vec![("RedCloth", "1")]),
    ] {
        let ecosystem = Ecosystem::of_advisory(ecosystem).expect("a known ecosystem");
        let names = ecosystem.names(&package);
        let names: Vec<_> = names.iter().map(|(name, version)| (&**name, *version)).collect();
        assert_eq!(names, expected, "{ecosystem}");
    }
}
