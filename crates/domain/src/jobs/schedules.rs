//! Schedules: rows that enqueue a job when their time has come, once in the whole deployment
//! however many processes look at them. What was missed while nobody ran is made up for once.

use futures_util::future::BoxFuture;

use super::{Job, begin, enqueue};
use crate::app::App;
use crate::error::Result;
use crate::execute::Tx;
use crate::metadata::Mode;
use crate::params;

/// A job that is enqueued again and again.
#[derive(Clone, Copy)]
pub struct Schedule {
    name: &'static str,
    every_seconds: i64,
    enqueue: for<'a> fn(&'a mut Tx, &'a App) -> BoxFuture<'a, Result<()>>,
}

impl Schedule {
    /// Enqueues a `J` every so many seconds. The name never changes.
    pub const fn of<J: Job + Default>(name: &'static str, every_seconds: i64) -> Self {
        Self { name, every_seconds, enqueue: enqueue_default::<J> }
    }
}

fn enqueue_default<'a, J: Job + Default>(
    tx: &'a mut Tx,
    app: &'a App,
) -> BoxFuture<'a, Result<()>> {
    Box::pin(async move { enqueue(tx, app, &J::default(), app.clock.now()).await })
}

/// Enqueues what is due.
pub(super) async fn fire(app: &App, schedules: &[Schedule]) -> Result<()> {
    for schedule in schedules {
        let now = app.clock.now();
        let mut tx = begin(app, Mode::Read).await?;
        if !is_due(&mut tx, schedule, app).await? {
            continue;
        }
        drop(tx);
        let mut tx = begin(app, Mode::Write).await?;
        // Another process may have been faster.
        if is_due(&mut tx, schedule, app).await? {
            tx.execute(
                "INSERT INTO schedules (name, next_at, last_at) VALUES ($1, $2, $3) \
                 ON CONFLICT (name) DO UPDATE SET next_at = excluded.next_at, \
                 last_at = excluded.last_at",
                params![schedule.name, now.plus_seconds(schedule.every_seconds), now],
            )
            .await?;
            (schedule.enqueue)(&mut tx, app).await?;
        }
        tx.commit().await?;
    }
    Ok(())
}

async fn is_due(tx: &mut Tx, schedule: &Schedule, app: &App) -> Result<bool> {
    let later = tx
        .optional(
            "SELECT 1 FROM schedules WHERE name = $1 AND next_at > $2",
            params![schedule.name, app.clock.now()],
        )
        .await?;
    Ok(later.is_none())
}
