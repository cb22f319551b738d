//! Which images have a package.

use tonnage_domain::clock::{Clock as _, Millis};
use tonnage_domain::error::ErrorKind;
use tonnage_domain::names::Tag;
use tonnage_domain::pages::Page;
use tonnage_domain::params;
use tonnage_domain::scanning::find_images::{FindImages, FoundImage};
use tonnage_domain::scanning::{ScanFrequency, ScanType};

use super::debian_advisory;
use super::world::{debian, npm};
use crate::content::Pushed;
use crate::lifecycle::drain;
use crate::registry::{Registry, check_kind, page};

fn find(package: &str) -> FindImages {
    FindImages {
        package: package.to_owned(),
        ecosystem: None,
        below: None,
        at_least: None,
        repository_prefix: None,
        tag: None,
        pulled_since: None,
        page: page(None, 100),
    }
}

/// `repository tags package version` of each image.
fn told(found: &Page<FoundImage>) -> Vec<String> {
    let line = |image: &FoundImage| {
        let packages: Vec<String> = image
            .packages
            .iter()
            .map(|package| format!("{} {}", package.name, package.version))
            .collect();
        format!("{} {} {}", image.repository, image.tags.join(","), packages.join(", "))
    };
    found.items.iter().map(line).collect()
}

async fn pull(registry: &Registry, digest: &str, at: Millis) {
    let statement = "UPDATE images SET last_pulled_at = $2 WHERE digest = $1";
    registry.write(&[(statement, params![digest, at].to_vec())]).await;
}

#[tokio::test]
async fn images_by_what_is_in_them() {
    let registry = Registry::new().await;
    registry.scan_by(ScanType::Enhanced, ScanFrequency::ScanOnPush).await;
    registry.advise(&[debian_advisory("CVE-2026-0001", "glibc", None, "high")]).await;
    let (web, api) = (registry.create("prod/web").await, registry.create("prod/api").await);
    let test = registry.create("test/web").await;
    let openssl = |version: &str| debian(&[("libssl3", "openssl", version)]);
    registry.push_layers(&web, "old", &[&openssl("3.0.9-1")]).await;
    let new = registry.push_layers(&web, "new", &[&openssl("3.0.15-1~deb12u1")]).await;
    let child = registry.push_layers(&api, "amd64", &[&openssl("3.0.11-1~deb12u2")]).await;
    let index = Pushed::index(&[&child]);
    registry.put(&api, &index, Some("v1")).await.unwrap();
    let both = [&openssl("1:3.0.1-1"), &npm("openssl", "1.1.0")];
    registry.push_layers(&test, "both", &both).await;
    drain(&registry).await;
    let now = registry.clock.now();
    pull(&registry, index.digest.as_str(), now).await;
    pull(&registry, new.digest.as_str(), now.plus_seconds(-3600)).await;

    let (old, v1) = ("prod/web old openssl 3.0.9-1", "prod/api amd64,v1 openssl 3.0.11-1~deb12u2");
    let new = "prod/web new openssl 3.0.15-1~deb12u1";
    let text = |text: &str| Some(text.to_owned());
    let of = |name: &str| FindImages { ecosystem: text(name), ..find("openssl") };
    for (wanted, expected) in [
        // By its own name, in its own version.
        (
            FindImages { below: text("3.0.15"), ..find("libssl3") },
            vec!["prod/api amd64,v1 libssl3 3.0.11-1~deb12u2", "prod/web old libssl3 3.0.9-1"],
        ),
        (
            FindImages { at_least: text("1:0"), ..find("libssl3") },
            vec!["test/web both libssl3 1:3.0.1-1"],
        ),
        (FindImages { ecosystem: text("npm"), ..find("libssl3") }, vec![]),
        (find("OpenSSL"), vec![]),
        (find("openssl"), vec!["test/web both openssl 1:3.0.1-1, openssl 1.1.0", v1, new, old]),
        (
            FindImages { below: text("3.0.15"), ..find("openssl") },
            vec!["test/web both openssl 1.1.0", v1, old],
        ),
        (FindImages { below: text("3.0.15-1"), ..of("Debian:12") }, vec![v1, new, old]),
        (FindImages { at_least: text("3.0.10"), below: text("3.0.15"), ..of("debian") }, vec![v1]),
        (of("npm"), vec!["test/web both openssl 1.1.0"]),
        (of("Debian:11"), vec![]),
        (FindImages { repository_prefix: text("prod/w"), ..find("openssl") }, vec![new, old]),
        (FindImages { repository_prefix: text("%"), ..find("openssl") }, vec![]),
        // An image in an index is tagged and pulled with it.
        (FindImages { tag: Some(Tag::parse("v1").unwrap()), ..find("openssl") }, vec![v1]),
        (FindImages { pulled_since: Some(now), ..find("openssl") }, vec![v1]),
        (
            FindImages { pulled_since: Some(now.plus_seconds(-3600)), ..find("openssl") },
            vec![v1, new],
        ),
        (FindImages { pulled_since: Some(now.plus_seconds(1)), ..find("openssl") }, vec![]),
    ] {
        let found = registry.run(wanted.clone()).await.unwrap();
        assert_eq!(told(&found), expected, "{wanted:?}");
    }
    let found = registry.run(find("openssl")).await.unwrap();
    assert_eq!(found.items[1].last_pulled_at, Some(now));
    assert_eq!(found.items[1].indexes, std::slice::from_ref(&index.digest));
    assert_eq!(found.items[3].last_pulled_at, None);

    // Page by page it is the same.
    let (mut after, mut all) = (None, Vec::new());
    loop {
        let wanted = FindImages { page: page(after.as_deref(), 1), ..find("openssl") };
        let page = registry.run(wanted).await.unwrap();
        assert!(page.items.len() <= 1);
        all.extend(told(&page));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(all, told(&found));
    for wrong in [
        FindImages { package: String::new(), ..find("") },
        FindImages { page: page(Some("x"), 1), ..find("openssl") },
        FindImages { below: text("1:~"), ..of("npm") },
        of("slackware"),
    ] {
        check_kind(registry.run(wrong).await, ErrorKind::InvalidParameter);
    }

    // What policies deny is not told, and neither that it is there.
    let everything =
        r#""Effect":"Allow","Action":["tonnage:FindImages","ecr:DescribeImages"],"Resource":"*""#;
    let denied = |action: &str, resource: &str| {
        format!(
            r#"{{"Version":"2012-10-17","Statement":[{{{everything}}},{{"Effect":"Deny","Action":"{action}","Resource":"arn:aws:ecr:*:*:repository/{resource}"}}]}}"#
        )
    };
    for (name, document, expected) in [
        ("one", denied("ecr:DescribeImages", "prod/web"), Some(1)),
        ("other", denied("tonnage:FindImages", "prod/?*"), Some(0)),
        ("none", denied("ecr:DescribeImages", "*"), Some(0)),
        (
            "nobody",
            r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"ecr:*","Resource":"*"}]}"#.to_owned(),
            None,
        ),
    ] {
        let principal = registry.principal(name, &document).await;
        let wanted = FindImages { below: text("4"), ..of("Debian:12") };
        let wanted = FindImages { page: page(None, 1), ..wanted };
        match (registry.run_as(&principal, wanted).await, expected) {
            (Ok(found), Some(expected)) => {
                assert_eq!(found.items.len(), expected, "{name}: {:?}", told(&found));
                assert_eq!(found.next, None, "{name}");
            }
            (found, None) => check_kind(found, ErrorKind::AccessDenied),
            (Err(error), Some(_)) => panic!("{name}: {error:?}"),
        }
    }
}
