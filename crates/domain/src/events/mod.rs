//! The outbox: what changed, written in the transaction of the change, for consumers that come
//! later. Payloads follow the `detail` of ECR's EventBridge events. [`forget`] ends them.

pub mod forget;
pub mod search_events;

use std::borrow::Borrow;
use std::sync::LazyLock;

use serde::Serialize;

use crate::app::App;
use crate::clock::Millis;
use crate::error::Result;
use crate::execute::{Call, Tx};
use crate::many::Many;
use crate::metadata::Value;
use crate::params;
use crate::scanning::state::SeverityCounts;

const PAYLOAD_VERSION: i64 = 1;

/// What happened.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case", rename_all_fields = "kebab-case")]
pub(crate) enum Event {
    /// An image was pushed, or an existing image got a tag.
    ImagePushed {
        repository_name: String,
        image_digest: String,
        image_tag: Option<String>,
        manifest_media_type: String,
        artifact_media_type: Option<String>,
    },
    /// An image, or a tag of it, was deleted.
    ImageDeleted { repository_name: String, image_digest: String, image_tag: Option<String> },
    /// An image was copied to this registry, or could not be.
    ImageReplicated {
        result: &'static str,
        repository_name: String,
        image_digest: String,
        image_tag: Option<String>,
        source_account: String,
        source_region: String,
        action_type: &'static str,
    },
    /// An image was archived, or has been restored.
    ImageStorageClassUpdated {
        repository_name: String,
        image_digest: String,
        target_storage_class: &'static str,
        manifest_media_type: String,
        artifact_media_type: Option<String>,
        /// Of a restored image only, ISO 8601.
        #[serde(skip_serializing_if = "Option::is_none")]
        last_activated_at: Option<String>,
    },
    /// An image was brought from an upstream registry, or could not be.
    PulledThrough {
        sync_status: &'static str,
        ecr_repository_prefix: String,
        repository_name: String,
        upstream_registry_url: String,
        image_tag: Option<String>,
        /// Absent where the image was asked for by a tag and did not come.
        #[serde(skip_serializing_if = "Option::is_none")]
        image_digest: Option<String>,
        /// Of a failure only, as the reason.
        #[serde(skip_serializing_if = "Option::is_none")]
        failure_code: Option<&'static str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        failure_reason: Option<String>,
    },
    /// A basic scan of an image has ended.
    ImageScanned {
        scan_status: &'static str,
        repository_name: String,
        finding_severity_counts: SeverityCounts,
        image_digest: String,
        image_tags: Vec<String>,
    },
    /// The first enhanced scan of an image has ended.
    EnhancedScanCompleted {
        scan_status: &'static str,
        repository_name: String,
        finding_severity_counts: SeverityCounts,
        image_digest: String,
        image_tags: Vec<String>,
    },
    /// Enhanced scanning found something, or finds it no longer.
    FindingChanged {
        finding_arn: String,
        status: &'static str,
        title: String,
        severity: &'static str,
        repository_name: String,
        image_digest: String,
        image_tags: Vec<String>,
    },
    /// A repository was created.
    RepositoryCreated { repository_name: String },
    /// A repository was deleted, with everything in it.
    RepositoryDeleted { repository_name: String },
    /// A repository got another name; ECR has no such event.
    RepositoryRenamed { repository_name: String, previous_repository_name: String },
}

impl Event {
    fn kind(&self) -> &'static str {
        match self {
            Self::ImagePushed { .. } => "image-pushed",
            Self::ImageDeleted { .. } => "image-deleted",
            Self::ImageReplicated { .. } => "image-replicated",
            Self::ImageStorageClassUpdated { .. } => "image-storage-class-updated",
            Self::PulledThrough { .. } => "pulled-through",
            Self::ImageScanned { .. } => "image-scanned",
            Self::EnhancedScanCompleted { .. } => "enhanced-scan-completed",
            Self::FindingChanged { .. } => "finding-changed",
            Self::RepositoryCreated { .. } => "repository-created",
            Self::RepositoryDeleted { .. } => "repository-deleted",
            Self::RepositoryRenamed { .. } => "repository-renamed",
        }
    }
}

/// Adds an event of a request to the outbox.
pub(crate) async fn publish(
    tx: &mut Tx,
    call: &Call<'_>,
    registry_id: i64,
    event: &Event,
) -> Result<()> {
    PUT.run(tx, &[row(call.next_id(), registry_id, event, call.now())?]).await?;
    Ok(())
}

/// Adds an event of a job to the outbox.
pub(crate) async fn publish_now(
    tx: &mut Tx,
    app: &App,
    registry_id: i64,
    event: &Event,
) -> Result<()> {
    publish_together(tx, app, &[(registry_id, event)]).await
}

/// Adds events of a job to the outbox in their order, each with its registry.
pub(crate) async fn publish_together<E: Borrow<Event>>(
    tx: &mut Tx,
    app: &App,
    events: &[(i64, E)],
) -> Result<()> {
    let now = app.clock.now();
    let rows = events
        .iter()
        .map(|(registry_id, event)| row(app.ids.next(now), *registry_id, event.borrow(), now))
        .collect::<Result<Vec<_>>>()?;
    PUT.run(tx, &rows).await?;
    Ok(())
}

static PUT: LazyLock<Many> = LazyLock::new(|| {
    Many::new(
        "INSERT INTO outbox (id, registry_id, kind, payload_version, payload, occurred_at) VALUES ",
        &[""; 6],
        "",
    )
});

fn row(id: i64, registry_id: i64, event: &Event, at: Millis) -> Result<Vec<Value>> {
    let payload = serde_json::to_string(event).map_err(crate::error::Error::internal)?;
    Ok(params![id, registry_id, event.kind(), PAYLOAD_VERSION, payload, at].to_vec())
}
