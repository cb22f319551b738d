//! Work that no request waits for: jobs, removing garbage, looking for damage, counting what waits to
//! be copied, writing down pulls, uses of keys, denials and what pushes were told.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval, sleep};
use tonnage_domain::app::App;
use tonnage_domain::error::chain;
use tonnage_domain::gallery::{self, index};
use tonnage_domain::identities::access_keys::uses;
use tonnage_domain::images::pulls;
use tonnage_domain::jobs::Worker;
use tonnage_domain::public::limits;
use tonnage_domain::{audit, gc, replication, scrub};

use super::Lifecycle;

/// How often garbage is looked for when nobody reported any: uploads expire silently.
const SWEEP_INTERVAL: Duration = Duration::from_secs(60);
/// The pause after the first failed sweep; it doubles with every further one.
const RETRY_PAUSE: Duration = Duration::from_secs(1);
/// The longest pause.
const RETRY_PAUSE_MAX: Duration = Duration::from_secs(60);
/// How often pulls, and what pushes were told, are written down.
const NOTES_INTERVAL: Duration = Duration::from_secs(1);
/// How often it is counted what waits to be copied; as often as metrics are usually read.
const MEASURE_INTERVAL: Duration = Duration::from_secs(15);

/// Starts all of it; it ends when the server stops.
pub(super) fn start(app: &Arc<App>, lifecycle: &Lifecycle) {
    lifecycle.background.spawn(sweep(Arc::clone(app), lifecycle.clone()));
    lifecycle.background.spawn(flush_notes(Arc::clone(app), lifecycle.clone()));
    lifecycle.background.spawn(measure_replication(Arc::clone(app), lifecycle.clone()));
    if app.settings.scrub_bytes_per_second > 0 {
        lifecycle.background.spawn(look_for_damage(Arc::clone(app), lifecycle.clone()));
    }
    let worker = Arc::new(Worker::default());
    lifecycle.background.spawn(worker.run(Arc::clone(app), lifecycle.stopping.clone()));
}

async fn sweep(app: Arc<App>, lifecycle: Lifecycle) {
    let mut pause = RETRY_PAUSE;
    loop {
        let swept = tokio::select! {
            () = lifecycle.stopping.cancelled() => return,
            swept = gc::sweep(&app) => swept,
        };
        match swept {
            Ok(swept) => {
                pause = RETRY_PAUSE;
                if swept != gc::Swept::default() {
                    tracing::info!(
                        expired_uploads = swept.expired_uploads,
                        blobs = swept.blobs,
                        bytes = swept.bytes,
                        objects = swept.objects,
                        access_records = swept.access_records,
                        "garbage removed"
                    );
                }
                tokio::select! {
                    () = lifecycle.stopping.cancelled() => return,
                    () = gc::garbage_made(&app) => {}
                    () = sleep(SWEEP_INTERVAL) => {}
                }
            }
            Err(error) => {
                tracing::error!(error = chain(&error), "garbage cannot be removed");
                tokio::select! {
                    () = lifecycle.stopping.cancelled() => return,
                    () = sleep(pause) => {}
                }
                pause = (pause * 2).min(RETRY_PAUSE_MAX);
            }
        }
    }
}

async fn look_for_damage(app: Arc<App>, lifecycle: Lifecycle) {
    loop {
        let wait = tokio::select! {
            () = lifecycle.stopping.cancelled() => return,
            scrubbed = scrub::step(&app) => match scrubbed {
                Ok(scrubbed) => scrubbed.wait_until.map(|until| {
                    let milliseconds = until.0.saturating_sub(app.clock.now().0);
                    Duration::from_millis(u64::try_from(milliseconds).unwrap_or(0))
                }),
                Err(error) => {
                    tracing::error!(error = chain(&error), "the scrub cannot go on");
                    Some(RETRY_PAUSE_MAX)
                }
            },
        };
        let Some(wait) = wait else { continue };
        tokio::select! {
            () = lifecycle.stopping.cancelled() => return,
            () = scrub::requested(&app) => {}
            () = sleep(wait) => {}
        }
    }
}

async fn measure_replication(app: Arc<App>, lifecycle: Lifecycle) {
    let mut ticks = interval(MEASURE_INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = lifecycle.stopping.cancelled() => return,
            _ = ticks.tick() => {}
        }
        if let Err(error) = replication::measure::measure(&app).await {
            tracing::warn!(
                error = chain(&error),
                "what waits to be copied cannot be counted; the metrics show what they showed"
            );
        }
    }
}

async fn flush_notes(app: Arc<App>, lifecycle: Lifecycle) {
    let mut ticks = interval(NOTES_INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = lifecycle.stopping.cancelled() => return,
            _ = ticks.tick() => {}
        }
        // Not raced against the stop: what was taken from memory would be lost.
        if let Err(error) = uses::flush(&app).await {
            tracing::error!(error = chain(&error), "the times of some uses of keys are lost");
        }
        if let Err(error) = audit::flush(&app).await {
            tracing::error!(error = chain(&error), "the records of some denials are lost");
        }
        if let Err(error) = pulls::flush(&app).await {
            tracing::error!(error = chain(&error), "the times of some pulls are lost");
        }
        if let Err(error) = gallery::pulls::flush(&app).await {
            tracing::error!(
                error = chain(&error),
                "pulls of public repositories cannot be written down; they stay in memory"
            );
        }
        if let Err(error) = index::update(&app).await {
            tracing::error!(error = chain(&error), "the gallery does not follow what has changed");
        }
        if let Err(error) = limits::flush(&app).await {
            tracing::error!(
                error = chain(&error),
                "what public registries sent cannot be written down; it stays in memory"
            );
        }
        if let Err(error) = gc::flush(&app).await {
            tracing::error!(
                error = chain(&error),
                "what pushes were told cannot be written down; it stays in memory"
            );
        }
    }
}
