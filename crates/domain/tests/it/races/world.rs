//! What is there before a race, and what is there after it.

use std::sync::Arc;

use tonnage_domain::accounts::CreateAccount;
use tonnage_domain::app::Settings;
use tonnage_domain::context::{Principal, PrincipalKind};
use tonnage_domain::names::AccountId;
use tonnage_domain::replication::put_replication_configuration::PutReplicationConfiguration;
use tonnage_domain::replication::{
    ReplicationConfiguration, ReplicationDestination, ReplicationRule,
};
use tonnage_domain::repositories::create::CreateRepository;
use tonnage_domain::repositories::{RepositoryAddress, TagMutability};
use tonnage_domain::uploads::UploadId;

use crate::content::{Blob, Pushed};
use crate::interposed::Statement;
use crate::registry::{
    ACCOUNT, Registry, create_repository, empty_database_twice, resource_tags, rule,
};

/// One account beside the management account.
pub(super) const OTHER_ACCOUNT: &str = "210987654321";

/// A job whose time has not come, and one that failed too often.
pub(super) const WAITING_JOB: i64 = 1;
pub(super) const DEAD_JOB: i64 = 2;
const JOBS: &[Statement] = &[
    (
        "INSERT INTO jobs (id, kind, job_key, payload_version, payload, state, run_at, attempts, \
         lease_fence, created_at) VALUES (1, 'test', 'waiting', 1, '{}', 'WAITING', 0, 0, 0, 0)",
        Vec::new(),
    ),
    (
        "INSERT INTO jobs (id, kind, job_key, payload_version, payload, state, run_at, attempts, \
         lease_fence, created_at) VALUES (2, 'test', 'dead', 1, '{}', 'DEAD', 0, 5, 0, 0)",
        Vec::new(),
    ),
];

/// A copy of `first` that failed.
const FAILED_COPY: &[Statement] = &[(
    "INSERT INTO replications (image_id, account_id, region, status, failure_code, queued_at, \
     ended_at) SELECT image_id, '123456789012', 'eu-west-1', 'FAILED', 'AccessDenied', 0, 0 \
     FROM tags WHERE name = 'v1'",
    Vec::new(),
)];

/// A registry that two processes serve.
pub(super) struct World {
    pub(super) sides: [Arc<Registry>; 2],
    pub(super) management: AccountId,
    pub(super) other_root: Principal,
    /// Tag `v1` names `first` here, and `child` has no tag.
    pub(super) app: RepositoryAddress,
    /// An immutable repository without images.
    pub(super) locked: RepositoryAddress,
    /// A repository with 49 resource tags and nothing else.
    pub(super) tagged: RepositoryAddress,
    /// Images of blobs that `app` and `locked` have; `second` is not pushed.
    pub(super) first: Pushed,
    pub(super) second: Pushed,
    pub(super) child: Pushed,
    /// An index with `child`, not pushed.
    pub(super) index: Pushed,
    /// Pushed to `app` long ago, and no image refers to it.
    pub(super) old: Blob,
    /// An image of it, not pushed.
    pub(super) of_old: Pushed,
    /// A large blob, and uploads that have received all of it: two in `app`, one in `tagged`.
    pub(super) large: Blob,
    pub(super) uploads: [UploadId; 3],
}

impl World {
    pub(super) async fn new() -> Self {
        let [one, two] = empty_database_twice().await;
        let registry =
            Registry::on(one, Settings { image_shares: true, ..Settings::default() }).await;
        let (config, layer) = (Blob::new("config", 100), Blob::new("layer", 2000));
        let (old, large) = (Blob::new("old", 1000), Blob::new("large", 100_000));
        let image = |label: &str| Pushed::annotated_image(&config, &[&layer], label);
        let (first, second, child) = (image("first"), image("second"), image("child"));

        let app = registry.create("app").await;
        let locked = registry.create_with("locked", rule(TagMutability::Immutable, &[])).await;
        let keys: Vec<String> = (0..49).map(|number| format!("key{number}")).collect();
        let tags: Vec<_> = keys.iter().map(|key| (key.as_str(), "value")).collect();
        let create = create_repository("tagged");
        let create = CreateRepository { tags: resource_tags(&tags), ..create };
        let tagged = registry.run(create).await.unwrap().address;
        registry.push_blob(&app, &old).await.unwrap();
        registry.clock.advance_seconds(registry.app.settings.gc_grace_seconds + 1);

        for repository in [&app, &locked] {
            for blob in [&config, &layer] {
                registry.push_blob(repository, blob).await.unwrap();
            }
        }
        registry.put(&app, &first, Some("v1")).await.unwrap();
        registry.put(&app, &child, None).await.unwrap();
        let mut uploads = Vec::new();
        for repository in [&app, &app, &tagged] {
            let upload = registry.initiate(repository).await.unwrap();
            registry.append(repository, &upload, &large.bytes).await.unwrap();
            uploads.push(upload);
        }
        registry.write(JOBS).await;
        // Of repositories that are not there.
        let rule = ReplicationRule {
            destinations: vec![ReplicationDestination {
                region: "eu-west-1".to_owned(),
                account: ACCOUNT.to_owned(),
            }],
            prefixes: vec!["elsewhere/".to_owned()],
            delete_replication: None,
        };
        let configuration = ReplicationConfiguration { rules: vec![rule] };
        registry.run(PutReplicationConfiguration { configuration }).await.unwrap();
        registry.write(FAILED_COPY).await;
        registry.run(crate::secrets::create("kept", "first")).await.unwrap();
        let management = AccountId::parse(ACCOUNT).unwrap();
        super::public::prepare(&registry).await;
        let other_root = other_root(&registry, management).await;
        let beside = registry.beside(two).await;
        Self {
            sides: [Arc::new(registry), Arc::new(beside)],
            management,
            other_root,
            app,
            locked,
            tagged,
            index: Pushed::index(&[&child]),
            of_old: Pushed::image(&config, &[&old]),
            first,
            second,
            child,
            old,
            large,
            uploads: uploads.try_into().unwrap(),
        }
    }

    /// What is stored at the end, as [`World::rows`]. Nothing is left that belongs to nobody, and
    /// every image is whole.
    pub(super) async fn stored(&self) -> Vec<String> {
        let stored = self.rows().await;
        let registry = &self.sides[0];
        registry.check_no_orphans().await;
        if stored.iter().any(|row| row.starts_with("app MUTABLE") || row.starts_with("app IMM")) {
            registry.check_images(&self.app).await;
        }
        stored
    }

    /// Everything that does not depend on ids and is not slack of garbage collection, as text.
    pub(super) async fn rows(&self) -> Vec<String> {
        let registry = &self.sides[0];
        let mut stored = Vec::new();
        for sql in STORED {
            let mut rows: Vec<String> =
                registry.rows(sql).await.iter().map(|row| row.join(" ")).collect();
            rows.sort();
            stored.push((*sql).to_owned());
            stored.extend(rows);
        }
        stored
    }
}

async fn other_root(registry: &Registry, management_account: AccountId) -> Principal {
    let id = AccountId::parse(OTHER_ACCOUNT).unwrap();
    let name = "other".to_owned();
    registry.run(CreateAccount { management_account, id, name }).await.unwrap();
    let sql = "SELECT id, arn, unique_id FROM principals WHERE account_id = '210987654321'";
    let row = registry.rows(sql).await.remove(0);
    Principal {
        id: row[0].parse().unwrap(),
        kind: PrincipalKind::Root,
        account: id,
        arn: row[1].clone(),
        unique_id: row[2].clone(),
        access_key_id: None,
        session: None,
        share: None,
    }
}

const STORED: &[&str] = &[
    "SELECT id, name, state FROM accounts",
    "SELECT account_id, kind, name FROM principals",
    "SELECT principals.arn, access_keys.state FROM access_keys
     JOIN principals ON principals.id = access_keys.principal_id",
    "SELECT digest, uses FROM image_shares",
    "SELECT name, version FROM versions",
    "SELECT kind, account_id, region FROM registries",
    "SELECT signs_until, verifies_until FROM token_keys",
    "SELECT name, tag_mutability, tag_mutability_exclusions, scan_on_push FROM repositories",
    "SELECT name, version, document FROM registry_documents",
    // The names of default aliases are chosen at random.
    "SELECT name, status, is_primary FROM public_aliases WHERE is_default = 0",
    "SELECT is_primary, COUNT(*) FROM public_aliases WHERE is_default = 1 GROUP BY is_primary",
    "SELECT repositories.name, COALESCE(description, '') FROM public_catalog_data
     JOIN repositories ON repositories.id = repository_id",
    "SELECT prefix, COALESCE(description, ''), applied_for FROM repository_creation_templates",
    "SELECT principal_arn FROM pull_time_exclusions",
    "SELECT account_id, region, status FROM replication_backfills",
    "SELECT repositories.name, account_id, region, change, digest, tag FROM replication_queue
     JOIN repositories ON repositories.id = repository_id",
    "SELECT repositories.name, images.digest, account_id, region, replications.status
     FROM replications JOIN images ON images.id = image_id
     JOIN repositories ON repositories.id = repository_id",
    "SELECT repositories.name, tag_key, tag_value FROM resource_tags
     JOIN repositories ON repositories.id = repository_id",
    "SELECT account_id, region FROM encryption_domains",
    "SELECT account_id FROM signing_authorities",
    "SELECT arn FROM signing_profiles",
    "SELECT name, action, criteria, tags FROM finding_filters",
    "SELECT name, digest FROM vex_documents",
    "SELECT name, COALESCE(description, ''), tags, COALESCE(purge_at, 0) FROM secrets",
    "SELECT secrets.name, version_id FROM secret_versions
     JOIN secrets ON secrets.id = secret_id",
    "SELECT secrets.name, stage, version_id FROM secret_stages
     JOIN secrets ON secrets.id = secret_id",
    "SELECT digest, size FROM blobs",
    "SELECT repositories.name, digest FROM repository_blobs
     JOIN repositories ON repositories.id = repository_id
     JOIN blobs ON blobs.id = blob_id",
    "SELECT repositories.name, digest FROM images
     JOIN repositories ON repositories.id = repository_id",
    "SELECT images.digest, position, image_blobs.digest FROM image_blobs
     JOIN images ON images.id = image_id",
    "SELECT images.digest, position, image_children.digest FROM image_children
     JOIN images ON images.id = image_id",
    "SELECT repositories.name, tags.name, digest FROM tags
     JOIN repositories ON repositories.id = tags.repository_id
     JOIN images ON images.id = image_id",
    "SELECT tag, COALESCE(digest, ''), COALESCE(previous_digest, '') FROM tag_history",
    "SELECT repositories.name, received, parts, last_part FROM uploads
     JOIN repositories ON repositories.id = repository_id",
    "SELECT kind, payload_version FROM outbox",
    "SELECT removed_blobs, reclaimed_bytes FROM garbage_collection",
    "SELECT phase, after_id, next_pass_at FROM scrub",
    "SELECT service, operation FROM access_records",
    "SELECT repositories.name FROM repository_policies
     JOIN repositories ON repositories.id = repository_id",
    "SELECT repositories.name FROM lifecycle_policies
     JOIN repositories ON repositories.id = repository_id",
    "SELECT COUNT(*) FROM registry_policies",
    "SELECT account_id FROM account_limits",
    "SELECT kind, name FROM iam_entities",
    "SELECT kind, state, attempts FROM jobs",
];
