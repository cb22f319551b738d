//! The socket by which subcommands speak to the running server: HTTP with JSON over `admin.sock`
//! in the data directory. Whoever may open it owns the data directory, so it takes no credentials
//! and acts as the root of the management account.

pub(crate) mod advisories;
mod backups;
pub(crate) mod client;
pub(crate) mod events;
pub(crate) mod image_shares;
pub(crate) mod images;
mod jobs;
mod public;
pub(crate) mod pull_through;
pub(crate) mod replication;
mod repositories;
pub(crate) mod scanners;
pub(crate) mod server;
pub(crate) mod vex;

use std::io;
use std::os::fd::AsRawFd as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// Bytes of a request.
const BODY_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Bytes of an answer: a bill of materials of a large image has some ten million.
const ANSWER_BYTES_MAX: usize = 256 * 1024 * 1024;
/// Bytes of the path of a socket, with the zero at its end (`sockaddr_un` on Linux; BSD has 104).
const SOCKET_PATH_BYTES_MAX: usize = 104;

/// An account.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Account {
    /// 12 digits.
    pub(crate) id: String,
    /// What people call it.
    pub(crate) name: String,
    /// `ACTIVE` or `SUSPENDED`.
    pub(crate) state: String,
    /// When it was created, in RFC 3339.
    pub(crate) created_at: String,
}

/// What `POST /accounts` takes.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewAccount {
    /// 12 digits; chosen at random when absent.
    pub(crate) id: Option<String>,
    /// 1 to 64 characters; the id when absent.
    pub(crate) name: Option<String>,
}

/// What `POST /accounts` answers, once: the secret is never shown again.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct CreatedAccount {
    /// The account.
    pub(crate) account: Account,
    /// The id of its root access key.
    pub(crate) access_key_id: String,
    /// The secret of its root access key.
    pub(crate) secret_access_key: String,
}

/// What `GET /accounts` answers.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Accounts {
    /// By id.
    pub(crate) accounts: Vec<Account>,
}

/// What `PUT /accounts/{id}/limit` takes and `GET` answers.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AccountLimit {
    /// The policy, byte for byte; absent in an answer when the account has no limit.
    pub(crate) document: Option<String>,
}

/// What `POST /policies/explain` takes.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ExplainRequest {
    /// The ARN of a principal.
    pub(crate) principal: String,
    /// `service:Action`.
    pub(crate) action: String,
    /// The ARN of a resource, or `*`.
    pub(crate) resource: String,
    /// Condition keys with their values.
    pub(crate) keys: Vec<(String, Vec<String>)>,
}

/// What `POST /policies/explain` answers.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Explained {
    /// Whether the request would be allowed.
    pub(crate) allowed: bool,
    /// What decided.
    pub(crate) because: Vec<String>,
    /// The end of the message that the principal gets.
    pub(crate) told: String,
    /// The kind and the name of every policy that has a say.
    pub(crate) considered: Vec<(String, String)>,
    /// Statements that could not be evaluated.
    pub(crate) passed_over: Vec<String>,
    /// Condition keys with their values.
    pub(crate) keys: Vec<(String, Vec<String>)>,
}

/// What garbage collection removed, or would remove.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Garbage {
    /// Uploads that nobody went on with.
    pub(crate) expired_uploads: u64,
    /// Blobs that a repository held without need, once for each repository.
    pub(crate) repository_blobs: u64,
    /// Blobs that no repository held any more.
    pub(crate) blobs: u64,
    /// Their bytes, as clients sent them.
    pub(crate) bytes: u64,
    /// Objects of the store.
    pub(crate) objects: u64,
    /// Access records past their retention.
    pub(crate) access_records: u64,
}

/// What `GET /gc` answers.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct GarbageCollection {
    /// How long what no image refers to stays, in seconds.
    pub(crate) grace_seconds: i64,
    /// When the running server last had removed all it could, in RFC 3339.
    pub(crate) last_sweep_at: Option<String>,
    /// Blobs of repositories that wait for the end of their grace period.
    pub(crate) candidates: u64,
    /// Whether there are more than that.
    pub(crate) more_candidates: bool,
    /// Blobs that were ever removed.
    pub(crate) removed_blobs: u64,
    /// Their bytes.
    pub(crate) reclaimed_bytes: u64,
    /// What would be removed now.
    pub(crate) plan: Garbage,
    /// Whether that is all of it.
    pub(crate) plan_complete: bool,
}

/// What `POST /gc/run` answers.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct GarbageCollected {
    /// What was removed.
    pub(crate) removed: Garbage,
    /// Whether another call may remove more.
    pub(crate) more: bool,
}

/// One pass of the scrub.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct ScrubPass {
    /// When it began, in RFC 3339.
    pub(crate) started_at: Option<String>,
    /// When it ended.
    pub(crate) ended_at: Option<String>,
    /// Blobs and manifests looked at.
    pub(crate) checked: u64,
    /// Bytes read.
    pub(crate) bytes: u64,
    /// Things newly found damaged.
    pub(crate) damaged: u64,
    /// Things that could not be read.
    pub(crate) unreadable: u64,
}

/// What `GET /scrub` and `POST /scrub/start` answer.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Scrub {
    /// How fast it reads; 0 when it is off.
    pub(crate) bytes_per_second: u64,
    /// The pass under way.
    pub(crate) running: Option<ScrubPass>,
    /// The last whole pass.
    pub(crate) last: Option<ScrubPass>,
    /// When the next pass begins, unless one is under way.
    pub(crate) next_pass_at: String,
    /// What is damaged now.
    pub(crate) damaged: Vec<String>,
    /// How many more things are.
    pub(crate) damaged_omitted: u64,
}

/// A job.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Job {
    /// Its row.
    pub(crate) id: i64,
    /// Its kind.
    pub(crate) kind: String,
    /// Which one of its kind.
    pub(crate) key: String,
    /// What it is about, in names that people know.
    pub(crate) subject: String,
    /// The account it works for, if it is not the deployment's.
    pub(crate) account: Option<String>,
    /// `WAITING`, `RUNNING`, `DONE`, `DEAD` or `CANCELLED`.
    pub(crate) state: String,
    /// When it runs, or ran, in RFC 3339 like the other times.
    pub(crate) run_at: String,
    /// How often it was tried since it last got on.
    pub(crate) attempts: u32,
    /// Until when its worker has it.
    pub(crate) lease_expires_at: Option<String>,
    /// Whether somebody asked to cancel it while it runs.
    pub(crate) cancel_requested: bool,
    /// How many things are done.
    pub(crate) progress_done: u64,
    /// How many there are, if that is known.
    pub(crate) progress_total: Option<u64>,
    /// What its last failure was.
    pub(crate) last_error: Option<String>,
    /// When its row was made.
    pub(crate) created_at: String,
    /// When its row last changed.
    pub(crate) updated_at: String,
}

/// What `GET /jobs` answers.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Jobs {
    /// Oldest first.
    pub(crate) jobs: Vec<Job>,
    /// What to ask for as `after` when there are more.
    pub(crate) next: Option<String>,
}

/// What `POST /backups` takes.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewBackup {
    /// The directory of backups, absolute, as the server sees it.
    pub(crate) directory: PathBuf,
    /// How many snapshots stay; all of them when absent.
    pub(crate) keep: Option<usize>,
}

/// What `POST /backups` and `GET /backups` answer.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Backup {
    /// Counts the backups of this process.
    pub(crate) number: u64,
    /// Rows read so far.
    pub(crate) rows: u64,
    /// Objects there are.
    pub(crate) objects: u64,
    /// Objects done with so far.
    pub(crate) objects_done: u64,
    /// Bytes of objects copied so far.
    pub(crate) bytes: u64,
    /// Once it is made.
    pub(crate) made: Option<BackupMade>,
    /// Once it failed: why, in one sentence.
    pub(crate) failed: Option<String>,
}

/// A backup that was made.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct BackupMade {
    /// The name of the snapshot.
    pub(crate) snapshot: String,
    /// Its rows.
    pub(crate) rows: u64,
    /// Its objects.
    pub(crate) objects: u64,
    /// Their bytes.
    pub(crate) object_bytes: u64,
    /// Objects that were copied; the others were there.
    pub(crate) copied: u64,
    /// Their bytes.
    pub(crate) copied_bytes: u64,
    /// Objects that the registry has lost.
    pub(crate) lost: u64,
    /// Older snapshots that were removed.
    pub(crate) pruned: u64,
    /// Why older ones stay that should have been removed.
    pub(crate) not_pruned: Option<String>,
}

/// What `PUT /repositories/sparse-manifests` takes and answers.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SparseManifests {
    /// The account of the repository; the management account when absent.
    pub(crate) account: Option<String>,
    /// Its region; the server's when absent.
    pub(crate) region: Option<String>,
    /// Its name.
    pub(crate) repository: String,
    /// Whether manifests may refer to what it does not hold; as the server says when absent.
    pub(crate) allowed: Option<bool>,
}

/// What `POST /repositories/sbom` takes.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct WantedSbom {
    /// The account of the repository; the management account when absent.
    pub(crate) account: Option<String>,
    /// Its region; the server's when absent.
    pub(crate) region: Option<String>,
    /// Its name.
    pub(crate) repository: String,
    /// A tag or a digest.
    pub(crate) image: String,
    /// `cyclonedx-1.5`, `cyclonedx-1.6` or `spdx-2.3`.
    pub(crate) format: String,
}

/// What `POST /repositories/sbom` answers.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Sbom {
    /// The digest of the image.
    pub(crate) digest: String,
    /// The media type of the document.
    pub(crate) media_type: String,
    /// The document: JSON.
    pub(crate) document: String,
}

/// A move of a tag.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct TagMove {
    /// When, in RFC 3339.
    pub(crate) at: String,
    /// The tag.
    pub(crate) tag: String,
    /// What it names from then on; nothing when it was removed.
    pub(crate) digest: Option<String>,
    /// What it named before.
    pub(crate) previous: Option<String>,
    /// Who moved it: an ARN.
    pub(crate) principal: String,
}

/// What `GET /repositories/tag-history` answers.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct TagMoves {
    /// The last one first.
    pub(crate) moves: Vec<TagMove>,
    /// What to ask for as `after` when there are more.
    pub(crate) next: Option<String>,
}

/// What `POST /repositories/rename` takes and answers.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewName {
    /// The account of the repository; the management account when absent.
    pub(crate) account: Option<String>,
    /// Its region; the server's when absent.
    pub(crate) region: Option<String>,
    /// Its name.
    pub(crate) repository: String,
    /// The name it gets.
    pub(crate) new_name: String,
}

/// An alias of a public registry.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct PublicAlias {
    /// The account of the registry.
    pub(crate) account: String,
    /// Its name.
    pub(crate) name: String,
    /// `ACTIVE`, `PENDING` or `REJECTED`.
    pub(crate) status: String,
    /// Whether answers have it.
    pub(crate) primary: bool,
    /// Whether it came with the first repository.
    pub(crate) default: bool,
    /// When it was asked for, in RFC 3339.
    pub(crate) requested_at: String,
    /// When somebody decided.
    pub(crate) decided_at: Option<String>,
}

/// What `GET /public/aliases` answers.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct PublicAliases {
    /// By name.
    pub(crate) aliases: Vec<PublicAlias>,
    /// What to ask for as `after` when there are more.
    pub(crate) next: Option<String>,
}

/// A domain of a public registry.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct PublicDomain {
    /// The domain.
    pub(crate) domain: String,
    /// `PENDING`, `PROVEN` or `REVOKED`.
    pub(crate) status: String,
    /// Where the proof is looked for.
    pub(crate) file: String,
    /// The line that it has to have.
    pub(crate) line: String,
    /// The name whose text record proves it too.
    pub(crate) record: String,
    /// That text.
    pub(crate) text: String,
    /// When it was last looked for.
    pub(crate) checked_at: Option<String>,
    /// Why it was not seen then; may be empty.
    pub(crate) problem: String,
}

/// What `GET /public/ACCOUNT/domains` answers.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct PublicDomains {
    /// In the order in which they were asked for.
    pub(crate) domains: Vec<PublicDomain>,
}

/// What `PUT /public/ACCOUNT/settings` takes, and `GET` answers.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct PublicSettings {
    /// The repository.
    pub(crate) repository: String,
    /// Whether tags may move, as ECR spells it; nothing for as it is.
    pub(crate) tag_mutability: Option<String>,
    /// The tags for which that is turned around.
    #[serde(default)]
    pub(crate) exclusions: Vec<String>,
    /// Whether images are scanned; nothing for as it is.
    pub(crate) scan_on_push: Option<bool>,
}

/// How often something of a public repository was pulled. Of a sum only what it is by is there.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct PullCount {
    /// The day in UTC, `2026-01-31`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) day: Option<String>,
    /// The tag, where it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) tag: Option<String>,
    /// The digest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) digest: Option<String>,
    /// The platform, where it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) platform: Option<String>,
    /// The network, where it was told apart.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) network: Option<String>,
    /// How often.
    pub(crate) pulls: u64,
}

/// What `GET /public/ACCOUNT/pulls` answers.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct PullCounts {
    /// The last day first.
    pub(crate) counts: Vec<PullCount>,
    /// What to ask for as `after` when there are more.
    pub(crate) next: Option<String>,
}

/// What every refusal carries.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Refusal {
    /// One sentence.
    pub(crate) message: String,
}

/// Calls `with` with a name of the socket that is short enough for the operating system.
fn with_short_path<T>(path: &Path, with: impl FnOnce(&Path) -> io::Result<T>) -> io::Result<T> {
    if path.as_os_str().len() < SOCKET_PATH_BYTES_MAX {
        return with(path);
    }
    let directory = std::fs::File::open(path.parent().unwrap_or_else(|| Path::new(".")))?;
    let short = PathBuf::from(format!("/proc/self/fd/{}", directory.as_raw_fd()));
    with(&short.join(path.file_name().unwrap_or_default()))
}
