//! `tonnage gc`: asks the running server over its admin socket.

use std::process::ExitCode;

use anyhow::Result;
use http::Method;

use super::place::Place;
use crate::admin::client::call;
use crate::admin::{Garbage, GarbageCollected, GarbageCollection};
use crate::cli::GcArguments;

/// Does what the command line says.
///
/// # Errors
/// What the server says, or that none runs.
pub(super) async fn run(arguments: GcArguments) -> Result<ExitCode> {
    let layout = Place::find(&arguments.place)?.layout;
    if arguments.status || arguments.dry_run {
        let described: GarbageCollection = call(&layout, Method::GET, "/gc", None::<&()>).await?;
        if arguments.status {
            print_status(&described);
        } else {
            say!("This would be removed now:");
            print_garbage(&described.plan);
            if !described.plan_complete {
                say!("That is not all of it: only a part was looked at.");
            }
        }
        return Ok(ExitCode::SUCCESS);
    }
    let mut removed = Garbage::default();
    // Each request does a bounded part, and new garbage has to wait for its grace period.
    loop {
        let collected: GarbageCollected =
            call(&layout, Method::POST, "/gc/run", None::<&()>).await?;
        removed = sum(removed, collected.removed);
        if !collected.more {
            break;
        }
    }
    say!("This was removed:");
    print_garbage(&removed);
    Ok(ExitCode::SUCCESS)
}

fn sum(before: Garbage, now: Garbage) -> Garbage {
    Garbage {
        expired_uploads: before.expired_uploads.saturating_add(now.expired_uploads),
        repository_blobs: before.repository_blobs.saturating_add(now.repository_blobs),
        blobs: before.blobs.saturating_add(now.blobs),
        bytes: before.bytes.saturating_add(now.bytes),
        objects: before.objects.saturating_add(now.objects),
        access_records: before.access_records.saturating_add(now.access_records),
    }
}

fn print_garbage(garbage: &Garbage) {
    say!("  expired uploads       {}", garbage.expired_uploads);
    say!("  blobs in repositories {}", garbage.repository_blobs);
    say!("  blobs                 {}", garbage.blobs);
    say!("  bytes of blobs        {}", garbage.bytes);
    say!("  objects               {}", garbage.objects);
    say!("  access records        {}", garbage.access_records);
}

fn print_status(described: &GarbageCollection) {
    let more = if described.more_candidates { " or more" } else { "" };
    let last = described.last_sweep_at.as_deref().unwrap_or("none since the server started");
    say!("grace period     {} s", described.grace_seconds);
    say!("last sweep       {last}");
    say!("waiting blobs    {}{more}", described.candidates);
    say!("removed blobs    {}", described.removed_blobs);
    say!("reclaimed bytes  {}", described.reclaimed_bytes);
}
