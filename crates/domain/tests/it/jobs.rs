//! Jobs: leases, turns, failures, schedules, and what the operator may do.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock, Mutex};

use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;
use tonnage_domain::error::{Error, ErrorKind, Result};
use tonnage_domain::jobs::operations::{
    CancelJob, DescribeJob, JobDetail, JobState, ListJobs, RetryJob,
};
use tonnage_domain::jobs::{Job, Kind, Limits, Next, Run, Schedule, Worker};
use tonnage_domain::metadata::Mode;
use tonnage_domain::names::AccountId;
use tonnage_domain::params;

use crate::registry::{ACCOUNT, Registry, check_kind, page};

/// What a probe does on its next run, by key. Keys of different tests differ.
static SCRIPT: LazyLock<Mutex<BTreeMap<String, Act>>> = LazyLock::new(Mutex::default);
/// The keys that ran.
static RAN: Mutex<Vec<String>> = Mutex::new(Vec::new());

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Act {
    Succeed,
    Fail,
    Step,
    Hang,
}

/// A job that does what the script says.
#[derive(Debug, Serialize, Deserialize)]
struct Probe {
    key: String,
    account: Option<String>,
    step: u64,
}

impl Job for Probe {
    const KIND: &'static str = "probe";
    const LIMITS: Limits =
        Limits { concurrency: 2, attempts: 3, pause_seconds: 10, ..Limits::DEFAULT };

    fn key(&self) -> String {
        self.key.clone()
    }

    fn account(&self) -> Option<AccountId> {
        self.account.as_deref().map(|id| AccountId::parse(id).unwrap())
    }

    async fn run(mut self, run: &Run<'_>) -> Result<Next<Self>> {
        RAN.lock().unwrap().push(self.key.clone());
        let act = SCRIPT.lock().unwrap().get(&self.key).copied();
        match act.unwrap_or(Act::Succeed) {
            Act::Succeed => Ok(Next::Done),
            Act::Fail => Err(Error::new(ErrorKind::Unavailable, "the script says so")),
            Act::Step if self.step == 2 => Ok(Next::Done),
            Act::Step => {
                self.step += 1;
                run.progress(self.step, Some(3));
                Ok(Next::Continue(self))
            }
            Act::Hang => std::future::pending().await,
        }
    }
}

/// A job that a schedule enqueues.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Tick {}

impl Job for Tick {
    const KIND: &'static str = "tick";

    fn key(&self) -> String {
        "tick".to_owned()
    }

    async fn run(self, _run: &Run<'_>) -> Result<Next<Self>> {
        Ok(Next::Done)
    }
}

fn worker() -> Worker {
    Worker::new(&[Kind::of::<Probe>()], &[])
}

fn script(key: &str, act: Act) {
    SCRIPT.lock().unwrap().insert(key.to_owned(), act);
}

fn ran(prefix: &str) -> Vec<String> {
    RAN.lock().unwrap().iter().filter(|key| key.starts_with(prefix)).cloned().collect()
}

/// Puts a job into the table as the transaction of a feature would.
async fn put(registry: &Registry, id: i64, key: &str, account: &str) {
    let probe = Probe {
        key: key.to_owned(),
        account: (!account.is_empty()).then(|| account.to_owned()),
        step: 0,
    };
    let payload = serde_json::to_string(&probe).unwrap();
    registry
        .write(&[(
            "INSERT INTO jobs (id, kind, job_key, account_id, payload_version, payload, state, \
             run_at, attempts, lease_fence, created_at, updated_at) \
             VALUES ($1, 'probe', $2, $3, 1, $4, 'WAITING', 0, 0, 0, 0, 0)",
            params![id, key, account, payload].to_vec(),
        )])
        .await;
}

async fn describe(registry: &Registry, id: i64) -> JobDetail {
    let management_account = AccountId::parse(ACCOUNT).unwrap();
    registry.run(DescribeJob { management_account, id }).await.unwrap()
}

async fn cancel(registry: &Registry, id: i64) -> Result<JobDetail> {
    let management_account = AccountId::parse(ACCOUNT).unwrap();
    registry.run(CancelJob { management_account, id }).await
}

async fn retry(registry: &Registry, id: i64) -> Result<JobDetail> {
    let management_account = AccountId::parse(ACCOUNT).unwrap();
    registry.run(RetryJob { management_account, id }).await
}

/// A worker that claims a job that hangs, and dies.
async fn die_at_work(registry: &Registry, worker: &Worker, key: &str) {
    let before = ran(key).len();
    let work = worker.run_one(&registry.app);
    let begun = async {
        while ran(key).len() == before {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        ended = work => panic!("{key} ended: {ended:?}"),
        () = begun => {}
    }
}

#[tokio::test]
async fn a_job_runs_once_and_leaves_no_lease() {
    let registry = Registry::new().await;
    put(&registry, 1, "once", "").await;
    let worker = worker();
    assert_eq!(worker.run_one(&registry.app).await.unwrap(), Some("done"));
    assert_eq!(worker.run_one(&registry.app).await.unwrap(), None);
    let job = describe(&registry, 1).await;
    assert_eq!((job.state, job.attempts, job.lease_expires_at), (JobState::Done, 1, None));
    assert_eq!(ran("once").len(), 1);
}

#[tokio::test]
async fn the_rest_of_a_job_comes_after_others_and_keeps_its_place() {
    let registry = Registry::new().await;
    script("steps", Act::Step);
    put(&registry, 1, "steps", "").await;
    let worker = worker();
    for (outcome, done) in [("continued", 1), ("continued", 2), ("done", 2)] {
        assert_eq!(worker.run_one(&registry.app).await.unwrap(), Some(outcome));
        let job = describe(&registry, 1).await;
        assert_eq!((job.progress.done, job.progress.total), (done, Some(3)));
    }
    assert_eq!(describe(&registry, 1).await.state, JobState::Done);
}

#[tokio::test]
async fn failures_are_tried_again_later_until_the_job_is_a_dead_letter() {
    let registry = Registry::new().await;
    script("fails", Act::Fail);
    put(&registry, 1, "fails", "").await;
    let worker = worker();
    for (attempt, outcome, pause) in [(1, "failed", 10), (2, "failed", 20), (3, "dead", 0)] {
        assert_eq!(worker.run_one(&registry.app).await.unwrap(), Some(outcome));
        assert_eq!(worker.run_one(&registry.app).await.unwrap(), None, "too early");
        let job = describe(&registry, 1).await;
        assert_eq!(job.attempts, attempt);
        assert_eq!(job.last_error.as_deref(), Some("the script says so"));
        registry.clock.advance_seconds(pause);
    }
    assert_eq!(describe(&registry, 1).await.state, JobState::Dead);
    check_kind(cancel(&registry, 1).await, ErrorKind::InvalidParameter);
    script("fails", Act::Succeed);
    assert_eq!(retry(&registry, 1).await.unwrap().state, JobState::Waiting);
    assert_eq!(worker.run_one(&registry.app).await.unwrap(), Some("done"));
    check_kind(retry(&registry, 1).await, ErrorKind::InvalidParameter);
    check_kind(retry(&registry, 2).await, ErrorKind::JobNotFound);
}

#[tokio::test]
async fn a_dead_workers_job_is_taken_over_when_its_lease_ends() {
    let registry = Registry::new().await;
    script("lost", Act::Hang);
    put(&registry, 1, "lost", "").await;
    die_at_work(&registry, &worker(), "lost").await;
    let successor = worker();
    assert_eq!(successor.run_one(&registry.app).await.unwrap(), None, "the lease holds");
    assert_eq!(describe(&registry, 1).await.state, JobState::Running);
    registry.clock.advance_seconds(60);
    script("lost", Act::Succeed);
    assert_eq!(successor.run_one(&registry.app).await.unwrap(), Some("done"));
    let fence = registry.rows("SELECT lease_fence FROM jobs").await;
    assert_eq!(fence, [["2"]]);
}

#[tokio::test]
async fn the_next_process_waits_for_no_lease_of_the_one_before() {
    let registry = Registry::new().await;
    script("orphan", Act::Hang);
    put(&registry, 1, "orphan", "").await;
    die_at_work(&registry, &worker(), "orphan").await;
    script("orphan", Act::Succeed);
    let app = Arc::new(registry.app);
    let stopping = CancellationToken::new();
    let running = tokio::spawn(Arc::new(worker()).run(Arc::clone(&app), stopping.clone()));
    while ran("orphan").len() == 1 {
        tokio::task::yield_now().await;
    }
    stopping.cancel();
    running.await.unwrap();
}

#[tokio::test]
async fn a_worker_that_stops_gives_its_jobs_back() {
    let registry = Registry::new().await;
    script("given-back", Act::Hang);
    put(&registry, 1, "given-back", "").await;
    let app = Arc::new(registry.app);
    let stopping = CancellationToken::new();
    let running = tokio::spawn(Arc::new(worker()).run(Arc::clone(&app), stopping.clone()));
    while ran("given-back").is_empty() {
        tokio::task::yield_now().await;
    }
    stopping.cancel();
    running.await.unwrap();
    script("given-back", Act::Succeed);
    // Nobody has to wait for the end of a lease, and the attempt does not count.
    let mut tx = registry.metadata.begin(Mode::Read).await.unwrap();
    let rows = tx.query("SELECT attempts, lease_expires_at, state FROM jobs", &[]).await.unwrap();
    let row = &rows[0];
    assert_eq!(row.get::<i64>(0).unwrap(), 0);
    assert_eq!(row.get::<Option<i64>>(1).unwrap(), None);
    assert_eq!(row.get::<String>(2).unwrap(), "WAITING");
    drop(tx);
    assert_eq!(worker().run_one(&app).await.unwrap(), Some("done"));
}

#[tokio::test]
async fn a_job_that_kills_its_workers_becomes_a_dead_letter() {
    let registry = Registry::new().await;
    script("killer", Act::Hang);
    put(&registry, 1, "killer", "").await;
    for _ in 0..3 {
        die_at_work(&registry, &worker(), "killer").await;
        registry.clock.advance_seconds(60);
    }
    assert_eq!(worker().run_one(&registry.app).await.unwrap(), None);
    let job = describe(&registry, 1).await;
    assert_eq!((job.state, job.last_error.as_deref()), (JobState::Dead, Some("the worker died")));
    assert_eq!(job.lease_expires_at, None);
}

#[tokio::test]
async fn whoever_was_taken_for_dead_changes_nothing() {
    let registry = Registry::new().await;
    script("slow", Act::Step);
    put(&registry, 1, "slow", "").await;
    let (first, second) = (worker(), worker());
    // Between the run of the first worker and its record; the transactions before that one look
    // whether a job is due, and claim it.
    let takeover = "UPDATE jobs SET lease_fence = lease_fence + 1, lease_expires_at = 0";
    registry.interposed.before(3, vec![(takeover, vec![])]);
    let outcome = first.run_one(&registry.app).await.unwrap();
    assert!(registry.interposed.has_run());
    assert_eq!(outcome, Some("lost"));
    assert_eq!(describe(&registry, 1).await.progress.done, 0);
    script("slow", Act::Succeed);
    assert_eq!(second.run_one(&registry.app).await.unwrap(), Some("done"));
}

#[tokio::test]
async fn a_job_is_cancelled_whether_it_waits_or_runs() {
    let registry = Registry::new().await;
    for (id, key) in [(1, "cancel-a"), (2, "cancel-b")] {
        put(&registry, id, key, "").await;
    }
    assert_eq!(cancel(&registry, 1).await.unwrap().state, JobState::Cancelled);
    assert_eq!(cancel(&registry, 1).await.unwrap().state, JobState::Cancelled);
    script("cancel-b", Act::Hang);
    die_at_work(&registry, &worker(), "cancel-b").await;
    let running = cancel(&registry, 2).await.unwrap();
    assert_eq!((running.state, running.cancel_requested), (JobState::Running, true));
    registry.clock.advance_seconds(60);
    assert_eq!(worker().run_one(&registry.app).await.unwrap(), None);
    let job = describe(&registry, 2).await;
    assert_eq!((job.state, job.cancel_requested), (JobState::Cancelled, false));
    assert_eq!(ran("cancel-").len(), 1);
}

#[tokio::test]
async fn accounts_take_turns() {
    let registry = Registry::new().await;
    let accounts = ["111111111111", "222222222222", "333333333333"];
    let mut id = 0;
    for (account, jobs) in accounts.iter().zip([5, 1, 2]) {
        for number in 0..jobs {
            id += 1;
            put(&registry, id, &format!("turn-{}-{number}", &account[..1]), account).await;
        }
    }
    let worker = worker();
    while worker.run_one(&registry.app).await.unwrap().is_some() {}
    assert_eq!(
        ran("turn-"),
        ["1-0", "2-0", "3-0", "1-1", "3-1", "1-2", "1-3", "1-4"].map(|key| format!("turn-{key}"))
    );
}

#[tokio::test]
async fn no_more_run_at_a_time_than_their_kind_allows() {
    let registry = Registry::new().await;
    for id in 1..=3 {
        let key = format!("many-{id}");
        script(&key, Act::Hang);
        put(&registry, id, &key, "").await;
    }
    for id in 1..=2 {
        die_at_work(&registry, &worker(), &format!("many-{id}")).await;
    }
    assert_eq!(worker().run_one(&registry.app).await.unwrap(), None);
    assert_eq!(describe(&registry, 3).await.state, JobState::Waiting);
}

#[tokio::test]
async fn a_schedule_fires_once_whoever_looks() {
    let registry = Registry::new().await;
    let worker = || Worker::new(&[Kind::of::<Tick>()], &[Schedule::of::<Tick>("ticks", 100)]);
    let workers = [worker(), worker()];
    let fired = async || {
        let mut count = 0;
        for worker in workers.iter().chain(&workers) {
            count += usize::from(worker.run_one(&registry.app).await.unwrap().is_some());
        }
        count
    };
    assert_eq!(fired().await, 1);
    registry.clock.advance_seconds(99);
    assert_eq!(fired().await, 0);
    registry.clock.advance_seconds(1);
    assert_eq!(fired().await, 1);
    // What was missed is made up for once.
    registry.clock.advance_seconds(1000);
    assert_eq!(fired().await, 1);
    assert_eq!(registry.rows("SELECT name FROM schedules").await, [["ticks"]]);
}

#[tokio::test]
async fn jobs_are_listed_in_pages_and_forgotten_after_a_while() {
    let registry = Registry::new().await;
    script("list-2", Act::Fail);
    for id in 1..=3 {
        put(&registry, id, &format!("list-{id}"), "").await;
    }
    let list = async |kind: Option<&str>, state, after, limit| {
        let management_account = AccountId::parse(ACCOUNT).unwrap();
        let (kind, page) = (kind.map(ToOwned::to_owned), page(after, limit));
        let listed = registry.run(ListJobs { management_account, kind, state, page }).await;
        let listed = listed.unwrap();
        (listed.items.iter().map(|job| job.id).collect::<Vec<_>>(), listed.next)
    };
    assert_eq!(list(None, None, None, 2).await, (vec![1, 2], Some("2".to_owned())));
    assert_eq!(list(Some("probe"), None, Some("2"), 2).await, (vec![3], None));
    assert_eq!(list(Some("other"), None, None, 2).await, (vec![], None));
    let worker = worker();
    while worker.run_one(&registry.app).await.unwrap().is_some() {}
    assert_eq!(list(None, Some(JobState::Done), None, 9).await, (vec![1, 3], None));
    registry.clock.advance_seconds(8 * 24 * 3600);
    crate::lifecycle::drain(&registry).await;
    assert_eq!(list(Some("probe"), None, None, 9).await, (vec![2], None));
}

#[tokio::test]
async fn jobs_say_in_names_what_they_are_about() {
    let registry = Registry::new().await;
    let app = registry.create("team/app").await;
    let image = registry.push_image(&app, "app", &["v1"]).await;
    let ids = registry
        .rows(
            "SELECT images.id, repositories.id, repositories.registry_id FROM images \
             JOIN repositories ON repositories.id = images.repository_id",
        )
        .await;
    let [image_id, repository_id, registry_id] = &ids[0][..] else { panic!("{ids:?}") };
    let digest = &image.digest.as_str()[.."sha256:".len() + 12];
    let home = format!("us-east-1 of {ACCOUNT}");
    let rows = [
        ("scan-image", format!("{image_id} BASIC"), format!("team/app@{digest} in {home}, BASIC")),
        ("expire-images", repository_id.clone(), format!("team/app in {home}")),
        ("review-findings", registry_id.clone(), home.clone()),
        (
            "review-findings",
            format!("{registry_id} {image_id}"),
            format!("{home}, team/app@{digest} in {home}"),
        ),
        (
            "replicate",
            format!("{repository_id} {ACCOUNT} eu-west-1"),
            format!("team/app in {home}, {ACCOUNT}, eu-west-1"),
        ),
        // What is gone, what is no id, and what names nothing.
        ("scan-image", "77 BASIC".to_owned(), "77, BASIC".to_owned()),
        ("expire-images", "soon".to_owned(), "soon".to_owned()),
        ("sync-advisory-source", "debian".to_owned(), "debian".to_owned()),
        ("none-of-ours", image_id.clone(), image_id.clone()),
        ("forget-jobs", String::new(), String::new()),
    ];
    let management_account = AccountId::parse(ACCOUNT).unwrap();
    for (number, (kind, key, expected)) in (1_i64..).zip(rows) {
        registry
            .write(&[(
                "INSERT INTO jobs (id, kind, job_key, account_id, payload_version, payload, state, \
                 run_at, attempts, lease_fence, created_at, updated_at) \
                 VALUES ($1, $2, $3, '', 1, '{}', 'DONE', 0, 0, 0, 0, 0) \
                 ON CONFLICT (kind, job_key) DO UPDATE SET id = excluded.id",
                params![number, kind, &key].to_vec(),
            )])
            .await;
        assert_eq!(describe(&registry, number).await.subject, expected, "{kind} {key}");
        let kind = Some(kind.to_owned());
        let list = ListJobs { management_account, kind, state: None, page: page(None, 100) };
        let listed = registry.run(list).await.unwrap().items;
        let listed = listed.into_iter().find(|job| job.id == number).unwrap();
        assert_eq!(listed.subject, expected);
    }
}

#[tokio::test]
async fn a_job_of_another_form_is_not_misread() {
    let registry = Registry::new().await;
    put(&registry, 1, "form", "").await;
    registry.write(&[("UPDATE jobs SET payload_version = 2", vec![])]).await;
    assert_eq!(worker().run_one(&registry.app).await.unwrap(), Some("failed"));
    let error = describe(&registry, 1).await.last_error.unwrap();
    assert!(error.contains("stored in form 2, this program knows form 1"), "{error}");
    assert_eq!(ran("form"), Vec::<String>::new());
}
