//! `tonnage advisories`: asks the running server over its admin socket.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use http::Method;

use super::place::Place;
use crate::admin::advisories::{AdvisorySource, AdvisorySources, AdvisorySync};
use crate::admin::client::call;
use crate::cli::AdvisoriesCommands;

/// The status when a source cannot be read.
const FAILED: u8 = 1;
/// How often the server is asked whether it is done.
const PAUSE: Duration = Duration::from_millis(500);
/// How long that is waited for: the server gives up a file after three hours.
const PATIENCE: Duration = Duration::from_secs(4 * 3600);

/// Does what the command line says.
///
/// # Errors
/// What the server says, or that none runs.
pub(super) async fn run(command: AdvisoriesCommands) -> Result<ExitCode> {
    match command {
        AdvisoriesCommands::List { place } => {
            let layout = Place::find(&place)?.layout;
            let listed: AdvisorySources =
                call(&layout, Method::GET, "/advisories", None::<&()>).await?;
            if listed.sources.is_empty() {
                say!("There are no sources: the setting `advisory_source` names them.");
            }
            listed.sources.iter().for_each(print);
            Ok(ExitCode::SUCCESS)
        }
        AdvisoriesCommands::Sync { place, source, force } => {
            let layout = Place::find(&place)?.layout;
            let wanted = AdvisorySync { source, force };
            let mut listed: AdvisorySources =
                call(&layout, Method::POST, "/advisories/sync", Some(&wanted)).await?;
            let is_wanted = |it: &&AdvisorySource| {
                wanted.source.as_ref().map_or(it.is_configured, |name| *name == it.name)
            };
            // One that fails is tried again later; that is no reason to wait.
            let failures = |listed: &AdvisorySources| -> BTreeMap<String, Option<String>> {
                let sources = listed.sources.iter();
                sources.map(|it| (it.name.clone(), it.failed_at.clone())).collect()
            };
            let before = failures(&listed);
            let begun = Instant::now();
            while listed.sources.iter().filter(is_wanted).any(|source| {
                source.is_syncing && before.get(&source.name) == Some(&source.failed_at)
            }) {
                if begun.elapsed() > PATIENCE {
                    bail!(
                        "the server still reads; `tonnage advisories list` says how far it is, \
                         `tonnage jobs list --kind sync-advisory-source` what keeps it"
                    );
                }
                tokio::time::sleep(PAUSE).await;
                listed = call(&layout, Method::GET, "/advisories", None::<&()>).await?;
            }
            listed.sources.iter().filter(is_wanted).for_each(print);
            let failed =
                listed.sources.iter().filter(is_wanted).any(|source| source.last_error.is_some());
            Ok(if failed { ExitCode::from(FAILED) } else { ExitCode::SUCCESS })
        }
    }
}

fn print(source: &AdvisorySource) {
    say!("{} ({}) {}", source.name, source.kind, source.location);
    say!("  records    {}, {} skipped", source.records, source.skipped);
    for (what, text) in [
        ("licence", &source.licence),
        ("as of", &source.released_at),
        ("imported", &source.imported_at),
        ("checked", &source.checked_at),
        ("failed", &source.failed_at),
        ("because", &source.last_error),
    ] {
        if let Some(text) = text {
            say!("  {what:<10} {text}");
        }
    }
    if source.is_syncing {
        say!("  being read");
    }
    if !source.is_configured {
        say!("  no longer configured");
    }
}
