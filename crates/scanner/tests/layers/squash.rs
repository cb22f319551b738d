//! Layers on top of one another.

use tonnage_scanner::layers::{Inventory, LayerIndex, squash};

use crate::support::elf::{Section, elf, go_block};
use crate::support::rpm::{self, Value};
use crate::support::zip::zip;
use crate::support::{Layer, lines};

fn inventory(layers: impl IntoIterator<Item = Layer>) -> Inventory {
    // What was stored is as good as what was just made.
    let stored = |layer: Layer| {
        let index = layer.index();
        let bytes = index.to_bytes().expect("bytes");
        let again = LayerIndex::from_bytes(&bytes).expect("the same index");
        assert_eq!(again, index);
        assert_eq!(again.to_bytes().expect("bytes"), bytes);
        again
    };
    let indexes: Vec<LayerIndex> = layers.into_iter().map(stored).collect();
    squash(&indexes)
}

#[track_caller]
fn check(name: &str, layers: impl IntoIterator<Item = Layer>, expected: &[&str]) {
    let found = lines(inventory(layers).packages);
    assert_eq!(found, expected, "{name}");
}

fn module(path: &str, version: &str) -> Layer {
    with_module(Layer::new(), path, version)
}

fn with_module(layer: Layer, path: &str, version: &str) -> Layer {
    layer.file(path, format!(r#"{{"name":"x","version":"{version}"}}"#))
}

const X: &str = "a/node_modules/x/package.json";

#[test]
fn files_and_whiteouts() {
    let first = &format!("pkg:npm/x@1 {X} layer=0");
    let second = &format!("pkg:npm/x@2 {X} layer=1");
    let base = || module(X, "1");
    check("one layer", [base()], &[first]);
    check("untouched", [base(), module("other", "1")], &[first]);
    check("replaced", [base(), module(X, "2")], &[second]);
    check("written again", [base(), module(X, "1")], &[first]);
    check(
        "replaced by nothing of interest",
        [base(), Layer::of(&[(X, b"{}")])],
        &[],
    );
    check("replaced by a link", [base(), Layer::new().symlink(X, "/x")], &[]);
    check("replaced by a directory", [base(), Layer::new().directory(X)], &[]);
    check("directory again", [base(), Layer::new().directory("a/node_modules/x")], &[first]);
    check("directory replaced by a file", [base(), Layer::of(&[("a/node_modules", b"")])], &[]);
    check("directory replaced by a link", [base(), Layer::new().symlink("a", "b")], &[]);
    check(
        "gone",
        [base(), Layer::of(&[("a/node_modules/x/.wh.package.json", b"")])],
        &[],
    );
    check("directory gone", [base(), Layer::of(&[("a/.wh.node_modules", b"")])], &[]);
    check("everything gone", [base(), Layer::of(&[(".wh.a", b"")])], &[]);
    check("another gone", [base(), Layer::of(&[("a/node_modules/.wh.xx", b"")])], &[first]);
    check(
        "gone and there in one layer, in either order",
        [
            with_module(Layer::of(&[("a/.wh.node_modules", b"")]), X, "2"),
            module(X, "1"),
            module(X, "2").file("a/.wh.node_modules", b""),
        ],
        &[&format!("pkg:npm/x@2 {X} layer=2")],
    );
    check("opaque", [base(), Layer::of(&[("a/node_modules/.wh..wh..opq", b"")])], &[]);
    check("opaque root", [base(), Layer::of(&[(".wh..wh..opq", b"")])], &[]);
    check(
        "opaque with new content",
        [base(), module(X, "2").file("a/node_modules/.wh..wh..opq", b"")],
        &[second],
    );
    check("opaque elsewhere", [base(), Layer::of(&[("b/.wh..wh..opq", b"")])], &[first]);
    check(
        "gone, then there again",
        [base(), Layer::of(&[(".wh.a", b"")]), module(X, "1")],
        &[&format!("pkg:npm/x@1 {X} layer=2")],
    );
    check("markers of the file system", [base(), Layer::of(&[(".wh..wh.plnk", b"")])], &[first]);
}

#[test]
fn twice_in_one_layer() {
    let second = &format!("pkg:npm/x@2 {X} layer=0");
    check("the last counts", [with_module(module(X, "1"), X, "2")], &[second]);
    check("a link last", [module(X, "1").symlink(X, "y")], &[]);
    check("its directory last", [module(X, "1").file("a/node_modules", b"")], &[]);
    check("sibling last", [module(X, "2").file("a/node_modules-x", b"")], &[second]);
    check(
        "a hard link is the same file",
        [module(X, "1").link("b/node_modules/x/package.json", X)],
        &[
            &format!("pkg:npm/x@1 {X} layer=0"),
            "pkg:npm/x@1 b/node_modules/x/package.json layer=0",
        ],
    );
    check("a link to itself", [module(X, "1").link(X, X)], &[&format!("pkg:npm/x@1 {X} layer=0")]);
    check("of another kind", [module(X, "1").link("l/x.egg-info", X)], &[&format!(
        "pkg:npm/x@1 {X} layer=0"
    )]);
}

#[test]
fn executables_are_replaced_by_anything() {
    let block = go_block("go1.22.1", "dep\ta.b/c\tv1\n");
    let program = elf(&[Section { name: ".go.buildinfo", content: &block }]);
    let expected = ["pkg:golang/a.b/c@v1 bin/x layer=0", "pkg:golang/stdlib@1.22.1 bin/x layer=0"];
    let base = || Layer::of(&[("bin/x", &program)]);
    check("there", [base()], &expected);
    check("a script", [base(), Layer::of(&[("bin/x", b"#!/bin/sh")])], &[]);
    check("another file", [base(), Layer::of(&[("bin/y", b"#!/bin/sh")])], &expected);
    check(
        "two names",
        [base().link("bin/y", "bin/x"), Layer::of(&[("bin/.wh.x", b"")])],
        &["pkg:golang/a.b/c@v1 bin/y layer=0", "pkg:golang/stdlib@1.22.1 bin/y layer=0"],
    );
}

fn stanza(name: &str, version: &str) -> String {
    format!("Package: {name}\nStatus: install ok installed\nVersion: {version}\n\n")
}

#[test]
fn packages_belong_to_the_layer_that_brought_them() {
    let status = "var/lib/dpkg/status";
    let layer = |packages: &[(&str, &str)]| {
        let text: String = packages.iter().map(|(name, version)| stanza(name, version)).collect();
        Layer::of(&[(status, text.as_bytes())])
    };
    check(
        "databases are written whole",
        [
            layer(&[("a", "1"), ("b", "1"), ("c", "1")]),
            Layer::new(),
            layer(&[("a", "1"), ("b", "2"), ("d", "1")]),
            layer(&[("a", "1"), ("b", "2"), ("c", "1"), ("d", "1")]),
        ],
        &[
            "pkg:deb/a@1 var/lib/dpkg/status layer=0",
            "pkg:deb/b@2 var/lib/dpkg/status layer=2",
            "pkg:deb/c@1 var/lib/dpkg/status layer=3",
            "pkg:deb/d@1 var/lib/dpkg/status layer=2",
        ],
    );
}

#[test]
fn files_of_packages_of_the_system() {
    let info = "usr/lib/python3/dist-packages/x-1.egg-info/PKG-INFO";
    let text = b"Name: x\nVersion: 1\n";
    let status = stanza("python3-x", "1-1");
    let list = format!("/.\n/usr\n/{info}\n");
    let dpkg = |list: &str| {
        Layer::of(&[
            ("var/lib/dpkg/status", status.as_bytes()),
            ("var/lib/dpkg/info/python3-x.list", list.as_bytes()),
        ])
    };
    let package = "pkg:deb/python3-x@1-1 var/lib/dpkg/status layer=0";
    let language = |layer: u32| format!("pkg:pypi/x@1 {info} layer={layer}");
    check("owned", [dpkg(&list).file(info, text)], &[package]);
    check("of nobody", [dpkg("/usr/bin/x\n").file(info, text)], &[package, &language(0)]);
    check("written later", [dpkg(&list), Layer::of(&[(info, text)])], &[package, &language(1)]);
    check(
        "through the links into usr",
        [dpkg("/lib/python3/dist-packages/x-1.egg-info/PKG-INFO\n").file(info, text)],
        &[package],
    );
    check(
        "removed packages own nothing",
        [
            dpkg(&list).file(info, text),
            Layer::of(&[("var/lib/dpkg/info/.wh.python3-x.list", b""), ("var/lib/dpkg/status", b"")]),
        ],
        &[&language(0)],
    );
    check(
        "without dpkg itself",
        [Layer::of(&[
            ("var/lib/dpkg/status.d/x", b"Package: x\nVersion: 1\n"),
            ("var/lib/dpkg/status.d/x.md5sums", format!("00  {info}\n").as_bytes()),
            (info, text),
        ])],
        &["pkg:deb/x@1 var/lib/dpkg/status.d/x layer=0"],
    );
    let installed = "P:x\nV:1\nF:usr/lib/node_modules/x\nR:package.json\nF:\nR:top\n";
    check(
        "apk",
        [with_module(
            Layer::of(&[("lib/apk/db/installed", installed.as_bytes())]),
            "usr/lib/node_modules/x/package.json",
            "1",
        )],
        &["pkg:apk/x@1 lib/apk/db/installed layer=0"],
    );
    let header = rpm::header(&[
        (rpm::NAME, Value::Text("x")),
        (rpm::VERSION, Value::Text("1")),
        (rpm::DIRECTORY_INDEXES, Value::Numbers(&[0, 9, 1])),
        (rpm::BASE_NAMES, Value::Texts(&["other", "lost", "a.jar"])),
        (rpm::DIRECTORY_NAMES, Value::Texts(&["/usr/bin/", "/usr/share/java/"])),
    ]);
    let properties = b"groupId=g\nartifactId=a\nversion=1\n";
    let inner = zip(&[("META-INF/maven/g/a/pom.properties", &properties[..])]);
    check(
        "rpm, and what lies in an archive",
        [Layer::of(&[
            ("usr/lib/sysimage/rpm/Packages.db", &rpm::ndb(&[header])),
            ("usr/share/java/a.jar", &zip(&[("in.jar", &inner)])),
            ("usr/share/java/b.jar", &inner),
        ])],
        &[
            "pkg:rpm/x@1 usr/lib/sysimage/rpm/Packages.db layer=0",
            "pkg:maven/g/a@1 usr/share/java/b.jar layer=0",
        ],
    );
}

#[test]
fn two_databases_of_one_system() {
    let headers = [rpm::small("a")];
    check(
        "one package",
        [Layer::of(&[
            ("var/lib/rpm/Packages", &rpm::bdb(false, &headers)),
            ("var/lib/rpm/rpmdb.sqlite", &rpm::sqlite(4096, &headers)),
        ])],
        &["pkg:rpm/a@1.0-1.el9 var/lib/rpm/Packages layer=0"],
    );
}

#[test]
fn locks_where_nothing_is_installed() {
    let lock = br#"{"packages":[{"name":"a/b","version":"1"}]}"#;
    let installed = br#"[{"name":"c/d","version":"1"}]"#;
    let locked = "pkg:composer/a/b@1 app/composer.lock layer=0";
    let found = "pkg:composer/c/d@1 app/vendor/composer/installed.json layer=0";
    let both = || {
        Layer::of(&[("app/composer.lock", lock), ("app/vendor/composer/installed.json", installed)])
    };
    check("lock alone", [Layer::of(&[("app/composer.lock", lock)])], &[locked]);
    check("both", [both()], &[found]);
    check("removed", [both(), Layer::of(&[("app/.wh.vendor", b"")])], &[locked]);
}

#[test]
fn systems() {
    let debian = b"ID=debian\nVERSION_ID=12\n";
    let other = b"ID=other\n";
    for (name, layers, expected) in [
        ("none", vec![Layer::new()], None),
        ("usual", vec![Layer::of(&[("etc/os-release", debian)])], Some("debian-12")),
        ("image-based", vec![Layer::of(&[("usr/lib/os-release", debian)])], Some("debian-12")),
        (
            "etc first",
            vec![Layer::of(&[("usr/lib/os-release", other), ("etc/os-release", debian)])],
            Some("debian-12"),
        ),
        (
            "a link",
            vec![
                Layer::of(&[("usr/lib/os-release", debian)])
                    .symlink("etc/os-release", "../usr/lib/os-release"),
            ],
            Some("debian-12"),
        ),
        (
            "another on top",
            vec![
                Layer::of(&[("etc/os-release", other)]),
                Layer::of(&[("etc/os-release", debian)]),
            ],
            Some("debian-12"),
        ),
    ] {
        let found = inventory(layers).os;
        assert_eq!(found.map(|os| os.distro()).as_deref(), expected, "{name}");
    }
    let alpine = Layer::of(&[
        ("etc/os-release", b"ID=alpine\nVERSION_ID=3.19.1\n"),
        ("etc/apk/repositories", b"https://mirror/alpine/v3.20/main\n"),
    ]);
    let inventory = inventory([alpine]);
    assert_eq!(inventory.os.and_then(|os| os.apk_branch).as_deref(), Some("v3.20"));
    let problems: Vec<_> = inventory.warnings.iter().map(|warning| &*warning.problem).collect();
    assert_eq!(problems, ["there is an operating system, but no database of its packages"]);
}

#[test]
fn problems_of_files_that_are_gone_are_gone() {
    let broken = || Layer::of(&[("a/node_modules/x/package.json", b"{")]);
    assert_eq!(inventory([broken()]).warnings.len(), 1);
    assert_eq!(inventory([broken(), module(X, "1")]).warnings, []);
    assert_eq!(inventory([broken(), Layer::of(&[(".wh.a", b"")])]).warnings, []);
}
