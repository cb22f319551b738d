//! What is counted. No label ever holds the name of a repository, an account or a principal.

use std::sync::atomic::AtomicU64;
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

use crate::error::ErrorKind;
use crate::execute::Entry;
use crate::gc::Removed;
use crate::jobs::Outcome;
use crate::pull_through::upstream::Quota;
use crate::scrub::Scrubbed;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OperationLabels {
    service: &'static str,
    operation: &'static str,
    outcome: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct DirectionLabels {
    direction: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct GarbageLabels {
    kind: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct SweepLabels {
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ScrubLabels {
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct UpstreamLabels {
    outcome: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct UpstreamQuotaLabels {
    upstream: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct JobLabels {
    kind: &'static str,
    outcome: &'static str,
}

/// The counters of the domain.
#[derive(Clone)]
pub struct Metrics {
    operations: Family<OperationLabels, Counter<u64, AtomicU64>>,
    operation_seconds: Histogram,
    blob_bytes: Family<DirectionLabels, Counter<u64, AtomicU64>>,
    garbage_sweeps: Family<SweepLabels, Counter<u64, AtomicU64>>,
    garbage_removed: Family<GarbageLabels, Counter<u64, AtomicU64>>,
    garbage_bytes: Counter<u64, AtomicU64>,
    scrub_bytes: Counter<u64, AtomicU64>,
    scrub_checked: Family<ScrubLabels, Counter<u64, AtomicU64>>,
    job_runs: Family<JobLabels, Counter<u64, AtomicU64>>,
    job_seconds: Histogram,
    upstream_refusals: Family<UpstreamLabels, Counter<u64, AtomicU64>>,
    upstream_stale: Counter<u64, AtomicU64>,
    upstream_quota_limit: Family<UpstreamQuotaLabels, Gauge>,
    upstream_quota_remaining: Family<UpstreamQuotaLabels, Gauge>,
    replication_lag_seconds: Histogram,
    replication_waiting: Gauge,
    replication_oldest_seconds: Gauge,
}

impl Default for Metrics {
    fn default() -> Self {
        Self {
            operations: Family::default(),
            operation_seconds: Histogram::new(exponential_buckets(0.0001, 4.0, 10)),
            blob_bytes: Family::default(),
            garbage_sweeps: Family::default(),
            garbage_removed: Family::default(),
            garbage_bytes: Counter::default(),
            scrub_bytes: Counter::default(),
            scrub_checked: Family::default(),
            job_runs: Family::default(),
            job_seconds: Histogram::new(exponential_buckets(0.001, 4.0, 10)),
            upstream_refusals: Family::default(),
            upstream_stale: Counter::default(),
            upstream_quota_limit: Family::default(),
            upstream_quota_remaining: Family::default(),
            replication_lag_seconds: Histogram::new(exponential_buckets(0.1, 4.0, 11)),
            replication_waiting: Gauge::default(),
            replication_oldest_seconds: Gauge::default(),
        }
    }
}

impl Metrics {
    /// Makes the counters visible under `registry`.
    pub fn register(&self, registry: &mut Registry) {
        registry.register(
            "operations",
            "Operations by service, name and outcome",
            self.operations.clone(),
        );
        registry.register(
            "operation_seconds",
            "Time from the decision to the end of an operation, bodies of downloads not included",
            self.operation_seconds.clone(),
        );
        registry.register(
            "blob_bytes",
            "Bytes of blobs received from and sent to clients",
            self.blob_bytes.clone(),
        );
        registry.register(
            "garbage_sweeps",
            "Sweeps of the garbage collection by outcome",
            self.garbage_sweeps.clone(),
        );
        registry.register(
            "garbage_removed",
            "What the garbage collection removed, by kind",
            self.garbage_removed.clone(),
        );
        registry.register(
            "garbage_bytes",
            "Bytes of removed blobs, as clients sent them",
            self.garbage_bytes.clone(),
        );
        registry.register(
            "scrub_bytes",
            "Bytes of blobs and manifests that the scrub read",
            self.scrub_bytes.clone(),
        );
        registry.register(
            "scrub_checked",
            "Blobs and manifests that the scrub looked at, by outcome",
            self.scrub_checked.clone(),
        );
        registry.register(
            "job_runs",
            "Runs of jobs by kind and outcome: done, continued, failed, dead, cancelled, lost",
            self.job_runs.clone(),
        );
        registry.register("job_seconds", "Time that runs of jobs took", self.job_seconds.clone());
        registry.register(
            "upstream_refusals",
            "Imports that upstream registries did not answer with what was asked for, by outcome",
            self.upstream_refusals.clone(),
        );
        registry.register(
            "upstream_stale",
            "Answers from what is stored although its upstream should have been asked again",
            self.upstream_stale.clone(),
        );
        registry.register(
            "upstream_quota_limit",
            "Pulls that an upstream registry allows in its window, as its last answer said",
            self.upstream_quota_limit.clone(),
        );
        registry.register(
            "upstream_quota_remaining",
            "Pulls that an upstream registry still allows in its window, as its last answer said",
            self.upstream_quota_remaining.clone(),
        );
        registry.register(
            "replication_lag_seconds",
            "Time from a push to the end of its copy, for each copy that arrived",
            self.replication_lag_seconds.clone(),
        );
        registry.register(
            "replication_waiting",
            "Changes that wait to be copied, counted up to 100000",
            self.replication_waiting.clone(),
        );
        registry.register(
            "replication_oldest_seconds",
            "Age of the oldest change that waits to be copied; 0 when none does",
            self.replication_oldest_seconds.clone(),
        );
    }

    pub(crate) fn record_operation(
        &self,
        entry: Entry,
        error: Option<ErrorKind>,
        elapsed: Duration,
    ) {
        let outcome = error.map_or_else(|| "ok".to_owned(), |kind| format!("{kind:?}"));
        self.operations
            .get_or_create(&OperationLabels {
                service: entry.service.as_str(),
                operation: entry.name,
                outcome,
            })
            .inc();
        self.operation_seconds.observe(elapsed.as_secs_f64());
    }

    pub(crate) fn record_received(&self, bytes: u64) {
        self.blob_bytes.get_or_create(&DirectionLabels { direction: "received" }).inc_by(bytes);
    }

    pub(crate) fn record_sweep(&self, done: bool) {
        let outcome = if done { "ok" } else { "failed" };
        self.garbage_sweeps.get_or_create(&SweepLabels { outcome }).inc();
    }

    pub(crate) fn record_garbage(&self, kind: Removed, count: u64) {
        self.garbage_removed.get_or_create(&GarbageLabels { kind: kind.as_str() }).inc_by(count);
    }

    pub(crate) fn record_scrub(&self, scrubbed: &Scrubbed) {
        self.scrub_bytes.inc_by(scrubbed.bytes);
        let good = scrubbed.checked - scrubbed.damaged - scrubbed.unreadable;
        for (outcome, count) in
            [("good", good), ("damaged", scrubbed.damaged), ("unreadable", scrubbed.unreadable)]
        {
            self.scrub_checked.get_or_create(&ScrubLabels { outcome }).inc_by(count);
        }
    }

    pub(crate) fn record_reclaimed(&self, bytes: u64) {
        self.garbage_bytes.inc_by(bytes);
    }

    pub(crate) fn record_job(&self, kind: &'static str, outcome: Outcome, elapsed: Duration) {
        self.job_runs.get_or_create(&JobLabels { kind, outcome: outcome.as_str() }).inc();
        self.job_seconds.observe(elapsed.as_secs_f64());
    }

    pub(crate) fn record_upstream(&self, error: ErrorKind) {
        self.upstream_refusals
            .get_or_create(&UpstreamLabels { outcome: format!("{error:?}") })
            .inc();
    }

    /// `upstream` is one of those that rules may name: a kind of registry, or a host of the
    /// operator's configuration.
    pub(crate) fn set_upstream_quota(&self, upstream: &str, quota: Quota) {
        let labels = UpstreamQuotaLabels { upstream: upstream.to_owned() };
        let families = [
            (&self.upstream_quota_limit, quota.limit),
            (&self.upstream_quota_remaining, quota.remaining),
        ];
        for (family, pulls) in families {
            family.get_or_create(&labels).set(i64::try_from(pulls).unwrap_or(i64::MAX));
        }
    }

    pub(crate) fn record_stale(&self) {
        self.upstream_stale.inc();
    }

    pub(crate) fn record_replicated(&self, waited: Duration) {
        self.replication_lag_seconds.observe(waited.as_secs_f64());
    }

    pub(crate) fn set_replication(&self, waiting: u64, oldest_seconds: u64) {
        self.replication_waiting.set(i64::try_from(waiting).unwrap_or(i64::MAX));
        self.replication_oldest_seconds.set(i64::try_from(oldest_seconds).unwrap_or(i64::MAX));
    }

    /// Counts bytes of a blob that were handed to the socket.
    pub fn record_sent(&self, bytes: u64) {
        self.blob_bytes.get_or_create(&DirectionLabels { direction: "sent" }).inc_by(bytes);
    }
}
