//! What becomes of images when a policy is carried out.

use std::collections::BTreeSet;

use tonnage_domain::error::{ErrorKind, Result};
use tonnage_domain::jobs::Worker;
use tonnage_domain::lifecycle::PolicyOfRepository;
use tonnage_domain::lifecycle::delete_lifecycle_policy::DeleteLifecyclePolicy;
use tonnage_domain::lifecycle::get_lifecycle_policy::GetLifecyclePolicy;
use tonnage_domain::lifecycle::put_lifecycle_policy::PutLifecyclePolicy;
use tonnage_domain::names::Digest;
use tonnage_domain::repositories::RepositoryAddress;
use tonnage_store::faulty::{Call, Fault};

use super::{drain, drain_with, policy};
use crate::content::{Blob, Pushed};
use crate::registry::{
    ACCOUNT, Registry, address, bump, by_digest, by_tag, check_error, check_kind, faulted,
    on_postgres,
};

const DAY: i64 = 24 * 3600;

fn keep(count: u32) -> String {
    policy(&[&format!(
        r#""tagStatus":"any","countType":"imageCountMoreThan","countNumber":{count}"#
    )])
}

fn untagged() -> String {
    policy(&[
        r#""tagStatus":"untagged","countType":"sinceImagePushed","countUnit":"days","countNumber":1"#,
    ])
}

async fn put(registry: &Registry, app: &RepositoryAddress, text: &str) -> PolicyOfRepository {
    let operation = PutLifecyclePolicy { repository: app.clone(), text: text.to_owned() };
    registry.run(operation).await.unwrap()
}

async fn get(registry: &Registry, app: &RepositoryAddress) -> Result<PolicyOfRepository> {
    registry.run(GetLifecyclePolicy { repository: app.clone() }).await
}

/// Images `v0`, `v1`, …, pushed a second apart.
async fn push(registry: &Registry, app: &RepositoryAddress, count: usize) -> Vec<Pushed> {
    let mut pushed = Vec::new();
    for number in 0..count {
        registry.clock.advance_seconds(1);
        let tag = format!("v{number}");
        pushed.push(registry.push_image(app, &tag, &[&tag]).await);
    }
    pushed
}

#[tokio::test]
async fn a_policy_is_stored_carried_out_and_deleted() {
    let registry = Registry::new().await;
    let app = registry.create("app").await;
    push(&registry, &app, 5).await;
    let absent = "Lifecycle policy does not exist for the repository with name 'app' in the \
                  registry with id '123456789012'";
    check_error(get(&registry, &app).await, ErrorKind::LifecyclePolicyNotFound, absent);

    let text = keep(2);
    let minified = text.replace(": ", ":");
    assert_eq!(put(&registry, &app, &text).await.text, minified);
    let stored = registry.rows("SELECT policy_text FROM lifecycle_policies").await;
    assert_eq!(stored, [[text.clone()]], "byte for byte");
    assert_eq!(get(&registry, &app).await.unwrap().last_evaluated_at, None);
    drain(&registry).await;
    assert_eq!(registry.tags(&app).await.unwrap(), ["v3", "v4"]);
    registry.check_images(&app).await;
    let now = tonnage_domain::clock::Clock::now(registry.clock.as_ref());
    assert_eq!(get(&registry, &app).await.unwrap().last_evaluated_at, Some(now));

    let history = registry
        .rows("SELECT tag, principal_arn FROM tag_history WHERE digest IS NULL ORDER BY id")
        .await;
    let gone: Vec<_> = ["v0", "v1", "v2"].map(|tag| [tag, "ecr.amazonaws.com"]).to_vec();
    assert_eq!(history, gone);
    let events =
        registry.rows("SELECT kind FROM outbox WHERE kind = 'image-deleted' ORDER BY id").await;
    assert_eq!(events.len(), 3);
    let records = registry
        .rows("SELECT principal_arn FROM access_records WHERE operation = 'ExpireImages'")
        .await;
    assert_eq!(records, [["ecr.amazonaws.com"]]);

    let deleted = registry.run(DeleteLifecyclePolicy { repository: app.clone() }).await.unwrap();
    assert_eq!((deleted.text, deleted.last_evaluated_at), (minified, Some(now)));
    let again = registry.run(DeleteLifecyclePolicy { repository: app.clone() }).await;
    check_error(again, ErrorKind::LifecyclePolicyNotFound, absent);
    push(&registry, &app, 6).await;
    registry.clock.advance_seconds(2 * DAY);
    drain(&registry).await;
    assert_eq!(registry.tags(&app).await.unwrap().len(), 6);
}

#[tokio::test]
async fn what_is_no_policy_is_refused() {
    let registry = Registry::new().await;
    let app = registry.create("app").await;
    let put = async |repository: &RepositoryAddress, text: String| {
        registry.run(PutLifecyclePolicy { repository: repository.clone(), text }).await
    };
    check_kind(put(&app, "{}".repeat(60)).await, ErrorKind::InvalidParameter);
    check_kind(put(&address("absent"), "{}".to_owned()).await, ErrorKind::RepositoryNotFound);
}

#[tokio::test]
async fn every_repository_has_a_turn_a_day() {
    let registry = Registry::new().await;
    let apps = [registry.create("one").await, registry.create("two").await];
    for app in &apps {
        put(&registry, app, &keep(1)).await;
    }
    drain(&registry).await;
    for day in 1..4 {
        for app in &apps {
            push(&registry, app, 3).await;
        }
        registry.clock.advance_seconds(DAY);
        drain(&registry).await;
        for app in &apps {
            assert_eq!(registry.images(app).await.unwrap().len(), 1, "day {day}");
        }
    }
}

#[tokio::test]
async fn children_stay_with_their_index_and_go_after_it() {
    let registry = Registry::new().await;
    let app = registry.create("app").await;
    let children =
        [registry.push_image(&app, "arm", &[]).await, registry.push_image(&app, "amd", &[]).await];
    let index = Pushed::index(&[&children[0], &children[1]]);
    registry.put(&app, &index, Some("v1")).await.unwrap();
    registry.push_image(&app, "alone", &[]).await;
    put(&registry, &app, &untagged()).await;
    registry.clock.advance_seconds(2 * DAY);
    drain(&registry).await;
    assert_eq!(registry.images(&app).await.unwrap().len(), 3, "the index and its children");
    registry.batch_delete(&app, vec![by_tag("v1")]).await.unwrap();
    registry.clock.advance_seconds(DAY);
    drain(&registry).await;
    assert_eq!(registry.images(&app).await.unwrap().len(), 0);
}

#[tokio::test]
async fn referrers_go_with_their_subject() {
    let registry = Registry::new().await;
    let app = registry.create("app").await;
    let old = registry.push_image(&app, "old", &["old"]).await;
    let config = Blob::new("signature", 50);
    registry.push_blob(&app, &config).await.unwrap();
    let signature = Pushed::referrer(&config, &old, "one");
    registry.put(&app, &signature, None).await.unwrap();
    let of_signature = Pushed::referrer(&config, &signature, "two");
    registry.put(&app, &of_signature, None).await.unwrap();
    let kept = registry.push_image(&app, "new", &["new"]).await;
    let of_kept = Pushed::referrer(&config, &kept, "three");
    registry.put(&app, &of_kept, None).await.unwrap();
    // Referrers are neither counted nor old.
    registry.clock.advance_seconds(3 * DAY);
    put(&registry, &app, &untagged()).await;
    drain(&registry).await;
    assert_eq!(registry.images(&app).await.unwrap().len(), 5);

    put(&registry, &app, &keep(1)).await;
    drain(&registry).await;
    let left: BTreeSet<Digest> =
        registry.images(&app).await.unwrap().into_iter().map(|image| image.digest).collect();
    assert_eq!(left, BTreeSet::from([kept.digest, of_kept.digest]));
    let subjects = registry.rows("SELECT digest FROM lifecycle_expired_subjects").await;
    assert_eq!(subjects, Vec::<Vec<String>>::new());
}

/// What happens between the evaluation and the deletion.
enum Meanwhile {
    Nothing,
    /// The oldest image gets another tag.
    Tagged,
    /// The newest image is deleted.
    NewestDeleted,
    /// The tag of the newest image moves to the oldest.
    Moved,
    PolicyDeleted,
    RepositoryMadeAgain,
}

#[track_caller]
fn check_left(left: &[String], expected: &[&str]) {
    assert_eq!(left, expected);
}

async fn race(meanwhile: Meanwhile, expected: &[&str]) {
    let registry = Registry::new().await;
    let app = registry.create("app").await;
    let images = push(&registry, &app, 3).await;
    put(&registry, &app, &keep(2)).await;
    let pause = registry.interposed.pause_after("LEFT JOIN tags", 1);
    let work = drain(&registry);
    let change = async {
        pause.reached().await;
        // Only the evaluation is held; whoever comes now is past it when the deletion begins.
        match meanwhile {
            Meanwhile::Nothing => {}
            Meanwhile::Tagged => {
                registry.put(&app, &images[0], Some("keep")).await.unwrap();
            }
            Meanwhile::NewestDeleted => {
                registry.batch_delete(&app, vec![by_digest(&images[2].digest)]).await.unwrap();
            }
            Meanwhile::Moved => {
                registry.put(&app, &images[0], Some("v2")).await.unwrap();
            }
            Meanwhile::PolicyDeleted => {
                registry.run(DeleteLifecyclePolicy { repository: app.clone() }).await.unwrap();
            }
            Meanwhile::RepositoryMadeAgain => {
                registry.delete("app", true).await.unwrap();
                registry.create("app").await;
                push(&registry, &app, 3).await;
            }
        }
        pause.resume();
    };
    tokio::join!(work, change);
    check_left(&registry.tags(&app).await.unwrap(), expected);
}

#[tokio::test]
async fn what_changed_since_the_evaluation_is_seen_by_the_deletion() {
    race(Meanwhile::Nothing, &["v1", "v2"]).await;
    race(Meanwhile::Tagged, &["keep", "v0", "v1", "v2"]).await;
    race(Meanwhile::NewestDeleted, &["v0", "v1"]).await;
    race(Meanwhile::PolicyDeleted, &["v0", "v1", "v2"]).await;
    race(Meanwhile::RepositoryMadeAgain, &["v0", "v1", "v2"]).await;
}

#[tokio::test]
async fn a_tag_that_moved_meanwhile_makes_the_evaluation_anew() {
    // Three images still, two stay: the oldest goes with the tags it has by then.
    race(Meanwhile::Moved, &["v1"]).await;
}

#[tokio::test]
async fn many_images_go_in_several_runs() {
    let registry = Registry::new().await;
    let app = registry.create("app").await;
    super::cost::plant(&registry, 4_600).await;
    put(&registry, &app, &keep(100)).await;
    let worker = Worker::default();
    let ran = drain_with(&registry, &worker).await;
    assert!(ran >= 3, "{ran} runs");
    assert_eq!(registry.images(&app).await.unwrap().len(), 100);
    let left = registry.rows("SELECT MIN(pushed_at), MAX(pushed_at) FROM images").await;
    assert_eq!(left, [["4500", "4599"]]);
    let job = "SELECT state, progress_done FROM jobs WHERE kind = 'expire-images'";
    assert_eq!(registry.rows(job).await, [["DONE", "4500"]]);
}

#[tokio::test]
async fn a_failure_anywhere_is_made_up_for() {
    for (call, most) in [(Call::CommitBefore, 9), (Call::Execute, 40), (Call::Query, 60)] {
        for nth in faulted(most).step_by(if most > 9 && !on_postgres() { 3 } else { 1 }) {
            let registry = Registry::new().await;
            let app = registry.create("app").await;
            push(&registry, &app, 4).await;
            put(&registry, &app, &keep(1)).await;
            let worker = Worker::default();
            registry.plan.fail(call, nth, Fault::Unavailable);
            for _ in 0..100 {
                if matches!(worker.run_one(&registry.app).await, Ok(None)) {
                    break;
                }
            }
            assert!(registry.plan.injected() <= 1);
            registry.plan.heal();
            registry.clock.advance_seconds(120);
            drain_with(&registry, &worker).await;
            assert_eq!(registry.tags(&app).await.unwrap(), ["v3"], "{call:?} {nth}");
            let leases = "SELECT id FROM jobs WHERE lease_expires_at IS NOT NULL";
            assert_eq!(registry.rows(leases).await, Vec::<Vec<String>>::new(), "{call:?} {nth}");
        }
    }
}

#[tokio::test]
async fn a_suspended_account_keeps_its_images() {
    let registry = Registry::new().await;
    let app = registry.create("app").await;
    push(&registry, &app, 3).await;
    put(&registry, &app, &keep(1)).await;
    let set = async |sql| registry.write(&[(sql, vec![]), bump(ACCOUNT)]).await;
    set("UPDATE accounts SET state = 'SUSPENDED'").await;
    drain(&registry).await;
    set("UPDATE accounts SET state = 'ACTIVE'").await;
    assert_eq!(registry.tags(&app).await.unwrap().len(), 3);
    registry.clock.advance_seconds(DAY);
    drain(&registry).await;
    assert_eq!(registry.tags(&app).await.unwrap(), ["v2"]);
}
