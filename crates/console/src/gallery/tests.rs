//! Every page, made from samples that want to be more than text.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use tonnage_domain::clock::Millis;
use tonnage_domain::gallery::listings::{Home, Publisher, PublisherSummary};
use tonnage_domain::gallery::pulls::DailyPulls;
use tonnage_domain::gallery::scans::{ImageScan, ScanSummary};
use tonnage_domain::gallery::search::Found;
use tonnage_domain::gallery::view_image::{ImageConfig, ImageView, Part};
use tonnage_domain::gallery::view_publisher::PublisherView;
use tonnage_domain::gallery::view_repository::{RepositoryView, TagView};
use tonnage_domain::names::{AccountId, Digest, Region};
use tonnage_domain::pages::Page as Items;
use tonnage_domain::public::aliases::AliasName;
use tonnage_domain::public::domains::DomainName;
use tonnage_domain::public::repository_settings::PublicRepositorySettings;
use tonnage_domain::repositories::{TagMutability, TagMutabilityRule};
use tonnage_domain::scanning::findings::{Finding, VulnerablePackage};
use tonnage_domain::scanning::state::{Scan, ScanStatus};
use tonnage_domain::scanning::{PackageType, ScanType, Severity};

use super::*;

const HOSTILE: &str = "\"><script>alert(1)</script><img src=x onerror=alert(1)>";

fn account() -> AccountId {
    AccountId::parse("123456789012").unwrap()
}

fn with_visit<T>(uri: &str, show: impl FnOnce(&Visit<'_>) -> T) -> T {
    let (uri, headers) = (uri.parse().unwrap(), HeaderMap::new());
    let context = RequestContext {
        principal: Principal::anonymous(account()),
        account: account(),
        region: Region::global(),
        source_address: Ipv4Addr::LOCALHOST.into(),
        secure_transport: true,
        endpoint: None,
        user_agent: String::new(),
        referer: String::new(),
        input: None,
        request_id: String::new(),
        now: Millis(0),
    };
    show(&Visit {
        method: &Method::GET,
        uri: &uri,
        headers: &headers,
        scheme: "https",
        authority: "public.example.com",
        context,
    })
}

fn digest(label: &str) -> Digest {
    Digest::of(tonnage_domain::names::Algorithm::Sha256, label.as_bytes())
}

fn publisher() -> Publisher {
    Publisher {
        account: account(),
        alias: AliasName::parse("harbour").unwrap(),
        display_name: Some(HOSTILE.to_owned()),
        verified: true,
        domain: Some(DomainName::parse("harbour.example").unwrap()),
    }
}

fn listing(logo: bool) -> Listing {
    Listing {
        publisher: publisher(),
        name: RepositoryName::parse_public("web/server").unwrap(),
        description: Some(HOSTILE.to_owned()),
        operating_systems: vec!["Linux".to_owned(), HOSTILE.to_owned()],
        architectures: vec!["x86-64".to_owned()],
        logo_id: logo.then(|| "0".repeat(32)),
        tag_count: 1,
        pulls: 1_234_567,
        updated_at: Millis(1_790_000_000_000),
    }
}

fn part(label: &str) -> Part {
    Part {
        digest: digest(label),
        media_type: HOSTILE.to_owned(),
        size: 5_000_000,
        platform: HOSTILE.to_owned(),
    }
}

fn settings() -> PublicRepositorySettings {
    let filters = vec!["dev-*".to_owned()];
    let setting = TagMutability::ImmutableWithExclusion;
    let tag_mutability = TagMutabilityRule::new(setting, filters).unwrap();
    PublicRepositorySettings { tag_mutability, scan_on_push: true }
}

fn scan(status: ScanStatus) -> ImageScan {
    let finding = Finding {
        name: HOSTILE.to_owned(),
        severity: Severity::Critical,
        vendor_severity: None,
        description: HOSTILE.to_owned(),
        uri: "javascript:alert(1)".to_owned(),
        vectors: Vec::new(),
        advisories: Vec::new(),
        aliases: Vec::new(),
        references: Vec::new(),
        published: None,
        modified: None,
        epss_millionths: None,
        is_exploited: false,
        scanner: None,
        packages: vec![VulnerablePackage {
            purls: Vec::new(),
            package_type: PackageType::Deb,
            name: HOSTILE.to_owned(),
            version: HOSTILE.to_owned(),
            architecture: None,
            path: String::new(),
            layer_digest: None,
            fixed_version: Some(HOSTILE.to_owned()),
            range: String::new(),
        }],
    };
    let scan = Scan {
        scan_type: ScanType::Basic,
        status,
        description: HOSTILE.to_owned(),
        requested_at: Millis(0),
        completed_at: Some(Millis(0)),
        source_updated_at: Some(Millis(0)),
        counts: BTreeMap::from([(Severity::Critical, 2)]),
        fixable: BTreeMap::new(),
        platform: HOSTILE.to_owned(),
    };
    let findings = match status.has_findings() {
        true => vec![finding],
        false => Vec::new(),
    };
    ImageScan { scan, findings, has_suppressed: true }
}

fn repository() -> RepositoryView {
    let tag = TagView {
        version: 1,
        tag: Tag::parse("v1").unwrap(),
        digest: digest("image"),
        size: 1,
        updated_at: Millis(1_790_000_000_000),
        platforms: vec![HOSTILE.to_owned()],
        referrers: 2,
        scan: Some(ScanSummary {
            status: ScanStatus::Complete,
            counts: BTreeMap::from([(Severity::High, 2), (Severity::Low, 1)]),
            is_partial: true,
        }),
    };
    RepositoryView {
        listing: listing(true),
        about_text: Some(format!("# {HOSTILE}\n\n[a](javascript:alert(1)) {HOSTILE}")),
        usage_text: Some(HOSTILE.to_owned()),
        created_at: Millis(0),
        daily: vec![DailyPulls { day: 20_000, pulls: 3 }],
        today: 20_001,
        settings: settings(),
        tags: Items { items: vec![tag], next: Some("1".to_owned()) },
    }
}

fn image() -> ImageView {
    let hostile = BTreeMap::from([(HOSTILE.to_owned(), HOSTILE.to_owned())]);
    ImageView {
        listing: listing(false),
        digest: digest("image"),
        tags: vec![Tag::parse("v1").unwrap()],
        size: 1,
        pushed_at: Millis(0),
        media_type: HOSTILE.to_owned(),
        artifact_type: Some(HOSTILE.to_owned()),
        subject: Some(digest("subject")),
        annotations: hostile.clone(),
        config: Some(ImageConfig {
            platform: HOSTILE.to_owned(),
            command: vec![HOSTILE.to_owned()],
            user: Some(HOSTILE.to_owned()),
            ports: vec![HOSTILE.to_owned()],
            labels: hostile,
            steps: vec![HOSTILE.to_owned()],
        }),
        layers: vec![part("layer")],
        children: vec![part("child")],
        referrers: vec![part("referrer")],
        settings: settings(),
        scan: Some(scan(ScanStatus::Complete)),
        child_scans: BTreeMap::new(),
    }
}

fn scanned(status: ScanStatus) -> ImageView {
    ImageView { children: Vec::new(), scan: Some(scan(status)), ..image() }
}

fn check(name: &str, html: &str) {
    assert!(html.starts_with("<!DOCTYPE html>"), "{name}");
    assert_eq!(html.matches("<h1").count(), 1, "{name}");
    assert_eq!(html.matches("<main").count(), 1, "{name}");
    // The one script is ours, and in a file.
    assert_eq!(html.matches("<script").count(), 1, "{name}");
    for tag in html.split('<').skip(1).filter_map(|rest| rest.split('>').next()) {
        let attributes: Vec<&str> =
            tag.split('"').step_by(2).skip(usize::from(tag.starts_with('/'))).collect();
        for attribute in attributes {
            for bad in [" on", " style=", "javascript:"] {
                assert!(!attribute.contains(bad), "{name}: {tag}");
            }
        }
    }
    let mut ids: Vec<&str> =
        html.split(" id=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    let all = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), all, "{name} has an id twice");
}

#[test]
fn every_page_is_made_of_nothing_but_text() {
    let home = Home {
        newest: vec![listing(false)],
        most_pulled: vec![listing(true)],
        publishers: vec![PublisherSummary { publisher: publisher(), repositories: 1, pulls: 2 }],
    };
    let found = Found { items: vec![listing(true)], total: Some(1), more: true };
    let one = PublisherView {
        publisher: publisher(),
        repositories: Items { items: vec![listing(true)], next: Some(HOSTILE.to_owned()) },
    };
    let none =
        PublisherView { repositories: Items { items: Vec::new(), next: None }, ..one.clone() };
    let nothing = RepositoryView {
        listing: Listing { tag_count: 0, description: None, ..listing(false) },
        about_text: None,
        usage_text: None,
        daily: Vec::new(),
        tags: Items { items: Vec::new(), next: None },
        ..repository()
    };
    let reference = Reference::parse("v1").unwrap();
    let hostile = form_urlencoded::Serializer::new(String::new())
        .append_pair("q", HOSTILE)
        .append_pair("os", HOSTILE)
        .append_pair("page", "2")
        .finish();
    with_visit(&format!("/search?{hostile}"), |visit| {
        let query = Query::read(visit);
        for (name, html) in [
            ("home", lists::home(visit, &home)),
            ("empty home", lists::home(visit, &Home::default())),
            ("search", lists::search(visit, &query, &found)),
            ("empty search", lists::search(visit, &query, &Found::default())),
            ("publisher", lists::publisher(visit, &one)),
            ("empty publisher", lists::publisher(visit, &none)),
            ("repository", repository::page(visit, &repository(), "")),
            (
                "no tag fits",
                repository::page(
                    visit,
                    &RepositoryView {
                        tags: Items { items: Vec::new(), next: None },
                        ..repository()
                    },
                    "x",
                ),
            ),
            ("empty repository", repository::page(visit, &nothing, "")),
            ("image", image::page(visit, &image(), &reference)),
            ("scanned image", image::page(visit, &scanned(ScanStatus::Complete), &reference)),
            (
                "image without scan",
                image::page(
                    visit,
                    &ImageView { scan: None, ..scanned(ScanStatus::Failed) },
                    &reference,
                ),
            ),
            ("failed scan", image::page(visit, &scanned(ScanStatus::Failed), &reference)),
            ("waiting scan", image::page(visit, &scanned(ScanStatus::InProgress), &reference)),
        ] {
            check(name, &html);
        }
        let map = lists::site_map(visit, &[listing(true)]);
        assert!(map.contains("<loc>https://public.example.com/harbour/web/server</loc>"), "{map}");
    });
    for status in
        [StatusCode::NOT_FOUND, StatusCode::SERVICE_UNAVAILABLE, StatusCode::INTERNAL_SERVER_ERROR]
    {
        let response = error_page(status);
        assert_eq!(response.status(), status);
        check(status.as_str(), std::str::from_utf8(response.body()).unwrap());
    }
}

#[test]
fn redirects_stay_here() {
    for (path, expected) in [
        ("/harbour/web", true),
        ("/harbour/web:1.27", true),
        ("/harbour/web@sha256:0123", true),
        ("", false),
        ("/", false),
        ("//evil.example", false),
        ("/\\evil.example", false),
        ("/\t/evil.example", false),
        ("/a b", false),
        ("/\u{e4}", false),
    ] {
        assert_eq!(is_address(path), expected, "{path:?}");
    }
}

#[test]
fn queries() {
    let operation = |uri: &str| with_visit(uri, |visit| Query::read(visit).operation());
    let found =
        operation("/search?q=a+b&os=Linux&arch=ARM+64&verified=yes&sort=pulls&page=3").unwrap();
    assert_eq!((found.text.as_str(), found.offset, found.limit), ("a b", 40, 20));
    assert!(found.verified && found.operating_system.is_some() && found.architecture.is_some());
    assert_eq!(found.sort, Sort::Pulls);
    let odd = operation("/search?q=&os=BeOS&arch=&sort=luck&page=x").unwrap();
    assert_eq!((odd.offset, odd.operating_system, odd.sort), (0, None, Sort::Relevance));
    for uri in ["/search?page=0", "/search?page=4294967295", "/search?page=502"] {
        assert!(operation(uri).is_none(), "{uri}");
    }
}

#[test]
fn what_is_known_is_not_sent_again() {
    with_visit("/", |visit| {
        let first = shown(visit, "text/html", "page".to_owned());
        let tag = first.headers()[ETAG].clone();
        for (known, status) in [
            (tag.to_str().unwrap().to_owned(), 304),
            (format!("\"other\", W/{}", tag.to_str().unwrap()), 304),
            ("\"other\"".to_owned(), 200),
        ] {
            let headers = HeaderMap::from_iter([(IF_NONE_MATCH, known.parse().unwrap())]);
            let context = visit.context.clone();
            let again = Visit { headers: &headers, context, ..*visit };
            assert_eq!(shown(&again, "text/html", "page".to_owned()).status(), status, "{known}");
        }
    });
}
