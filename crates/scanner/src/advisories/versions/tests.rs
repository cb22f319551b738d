use std::cmp::Ordering;

use proptest::prelude::*;

use super::{Scheme, VERSION_BYTES_MAX};

/// `left < right < …`, and with `=` between them they are equal: every pair is compared, both ways.
#[track_caller]
fn check(scheme: Scheme, chain: &str) {
    let mut ranked = Vec::new();
    for (rank, equals) in chain.split(" < ").enumerate() {
        ranked.extend(equals.split(" = ").map(|version| (rank, version.trim())));
    }
    for (left_rank, left) in &ranked {
        for (right_rank, right) in &ranked {
            let expected = Some(left_rank.cmp(right_rank));
            assert_eq!(scheme.compare(left, right), expected, "{scheme:?}: {left} to {right}");
        }
    }
}

#[test]
fn debian() {
    // deb-version(7) and Debian Policy 5.6.12, with its own example of tildes.
    check(Scheme::Debian, "~~ < ~~a < ~ < a");
    check(Scheme::Debian, "1.0~rc1-1 < 1.0 = 1.0-0 = 0:1.0 = 1.00 < 1.0-1 < 1.0-1+b1 < 1.0-10");
    check(Scheme::Debian, "9:1 < 10:0.1");
    check(Scheme::Debian, "2.36-9 < 2.36-9+deb12u3~bpo11+1 < 2.36-9+deb12u3 < 2.36-9+deb12u10");
    check(Scheme::Debian, "1.2a < 1.2+ < 1.2. < 1.2.1 < 1.2.1+dfsg-1");
    check(Scheme::Debian, "1:1.2-3-4 < 1:1.2-3-5 < 1:1.2:3-1");
    check(Scheme::Debian, "5.15.0-91.101 < 5.15.0-101.111~20.04.1 < 5.15.0-101.111");
}

#[test]
fn apk() {
    check(
        Scheme::Apk,
        "1.2_alpha < 1.2_alpha2 < 1.2_beta < 1.2_pre < 1.2_rc1 < 1.2 < 1.2-r0 < 1.2-r1 < 1.2-r10",
    );
    check(Scheme::Apk, "1.2 < 1.2_cvs1 < 1.2_svn1 < 1.2_git1 < 1.2_hg1 < 1.2_p1 < 1.2a < 1.2.1");
    check(Scheme::Apk, "1.0_alpha_pre2 < 1.0_alpha < 1.0_alpha_p1");
    check(Scheme::Apk, "1.06-r6 < 1.6 < 1.50 < 006");
    check(Scheme::Apk, "1.1.1c-r0 < 1.1.1d-r0 < 1.1.1d-r1");
    check(Scheme::Apk, "1.8.31-r0 < 1.8.31p1-r0 < 1.8.31p2-r0");
    check(Scheme::Apk, "3.2.1 < 3.2.1~0abc < 3.2.1~1abc-r0");
    check(Scheme::Apk, "1.0_pre20191002222144-r0 < 1.0_pre20210530193627-r0");
}

#[test]
fn rpm() {
    // rpm-version(7) and the cases of rpm's own suite.
    check(Scheme::Rpm, "1.0~rc1~git1 < 1.0~rc1 < 1.0~rc1^git1 < 1.0~rc2 < 1.0");
    check(Scheme::Rpm, "1.0 < 1.0^git1~pre < 1.0^git1 < 1.0^git2 < 1.01");
    check(Scheme::Rpm, "1.0^20160101 < 1.0^20160101^git1 < 1.0^20160102 < 1.0.1");
    check(Scheme::Rpm, "xyz10 < xyz10.1 < 10a < 10xyz < 10.0001 = 10.1 < 10.0039 = 10.39");
    check(Scheme::Rpm, "2_0 = 2.0 = 2+0 < 2.0.1 < 2.0.1a");
    check(Scheme::Rpm, "4.999.9-1.el9 < 5.0-1.el9 = 0:5.0-1.el9 < 5.0-1.el9_2 < 1:4.0-1.el9");
    check(Scheme::Rpm, "1 < 1- < 1-0 < 1-1 < 1-1.1 < 1-123");
    check(Scheme::Rpm, "7.76.1-26.amzn2023.0.2 < 7.76.1-26.amzn2023.0.10 < 8.0-1.amzn2023");
}

#[test]
fn semver() {
    // semver.org, 2.0.0, item 11.
    check(
        Scheme::SemVer,
        "1.0.0-alpha < 1.0.0-alpha.1 < 1.0.0-alpha.beta < 1.0.0-beta < 1.0.0-beta.2 \
         < 1.0.0-beta.11 < 1.0.0-rc.1 < 1.0.0",
    );
    check(Scheme::SemVer, "0.0.0-0 < 0.0.0-1 < 0 = 0.0 = v0.0.0 < 1.2.3+a = 1.2.3+b < 2.0.0 < 2.1");
    check(Scheme::SemVer, "1.0.0-1 < 1.0.0-A < 1.0.0-a = 1.0.0a < 1.0.0-a-b");
    check(Scheme::SemVer, "1.99999999999999999999998.0 < 1.99999999999999999999999.0");
}

#[test]
fn go() {
    // The Go modules reference, "Pseudo-versions", and "Go versions" of the toolchain's reference.
    check(
        Scheme::Go,
        "v0.0.0-20191109021931-daa7c04131f5 < v0.0.0-20210101000000-aaaaaaaaaaaa < v0.1.0 \
         < v1.2.4-0.20191109021931-daa7c04131f5 < v1.2.4 < v2.0.0+incompatible = 2.0.0",
    );
    check(Scheme::Go, "v1.2.3-pre < v1.2.3-pre.0.20191109021931-daa7c04131f5 < v1.2.3");
    check(
        Scheme::Go,
        "1.22.0-0 < 1.22beta1 = go1.22beta1 < go1.22rc1 = 1.22rc1 = 1.22.0-rc.1 < go1.22rc2 \
         < 1.22.0-rc.10 < go1.22 = go1.22.0 < go1.22.1 = go1.22.1-vendor.7 = go1.22.1",
    );
    assert_eq!(Scheme::Go.compare("go1.22.1 X:boringcrypto", "1.22.1"), Some(Ordering::Equal));
}

#[test]
fn pep440() {
    // PEP 440, "Summary of permitted suffixes and relative ordering" and "Normalization".
    check(
        Scheme::Pep440,
        "1.0.dev456 < 1.0a1 < 1.0a2.dev456 < 1.0a12.dev456 < 1.0a12 < 1.0b1.dev456 < 1.0b2 \
         < 1.0b2.post345.dev456 < 1.0b2.post345 < 1.0rc1.dev456 < 1.0rc1 < 1.0 < 1.0+abc.5 \
         < 1.0+abc.7 < 1.0+5 < 1.0.post456.dev34 < 1.0.post456 < 1.1.dev1",
    );
    check(Scheme::Pep440, "1.0c1 = 1.0rc1 = 1.0.RC.1 = 1.0pre1 = 1.0-preview_1 = v1.0.0rc01");
    check(Scheme::Pep440, "1.0.post1 = 1.0-1 = 1.0.rev1 = 1.0r1 = 1.0-POST1 < 1.0.post2");
    check(Scheme::Pep440, "1.0a = 1.0alpha0 < 1.0+ubuntu.1 = 1+ubuntu_1 = 1.0+UBUNTU-1");
    check(Scheme::Pep440, "2024.1 < 1!0.1");
}

#[test]
fn maven() {
    // "Version Order Specification" of the POM reference.
    check(Scheme::Maven, "1-alpha < 1-beta < 1-milestone < 1-rc = 1-cr < 1-snapshot < 1 = 1-ga");
    check(
        Scheme::Maven,
        "1-snapshot < 1 = 1.0 = 1.ga = 1-final = 1.0.0-0.0.0 < 1-sp < 1-abc < 1-1",
    );
    check(Scheme::Maven, "1-a1 = 1-alpha-1 = 1a1 < 1-b1 = 1-beta-1 < 1-m1 = 1-milestone-1 < 1");
    check(Scheme::Maven, "1 < 1-a < 1-x < 1-1 < 1.1 < 1.2");
    check(Scheme::Maven, "1-1.foo-bar1baz-.1 = 1-1.foo-bar-1-baz-0.1");
    check(Scheme::Maven, "1.0.0-foo.0.0 = 1-foo < 1-foo2 < 1-foo10 < 1.0.1");
    check(Scheme::Maven, "2.0-rc1 < 2.0-rc2 < 2.0-SNAPSHOT < 2.0 < 2.0-1 < 2.0.1-alpha < 2.0.1");
    check(Scheme::Maven, "1.0.RC2 < 1.0-RC3 = 1.0.0.RC3 < 1.0 = 1.0.RELEASE < 1.0.1.Final");
    check(Scheme::Maven, "31.0-android < 31.0-jre < 31.1-android");
}

#[test]
fn gem() {
    // The documentation of Gem::Version.
    check(Scheme::Gem, "1.0.a < 1.0.a1 = 1.0.a.1 < 1.0.a2 < 1.0.a10 < 1.0.b1 < 1.0 = 1 = 1.0.0");
    check(Scheme::Gem, "0.9 < 1.0.0-alpha = 1.0.0.pre.alpha < 1.0.0.rc1 < 1.0 < 1.1.rc2 < 1.1");
    check(Scheme::Gem, "5.3.1 < 5.3.1.1 < 5.3.2");
}

#[test]
fn nuget() {
    // NuGet's "Package versioning".
    check(
        Scheme::NuGet,
        "1.0.1-aaa < 1.0.1-alpha = 1.0.1-ALPHA < 1.0.1-alpha10 < 1.0.1-alpha2 < 1.0.1-beta \
         < 1.0.1-open < 1.0.1-zzz < 1.0.1 = 1.0.1.0 = 1.0.1+build < 1.0.1.1 < 1.0.2",
    );
    check(Scheme::NuGet, "1.0.0-rc.2 < 1.0.0-RC.10 < 1 = 1.0 = 1.00.0.0");
}

#[test]
fn composer() {
    // The table of PHP's version_compare, and Composer's normalised forms.
    check(Scheme::Composer, "dev-main < 1.0-dev < 1.0-alpha1 = 1.0a1 < 1.0-beta2 = 1.0b2 < 1.0RC1");
    check(
        Scheme::Composer,
        "1.0-RC1 < 1.0 = v1.0.0 = 1.0.0.0 = 1.0-stable = 1.0+x < 1.0-p1 = 1.0pl1",
    );
    check(Scheme::Composer, "1.0-p1 < 1.0.1 < 1.2 < 1.10 < 2.0.0-beta.1 < 2.0.0-beta.2");
}

#[test]
fn no_versions() {
    for (scheme, text) in [
        (Scheme::Debian, "a:1"),
        (Scheme::Debian, "1:"),
        (Scheme::Debian, "1 2"),
        (Scheme::Debian, "1_2"),
        (Scheme::Debian, "-1"),
        (Scheme::Debian, "1-1:2"),
        (Scheme::Apk, "v1"),
        (Scheme::Apk, "1_foo"),
        (Scheme::Apk, "1-r"),
        (Scheme::Apk, "1..2"),
        (Scheme::Apk, "1-r0_p1"),
        (Scheme::Apk, "1.2ab"),
        (Scheme::Rpm, "1:"),
        (Scheme::Rpm, "1 2"),
        (Scheme::SemVer, "latest"),
        (Scheme::SemVer, "1.x"),
        (Scheme::SemVer, "1.2.3.4.5"),
        (Scheme::SemVer, "1.2.3-a/b"),
        (Scheme::Go, "(devel)"),
        (Scheme::Go, "devel go1.22-abc"),
        (Scheme::Pep440, "1.0-final-x"),
        (Scheme::Pep440, "1.0+"),
        (Scheme::Pep440, "1..0"),
        (Scheme::Pep440, "x"),
        (Scheme::Maven, "${project.version} x"),
        (Scheme::Gem, "a"),
        (Scheme::Gem, "1..2"),
        (Scheme::Gem, "1.2 3"),
        (Scheme::NuGet, "*"),
        (Scheme::Composer, "+"),
    ] {
        assert_eq!(scheme.compare(text, text), None, "{scheme:?} takes {text:?} for a version");
        let one = "1";
        assert_eq!(scheme.compare_all(text, one), Ordering::Less, "{scheme:?} {text:?}");
        assert_eq!(scheme.compare_all(text, text), Ordering::Equal);
    }
    for scheme in Scheme::ALL {
        for text in ["", " ", "\n"] {
            assert_eq!(scheme.compare(text, text), None, "{scheme:?} {text:?}");
        }
        let longest = "1".repeat(VERSION_BYTES_MAX);
        assert_eq!(scheme.compare(&longest, &longest), Some(Ordering::Equal));
        let longer = "1".repeat(VERSION_BYTES_MAX + 1);
        assert_eq!(scheme.compare(&longer, &longer), None);
    }
}

/// Texts that are versions more often than not, and close to one another.
fn versions() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => "[0-9]{1,2}",
        2 => Just(".".to_owned()),
        1 => Just("-".to_owned()),
        1 => prop::sample::select(vec![
            "~", "^", "+", ":", "_", "-r", "a", "b", "z", "alpha", "beta", "rc", "_rc", "_p", "pre",
            "post", "dev", ".dev", "sp", "snapshot", "final", "v", "!", "0", "00", ".0", ".0.0", "-0",
            "pl", "RC", "É",
        ])
        .prop_map(str::to_owned),
    ];
    prop::collection::vec(piece, 0..7).prop_map(|pieces| format!("1{}", pieces.concat()))
}

fn is_total_order(scheme: Scheme, a: &str, b: &str, c: &str) {
    let compare = |left, right| scheme.compare_all(left, right);
    assert_eq!(compare(a, a), Ordering::Equal, "{scheme:?}: {a} is not itself");
    assert_eq!(compare(a, b), compare(b, a).reverse(), "{scheme:?}: {a} and {b}");
    let mut sorted = [a, b, c];
    sorted.sort_by(|left, right| compare(left, right));
    let [low, middle, high] = sorted;
    assert_ne!(compare(low, middle), Ordering::Greater, "{scheme:?}: {low}, {middle}, {high}");
    assert_ne!(compare(middle, high), Ordering::Greater, "{scheme:?}: {low}, {middle}, {high}");
    assert_ne!(compare(low, high), Ordering::Greater, "{scheme:?}: {low}, {middle}, {high}");
    if compare(low, high).is_eq() {
        assert_eq!(compare(low, middle), Ordering::Equal, "{scheme:?}: {low}, {middle}, {high}");
    }
    if compare(low, middle).is_eq() {
        assert_eq!(
            compare(low, high),
            compare(middle, high),
            "{scheme:?}: {low}, {middle}, {high}"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn total_orders(a in versions(), b in versions(), c in versions()) {
        for scheme in Scheme::ALL {
            is_total_order(scheme, &a, &b, &c);
        }
    }

    #[test]
    fn any_text(a in ".{0,24}", b in "\\PC{0,24}", c in "[0-9a-z.~^+:_-]{0,12}") {
        for scheme in Scheme::ALL {
            is_total_order(scheme, &a, &b, &c);
        }
    }
}
