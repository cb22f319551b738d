//! Whatever the bytes are: no panic, an answer within the limits, and what is found can be stored.

use proptest::prelude::*;

use crate::fuzz::{evidence, layers};
use crate::support::elf::{Section, elf, go_block, old_go_block};
use crate::support::zip::{Form, zip_as};
use crate::support::{Layer, gzip, rpm};

/// Cuts and insertions: where, how much goes, what comes.
fn changes() -> impl Strategy<Value = Vec<(prop::sample::Index, usize, Vec<u8>)>> {
    let bytes = prop::collection::vec(prop_oneof![Just(0), Just(0xff), any::<u8>()], 0..6);
    prop::collection::vec((any::<prop::sample::Index>(), 0..6_usize, bytes), 1..8)
}

fn changed(good: &[u8], changes: &[(prop::sample::Index, usize, Vec<u8>)]) -> Vec<u8> {
    let mut bytes = good.to_vec();
    for (at, length, insert) in changes {
        if bytes.is_empty() {
            break;
        }
        let start = at.index(bytes.len());
        let end = (start + length).min(bytes.len());
        // Mostly in place, so that what follows stays where it is.
        if *length == 5 {
            bytes.splice(start..end, insert.iter().copied());
        } else {
            for (byte, new) in bytes[start..].iter_mut().zip(insert) {
                *byte = *new;
            }
        }
    }
    bytes
}

/// The number of a file name in the fuzz target, and a good content for it.
pub(crate) fn good_evidence() -> Vec<(u8, Vec<u8>)> {
    let headers = [rpm::small("a"), rpm::large("b", 9_000)];
    let modules = "mod\ta.b/c\tv1\ndep\td.e/f\tv2\n=>\tg/h\tv3\n";
    let section = |name, content: &[u8]| elf(&[Section { name, content }]);
    let properties: (&str, &[u8]) =
        ("META-INF/maven/g/a/pom.properties", b"groupId=g\nartifactId=a\nversion=1\n");
    let inner = zip_as(Form::Deflated, b"", &[properties]);
    let contents: [(&str, Vec<u8>); 15] = [
        ("var/lib/rpm/rpmdb.sqlite", rpm::sqlite(512, &headers)),
        ("var/lib/rpm/Packages.db", rpm::ndb(&headers)),
        ("var/lib/rpm/Packages", rpm::bdb(false, &headers)),
        ("bin/program", section(".go.buildinfo", &go_block("go1.22", modules))),
        ("bin/program", section(".go.buildinfo", &old_go_block("go1.15", modules))),
        ("bin/program", section(".dep-v0", b"x\x9cK\xd1")),
        ("lib/a.jar", zip_as(Form::Stored, b"", &[properties, ("b.jar", &inner)])),
        ("lib/a.jar", zip_as(Form::Zip64, b"#!", &[properties, ("b.jar", &inner)])),
        ("var/lib/dpkg/status", b"Package: a\nStatus: a b installed\nVersion: 1\n\n".to_vec()),
        ("lib/apk/db/installed", b"P:a\nV:1\nF:bin\nR:x\n\n".to_vec()),
        ("node_modules/a/package.json", br#"{"name":"@a/b","version":"1","license":{"type":"X"}}"#.to_vec()),
        ("a.egg-info", b"Name: a\nVersion: 1\n".to_vec()),
        ("specifications/a.gemspec", b"# stub: a 1 ruby lib\n s.licenses = [\"MIT\"]".to_vec()),
        ("a.deps.json", br#"{"libraries":{"a/1":{"type":"package"}}}"#.to_vec()),
        ("vendor/composer/installed.json", br#"[{"name":"a/b","version":"1"}]"#.to_vec()),
    ];
    let number = |path| evidence::PATHS.iter().position(|known| *known == path).expect(path) as u8;
    contents.into_iter().map(|(path, content)| (number(path), content)).collect()
}

#[test]
fn good_evidence_is_good() {
    for (number, content) in good_evidence() {
        let target = [&[number][..], &content].concat();
        let packages = evidence::replay(&target);
        let path = evidence::PATHS[usize::from(number)];
        // One of the executables only starts like a list of crates.
        assert!(packages > 0 || path == "bin/program", "{path} has no packages");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..2_000)) {
        layers::target(&bytes);
    }

    #[test]
    fn mutated_archives(changes in changes(), gzipped: bool) {
        let tar = Layer::of(&[
            ("etc/os-release", b"ID=debian\n"),
            ("var/lib/dpkg/status", b"Package: a\nStatus: a b installed\nVersion: 1\n\n"),
            (&format!("{}/x", "long".repeat(40)), b"x"),
        ])
        .link("etc/link", "etc/os-release")
        .directory("etc/x")
        .tar();
        let bytes = if gzipped { gzip(&tar) } else { tar };
        layers::target(&changed(&bytes, &changes));
    }

    #[test]
    fn mutated_evidence(which in any::<prop::sample::Index>(), changes in changes()) {
        thread_local! {
            static GOOD: Vec<(u8, Vec<u8>)> = good_evidence();
        }
        GOOD.with(|good| {
            let (number, content) = &good[which.index(good.len())];
            evidence::target(&[&[*number][..], &changed(content, &changes)].concat());
        });
    }

    #[test]
    fn any_evidence(number in 0..32_u8, content in prop::collection::vec(any::<u8>(), 0..600)) {
        evidence::target(&[&[number][..], &content].concat());
    }

    #[test]
    fn any_text_as_evidence(number in 0..32_u8, content in "\\PC{0,200}") {
        evidence::target(&[&[number][..], content.as_bytes()].concat());
    }
}
