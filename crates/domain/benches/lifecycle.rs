//! How long a lifecycle policy takes to evaluate over a repository of 100,000 images:
//! `cargo bench -p tonnage-domain --bench lifecycle`. Fails past two seconds or 64 MiB.
#![expect(clippy::unwrap_used, reason = "a measurement that cannot be made ends here")]

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tonnage_domain::accounts::bootstrap::{self, Parts};
use tonnage_domain::accounts::management_root;
use tonnage_domain::app::{App, Settings};
use tonnage_domain::clock::{ManualClock, Millis};
use tonnage_domain::context::RequestContext;
use tonnage_domain::execute::{Operation, execute};
use tonnage_domain::images::list_images::TagStatus;
use tonnage_domain::jobs::Worker;
use tonnage_domain::lifecycle::preview_operations::{
    GetLifecyclePolicyPreview, PreviewStatus, StartLifecyclePolicyPreview,
};
use tonnage_domain::metadata::{Metadata, Mode, Value};
use tonnage_domain::names::RepositoryName;
use tonnage_domain::pages::PageRequest;
use tonnage_domain::params;
use tonnage_domain::repositories::TagMutabilityRule;
use tonnage_domain::repositories::create::CreateRepository;
use tonnage_domain::root_key::RootKey;
use tonnage_store::files::FileObjects;
use tonnage_store::sqlite::SqliteMetadata;

const IMAGES: i64 = 100_000;
const NOW: i64 = 1_790_000_000_000;
const TIME_MAX: Duration = Duration::from_secs(2);
const MEMORY_MAX: u64 = 64 * 1024;

#[tokio::main]
async fn main() {
    let directory = tempfile::tempdir().unwrap();
    let metadata: Arc<dyn Metadata> = Arc::new(SqliteMetadata::open_in_memory().unwrap());
    let opened = bootstrap::open(Parts {
        metadata: Arc::clone(&metadata),
        objects: Arc::new(FileObjects::open(directory.path()).unwrap()),
        clock: Arc::new(ManualClock::new(Millis(NOW))),
        root_key: RootKey::new(&[7; 32]).unwrap(),
        settings: Settings::default(),
        account: None,
        region: None,
        root_access_key: None,
    });
    let app = Arc::new(opened.await.unwrap().app);
    let create = CreateRepository {
        registry_id: None,
        name: RepositoryName::parse("app").unwrap(),
        tags: Vec::new(),
        tag_mutability: TagMutabilityRule::default(),
        scan_on_push: false,
    };
    let repository = run(&app, create).await;
    plant(metadata.as_ref(), repository.id).await;
    let worker = Worker::default();
    while worker.run_one(&app).await.unwrap().is_some() {}

    let repository = repository.address;
    let start =
        StartLifecyclePolicyPreview { repository: repository.clone(), text: Some(policy()) };
    run(&app, start).await;
    let memory = peak_kibibytes();
    let started = Instant::now();
    assert_eq!(worker.run_one(&app).await.unwrap(), Some("done"));
    let (time, memory) = (started.elapsed(), peak_kibibytes() - memory);
    let get = GetLifecyclePolicyPreview {
        repository,
        ids: Vec::new(),
        tag_status: TagStatus::Any,
        page: PageRequest { after: None, limit: 1 },
    };
    let preview = run(&app, get).await;
    assert_eq!((preview.status, preview.expiring), (PreviewStatus::Complete, 1_000));
    println!("{IMAGES} images, 5 rules: {time:?}, {memory} KiB more than before");
    assert!(time < TIME_MAX, "it took {time:?}");
    assert!(memory < MEMORY_MAX, "it took {memory} KiB");
}

async fn run<O: Operation>(app: &App, operation: O) -> O::Output {
    let principal = management_root(app).await.unwrap();
    let context = RequestContext {
        endpoint: None,
        referer: String::new(),
        input: None,
        account: principal.account,
        principal,
        region: app.default_region.clone(),
        source_address: IpAddr::V4(Ipv4Addr::LOCALHOST),
        secure_transport: false,
        user_agent: String::new(),
        request_id: String::new(),
        now: app.clock.now(),
    };
    execute(app, &context, operation).await.unwrap()
}

fn policy() -> String {
    let mut rules: Vec<String> = (1..5)
        .map(|priority| {
            format!(
                r#"{{"rulePriority":{priority},"selection":{{"tagStatus":"tagged","tagPatternList":["release-{priority}*-*"],"countType":"sinceImagePushed","countUnit":"days","countNumber":3650}},"action":{{"type":"expire"}}}}"#
            )
        })
        .collect();
    rules.push(format!(
        r#"{{"rulePriority":5,"selection":{{"tagStatus":"any","countType":"imageCountMoreThan","countNumber":{}}},"action":{{"type":"expire"}}}}"#,
        IMAGES - 1_000
    ));
    format!(r#"{{"rules":[{}]}}"#, rules.join(","))
}

/// Images a second apart, each with two tags.
async fn plant(metadata: &dyn Metadata, repository: i64) {
    for first in (0..IMAGES).step_by(1_000) {
        let mut tx = metadata.begin(Mode::Write).await.unwrap();
        for number in first..first + 1_000 {
            tx.execute(
                "INSERT INTO images (id, repository_id, digest, kind, media_type, annotations, \
                 image_size, parser_version, container_version, manifest, manifest_size, \
                 pushed_at) VALUES ($1, $2, $3, 'image', 'x', '{}', 0, 1, 0, $4, 2, $5)",
                params![
                    number + 1,
                    repository,
                    format!("sha256:{number:064x}"),
                    Value::Bytes(b"{}".to_vec()),
                    NOW - (IMAGES - number) * 1000,
                ],
            )
            .await
            .unwrap();
            for tag in [format!("build-{number}"), format!("branch-{}-{number}", number % 7)] {
                tx.execute(
                    "INSERT INTO tags (repository_id, name, image_id, version, updated_at) \
                     VALUES ($1, $2, $3, $3, 0)",
                    params![repository, tag, number + 1],
                )
                .await
                .unwrap();
            }
        }
        tx.commit().await.unwrap();
    }
}

/// The most memory that this process ever had.
fn peak_kibibytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(0)
}
