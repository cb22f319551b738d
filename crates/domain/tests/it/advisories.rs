//! Advisories: what an import stores, changes, refuses and forgets, and what is known of a package
//! and a flaw afterwards.

mod places;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use futures_util::future::BoxFuture;
use serde_json::{Value, json};
use tonnage_domain::advisories::operations::{ListAdvisorySources, SourceStatus, SyncAdvisories};
use tonnage_domain::advisories::settings::AdvisorySettings;
use tonnage_domain::advisories::source::{Downloads, Fetched, Known, Source};
use tonnage_domain::advisories::{self, AdvisoryRecord, Changes, Sequence};
use tonnage_domain::app::Settings;
use tonnage_domain::clock::Millis;
use tonnage_domain::context::RequestContext;
use tonnage_domain::error::{ErrorKind, Result};
use tonnage_domain::execute::{Call, Demand, Entry, Operation, Resource};
use tonnage_domain::names::AccountId;
use tonnage_scanner::advisories::Rules;

use crate::lifecycle::drain;
use crate::registry::{Registry, START, check_kind, temporary_directory};

/// Asks what scanning asks.
struct Ask<'a> {
    account: AccountId,
    ecosystem: &'a str,
    names: &'a [&'a str],
    after: Sequence,
    limit: usize,
}

struct Answer {
    /// Identifier, name and rules.
    candidates: Vec<(String, String, String)>,
    records: Vec<AdvisoryRecord>,
    changes: Changes,
    newest: Sequence,
    updated_at: Option<Millis>,
}

impl Operation for Ask<'_> {
    const ENTRY: Entry = ListAdvisorySources::ENTRY;
    type Output = Answer;

    fn demands(&self, _context: &RequestContext) -> Vec<Demand> {
        let deployment = Resource::Deployment { account: self.account };
        vec![Demand::new("tonnage:ListAdvisorySources", deployment)]
    }

    async fn run(self, call: Call<'_>) -> Result<Answer> {
        let mut tx = call.read().await?;
        let candidates = advisories::candidates(&mut tx, self.ecosystem, self.names).await?;
        let ids: Vec<_> = candidates.iter().map(|candidate| candidate.advisory).collect();
        Ok(Answer {
            records: advisories::describe(&mut tx, &ids).await?,
            changes: advisories::changes(&mut tx, (self.after, Sequence(i64::MAX)), self.limit)
                .await?,
            newest: advisories::newest(&mut tx).await?,
            updated_at: advisories::updated_at(&mut tx).await?,
            candidates: candidates
                .into_iter()
                .map(|it| (it.identifier, it.name, it.rules))
                .collect(),
        })
    }
}

struct World {
    registry: Registry,
    directory: tempfile::TempDir,
}

impl World {
    /// A registry with these sources; `DIR` stands for a directory of its own.
    async fn new(sources: &[&str]) -> Self {
        let directory = temporary_directory();
        let place = directory.path().to_str().unwrap();
        let sources = sources.iter().map(|it| Source::parse(&it.replace("DIR", place)).unwrap());
        let advisories = AdvisorySettings { sources: sources.collect(), ..AdvisorySettings::NONE };
        let settings = Settings { advisories, ..Settings::default() };
        Self { registry: Registry::with_settings(settings).await, directory }
    }

    fn write(&self, name: &str, content: &str) {
        let path = self.directory.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }

    fn remove(&self, name: &str) {
        std::fs::remove_file(self.directory.path().join(name)).unwrap();
    }

    async fn sync(&self, force: bool) -> Vec<SourceStatus> {
        let management_account = self.registry.app.management_account;
        let operation = SyncAdvisories { management_account, source: None, force };
        self.registry.run(operation).await.unwrap();
        drain(&self.registry).await;
        self.list().await
    }

    async fn list(&self) -> Vec<SourceStatus> {
        let management_account = self.registry.app.management_account;
        self.registry.run(ListAdvisorySources { management_account }).await.unwrap()
    }

    async fn ask(&self, ecosystem: &str, names: &[&str], after: Sequence) -> Answer {
        let account = self.registry.app.management_account;
        self.registry.run(Ask { account, ecosystem, names, after, limit: 1000 }).await.unwrap()
    }

    /// What is known of a package of npm: identifiers with the first version of each that is fixed.
    async fn known(&self, name: &str) -> Vec<String> {
        let answer = self.ask("npm", &[name], Sequence::default()).await;
        answer
            .candidates
            .iter()
            .map(|(id, _, rules)| {
                let rules = Rules::decode(rules).unwrap();
                format!("{id} {}", rules.rules[0].intervals[0].describe())
            })
            .collect()
    }
}

fn osv(id: &str, package: &str, fixed: &str) -> Value {
    json!({
        "id": id,
        "aliases": [id.replace("GHSA", "CVE-2024")],
        "summary": format!("a flaw of {package}"),
        "modified": "2024-05-06T07:08:09Z",
        "affected": [{
            "package": {"ecosystem": "npm", "name": package},
            "ranges": [{"type": "SEMVER", "events": [{"introduced": "0"}, {"fixed": fixed}]}],
        }],
    })
}

fn packages(changes: &Changes) -> Vec<String> {
    let all = changes.packages.iter();
    all.flat_map(|(ecosystem, names)| names.iter().map(move |name| format!("{ecosystem}/{name}")))
        .collect()
}

#[tokio::test]
async fn an_import_stores_what_has_changed_and_says_what_that_is() {
    let world = World::new(&["name=npm,kind=osv,location=DIR/osv,licence=CC-BY-4.0"]).await;
    for (id, package) in [("GHSA-0001", "alpha"), ("GHSA-0002", "beta"), ("GHSA-0003", "gamma")] {
        world.write(&format!("osv/{id}.json"), &osv(id, package, "1.0.0").to_string());
    }
    world.write("osv/broken.json", "{\"id\": 1");
    let status = world.sync(false).await.remove(0);
    assert_eq!((status.records, status.skipped), (3, 1));
    assert_eq!(status.last_error, None);
    assert_eq!(status.licence.as_deref(), Some("CC-BY-4.0"));
    assert_eq!(status.imported_at, Some(START));
    let published: Millis = Millis(1_714_979_289_000);
    assert_eq!(status.released_at, Some(published));
    let first = world.ask("npm", &["alpha", "beta", "none"], Sequence::default()).await;
    let found: Vec<_> = first.candidates.iter().map(|it| (&*it.0, &*it.1)).collect();
    assert_eq!(found, [("GHSA-0001", "alpha"), ("GHSA-0002", "beta")]);
    assert_eq!(packages(&first.changes), ["npm/alpha", "npm/beta", "npm/gamma"]);
    assert_eq!(first.changes.next, first.newest);
    assert_eq!(first.updated_at, Some(published));
    assert!(world.ask("PyPI", &["alpha"], Sequence::default()).await.candidates.is_empty());

    // Nothing new: nothing changes.
    world.sync(false).await;
    assert_eq!(world.ask("npm", &[], first.newest).await.newest, first.newest);

    // One says something else, of another package; one is withdrawn; one is gone.
    world.write("osv/GHSA-0001.json", &osv("GHSA-0001", "delta", "2.0.0").to_string());
    let mut withdrawn = osv("GHSA-0002", "beta", "1.0.0");
    withdrawn["withdrawn"] = json!("2024-06-01T00:00:00Z");
    world.write("osv/GHSA-0002.json", &withdrawn.to_string());
    world.remove("osv/GHSA-0003.json");
    assert_eq!(world.sync(false).await.remove(0).records, 2);
    let second = world.ask("npm", &[], first.newest).await;
    assert_eq!(packages(&second.changes), ["npm/alpha", "npm/beta", "npm/delta", "npm/gamma"]);
    assert_eq!(world.known("delta").await, ["GHSA-0001 < 2.0.0"]);
    for gone in ["alpha", "beta", "gamma"] {
        assert!(world.known(gone).await.is_empty(), "{gone}");
    }

    // Changes come in pages, and each package once.
    let account = world.registry.app.management_account;
    let mut after = Sequence::default();
    let mut seen = Vec::new();
    loop {
        let ask = Ask { account, ecosystem: "npm", names: &[], after, limit: 1 };
        let changes = world.registry.run(ask).await.unwrap().changes;
        seen.extend(packages(&changes));
        after = changes.next;
        if !changes.more {
            break;
        }
    }
    assert_eq!(seen, ["npm/alpha", "npm/beta", "npm/delta", "npm/gamma"]);
    assert_eq!(after, second.newest);
}

#[tokio::test]
async fn what_is_refused_leaves_what_is_there() {
    let sha = "0".repeat(64);
    let checked = format!("name=sum,kind=kev,location=DIR/kev.json,sha256={sha}");
    let world = World::new(&[
        "name=npm,kind=osv,location=DIR/osv",
        "name=none,kind=osv,location=DIR/nothing",
        "name=empty,kind=osv,location=DIR/empty",
        "name=zip,kind=osv,location=DIR/broken.zip",
        "name=scores,kind=epss,location=DIR/epss.csv",
        &checked,
    ])
    .await;
    for number in 0..5 {
        let id = format!("GHSA-000{number}");
        world.write(&format!("osv/{id}.json"), &osv(&id, "alpha", "1.0.0").to_string());
    }
    world.write("empty/readme.txt", "no records");
    world.write("broken.zip", "PK, or not");
    world.write("epss.csv", "cve,score\nCVE-2024-0001,0.5\n");
    world.write("kev.json", "{}");
    let by_name = |list: Vec<SourceStatus>| -> BTreeMap<String, SourceStatus> {
        list.into_iter().map(|status| (status.name.clone(), status)).collect()
    };
    let status = by_name(world.sync(false).await);
    for (name, wrong) in [
        ("none", "nothing"),
        ("empty", "there are no records of the kind osv"),
        ("zip", "no readable zip file"),
        ("scores", "no list of EPSS scores"),
        ("sum", "has the SHA-256 checksum"),
    ] {
        let error = status[name].last_error.clone().unwrap_or_default();
        assert!(error.contains(wrong), "{name}: {error}");
        assert_eq!(status[name].failed_at, Some(START), "{name}");
        assert_eq!(status[name].records, 0, "{name}");
    }
    assert_eq!(status["npm"].records, 5);

    // Half may go, more may not, unless somebody says so.
    for number in 0..3 {
        world.remove(&format!("osv/GHSA-000{number}.json"));
    }
    let status = by_name(world.sync(false).await);
    let error = status["npm"].last_error.clone().unwrap_or_default();
    assert!(error.contains("has 2 records and had 5"), "{error}");
    assert_eq!(world.known("alpha").await.len(), 5);
    let status = by_name(world.sync(true).await);
    assert_eq!((status["npm"].records, &status["npm"].last_error), (2, &None));
    assert_eq!(world.known("alpha").await.len(), 2);

    let management_account = world.registry.app.management_account;
    let unknown = SyncAdvisories { management_account, source: Some("x".into()), force: false };
    check_kind(world.registry.run(unknown).await, ErrorKind::InvalidParameter);
    let bare = Registry::new().await;
    let nothing = SyncAdvisories { management_account, source: None, force: false };
    check_kind(bare.run(nothing).await, ErrorKind::Unsupported);
}

const UPDATES: &str = r#"<?xml version="1.0"?>
<updates><update type="security" status="final" version="1.4" from="linux-security@amazon.com">
<id>ALAS2023-2024-001</id><title>Amazon Linux 2023 - ALAS2023-2024-001: important priority package
update for openssl</title><issued date="2024-01-02 03:04:05"/><updated date="2024-01-03 03:04:05"/>
<severity>important</severity><description>A flaw of OpenSSL.</description>
<references><reference href="https://example.com/CVE-2024-0001" id="CVE-2024-0001" type="cve"/>
</references><pkglist><collection short="amazon-linux"><name>Amazon Linux</name>
<package name="openssl" version="3.0.8" release="1.amzn2023.0.10" epoch="1" arch="x86_64">
<filename>openssl.rpm</filename></package></collection></pkglist></update></updates>"#;

fn cve(vector: &str) -> String {
    json!({
        "dataType": "CVE_RECORD",
        "dataVersion": "5.1",
        "cveMetadata": {"cveId": "CVE-2024-0001", "state": "PUBLISHED"},
        "containers": {"cna": {
            "title": "A flaw",
            "descriptions": [{"lang": "en", "value": "What the CVE list says."}],
            "metrics": [{"cvssV3_1": {"vectorString": vector}}],
        }},
    })
    .to_string()
}

#[tokio::test]
async fn what_is_known_of_flaws_stands_beside_advisories() {
    let world = World::new(&[
        "name=amazon,kind=updateinfo,ecosystem=Amazon Linux:2023,location=DIR/updateinfo.xml",
        "name=npm,kind=osv,location=DIR/osv",
        "name=cves,kind=cve,location=DIR/cves",
        "name=scores,kind=epss,location=DIR/epss.csv",
        "name=exploited,kind=kev,location=DIR/kev.json",
    ])
    .await;
    world.write("updateinfo.xml", UPDATES);
    let mut bare = osv("GHSA-0001", "alpha", "1.0.0");
    bare["aliases"] = json!(["CVE-2024-0001"]);
    bare["summary"] = json!("");
    world.write("osv/GHSA-0001.json", &bare.to_string());
    world.write("cves/CVE-2024-0001.json", &cve("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"));
    let scores = "#model_version:v2025.03.14,score_date:2025-03-14T00:00:00+0000\n\
                  cve,epss,percentile\nCVE-2024-0001,0.25,0.75\n";
    world.write("epss.csv", scores);
    let kev = json!({
        "title": "CISA Catalog of Known Exploited Vulnerabilities",
        "catalogVersion": "2025.03.14",
        "dateReleased": "2025-03-14T12:00:00Z",
        "count": 1,
        "vulnerabilities": [{
            "cveID": "CVE-2024-0001", "vulnerabilityName": "A flaw of many",
            "dateAdded": "2025-03-01", "dueDate": "2025-03-22",
            "requiredAction": "Apply updates.", "knownRansomwareCampaignUse": "Known",
        }],
    });
    world.write("kev.json", &kev.to_string());
    for status in world.sync(false).await {
        assert_eq!((status.records, &status.last_error), (1, &None), "{}", status.name);
    }

    let answer = world.ask("npm", &["alpha"], Sequence::default()).await;
    let record = &answer.records[0];
    assert_eq!(record.advisory.id, "GHSA-0001");
    assert_eq!(record.cves().collect::<Vec<_>>(), ["CVE-2024-0001"]);
    assert_eq!(record.description(), "What the CVE list says.");
    let rating = record.rating();
    assert_eq!(rating.severity.as_str(), "CRITICAL");
    assert_eq!(rating.source.as_deref(), Some("CVE-2024-0001"));
    let flaw = &record.flaws[0];
    let score = flaw.epss.unwrap();
    assert_eq!(format!("{} {}", score.score, score.percentile), "0.25 0.75");
    let exploited = flaw.exploited.as_ref().unwrap();
    assert_eq!((&*exploited.name, exploited.ransomware), ("A flaw of many", true));

    let amazon = world.ask("Amazon Linux:2023", &["openssl"], Sequence::default()).await;
    assert_eq!(amazon.records[0].advisory.id, "ALAS2023-2024-001");
    // The publisher's word counts more than the CVE list's vector.
    assert_eq!(amazon.records[0].rating().severity.as_str(), "HIGH");
    assert_eq!(amazon.records[0].description(), "A flaw of OpenSSL.");

    // A score that changes changes no match; a vector does.
    let newest = amazon.newest;
    world.write("epss.csv", &scores.replace("0.25", "0.5"));
    world.sync(false).await;
    let answer = world.ask("npm", &["alpha"], newest).await;
    assert!(packages(&answer.changes).is_empty());
    assert_eq!(answer.records[0].flaws[0].epss.unwrap().score.to_string(), "0.5");
    world.write("cves/CVE-2024-0001.json", &cve("CVSS:3.1/AV:L/AC:L/PR:N/UI:N/S:U/C:L/I:N/A:N"));
    world.sync(false).await;
    let answer = world.ask("npm", &["alpha"], newest).await;
    assert_eq!(packages(&answer.changes), ["Amazon Linux:2023/openssl", "npm/alpha"]);
    assert_eq!(answer.records[0].rating().severity.as_str(), "MEDIUM");
}

/// A server with one file, which remembers what it was asked with.
#[derive(Default)]
struct Server {
    file: Mutex<Option<(String, String)>>,
    asked: Mutex<Vec<Option<String>>>,
}

impl Downloads for Server {
    fn fetch<'a>(
        &'a self,
        _url: &'a str,
        known: &'a Known,
        _bytes_max: u64,
    ) -> BoxFuture<'a, Result<Fetched, String>> {
        self.asked.lock().unwrap().push(known.etag.clone());
        let file = self.file.lock().unwrap().clone();
        let answer = match file {
            None => Err("nobody answers".to_owned()),
            Some((etag, _)) if known.etag.as_ref() == Some(&etag) => Ok(Fetched::Unchanged),
            Some((etag, content)) => {
                let file = tempfile::NamedTempFile::new().unwrap().into_temp_path();
                std::fs::write(&file, content).unwrap();
                let known = Known { etag: Some(etag), last_modified: None };
                Ok(Fetched::File { file, known })
            }
        };
        Box::pin(async move { answer })
    }
}

#[tokio::test]
async fn a_file_is_fetched_when_it_has_changed_and_its_time_has_come() {
    let source = "name=scores,kind=epss,location=https://example.com/epss.csv";
    let mut world = World::new(&[source]).await;
    let server = Arc::new(Server::default());
    world.registry.app_mut().set_downloads(Arc::clone(&server) as Arc<dyn Downloads>);
    let asked = || std::mem::take(&mut *server.asked.lock().unwrap());
    let serve = |etag: &str, scores: &str| {
        let content = format!("cve,epss,percentile\n{scores}");
        *server.file.lock().unwrap() = Some((etag.to_owned(), content));
    };

    // Nobody answers: it is tried again, with growing pauses, and then left to the schedule.
    drain(&world.registry).await;
    assert_eq!(asked(), [None]);
    let status = world.list().await.remove(0);
    let error = status.last_error.unwrap();
    assert!(error.contains("nobody answers") && status.is_syncing, "{error}");
    serve("one", "CVE-2024-0001,0.1,0.2\n");
    world.registry.clock.advance_seconds(120);
    drain(&world.registry).await;
    let status = world.list().await.remove(0);
    assert_eq!((status.records, status.last_error, status.is_syncing), (1, None, false));
    assert_eq!(asked(), [None]);

    // Before its time it is asked only when somebody wants it.
    world.registry.clock.advance_seconds(3600);
    drain(&world.registry).await;
    assert!(asked().is_empty());
    world.sync(false).await;
    assert_eq!(asked(), [Some("one".to_owned())]);
    serve("two", "CVE-2024-0001,0.1,0.2\nCVE-2024-0002,0.1,0.2\n");
    world.registry.clock.advance_seconds(6 * 3600);
    drain(&world.registry).await;
    assert_eq!(asked(), [Some("one".to_owned())]);
    assert_eq!(world.list().await.remove(0).records, 2);
    // By force it is read as if nothing were known of it.
    world.sync(true).await;
    assert_eq!(asked(), [None]);
}

#[tokio::test]
async fn a_source_that_is_configured_no_more_is_forgotten() {
    let mut world = World::new(&["name=npm,kind=osv,location=DIR/osv"]).await;
    world.write("osv/GHSA-0001.json", &osv("GHSA-0001", "alpha", "1.0.0").to_string());
    world.sync(false).await;
    let before = world.ask("npm", &["alpha"], Sequence::default()).await;
    assert_eq!(before.candidates.len(), 1);
    world.registry.app_mut().settings.advisories = AdvisorySettings::NONE;
    world.registry.clock.advance_seconds(3600);
    drain(&world.registry).await;
    let after = world.ask("npm", &["alpha"], before.newest).await;
    assert!(after.candidates.is_empty());
    assert_eq!(packages(&after.changes), ["npm/alpha"]);
    assert!(world.list().await.is_empty());
}
