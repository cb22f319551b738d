//! Layers that are made to do harm.

use tonnage_scanner::layers::{LayerError, Limits};

use crate::formats::{entry, header, pax, seal};
use crate::support::zip::zip;
use crate::support::{Layer, gzip, index, index_within};

#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    /// Read, with these problems of files.
    Read(&'static [&'static str]),
    Limit(&'static str),
    Failed(&'static str),
    Unsupported(&'static str),
}

#[track_caller]
fn check(name: &str, layer: &[u8], limits: &Limits, expected: &Outcome) {
    let fits = match (index_within(layer, limits), expected) {
        (Ok(index), Outcome::Read(problems)) => {
            let found: Vec<_> = index.warnings().iter().map(|warning| &*warning.problem).collect();
            assert_eq!(&found, problems, "{name}");
            true
        }
        (Err(LayerError::LimitExceeded { limit, .. }), Outcome::Limit(expected)) => {
            limit == *expected
        }
        (Err(LayerError::Failed(problem)), Outcome::Failed(expected)) => problem == *expected,
        (Err(LayerError::Unsupported(problem)), Outcome::Unsupported(expected)) => {
            problem == *expected
        }
        _ => false,
    };
    assert!(fits, "{name}: {:?}, not {expected:?}", index_within(layer, limits));
}

fn sized(name: &str, type_flag: u8, size: u64) -> Vec<u8> {
    header(name.as_bytes(), type_flag, &format!("{size:011o}")).to_vec()
}

#[test]
fn archives() {
    let limits = Limits {
        layer_bytes_max: 8 << 20,
        entries_max: 1_000,
        index_bytes_max: 64 << 10,
        ..Limits::default()
    };
    let mut huge = header(b"x", b'0', "");
    huge[124..136].fill(0xff);
    huge[124] = 0x80;
    seal(&mut huge);
    let mut negative = huge;
    negative[124] = 0xff;
    seal(&mut negative);
    let mut word = header(b"x", b'0', "");
    word[124..133].copy_from_slice(b"notanumbe");
    seal(&mut word);
    let deep = "d/".repeat(300);
    let many = entry(b"x", b'0', b"").repeat(1_001);
    let whiteouts: Vec<u8> =
        (0..999).flat_map(|number| entry(format!(".wh.{number}").as_bytes(), b'0', b"")).collect();
    let nodes: Vec<u8> = (0..900)
        .flat_map(|number| {
            let path = format!("{number}/node_modules/x/package.json");
            entry(path.as_bytes(), b'0', br#"{"name":"x","version":"1"}"#)
        })
        .collect();
    let status = "Package: x\nVersion: 1\nStatus: a b installed\n\n".to_string().repeat(1_000);
    let links: Vec<u8> = {
        let path = b"lib/apk/db/installed";
        let mut links = entry(path, b'0', "P:x\nV:1\n\n".repeat(100).as_bytes());
        for _ in 0..100 {
            let mut link = header(b"usr/lib/apk/db/installed", b'1', "00000000000");
            link[157..157 + path.len()].copy_from_slice(path);
            seal(&mut link);
            links.extend(link);
        }
        links
    };
    let circle: Vec<u8> = [("lib/apk/db/installed", "usr/lib/apk/db/installed"), ("a", "a")]
        .into_iter()
        .flat_map(|(one, other)| [(one, other), (other, one)])
        .flat_map(|(path, target)| {
            let mut link = header(path.as_bytes(), b'1', "00000000000");
            link[157..157 + target.len()].copy_from_slice(target.as_bytes());
            seal(&mut link);
            link
        })
        .collect();
    const NOT_READ: &str = "it is another name of a file that was not read";
    for (name, layer, expected) in [
        ("links in a circle", circle, Outcome::Read(&[NOT_READ, NOT_READ])),
        (
            "names that climb out",
            [
                entry(b"../../../../etc/os-release", b'0', b"ID=x\n"),
                entry(b"/../var/lib/dpkg/status", b'0', b"Package: x\n"),
                entry(b"a/../../.wh.etc", b'0', b""),
            ]
            .concat(),
            Outcome::Read(&[]),
        ),
        (
            "databases of packages that are none",
            [
                entry(b"var/lib/dpkg/status", b'0', &[0xff; 9_000]),
                entry(b"var/lib/dpkg/status.d/x", b'0', b": \n\n::\nPackage\n"),
                entry(b"lib/apk/db/installed", b'0', b"P:\nV:\n\n\0\0P:x"),
            ]
            .concat(),
            Outcome::Read(&[]),
        ),
        ("zeros without end", vec![0; 9 << 20], Outcome::Read(&[])),
        (
            "a file of zeros",
            [sized("x", b'0', 20 << 20), vec![0; 9 << 20]].concat(),
            Outcome::Limit("decompressed bytes of the layer"),
        ),
        ("many entries", many, Outcome::Limit("entries of the archive")),
        (
            "many headers that only extend",
            pax(&[("path", "x")]).repeat(1_001),
            Outcome::Limit("entries of the archive"),
        ),
        ("long GNU name", sized("x", b'L', 1 << 30), Outcome::Limit("bytes of a path")),
        ("long GNU link", sized("x", b'K', 1 << 30), Outcome::Limit("bytes of a path")),
        ("long PAX records", sized("x", b'x', 1 << 30), Outcome::Limit("bytes of PAX records")),
        (
            "long PAX path",
            [pax(&[("path", &"x".repeat(5_000))]), entry(b"x", b'0', b"")].concat(),
            Outcome::Limit("bytes of a path"),
        ),
        (
            "deep path",
            [pax(&[("path", &deep)]), entry(b"x", b'0', b"")].concat(),
            Outcome::Limit("parts of a path"),
        ),
        (
            "NUL in a path",
            [pax(&[("path", "a\0b")]), entry(b"x", b'0', b"")].concat(),
            Outcome::Failed("tar: a name contains NUL"),
        ),
        ("no name", entry(b"", b'0', b""), Outcome::Failed("tar: an entry has no name")),
        (
            "PAX records without an end",
            entry(b"x", b'x', b"99999 path=x\n"),
            Outcome::Failed("tar: a PAX record is malformed"),
        ),
        (
            "PAX record of no length",
            entry(b"x", b'x', b"0 path=x\n"),
            Outcome::Failed("tar: a PAX record is malformed"),
        ),
        (
            "PAX size that is no number",
            [pax(&[("size", "-1")]), entry(b"x", b'0', b"")].concat(),
            Outcome::Failed("tar: the size in a PAX record is not a number"),
        ),
        (
            "PAX size beyond any archive",
            [pax(&[("size", "18446744073709551615")]), entry(b"x", b'0', b"")].concat(),
            Outcome::Failed("tar: the size of an entry is larger than any archive"),
        ),
        (
            "a size beyond any number",
            huge.to_vec(),
            Outcome::Failed("tar: the size of an entry is not a number"),
        ),
        (
            "a negative size",
            negative.to_vec(),
            Outcome::Failed("tar: the size of an entry is not a number"),
        ),
        (
            "a size in words",
            word.to_vec(),
            Outcome::Failed("tar: the size of an entry is not a number"),
        ),
        (
            "a size beyond the data",
            sized("x", b'0', 1 << 30),
            Outcome::Failed("tar: the archive ends in the data of an entry"),
        ),
        (
            "evidence beyond the data",
            sized("var/lib/dpkg/status", b'0', 1 << 20),
            Outcome::Failed("tar: the archive ends in the data of an entry"),
        ),
        ("many whiteouts", whiteouts, Outcome::Read(&[])),
        ("many packages in many files", nodes, Outcome::Limit("bytes of what is found")),
        (
            "many packages in one file",
            entry(b"var/lib/dpkg/status", b'0', status.as_bytes()),
            Outcome::Limit("bytes of what is found"),
        ),
        ("many names of one file", links, Outcome::Limit("bytes of what is found")),
        (
            "no archive",
            vec![b'x'; 5_000],
            Outcome::Unsupported("its data is no tar archive, compressed or not"),
        ),
    ] {
        check(name, &layer, &limits, &expected);
    }
}

#[test]
fn sparse_files() {
    let sparse = "it is stored as a sparse file, which is not read";
    let mut old = header(b"bin/x", b'S', "00000001000");
    old[482] = 1;
    old[483..495].copy_from_slice(b"777777777777");
    seal(&mut old);
    let mut map = [0; 512];
    map[504] = 1;
    let next = entry(b"etc/os-release", b'0', b"ID=x\n");
    let gnu = [&old[..], &map, &map, &[0; 512], &[1; 512], &next].concat();
    let records = [
        ("GNU.sparse.major", "1"),
        ("GNU.sparse.name", "var/lib/dpkg/status"),
        ("GNU.sparse.realsize", "8589934592"),
    ];
    let posix = [pax(&records), entry(b"GNUSparseFile.0/status", b'0', b"0\n"), next].concat();
    for (name, layer, path) in
        [("old", gnu, "bin/x"), ("in PAX records", posix, "var/lib/dpkg/status")]
    {
        let index = index(&layer).expect(name);
        let problems: Vec<_> = index
            .warnings()
            .iter()
            .map(|warning| (warning.path.as_str(), warning.problem.as_str()))
            .collect();
        assert_eq!(problems, [(path, sparse)], "{name}");
        let inventory = tonnage_scanner::layers::squash([&index]);
        assert!(inventory.os.is_some(), "{name}: what follows is read");
    }
    let endless = [&old[..], &map.repeat(20_000)].concat();
    let expected = Outcome::Failed("tar: the archive ends in the map of a sparse file");
    check("a map without end", &endless, &Limits::default(), &expected);
}

#[test]
fn compression() {
    let zeros = [sized("x", b'0', 64 << 20), vec![0; 64 << 20]].concat();
    let bomb = gzip(&zeros);
    let limit = |layer_bytes_max| Limits { layer_bytes_max, ..Limits::default() };
    let expected = Outcome::Limit("decompressed bytes of the layer");
    check("gzip", &bomb, &limit(10 << 20), &expected);
    let zstd = zstd::encode_all(&zeros[..], 3).expect("zstd");
    check("zstd", &zstd, &limit(10 << 20), &expected);
    let ratio = Limits { ratio_max: 100, ratio_free_bytes: 1 << 20, ..Limits::default() };
    check("ratio", &bomb, &ratio, &Outcome::Limit("decompressed bytes for each compressed one"));
    let work = Limits { work_bytes_max: 10 << 20, ..Limits::default() };
    check("work", &bomb, &work, &Outcome::Limit("bytes of work"));
    check("enough", &bomb, &Limits::default(), &Outcome::Read(&[]));
}

#[test]
fn files_that_are_too_large() {
    let limits = Limits {
        database_bytes_max: 1_000,
        rpm_database_bytes_max: 1_000,
        metadata_bytes_max: 1_000,
        executable_bytes_max: 1_000,
        archive_bytes_max: 1_000,
        ..Limits::default()
    };
    for path in [
        "var/lib/dpkg/status",
        "var/lib/dpkg/info/x.list",
        "lib/apk/db/installed",
        "var/lib/rpm/Packages",
        "etc/os-release",
        "node_modules/x/package.json",
        "x.egg-info",
        "specifications/x.gemspec",
        "x.jar",
        "bin/x",
    ] {
        let mut content = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x02\0".to_vec();
        content.extend(b"x\n".repeat(1_000));
        let layer = Layer::new().file(path, &content).file("after", b"").tar();
        check(path, &layer, &limits, &Outcome::Read(&["larger than 1000 bytes"]));
    }
}

#[test]
fn java_archives() {
    let zeros = vec![0; 3 << 20];
    let bomb = zip(&[("a.jar", &zeros), ("META-INF/MANIFEST.MF", &zeros)]);
    let limits = Limits { archive_inflated_bytes_max: 1 << 20, ..Limits::default() };
    let layer = Layer::of(&[("x.jar", &bomb)]).tar();
    const MORE: &[&str] = &[
        "!/a.jar: it holds more than 1048576 bytes",
        "!/META-INF/MANIFEST.MF: it holds more than 1048576 bytes",
    ];
    check("inflated bytes", &layer, &limits, &Outcome::Read(MORE));
    let work = Limits { work_bytes_max: 1 << 20, ..Limits::default() };
    check("work", &layer, &work, &Outcome::Limit("bytes of work"));

    let entries: Vec<(&str, &[u8])> = vec![("x", b""); 100];
    let layer = Layer::of(&[("x.jar", &zip(&entries))]).tar();
    let limits = Limits { archive_entries_max: 99, ..Limits::default() };
    check("entries", &layer, &limits, &Outcome::Read(&["it has more than 99 entries"]));

    let good = zip(&[("META-INF/maven/g/a/pom.properties", b"groupId=g\nartifactId=a\nversion=1")]);
    let changed = |from_end: usize, bytes: &[u8]| {
        let mut archive = good.clone();
        let at = archive.len() - from_end;
        archive[at..at + bytes.len()].copy_from_slice(bytes);
        Layer::of(&[("x.jar", &archive)]).tar()
    };
    // The end of the directory is 22 bytes and 4 of a comment; the only entry before it 46 and 33.
    let directory = 26 + 46 + 33;
    for (name, layer, problem) in [
        (
            "directory before the start",
            changed(14, &[255, 255, 255]),
            "its directory is not where it is said to be",
        ),
        ("directory of nothing", changed(directory, b"PKXX"), "its directory is broken"),
        (
            "name longer than the directory",
            changed(directory - 28, &[255, 255]),
            "its directory is broken",
        ),
        (
            "unknown compression",
            changed(directory - 10, &[12]),
            "!/META-INF/maven/g/a/pom.properties: META-INF/maven/g/a/pom.properties is compressed \
             with method 12, which is not read",
        ),
        (
            "encrypted",
            changed(directory - 8, &[1]),
            "!/META-INF/maven/g/a/pom.properties: META-INF/maven/g/a/pom.properties is encrypted",
        ),
        (
            "content past the end",
            changed(directory - 20, &[255, 255, 255, 127]),
            "!/META-INF/maven/g/a/pom.properties: it refers to what is past its end",
        ),
        (
            "no entry where it should be",
            changed(directory - 42, &[3]),
            "!/META-INF/maven/g/a/pom.properties: an entry is not where it is said to be",
        ),
    ] {
        let index = index(&layer).expect(name);
        let problems: Vec<_> = index.warnings().iter().map(|warning| &*warning.problem).collect();
        assert_eq!(problems, [problem], "{name}");
    }
}

#[test]
fn problems_are_counted_not_kept() {
    let mut layer = Layer::new();
    for number in 0..150 {
        layer = layer.file(&format!("node_modules/{number}/package.json"), b"{");
    }
    let index = layer.index();
    assert_eq!((index.warnings().len(), index.warnings_dropped()), (100, 50));
}
