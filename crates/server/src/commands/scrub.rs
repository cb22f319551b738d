//! `tonnage scrub`: asks the running server over its admin socket.

use std::process::ExitCode;

use anyhow::Result;
use http::Method;

use super::place::Place;
use crate::admin::client::call;
use crate::admin::{Scrub, ScrubPass};
use crate::cli::ScrubArguments;

/// The status of a registry in which something is damaged.
const DAMAGED: u8 = 1;

/// Does what the command line says. Ends with 1 when something is damaged.
///
/// # Errors
/// What the server says, or that none runs.
pub(super) async fn run(arguments: ScrubArguments) -> Result<ExitCode> {
    let layout = Place::find(&arguments.place)?.layout;
    let status: Scrub = if arguments.status {
        call(&layout, Method::GET, "/scrub", None::<&()>).await?
    } else {
        call(&layout, Method::POST, "/scrub/start", None::<&()>).await?
    };
    print(&status);
    let damaged = !status.damaged.is_empty();
    Ok(if damaged { ExitCode::from(DAMAGED) } else { ExitCode::SUCCESS })
}

fn print(status: &Scrub) {
    match status.bytes_per_second {
        0 => say!("rate        off (`scrub_rate` is 0)"),
        rate => say!("rate        {rate} bytes a second"),
    }
    match &status.running {
        Some(pass) => print_pass("running", pass),
        None if status.bytes_per_second > 0 => say!("next pass   {}", status.next_pass_at),
        None => {}
    }
    match &status.last {
        Some(pass) => print_pass("last pass", pass),
        None => say!("last pass   none yet"),
    }
    if status.damaged.is_empty() {
        say!("damaged     nothing");
        return;
    }
    say!("damaged, not served until it is pushed again:");
    for name in &status.damaged {
        say!("  {name}");
    }
    if status.damaged_omitted > 0 {
        say!("  and {} more", status.damaged_omitted);
    }
}

fn print_pass(name: &str, pass: &ScrubPass) {
    let started = pass.started_at.as_deref().unwrap_or("unknown");
    let until = pass.ended_at.as_ref().map(|at| format!(" to {at}")).unwrap_or_default();
    say!(
        "{name:<11} since {started}{until}: {} looked at, {} bytes, {} damaged, {} unreadable",
        pass.checked,
        pass.bytes,
        pass.damaged,
        pass.unreadable
    );
}
