//! The registry as a struct of handles, shared by every front end and job.

use std::path::PathBuf;
use std::sync::Arc;

use crate::advisories::settings::AdvisorySettings;
use crate::advisories::source::Downloads;
use crate::archive::copying::Copying;
use crate::audit::Denials;
use crate::authorize::PolicyCache;
use crate::clock::Clock;
use crate::encryption::{DomainKeys, KeyWrapper};
use crate::gc::{Collector, Wake};
use crate::identities::access_keys::uses::Uses;
use crate::identities::authorization_token::KnownTokens;
use crate::identities::console_sessions::attempts::Attempts;
use crate::identities::console_sessions::federation::{FederationSettings, Provider};
use crate::identities::token_keys::TokenKeys;
use crate::identities::web_identity::{Documents, KeySets};
use crate::ids::Ids;
use crate::images::pulls::Pulls;
use crate::jobs::{self, Job as _};
use crate::metadata::Metadata;
use crate::metrics::Metrics;
use crate::names::{AccountId, Region};
use crate::objects::Objects;
use crate::overview::kept::Sums;
use crate::policies::governing::ResourcePolicyCache;
use crate::public::limits::{PublicLimits, Traffic};
use crate::pull_through::imports::Imports;
use crate::pull_through::settings::{UpstreamSettings, Validity};
use crate::pull_through::upstream::Upstreams;
use crate::quotas::Quotas;
use crate::replication::carry::CarryOver;
use crate::replication::pace::Pace;
use crate::replication::peer::{PeerSettings, Peers};
use crate::replication::peers::Sessions;
use crate::root_key::RootKey;
use crate::scanning::external::{Adapters, ScannerSettings};
use crate::scanning::scan_image::ScanImage;
use crate::throttle::Throttling;
use crate::uploads::UploadLocks;

/// What the operator may turn.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Whether a push to a repository that does not exist makes it. The pusher needs
    /// `ecr:CreateRepository` too.
    pub create_on_push: bool,
    /// What registries do that never set `BLOB_MOUNTING`; also lets a client mount without naming
    /// a source, which ECR never does.
    pub blob_mounting: bool,
    /// Whether a manifest may refer to layers and children that the repository does not have. ECR
    /// refuses it; mirrors of single platforms need it.
    pub sparse_manifests: bool,
    /// Whether blobs and manifests are sealed from now on. What was stored under the other setting
    /// stays readable. Off only where the disk itself is encrypted.
    pub encrypt_at_rest: bool,
    /// How long an authorization token is valid, in seconds; ECR's is 12 hours.
    pub token_seconds: i64,
    /// How long a layer download link is valid, in seconds; ECR's is 1 hour.
    pub download_link_seconds: i64,
    /// How long an upload may rest before it is removed, in seconds.
    pub upload_idle_seconds: i64,
    /// How long a blob that no image refers to stays after it was pushed, lost its last image or
    /// was last asked for by a push, in seconds.
    pub gc_grace_seconds: i64,
    /// How many bytes a second the scrub reads at most; 0 turns it off.
    pub scrub_bytes_per_second: u64,
    /// How long after the end of one pass of the scrub the next one begins, in seconds.
    pub scrub_interval_seconds: i64,
    /// How many bytes of layers a second are copied to other accounts at most, by all copies of the
    /// process together; 0: as fast as it goes.
    pub replication_bytes_per_second: u64,
    /// How many repositories are copied at a time, each to one destination.
    pub replication_concurrency: u32,
    /// Which destinations of replication are registries of other deployments.
    pub peers: PeerSettings,
    /// How much registries may hold.
    pub quotas: Quotas,
    /// How often accounts may call.
    pub throttling: Throttling,
    /// Which registries images may be pulled through from, and where they are.
    pub upstreams: UpstreamSettings,
    /// How long what an upstream said of a tag is believed.
    pub pull_through_validity: Validity,
    /// Whether the layers and children of an image that was pulled through are fetched unasked, as
    /// in ECR. Without that they come when they are first asked for.
    pub pull_through_whole_images: bool,
    /// How long after a scan of an image nobody may ask for another one, in seconds. ECR's is a
    /// day.
    pub scan_interval_seconds: i64,
    /// How many images are scanned at a time, in the whole deployment.
    pub scan_concurrency: u32,
    /// How long events are kept, in seconds; nothing: for ever.
    pub event_retention_seconds: Option<i64>,
    /// How long moves of tags are kept, in seconds; nothing: for ever.
    pub tag_history_retention_seconds: Option<i64>,
    /// Where the scanner puts files that it must read out of order; made when it is needed. Nothing
    /// stays there.
    pub scan_scratch: PathBuf,
    /// How much public registries give to one source.
    pub public_limits: PublicLimits,
    /// After how many seconds without a page a session of the console ends.
    pub console_idle_seconds: i64,
    /// Whether private images may be shared with whoever has no account, for a while.
    pub image_shares: bool,
    /// Which identity provider lets people in to the console.
    pub federation: Option<FederationSettings>,
    /// Where advisories come from.
    pub advisories: AdvisorySettings,
    /// Which other scanners there are, and what they scan.
    pub scanners: ScannerSettings,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            create_on_push: false,
            blob_mounting: false,
            sparse_manifests: false,
            encrypt_at_rest: true,
            token_seconds: 12 * 3600,
            download_link_seconds: 3600,
            upload_idle_seconds: 24 * 3600,
            gc_grace_seconds: 24 * 3600,
            scrub_bytes_per_second: 8 * 1024 * 1024,
            scrub_interval_seconds: 7 * 24 * 3600,
            replication_bytes_per_second: 0,
            replication_concurrency: CarryOver::LIMITS.concurrency,
            peers: PeerSettings::default(),
            quotas: Quotas::ECR,
            throttling: Throttling::Off,
            upstreams: UpstreamSettings::default(),
            pull_through_validity: Validity::ECR,
            pull_through_whole_images: true,
            scan_interval_seconds: 24 * 3600,
            scan_concurrency: ScanImage::LIMITS.concurrency,
            event_retention_seconds: Some(30 * 24 * 3600),
            tag_history_retention_seconds: Some(400 * 24 * 3600),
            scan_scratch: std::env::temp_dir(),
            public_limits: PublicLimits::ECR,
            console_idle_seconds: 30 * 60,
            image_shares: false,
            federation: None,
            advisories: AdvisorySettings::NONE,
            scanners: ScannerSettings::default(),
        }
    }
}

/// The registry.
pub struct App {
    /// The metadata database.
    pub metadata: Arc<dyn Metadata>,
    /// The blob objects.
    pub objects: Arc<dyn Objects>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// What the operator set.
    pub settings: Settings,
    /// The account that `tonnage:*` actions may be granted in.
    pub management_account: AccountId,
    /// The region of requests that name none.
    pub default_region: Region,
    /// Counters and histograms.
    pub metrics: Metrics,
    pub(crate) root_key: Arc<RootKey>,
    pub(crate) key_wrapper: Arc<dyn KeyWrapper>,
    pub(crate) ids: Ids,
    pub(crate) domain_keys: DomainKeys,
    pub(crate) token_keys: TokenKeys,
    pub(crate) known_tokens: KnownTokens,
    pub(crate) documents: Arc<dyn Documents>,
    pub(crate) downloads: Arc<dyn Downloads>,
    pub(crate) adapters: Arc<dyn Adapters>,
    pub(crate) upstreams: Arc<dyn Upstreams>,
    pub(crate) imports: Imports,
    pub(crate) key_sets: KeySets,
    pub(crate) policies: PolicyCache,
    pub(crate) resource_policies: ResourcePolicyCache,
    pub(crate) key_uses: Uses,
    pub(crate) sign_ins: Attempts,
    pub(crate) federation: Provider,
    pub(crate) denials: Denials,
    pub(crate) sums: Sums,
    pub(crate) upload_locks: UploadLocks,
    pub(crate) copying: Copying,
    pub(crate) garbage: Wake,
    pub(crate) collector: Collector,
    pub(crate) pulls: Pulls,
    pub(crate) public_pulls: crate::gallery::pulls::PublicPulls,
    pub(crate) throttle: crate::throttle::Throttle,
    pub(crate) room: crate::quotas::Room,
    pub(crate) traffic: Arc<Traffic>,
    /// Tells the scrub that a pass is wanted.
    pub(crate) scrub: tokio::sync::Notify,
    pub(crate) jobs: jobs::Wake,
    pub(crate) replication_pace: Arc<Pace>,
    pub(crate) peers: Option<Arc<dyn Peers>>,
    pub(crate) peer_sessions: Sessions,
}

impl App {
    /// Lets a key service wrap the keys of encryption domains, instead of the root key. Before
    /// anything is stored: what one wrapped, another does not open.
    pub fn set_key_wrapper(&mut self, wrapper: Arc<dyn KeyWrapper>) {
        self.key_wrapper = wrapper;
    }
}
