use proptest::prelude::*;

use super::*;

const AMAZON: &str = r#"<?xml version="1.0" ?>
<updates>
  <update author="linux-security@example.org" from="linux-security@example.org" status="final" type="security" version="1.4">
    <id>ALAS2023-2023-001</id>
    <title>Amazon Linux 2023 - ALAS2023-2023-001: important priority package update for curl</title>
    <issued date="2023-02-17 21:42" />
    <updated date="2023-03-22 22:00:05" />
    <severity>important</severity>
    <description>Package updates are available &lt;here&gt; &amp; there:
CVE-2022-43551: &#x41; flaw</description>
    <references>
      <reference href="https://example.org/CVE-2022-43551.html" id="CVE-2022-43551" title="" type="cve" />
      <reference href="https://example.org/CVE-2022-43552.html" id="" title="CVE-2022-43552" type="cve" />
      <reference href="https://example.org/self" id="ALAS2023-2023-001" type="self" />
    </references>
    <pkglist>
      <collection short="amazon-linux-2023">
        <name>Amazon Linux 2023</name>
        <package arch="x86_64" epoch="0" name="libcurl" release="1.amzn2023.0.2" version="7.87.0">
          <filename>Packages/libcurl-7.87.0-1.amzn2023.0.2.x86_64.rpm</filename>
        </package>
        <package arch="aarch64" epoch="0" name="libcurl" release="1.amzn2023.0.2" version="7.87.0"/>
        <package arch="src" epoch="0" name="curl" release="1.amzn2023.0.2" version="7.87.0"/>
        <package arch="noarch" epoch="1" name="curl-doc" release="1.amzn2023.0.2" version="7.87.0"/>
        <package arch="noarch" epoch="0" name="" release="1" version="1"/>
      </collection>
      <collection short="modular">
        <module name="nodejs" stream="18" version="1" context="abc" arch="x86_64"/>
        <package arch="x86_64" epoch="1" name="nodejs" release="1.module+el8" version="18.1"/>
      </collection>
    </pkglist>
  </update>
  <update type="bugfix"><id>ALAS2023-2023-002</id></update>
  <update type="security"><id></id></update>
</updates>"#;

fn read_all(text: &str) -> Result<(Updates, Vec<Advisory>), UpdateinfoError> {
    let mut advisories = Vec::new();
    let found = read(text.as_bytes(), "Amazon Linux:2023", |advisory| advisories.push(advisory))?;
    Ok((found, advisories))
}

#[test]
fn amazon() {
    let (found, advisories) = read_all(AMAZON).expect("a list");
    assert_eq!(found, Updates { advisories: 1, others: 1, skipped: 1 });
    let [advisory] = advisories.as_slice() else { panic!("one advisory") };
    let text = |text: &str| text.to_owned();
    let affected =
        |name: &str, fixed: &str, module: Option<&str>, architectures: &[&str]| Affected {
            ecosystem: text("Amazon Linux:2023"),
            name: text(name),
            ranges: vec![Range {
                events: vec![Event::Introduced(text("0")), Event::Fixed(text(fixed))],
            }],
            module: module.map(text),
            architectures: architectures.iter().map(|a| text(a)).collect(),
            ..Affected::default()
        };
    assert_eq!(
        *advisory,
        Advisory {
            id: text("ALAS2023-2023-001"),
            upstream: vec![text("CVE-2022-43551"), text("CVE-2022-43552")],
            summary: text(
                "Amazon Linux 2023 - ALAS2023-2023-001: important priority package update for curl"
            ),
            details: text("Package updates are available <here> & there:\nCVE-2022-43551: A flaw"),
            published: text::millis("2023-02-17T21:42:00Z"),
            modified: text::millis("2023-03-22T22:00:05Z"),
            severity: Some(Severity::High),
            affected: vec![
                affected("libcurl", "7.87.0-1.amzn2023.0.2", None, &["aarch64", "x86_64"]),
                affected("curl-doc", "1:7.87.0-1.amzn2023.0.2", None, &["noarch"]),
                affected("nodejs", "1:18.1-1.module+el8", Some("nodejs:18"), &["x86_64"]),
            ],
            references: vec![
                text("https://example.org/CVE-2022-43551.html"),
                text("https://example.org/CVE-2022-43552.html"),
                text("https://example.org/self"),
            ],
            ..Advisory::default()
        }
    );
}

#[test]
fn other_times() {
    for (text, expected) in [
        ("2023-02-17 21:42", text::millis("2023-02-17T21:42:00Z")),
        ("2023-02-17T21:42:00Z", text::millis("2023-02-17T21:42:00Z")),
        ("2023-02-17 21:42Z", text::millis("2023-02-17T21:42:00Z")),
        ("1676670120", Some(1_676_670_120_000)),
        ("99999999999999999999", None),
        ("soon", None),
    ] {
        assert_eq!(update_time(text), expected, "{text}");
    }
}

#[test]
fn no_lists() {
    let update = |inner: &str| {
        format!("<updates><update type=\"security\"><id>A-1</id>{inner}</update></updates>")
    };
    for (text, expected) in [
        (String::new(), "no list of updates"),
        ("<html></html>".to_owned(), "no list of updates"),
        ("<updates>".to_owned(), "no list of updates"),
        ("<updates></update>".to_owned(), "not well-formed"),
        (update(&"<a>".repeat(100)), "no list of updates"),
        (update(&"x".repeat(5 << 20)), "longer than is read"),
        (update(&format!("<a b=\"{}\"/>", "x".repeat(5 << 20))), "longer than is read"),
    ] {
        let error = read_all(&text).expect_err("an error").to_string();
        assert!(error.contains(expected), "{error}");
    }
    for ecosystem in ["Debian:12", "npm", "Amazon Linux", ""] {
        let error = read(AMAZON.as_bytes(), ecosystem, |_| ()).expect_err("an error");
        assert!(matches!(error, UpdateinfoError::Ecosystem(_)), "{ecosystem}");
    }
}

#[test]
fn entities_do_not_grow() {
    let text = "<!DOCTYPE x [<!ENTITY a \"aaaa\"><!ENTITY b \"&a;&a;\">]><updates>\
        <update type=\"security\"><id>A-1</id><title>x&b;y</title></update></updates>";
    let (_, advisories) = read_all(text).expect("a list");
    assert_eq!(advisories[0].summary, "xy");
}

proptest! {
    #[test]
    fn never_panics(
        words in prop::collection::vec(prop::sample::select(vec![
            "<updates>", "</updates>", "<update type='security'>", "</update>", "<id>", "</id>", "A-1",
            "<package name='a' version='1'/>", "<pkglist>", "<collection>", "&lt;", "&#0;", "&x;", "<!--",
            "<![CDATA[", "]]>", "<", "=", "'", "<package name='&#xD800;'/>", "é",
        ]), 0..24),
        bytes in prop::collection::vec(any::<u8>(), 0..64),
    ) {
        let _ = read_all(&words.concat());
        let _ = read(bytes.as_slice(), "Amazon Linux:2", |_| ());
    }
}

#[test]
fn too_many_packages() {
    let package = "<package name='a' version='1' release='1' arch='x86_64'/>";
    let update = |count: usize| {
        format!(
            "<updates><update type=\"security\"><id>A-1</id><pkglist><collection>{}</collection></pkglist></update></updates>",
            package.repeat(count)
        )
    };
    for (count, advisories) in [(1, 1), (PACKAGES_MAX, 1), (PACKAGES_MAX + 1, 0)] {
        let (found, _) = read_all(&update(count)).expect("a list");
        assert_eq!((found.advisories, found.skipped), (advisories, 1 - advisories), "{count}");
    }
}
