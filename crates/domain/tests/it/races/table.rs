//! The races: what is read, decided on and written by one meets whatever may change it.

use std::sync::Arc;

use tonnage_domain::accounts::{CreateAccount, SetAccountState};
use tonnage_domain::blobs::get_download_url_for_layer::GetDownloadUrlForLayer;
use tonnage_domain::context::{Principal, RequestContext};
use tonnage_domain::gc::operations::RunGarbageCollection;
use tonnage_domain::identities::get_authorization_token::GetAuthorizationToken;
use tonnage_domain::image_shares::operations::CreateImageShare;
use tonnage_domain::images::ImageIdentifier;
use tonnage_domain::images::batch_delete_image::BatchDeleteImage;
use tonnage_domain::images::delete_manifest::DeleteManifest;
use tonnage_domain::images::precondition::Precondition;
use tonnage_domain::images::put_image::PutImage;
use tonnage_domain::jobs::operations::{CancelJob, JobDetail, RetryJob};
use tonnage_domain::names::{AccountId, Reference};
use tonnage_domain::params;
use tonnage_domain::repositories::create::CreateRepository;
use tonnage_domain::repositories::delete::DeleteRepository;
use tonnage_domain::repositories::put_image_tag_mutability::PutImageTagMutability;
use tonnage_domain::repositories::{RepositoryAddress, TagMutability};
use tonnage_domain::resource_tags::{TagResource, UntagResource};
use tonnage_domain::scrub::operations::StartScrub;
use tonnage_domain::uploads::append::UploadLayerPart;
use tonnage_domain::uploads::cancel::CancelUpload;
use tonnage_domain::uploads::finish::CompleteLayerUpload;
use tonnage_domain::uploads::initiate::InitiateLayerUpload;
use tonnage_domain::uploads::{UploadId, UploadRules};

use super::world::{DEAD_JOB, OTHER_ACCOUNT, WAITING_JOB, World};
use super::{Act, Race, act, act_as, act_with, policies, public, renames, secrets, settings};
use crate::content::Pushed;
use crate::interposed::Statement;
use crate::registry::{
    ACCOUNT, Registry, body, bump, by_digest, by_tag, create_repository, put_image, resource_tags,
    rule,
};

/// Permissions moved, or another request writes to the upload or has ended it: what a client of one
/// process is told, too.
const REFUSALS: &[&str] = &["Unavailable", "UploadBusy", "UploadNotFound"];

pub(super) fn race(first: Act, second: Act) -> Race {
    Race { acts: [first, second], refusals: REFUSALS }
}

pub(super) fn races() -> Vec<Race> {
    let mut races = repositories();
    races.extend(images());
    races.extend(deletions());
    races.extend(uploads());
    races.extend(collection());
    races.extend(accounts());
    races.extend(jobs());
    races.extend(settings::races());
    races.extend(policies::races());
    races.extend(renames::races());
    races.extend(secrets::races());
    races.extend(public::races());
    races
}

fn repositories() -> Vec<Race> {
    vec![
        race(create("new"), create("new")),
        race(create("app"), delete("app", true)),
        race(delete("app", true), delete("app", true)),
        race(share(), delete("app", true)),
        race(delete("locked", false), put(locked, first, Some("v1"))),
        race(delete("app", true), put(app, second, Some("v2"))),
        race(delete("tagged", false), tag_resource("new")),
        race(delete("tagged", false), mutability("tagged")),
        // The fiftieth tag of a repository is its last.
        race(tag_resource("one"), tag_resource("two")),
        race(tag_resource("one"), untag_resource("key0")),
        race(tag_resource("key0"), untag_resource("key0")),
        race(untag_resource("key0"), untag_resource("key0")),
    ]
}

fn images() -> Vec<Race> {
    vec![
        race(put(app, first, Some("v1")), put(app, second, Some("v1"))),
        race(put(app, second, Some("v1")), put(app, child, Some("v1"))),
        race(put(app, second, None), put(app, second, None)),
        race(put(locked, first, Some("v1")), put(locked, second, Some("v1"))),
        race(put(app, second, Some("v1")), mutability("app")),
        race(mutability("app"), mutability("app")),
    ]
}

fn deletions() -> Vec<Race> {
    vec![
        race(delete_images(|world| by_digest(&world.child.digest)), put(app, index, Some("list"))),
        race(delete_manifest(|world| world.child.digest.as_str()), put(app, index, None)),
        race(delete_manifest(|_| "v1"), put(app, second, Some("v1"))),
        race(delete_manifest(|_| "v1"), delete_images(|_| by_tag("v1"))),
        race(
            delete_images(|world| by_digest(&world.first.digest)),
            delete_images(|_| by_tag("v1")),
        ),
        race(delete_images(|_| by_tag("v1")), mutability("app")),
        race(delete_manifest(|world| world.first.digest.as_str()), delete("app", false)),
    ]
}

fn uploads() -> Vec<Race> {
    vec![
        race(initiate(), delete("app", true)),
        race(append(0), append(0)),
        race(append(0), complete(app, 0)),
        race(append(0), cancel(0)),
        race(append(0), delete("app", true)),
        race(complete(app, 0), complete(app, 0)),
        race(complete(app, 0), cancel(0)),
        race(complete(app, 0), delete("app", true)),
        race(cancel(0), cancel(0)),
        // Equal bytes of one account are kept once.
        race(complete(app, 0), complete(app, 1)),
        race(complete(app, 0), complete(tagged, 2)),
    ]
}

fn collection() -> Vec<Race> {
    vec![
        race(collect(), collect()),
        race(collect(), put(app, of_old, Some("old"))),
        race(collect(), delete("app", true)),
        race(collect(), complete(app, 0)),
        race(scrub(), scrub()),
        race(collect(), delete_images(|world| by_digest(&world.child.digest))),
    ]
}

fn accounts() -> Vec<Race> {
    vec![
        race(create_account(), create_account()),
        race(set_state(false), set_state(true)),
        race(set_state(false), set_state(false)),
        // Whoever is suspended before the change is written changes nothing.
        race(set_state(false), create_by_other()),
        race(deactivate_key(), create_with_key()),
        // The first signature makes the key that both sign with.
        race(authorize(), authorize()),
        race(authorize(), download()),
    ]
}

fn jobs() -> Vec<Race> {
    vec![
        race(cancel_job(WAITING_JOB), cancel_job(WAITING_JOB)),
        race(cancel_job(WAITING_JOB), retry_job(WAITING_JOB)),
        race(cancel_job(DEAD_JOB), retry_job(DEAD_JOB)),
        race(retry_job(DEAD_JOB), retry_job(DEAD_JOB)),
    ]
}

// --- what they are made of

pub(super) fn app(world: &World) -> &RepositoryAddress {
    &world.app
}

fn locked(world: &World) -> &RepositoryAddress {
    &world.locked
}

fn tagged(world: &World) -> &RepositoryAddress {
    &world.tagged
}

fn first(world: &World) -> &Pushed {
    &world.first
}

pub(super) fn second(world: &World) -> &Pushed {
    &world.second
}

fn child(world: &World) -> &Pushed {
    &world.child
}

fn index(world: &World) -> &Pushed {
    &world.index
}

fn of_old(world: &World) -> &Pushed {
    &world.of_old
}

pub(super) fn create(name: &'static str) -> Act {
    act(move |_| create_repository(name))
}

pub(super) fn delete(name: &'static str, force: bool) -> Act {
    act(move |_| DeleteRepository { registry_id: None, name: create_repository(name).name, force })
}

fn share() -> Act {
    act(|world| CreateImageShare {
        repository: world.app.clone(),
        id: by_tag("v1"),
        seconds: 3600,
        uses_max: None,
    })
}

pub(super) fn mutability(name: &'static str) -> Act {
    act(move |_| PutImageTagMutability {
        registry_id: None,
        name: create_repository(name).name,
        tag_mutability: rule(TagMutability::Immutable, &[]),
    })
}

pub(super) fn tag_resource(key: &'static str) -> Act {
    act(move |world| TagResource {
        resource: world.tagged.clone(),
        tags: resource_tags(&[(key, "new")]),
    })
}

fn untag_resource(key: &'static str) -> Act {
    act(move |world| UntagResource { resource: world.tagged.clone(), keys: vec![key.to_owned()] })
}

pub(super) fn put(
    repository: fn(&World) -> &RepositoryAddress,
    image: fn(&World) -> &Pushed,
    tag: Option<&'static str>,
) -> Act {
    act(move |world| -> PutImage {
        put_image(repository(world), image(world), tag, UploadRules::Distribution)
    })
}

fn delete_images(which: fn(&World) -> ImageIdentifier) -> Act {
    act_with(
        move |world| BatchDeleteImage { repository: world.app.clone(), ids: vec![which(world)] },
        |output| {
            let failures: Vec<_> = output.failures.iter().map(|(_, failure)| failure).collect();
            format!("{} deleted, {failures:?}", output.deleted.len())
        },
    )
}

pub(super) fn delete_manifest(which: fn(&World) -> &str) -> Act {
    act(move |world| DeleteManifest {
        repository: world.app.clone(),
        reference: Reference::parse(which(world)).unwrap(),
        condition: Precondition::None,
    })
}

fn cancel_job(id: i64) -> Act {
    let show = |job: JobDetail| job.state.as_str().to_owned();
    act_with(move |world| CancelJob { management_account: world.management, id }, show)
}

fn retry_job(id: i64) -> Act {
    let show = |job: JobDetail| job.state.as_str().to_owned();
    act_with(move |world| RetryJob { management_account: world.management, id }, show)
}

pub(super) fn initiate() -> Act {
    act(|world| InitiateLayerUpload {
        repository: world.app.clone(),
        rules: UploadRules::Distribution,
    })
}

pub(super) fn append(upload: usize) -> Act {
    act(move |world| UploadLayerPart {
        repository: world.app.clone(),
        upload_id: id(world, upload),
        first_byte: None,
        length: None,
        body: body(&world.old.bytes),
        rules: UploadRules::Distribution,
    })
}

pub(super) fn complete(repository: fn(&World) -> &RepositoryAddress, upload: usize) -> Act {
    act(move |world| CompleteLayerUpload {
        repository: repository(world).clone(),
        upload_id: id(world, upload),
        digests: vec![world.large.digest.clone()],
        first_byte: None,
        body: None,
        rules: UploadRules::Distribution,
    })
}

pub(super) fn cancel(upload: usize) -> Act {
    act(move |world| CancelUpload { repository: world.app.clone(), upload_id: id(world, upload) })
}

fn id(world: &World, upload: usize) -> UploadId {
    world.uploads[upload].clone()
}

fn collect() -> Act {
    act(|world| RunGarbageCollection { management_account: world.management })
}

fn scrub() -> Act {
    act(|world| StartScrub { management_account: world.management })
}

fn create_account() -> Act {
    act(|world| CreateAccount {
        management_account: world.management,
        id: AccountId::parse("310987654321").unwrap(),
        name: "new".to_owned(),
    })
}

fn set_state(active: bool) -> Act {
    act(move |world| SetAccountState {
        management_account: world.management,
        id: AccountId::parse(OTHER_ACCOUNT).unwrap(),
        active,
    })
}

fn create_by_other() -> Act {
    let who = |world: &World, registry: &Registry| registry.context_of(&world.other_root);
    act_as(who, |_| create_repository("theirs"), |_| "ok".to_owned())
}

fn create_with_key() -> Act {
    let who = |_: &World, registry: &Registry| -> RequestContext {
        let access_key_id = Some(first_key(registry));
        registry.context_of(&Principal { access_key_id, ..registry.root.clone() })
    };
    act_as(who, |_| -> CreateRepository { create_repository("mine") }, |_| "ok".to_owned())
}

fn first_key(registry: &Registry) -> String {
    registry.first_access_key.as_ref().unwrap().id.clone()
}

/// What deactivates a key must do, whoever it is: the change and the version in one transaction.
fn deactivate_key() -> Act {
    let run = |world: Arc<World>, side: usize| {
        let registry = Arc::clone(&world.sides[side]);
        let statements: Vec<Statement> = vec![
            (
                "UPDATE access_keys SET state = 'INACTIVE' WHERE id = $1",
                params![first_key(&registry)].to_vec(),
            ),
            bump(ACCOUNT),
        ];
        let run = async move {
            crate::interposed::write(registry.interposed.as_ref(), &statements).await;
            "ok".to_owned()
        };
        Box::pin(run) as futures_util::future::BoxFuture<'static, String>
    };
    Act { entry: None, run: Box::new(run) }
}

fn authorize() -> Act {
    act(|_| GetAuthorizationToken { registry_ids: Vec::new() })
}

fn download() -> Act {
    act(|world| GetDownloadUrlForLayer {
        repository: world.app.clone(),
        digest: world.old.digest.clone(),
    })
}
