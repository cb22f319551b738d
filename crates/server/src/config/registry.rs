//! What the registry is called and what it does.

use anyhow::Result;
use tonnage_api::oci::profile::Profile;
use tonnage_domain::names::{AccountId, Region};
use tonnage_domain::quotas::Quotas;
use tonnage_domain::throttle::Throttling;

use super::{Kind, Setting, Values};

pub(super) const SETTINGS: &[Setting] = &[
    Setting {
        key: "account",
        kind: Kind::Text,
        value_name: "ID",
        default: "123456789012",
        help: "The account of the first start, 12 digits. It manages the deployment and never \
               changes; `tonnage account create` makes others.",
    },
    Setting {
        key: "region",
        kind: Kind::Text,
        value_name: "REGION",
        default: "us-east-1 on the first start, later what the first start had",
        help: "The region of requests that name none.",
    },
    Setting {
        key: "domain",
        kind: Kind::Text,
        value_name: "NAME",
        default: "none",
        help: "The suffix under which the DNS points here, with a port where clients need one. It \
               is used to print `api.ecr.REGION.NAME` and `ACCOUNT.dkr.ecr.REGION.NAME` at the \
               start. Addresses in answers come from the host that the client used: a named host \
               yields names of its own suffix, a bare host such as `localhost:4510` yields itself, \
               with or without this setting.",
    },
    Setting {
        key: "create_on_push",
        kind: Kind::Switch,
        value_name: "BOOL",
        default: "false",
        help: "Makes a repository when somebody pushes to a name that does not exist; the pusher \
               needs `ecr:CreateRepository`.",
    },
    Setting {
        key: "blob_mounting",
        kind: Kind::Switch,
        value_name: "BOOL",
        default: "false",
        help: "Lets pushes mount blobs of other repositories in every registry that did not set \
               `BLOB_MOUNTING`; also blobs that no image refers to, and without `from` where the \
               pusher may pull the blob. Without it a registry mounts as ECR does, once its \
               `BLOB_MOUNTING` is `ENABLED`.",
    },
    Setting {
        key: "sparse_manifests",
        kind: Kind::Switch,
        value_name: "BOOL",
        default: "false",
        help: "Takes manifests whose layers or children are not in the repository, which mirrors of \
               single platforms push. ECR refuses them. What comes later is found by the manifests \
               that wait for it.",
    },
    Setting {
        key: "image_shares",
        kind: Kind::Switch,
        value_name: "BOOL",
        default: "false",
        help: "Lets whoever has the permissions make shares: passwords with which somebody without \
               an account pulls one image for a while. Without it none is made, and those that were \
               made are not good.",
    },
    Setting {
        key: "oci_profile",
        kind: Kind::Text,
        value_name: "PROFILE",
        default: "specification",
        help: "Whose habits the distribution protocol follows where the OCI specification and ECR \
               differ: `specification` or `ecr`. The compatibility page has the table.",
    },
    Setting {
        key: "encrypt_at_rest",
        kind: Kind::Switch,
        value_name: "BOOL",
        default: "true",
        help: "Seals layers and manifests as they are stored. Turn it off only where the disk \
               itself is encrypted; what was stored under the other setting stays readable.",
    },
    Setting {
        key: "gc_grace",
        kind: Kind::Text,
        value_name: "TIME",
        default: "24h",
        help: "How long a blob that no image refers to stays, in seconds, minutes, hours or days: \
               `90s`, `30m`, `24h`, `7d`, at most 365 days. The time counts from the push of the \
               blob, from the deletion of its last image, or from the last push that asked for it. \
               A push that takes longer may find its first blobs gone and must be repeated.",
    },
    Setting {
        key: "scrub_rate",
        kind: Kind::Text,
        value_name: "SIZE",
        default: "8MiB",
        help: "How much the server reads of what is stored to find damage early, in bytes a second: \
               `512KiB`, `8MiB`, `1GiB`, at most 64 GiB; `0` turns it off. Damaged images are not \
               served until they are pushed again; `tonnage scrub --status` names them.",
    },
    Setting {
        key: "scrub_interval",
        kind: Kind::Text,
        value_name: "TIME",
        default: "7d",
        help: "How long the server waits after it has read everything until it begins again, in \
               seconds, minutes, hours or days, at most 365 days.",
    },
    Setting {
        key: "replication_bytes_per_second",
        kind: Kind::Text,
        value_name: "SIZE",
        default: "0",
        help: "How many bytes of layers a second replication copies to other accounts at most, all \
               copies together: `512KiB`, `8MiB`, `1GiB`, at most 64 GiB; `0` is as fast as it goes. \
               Up to a second of it is saved up. Regions of one account share their layers, so \
               nothing is copied between them.",
    },
    Setting {
        key: "replication_concurrency",
        kind: Kind::Number,
        value_name: "NUMBER",
        default: "4",
        help: "How many repositories replication copies at a time, each to one destination, from 1 \
               to 8, as many as a server runs jobs of all kinds.",
    },
    Setting {
        key: "scan_interval",
        kind: Kind::Text,
        value_name: "TIME",
        default: "1d",
        help: "How long after a scan of an image nobody may ask for another one, in seconds, \
               minutes, hours or days, at most 365 days; `0s` lets everybody ask at any time. ECR's \
               is a day.",
    },
    Setting {
        key: "scan_concurrency",
        kind: Kind::Number,
        value_name: "NUMBER",
        default: "2",
        help: "How many images are scanned at a time, from 1 to 8, as many as a server runs jobs of \
               all kinds. A scan takes up to a processor and 64 MiB of memory.",
    },
    Setting {
        key: "event_retention",
        kind: Kind::Text,
        value_name: "TIME",
        default: "30d",
        help: "How long events are kept that the console and the API can search: hours or days, from \
               `1d` to `3650d`, or `forever`.",
    },
    Setting {
        key: "tag_history_retention",
        kind: Kind::Text,
        value_name: "TIME",
        default: "400d",
        help: "How long it is kept which images a tag named before and who moved it: hours or days, \
               from `1d` to `3650d`, or `forever`. The last move of a tag that is there always stays.",
    },
    Setting {
        key: "repositories_per_registry",
        kind: Kind::Number,
        value_name: "NUMBER",
        default: "100000",
        help: "How many repositories a registry may have, from 1 to 100000000. What is there \
               already stays.",
    },
    Setting {
        key: "api_throttling",
        kind: Kind::Text,
        value_name: "TIMES",
        default: "off",
        help: "How many times ECR's published rates an account may call an operation, on each node: \
               `1` for ECR's own (10 `PutImage` a second, 100 `InitiateLayerUpload`, 2000 \
               `BatchGetImage`, …), at most 100000, or `off`. Pushes and pulls of docker count as \
               the operations of ECR they stand for. Who calls more often is told to try again: \
               `ThrottlingException`, or 429, with `Retry-After`.",
    },
    Setting {
        key: "images_per_repository",
        kind: Kind::Number,
        value_name: "NUMBER",
        default: "100000",
        help: "How many images a repository may have, from 1 to 100000000; images without tags and \
               the children of indexes count too. A push that would add one more is refused; one \
               that moves a tag is not.",
    },
];

const THROTTLING_TIMES_MAX: u32 = 100_000;
pub(super) const QUOTA_MAX: u32 = 100_000_000;
const GC_GRACE_SECONDS: i64 = 24 * 3600;
const SECONDS_MAX: i64 = 365 * 24 * 3600;
const SCRUB_BYTES_PER_SECOND: u64 = 8 * 1024 * 1024;
const SCRUB_BYTES_PER_SECOND_MAX: u64 = 64 * 1024 * 1024 * 1024;
const REPLICATION_CONCURRENCY: u32 = 4;
/// As many jobs as a process runs.
const REPLICATION_CONCURRENCY_MAX: u32 = 8;
const SCRUB_INTERVAL_SECONDS: i64 = 7 * 24 * 3600;
const SCAN_INTERVAL_SECONDS: i64 = 24 * 3600;
const EVENT_RETENTION_SECONDS: i64 = 30 * DAY_SECONDS;
const TAG_HISTORY_RETENTION_SECONDS: i64 = 400 * DAY_SECONDS;
const DAY_SECONDS: i64 = 24 * 3600;
const RETENTION_DAYS_MAX: i64 = 3_650;
const SCAN_CONCURRENCY: u32 = 2;
/// As many jobs as a process runs.
const SCAN_CONCURRENCY_MAX: u32 = 8;

/// What the registry is called and what it does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Registry {
    /// The account asked for.
    pub(crate) account: Option<AccountId>,
    /// The region asked for.
    pub(crate) region: Option<Region>,
    /// The public suffix.
    pub(crate) domain: Option<String>,
    /// Whether a push makes its repository.
    pub(crate) create_on_push: bool,
    /// Whether blobs are mounted by default.
    pub(crate) blob_mounting: bool,
    /// Whether manifests may refer to what is not there.
    pub(crate) sparse_manifests: bool,
    /// Whether images may be shared.
    pub(crate) image_shares: bool,
    /// Whose habits the distribution protocol follows.
    pub(crate) oci_profile: Profile,
    /// Whether layers and manifests are sealed.
    pub(crate) encrypt_at_rest: bool,
    /// How long a blob that no image refers to stays, in seconds.
    pub(crate) gc_grace_seconds: i64,
    /// How fast the scrub reads, in bytes a second; 0 when it is off.
    pub(crate) scrub_bytes_per_second: u64,
    /// How long the scrub rests between two passes, in seconds.
    pub(crate) scrub_interval_seconds: i64,
    /// How fast layers are copied to other accounts, in bytes a second; 0 when nothing bounds it.
    pub(crate) replication_bytes_per_second: u64,
    /// How many repositories are copied at a time.
    pub(crate) replication_concurrency: u32,
    /// How long after a scan of an image nobody may ask for another one, in seconds.
    pub(crate) scan_interval_seconds: i64,
    /// How many images are scanned at a time.
    pub(crate) scan_concurrency: u32,
    /// How long events are kept, in seconds; nothing: for ever.
    pub(crate) event_retention_seconds: Option<i64>,
    /// How long moves of tags are kept, in seconds; nothing: for ever.
    pub(crate) tag_history_retention_seconds: Option<i64>,
    /// How much registries may hold.
    pub(crate) quotas: Quotas,
    /// How often accounts may call.
    pub(crate) throttling: Throttling,
}

impl Registry {
    pub(super) fn read(values: &Values) -> Result<Self> {
        Ok(Self {
            account: values.one("account", AccountId::parse)?,
            region: values.one("region", Region::parse)?,
            domain: values.one("domain", parse_domain)?,
            create_on_push: values.switch("create_on_push")?.unwrap_or(false),
            blob_mounting: values.switch("blob_mounting")?.unwrap_or(false),
            sparse_manifests: values.switch("sparse_manifests")?.unwrap_or(false),
            image_shares: values.switch("image_shares")?.unwrap_or(false),
            oci_profile: values.one("oci_profile", parse_profile)?.unwrap_or_default(),
            encrypt_at_rest: values.switch("encrypt_at_rest")?.unwrap_or(true),
            gc_grace_seconds: values.one("gc_grace", parse_seconds)?.unwrap_or(GC_GRACE_SECONDS),
            scrub_bytes_per_second: values
                .one("scrub_rate", parse_rate)?
                .unwrap_or(SCRUB_BYTES_PER_SECOND),
            scrub_interval_seconds: values
                .one("scrub_interval", parse_seconds)?
                .unwrap_or(SCRUB_INTERVAL_SECONDS),
            replication_bytes_per_second: values
                .one("replication_bytes_per_second", parse_rate)?
                .unwrap_or(0),
            replication_concurrency: values
                .number("replication_concurrency", 1, REPLICATION_CONCURRENCY_MAX)?
                .unwrap_or(REPLICATION_CONCURRENCY),
            scan_interval_seconds: values
                .one("scan_interval", parse_seconds)?
                .unwrap_or(SCAN_INTERVAL_SECONDS),
            scan_concurrency: values
                .number("scan_concurrency", 1, SCAN_CONCURRENCY_MAX)?
                .unwrap_or(SCAN_CONCURRENCY),
            event_retention_seconds: values
                .one("event_retention", parse_retention)?
                .unwrap_or(Some(EVENT_RETENTION_SECONDS)),
            tag_history_retention_seconds: values
                .one("tag_history_retention", parse_retention)?
                .unwrap_or(Some(TAG_HISTORY_RETENTION_SECONDS)),
            quotas: Quotas {
                // Beside what else public registries have.
                repositories_per_public_registry: Quotas::ECR.repositories_per_public_registry,
                repositories_per_registry: values
                    .number("repositories_per_registry", 1, QUOTA_MAX)?
                    .unwrap_or(Quotas::ECR.repositories_per_registry),
                images_per_repository: values
                    .number("images_per_repository", 1, QUOTA_MAX)?
                    .unwrap_or(Quotas::ECR.images_per_repository),
                ..Quotas::ECR
            },
            throttling: values.one("api_throttling", parse_throttling)?.unwrap_or_default(),
        })
    }
}

fn parse_throttling(text: &str) -> Result<Throttling, String> {
    let times = text.parse().ok().filter(|times| (1..=THROTTLING_TIMES_MAX).contains(times));
    match (text, times) {
        ("off", _) => Ok(Throttling::Off),
        (_, Some(times)) => Ok(Throttling::Times(times)),
        _ => {
            Err(format!("{text:?} is neither `off` nor a number from 1 to {THROTTLING_TIMES_MAX}"))
        }
    }
}

fn parse_profile(text: &str) -> Result<Profile, String> {
    match text {
        "specification" => Ok(Profile::Specification),
        "ecr" => Ok(Profile::Ecr),
        _ => Err(format!("{text:?} is neither `specification` nor `ecr`")),
    }
}

/// How long something is kept, in seconds; nothing: for ever.
fn parse_retention(text: &str) -> Result<Option<i64>, String> {
    if text == "forever" {
        return Ok(None);
    }
    let unit = match text.chars().last() {
        Some('d') => DAY_SECONDS,
        Some('h') => 3600,
        _ => 0,
    };
    let digits = text.get(..text.len().saturating_sub(1)).unwrap_or_default();
    let number =
        digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse::<u32>().ok());
    let seconds = number.flatten().map_or(0, |number| i64::from(number) * unit);
    match (DAY_SECONDS..=RETENTION_DAYS_MAX * DAY_SECONDS).contains(&seconds) {
        true => Ok(Some(seconds)),
        false => Err(format!(
            "{text:?} is neither `forever` nor a time from `1d` to `{RETENTION_DAYS_MAX}d`, such as \
             `30d` or `36h`"
        )),
    }
}

pub(crate) fn parse_seconds(text: &str) -> Result<i64, String> {
    let wrong = || format!("{text:?} is not a time of at most 365 days, such as `24h` or `30m`");
    let digits = text.trim_end_matches(|last: char| last.is_ascii_alphabetic());
    let seconds = match text.strip_prefix(digits) {
        Some("s") => 1,
        Some("m") => 60,
        Some("h") => 3600,
        Some("d") => 24 * 3600,
        _ => return Err(wrong()),
    };
    let number: u32 = match digits.bytes().all(|byte| byte.is_ascii_digit()) {
        true => digits.parse().map_err(|_| wrong())?,
        false => return Err(wrong()),
    };
    let total = i64::from(number) * seconds;
    if total <= SECONDS_MAX { Ok(total) } else { Err(wrong()) }
}

fn parse_rate(text: &str) -> Result<u64, String> {
    let wrong = || format!("{text:?} is not a size of at most 64 GiB, such as `8MiB` or `0`");
    let digits = text.trim_end_matches(|last: char| last.is_ascii_alphabetic());
    let unit: u64 = match text.strip_prefix(digits) {
        Some("" | "B") => 1,
        Some("KiB") => 1 << 10,
        Some("MiB") => 1 << 20,
        Some("GiB") => 1 << 30,
        _ => return Err(wrong()),
    };
    let number: u64 = match digits.bytes().all(|byte| byte.is_ascii_digit()) {
        true => digits.parse().map_err(|_| wrong())?,
        false => return Err(wrong()),
    };
    match number.checked_mul(unit) {
        Some(rate) if rate <= SCRUB_BYTES_PER_SECOND_MAX => Ok(rate),
        _ => Err(wrong()),
    }
}

fn parse_domain(text: &str) -> Result<String, String> {
    let wrong =
        || format!("{text:?} is not a host name, such as `example.com` or `localhost:4510`");
    let text = text.to_ascii_lowercase();
    let authority: http::uri::Authority = text.parse().map_err(|_| wrong())?;
    let labels_fit = authority.host().split('.').all(|label| {
        !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    });
    if labels_fit && !text.contains('@') { Ok(text) } else { Err(wrong()) }
}
