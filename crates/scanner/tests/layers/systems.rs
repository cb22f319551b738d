//! Databases of the package managers of operating systems.

use crate::support::rpm::{self, Value};
use crate::support::{Layer, check, lines};

#[test]
fn dpkg() {
    let status = "var/lib/dpkg/status";
    check(status, b"", &[], &[]);
    check(
        status,
        b"Package: libc6\nStatus: install ok installed\nSource: glibc (2.36-9)\n\
          Architecture: amd64\nVersion: 2.36-9+b1\nDescription: library\n Package: no\n\n\n\
          Package: gone\nStatus: deinstall ok config-files\nVersion: 1\n\n\
          Package: half\nStatus: install reinstreq half-installed\nVersion: 1\n\n\
          Package: base-files\nVersion: 1:12.4\nStatus: hold ok installed\n",
        &[
            "pkg:deb/libc6@2.36-9%2Bb1?arch=amd64&upstream=glibc%402.36-9 var/lib/dpkg/status",
            "pkg:deb/base-files@1:12.4 var/lib/dpkg/status",
        ],
        &[],
    );
    check(status, b"Package: a\nVersion: 1\n", &[], &[]);
    check(status, b"Package: a\nStatus: install ok installed\n", &[], &[]);
    check(status, b"\xff\xfe\0: x\nPackage:\nVersion: 1\nStatus: a installed\n", &[], &[]);
    check(
        "var/lib/dpkg/status.d/base",
        b"Package: base-files\nSource: base\nVersion: 12.4\n",
        &["pkg:deb/base-files@12.4?upstream=base var/lib/dpkg/status.d/base"],
        &[],
    );
    check("var/lib/dpkg/status.d/base.md5sums", b"0123  usr/share/x\n", &[], &[]);
    let long = format!("Package: {}\nVersion: 1\nStatus: install ok installed\n", "x".repeat(2000));
    check(status, long.as_bytes(), &[], &[]);
}

#[test]
fn apk() {
    for path in ["lib/apk/db/installed", "usr/lib/apk/db/installed"] {
        check(
            path,
            b"C:Q1\nP:musl\nV:1.2.4-r2\nA:x86_64\nS:1\nL:MIT\no:musl\nF:lib\nR:ld.so\na:0:0:755\n\n\
              P:libcrypto3\nV:3.1.4-r5\no:openssl\n\nP:incomplete\n\nV:1\n",
            &[
                &format!("pkg:apk/musl@1.2.4-r2?arch=x86_64 {path} licence=MIT"),
                &format!("pkg:apk/libcrypto3@3.1.4-r5?upstream=openssl {path}"),
            ],
            &[],
        );
    }
}

fn full() -> Vec<u8> {
    rpm::header(&[
        (rpm::NAME, Value::Text("nodejs")),
        (rpm::VERSION, Value::Text("18.14.2")),
        (rpm::RELEASE, Value::Text("2.module_el9")),
        (rpm::EPOCH, Value::Number(1)),
        (rpm::LICENCE, Value::Text("MIT and ASL 2.0")),
        (rpm::ARCHITECTURE, Value::Text("x86_64")),
        (rpm::SOURCE, Value::Text("nodejs-18.14.2-2.module_el9.src.rpm")),
        (rpm::DIRECTORY_INDEXES, Value::Numbers(&[0, 1])),
        (rpm::BASE_NAMES, Value::Texts(&["node", "package.json"])),
        (rpm::DIRECTORY_NAMES, Value::Texts(&["/usr/bin/", "/usr/lib/node_modules/npm/"])),
        (rpm::MODULE, Value::Text("nodejs:18:9020230301:rhel9")),
    ])
}

const FULL: &str = "pkg:rpm/nodejs@18.14.2-2.module_el9?arch=x86_64&epoch=1\
    &upstream=nodejs%4018.14.2-2.module_el9";

fn key() -> Vec<u8> {
    rpm::header(&[(rpm::NAME, Value::Text("gpg-pubkey")), (rpm::VERSION, Value::Text("1"))])
}

#[test]
fn rpm_databases() {
    let headers = [full(), rpm::small("small"), key(), rpm::large("large", 30_000)];
    for (path, database) in [
        ("var/lib/rpm/rpmdb.sqlite", rpm::sqlite(4096, &headers)),
        ("usr/lib/sysimage/rpm/rpmdb.sqlite", rpm::sqlite(512, &headers)),
        ("usr/share/rpm/rpmdb.sqlite", rpm::sqlite(65_536, &headers)),
        ("usr/lib/sysimage/rpm/Packages.db", rpm::ndb(&headers)),
        ("var/lib/rpm/Packages", rpm::bdb(false, &headers)),
        ("usr/share/rpm/Packages", rpm::bdb(true, &headers)),
    ] {
        check(
            path,
            &database,
            &[
                &format!("{FULL} {path} module=nodejs:18:9020230301:rhel9 licence=MIT and ASL 2.0"),
                &format!("pkg:rpm/small@1.0-1.el9 {path}"),
                &format!("pkg:rpm/large@1.0-1.el9 {path}"),
            ],
            &[],
        );
    }
}

#[test]
fn large_rpm_database() {
    let headers: Vec<_> = (0..3_000).map(|number| rpm::small(&format!("package{number}"))).collect();
    let database = rpm::sqlite(1024, &headers);
    let index = Layer::new().file("var/lib/rpm/rpmdb.sqlite", &database).index();
    let names: Vec<_> = index.packages().map(|package| package.name).collect();
    let expected: Vec<_> = (0..3_000).map(|number| format!("package{number}")).collect();
    assert_eq!(names, expected);
}

#[test]
fn broken_rpm_databases() {
    let headers = [rpm::small("a"), rpm::large("b", 10_000)];
    let changed = |mut database: Vec<u8>, at: usize, bytes: &[u8]| {
        database[at..at + bytes.len()].copy_from_slice(bytes);
        database
    };
    let (sqlite, ndb, bdb) =
        (rpm::sqlite(4096, &headers), rpm::ndb(&headers), rpm::bdb(false, &headers));
    let past = "it refers to what is past its end";
    for (path, database, problem) in [
        ("var/lib/rpm/rpmdb.sqlite", vec![], past),
        ("var/lib/rpm/rpmdb.sqlite", vec![0; 4096], "not a database of SQLite"),
        (
            "var/lib/rpm/rpmdb.sqlite",
            changed(sqlite.clone(), 16, &[3, 3]),
            "pages have an impossible size",
        ),
        (
            "var/lib/rpm/rpmdb.sqlite",
            changed(sqlite.clone(), 100, &[10]),
            "a page is not of a table",
        ),
        (
            "var/lib/rpm/rpmdb.sqlite",
            sqlite[..sqlite.len() - 8192].to_vec(),
            "it refers to a page that is not there",
        ),
        ("var/lib/rpm/Packages.db", vec![0; 4096], "not a database of rpm's own format"),
        ("var/lib/rpm/Packages.db", ndb[..4100].to_vec(), past),
        ("var/lib/rpm/Packages.db", ndb[..5000].to_vec(), "its packages are larger than the database"),
        ("var/lib/rpm/Packages.db", changed(ndb.clone(), 32, b"XXXX"), "a slot has no mark"),
        (
            "var/lib/rpm/Packages.db",
            changed(ndb.clone(), 12, &[255, 255, 255, 255]),
            "a slot has no mark",
        ),
        (
            "var/lib/rpm/Packages.db",
            changed(ndb, 4096 + 12, &[255, 255, 255, 0]),
            "its packages are larger than the database",
        ),
        ("var/lib/rpm/Packages", vec![0; 4096], "not a hash of Berkeley DB"),
        ("var/lib/rpm/Packages", changed(bdb.clone(), 24, &[1]), "the database is encrypted"),
        ("var/lib/rpm/Packages", changed(bdb.clone(), 32, &[255, 255, 255, 255]), past),
        (
            "var/lib/rpm/Packages",
            changed(bdb.clone(), 20, &[0, 0, 0, 128]),
            "pages have an impossible size",
        ),
        // The chain's second page points to the first.
        (
            "var/lib/rpm/Packages",
            changed(bdb, 3 * 4096 + 16, &[1, 0, 0, 0]),
            "a chain of pages is broken",
        ),
        (
            "var/lib/rpm/rpmdb.sqlite-wal",
            vec![1],
            "it holds changes of RPM's database that are not part of that yet, and not read",
        ),
    ] {
        check(path, &database, &[], &[problem]);
    }
    check("var/lib/rpm/rpmdb.sqlite-wal", b"", &[], &[]);
}

#[test]
fn broken_rpm_headers() {
    let unnamed = rpm::header(&[(rpm::VERSION, Value::Text("1"))]);
    let index = Layer::new()
        .file(
            "var/lib/rpm/rpmdb.sqlite",
            rpm::sqlite(4096, &[unnamed, rpm::small("good"), vec![255; 40], vec![]]),
        )
        .index();
    assert_eq!(
        lines(index.packages()),
        ["pkg:rpm/good@1.0-1.el9 var/lib/rpm/rpmdb.sqlite"],
        "the others are read",
    );
    let problems: Vec<_> = index.warnings().iter().map(|warning| &*warning.problem).collect();
    assert_eq!(
        problems,
        [
            "a package's header: it has no name or no version",
            "a package's header: its parts do not fit it",
            "a package's header: its parts do not fit it",
        ],
    );
}
