//! What installers of languages leave, and what executables say of themselves.

use std::io::Write;

use crate::support::elf::{Section, elf, elf_without_sections, go_block, old_go_block};
use crate::support::zip::{Form, zip, zip_as};
use crate::support::{Layer, check};

#[test]
fn npm() {
    let path = "app/node_modules/@babel/core/package.json";
    let good = |licence: &str| format!("pkg:npm/%40babel/core@7.1.0 {path}{licence}");
    for (content, expected) in [
        (
            r#"{"name":"@babel/core","version":"7.1.0","license":"MIT","x":{"version":1}}"#,
            " licence=MIT",
        ),
        (
            r#"{"name":"@babel/core","version":"7.1.0","license":{"type":"MIT","url":1}}"#,
            " licence=MIT",
        ),
        (
            r#"{"name":"@babel/core","version":"7.1.0","licenses":[{"type":"MIT"},"X",{},7]}"#,
            " licence=MIT OR X",
        ),
        (r#"{"name":"@babel/core","version":"7.1.0","license":null}"#, ""),
        ("\u{feff}{\"name\":\"@babel/core\",\"version\":\"7.1.0\",\"license\":false}", ""),
    ] {
        check(path, content.as_bytes(), &[&good(expected)], &[]);
    }
    for content in [
        r#"{"type":"module"}"#,
        r#"{"name":"x"}"#,
        r#"{"name":"x","version":7}"#,
        r#"{"name":"","version":"1"}"#,
        r#"{"name":"x","version":"1\n2"}"#,
        r#"{"name":["x"],"version":{"a":1}}"#,
    ] {
        check(path, content.as_bytes(), &[], &[]);
    }
    for (content, problem) in [
        ("{", "EOF while parsing an object at line 1 column 1"),
        ("7", "invalid type: integer `7`, expected struct Module at line 1 column 1"),
        ("", "EOF while parsing a value at line 1 column 0"),
    ] {
        let problem = format!("not the JSON that is expected: {problem}");
        check(path, content.as_bytes(), &[], &[&problem]);
    }
    check("app/package.json", br#"{"name":"app","version":"1.0.0"}"#, &[], &[]);
}

#[test]
fn python() {
    for (path, content, expected) in [
        (
            "l/Jinja2-3.1.2.dist-info/METADATA",
            "Metadata-Version: 2.1\nName: Jinja2\nVersion: 3.1.2\nLicense: BSD\n\nVersion: 9\n",
            "pkg:pypi/jinja2@3.1.2 l/Jinja2-3.1.2.dist-info/METADATA licence=BSD",
        ),
        (
            "l/x-1.egg-info/PKG-INFO",
            "name: a_b\r\nVersion: 1\r\nLicense: UNKNOWN\r\nSummary: x\r\n Version: 2\r\n",
            "pkg:pypi/a-b@1 l/x-1.egg-info/PKG-INFO",
        ),
        (
            "l/x-1.egg-info",
            "Name: x\nVersion: 1\nLicense-Expression: MIT\nLicense: long text\n",
            "pkg:pypi/x@1 l/x-1.egg-info licence=MIT",
        ),
    ] {
        check(path, content.as_bytes(), &[expected], &[]);
    }
    check("l/x.dist-info/METADATA", b"Name: x\n\n", &[], &["it has no name or no version"]);
}

#[test]
fn ruby() {
    let path = "usr/lib/ruby/gems/3.1.0/specifications/nokogiri-1.15.0-x86_64-linux.gemspec";
    check(
        path,
        b"# -*- encoding: utf-8 -*-\n# stub: nokogiri 1.15.0 x86_64-linux lib\n\n\
          Gem::Specification.new do |s|\n  s.name = \"nokogiri\".freeze\n\
          s.licenses = [\"MIT\".freeze, 'X'.freeze]\n",
        &[&format!("pkg:gem/nokogiri@1.15.0?platform=x86_64-linux {path} licence=MIT OR X")],
        &[],
    );
    let path = "g/specifications/default/json-2.6.gemspec";
    check(
        path,
        b"Gem::Specification.new do |s|\n  s.name = 'json'\n  s.version = Gem::Version.new(\"2.6\")\n\
          s.add_dependency(\"x\")\n",
        &[&format!("pkg:gem/json@2.6 {path}")],
        &[],
    );
    check(path, b"s.name = unquoted\n", &[], &["it has no name or no version"]);
}

#[test]
fn php() {
    let path = "app/vendor/composer/installed.json";
    let expected = format!("pkg:composer/guzzlehttp/promises@2.0.1 {path} licence=MIT");
    let list =
        r#"[{"name":"guzzlehttp/promises","version":"2.0.1","license":["MIT"]},{"name":"x"}]"#;
    check(path, list.as_bytes(), &[&expected], &[]);
    check(path, format!("{{\"packages\":{list},\"dev\":false}}").as_bytes(), &[&expected], &[]);
    check(
        "app/composer.lock",
        br#"{"packages":[{"name":"a/b","version":"v1"}],"packages-dev":[{"name":"c/d","version":"1"}]}"#,
        &["pkg:composer/a/b@v1 app/composer.lock"],
        &[],
    );
}

#[test]
fn dotnet() {
    check(
        "app/App.deps.json",
        br#"{"runtimeTarget":{"name":"x"},"libraries":{"App/1.0.0":{"type":"project"},
            "Newtonsoft.Json/13.0.3":{"type":"package","serviceable":true},"odd":{"type":"package"}}}"#,
        &["pkg:nuget/Newtonsoft.Json@13.0.3 app/App.deps.json"],
        &[],
    );
}

#[test]
fn go() {
    let modules = "path\texample.com/x\nmod\texample.com/x\t(devel)\t\ndep\ta.b/c\tv1.2.3\th1:\n";
    let new = go_block("go1.22.1", modules);
    let old = old_go_block("go1.15.2", modules);
    let padded = [&[0; 64][..], &new].concat();
    let section = |content: &[u8]| elf(&[Section { name: ".go.buildinfo", content }]);
    for (content, toolchain) in [
        (section(&new), "1.22.1"),
        (section(&padded), "1.22.1"),
        (section(&old), "1.15.2"),
        (elf_without_sections(&new), "1.22.1"),
    ] {
        check(
            "usr/bin/x",
            &content,
            &[
                &format!("pkg:golang/stdlib@{toolchain} usr/bin/x"),
                "pkg:golang/a.b/c@v1.2.3 usr/bin/x",
            ],
            &[],
        );
    }
    let mut cut = section(&new);
    cut.truncate(0x100 + 36);
    check("usr/bin/x", &cut, &[], &["it refers to what is past its end"]);
    let mut lost = old.clone();
    lost[16..24].copy_from_slice(&[1; 8]);
    let problem = "Go's build information points outside of the program";
    check("usr/bin/x", &section(&lost), &[], &[problem]);
    let mut odd = old;
    odd[14] = 3;
    let problem = "Go's build information has pointers of an unknown size";
    check("usr/bin/x", &section(&odd), &[], &[problem]);
}

fn zlib(text: &str) -> Vec<u8> {
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(text.as_bytes()).expect("memory");
    encoder.finish().expect("memory")
}

#[test]
fn rust() {
    let content = zlib(
        r#"{"packages":[{"name":"app","version":"0.1.0","source":"local","root":true},
        {"name":"rand","version":"0.8.5","source":"crates.io","dependencies":[0]},
        {"name":"cc","version":"1.0.0","source":"crates.io","kind":"build"}]}"#,
    );
    let section = |content: &[u8]| elf(&[Section { name: ".dep-v0", content }]);
    check("app", &section(&content), &["pkg:cargo/app@0.1.0 app", "pkg:cargo/rand@0.8.5 app"], &[]);
    let cut = &content[..20];
    check("app", &section(cut), &[], &["its list of crates cannot be decompressed"]);
    let bomb = zlib(&" ".repeat(9 << 20));
    check("app", &section(&bomb), &[], &["its list of crates cannot be decompressed"]);
}

const POM: &[u8] = b"#Generated\nversion=2.17.1\ngroupId=org.apache.logging.log4j\n\
    artifactId=log4j-core\n";

#[test]
fn java() {
    let jar = zip(&[("META-INF/maven/org.apache.logging.log4j/log4j-core/pom.properties", POM)]);
    let log4j = "pkg:maven/org.apache.logging.log4j/log4j-core@2.17.1";
    check("app/x.jar", &jar, &[&format!("{log4j} app/x.jar")], &[]);

    let manifest = b"Manifest-Version: 1.0\nBundle-SymbolicName: org.x.tool\nBundle-Version: 3\n";
    // Whether what Maven wrote is of the archive itself, or of what was copied into it.
    let holds = zip(&[
        ("META-INF/maven/org.apache.logging.log4j/log4j-core/pom.properties", POM),
        ("META-INF/MANIFEST.MF", manifest),
    ]);
    let own = format!("{log4j} app/log4j-core-2.17.1.b3.jar");
    check("app/log4j-core-2.17.1.b3.jar", &holds, &[&own], &[]);
    let spec = format!("{log4j} app/log4j_core-1.2-spec.jar");
    check("app/log4j_core-1.2-spec.jar", &holds, &[&spec], &[]);
    check("app/liblog4j-2.17.1.jar", &holds, &[&format!("{log4j} app/liblog4j-2.17.1.jar")], &[]);
    let copied = format!("{log4j} app/tool.jar");
    check("app/tool.jar", &holds, &[&copied, "pkg:maven/org.x/tool@3 app/tool.jar"], &[]);
    let plain = zip(&[("META-INF/MANIFEST.MF", manifest), ("org/x/Tool.class", b"x")]);
    let war = |form, before: &[u8]| {
        zip_as(
            form,
            before,
            &[
                ("WEB-INF/lib/", b""),
                ("WEB-INF/lib/log4j.jar", &jar),
                ("WEB-INF/lib/tool-1.4.jar", &plain),
                ("WEB-INF/lib/broken.jar", b"no archive"),
            ],
        )
    };
    for content in [
        war(Form::Deflated, b""),
        war(Form::Stored, b"#!/bin/sh\nexec java\n"),
        war(Form::Zip64, b""),
        war(Form::Zip64, b"before"),
    ] {
        check(
            "app/site.war",
            &content,
            &[
                &format!("{log4j} app/site.war!/WEB-INF/lib/log4j.jar"),
                "pkg:maven/org.x/tool@1.4 app/site.war!/WEB-INF/lib/tool-1.4.jar",
            ],
            &["!/WEB-INF/lib/broken.jar: not an archive: it has no directory at its end"],
        );
    }
    check("a.jar", b"", &[], &["not an archive: it has no directory at its end"]);
}

#[test]
fn archives_in_archives() {
    let mut jar = zip(&[("META-INF/maven/g/a/pom.properties", POM)]);
    for _ in 0..5 {
        jar = zip(&[("in.jar", &jar)]);
    }
    check(
        "out.jar",
        &jar,
        &[],
        &["!/in.jar!/in.jar!/in.jar!/in.jar: archives lie more than 4 deep in one another"],
    );
}

#[test]
fn files_that_are_none_of_it() {
    let index = Layer::new()
        .file("bin/sh", b"#!/bin/sh\n")
        .file("bin/short", b"\x7fELF")
        .file("lib/x.o", [b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x01\0", &[0; 100][..]].concat())
        .index();
    assert_eq!(index.packages().count(), 0);
    assert_eq!(index.warnings(), []);
}
