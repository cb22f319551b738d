//! `tonnage jobs`: asks the running server over its admin socket.

use std::process::ExitCode;

use anyhow::Result;
use clap::ValueEnum as _;
use http::Method;

use super::place::Place;
use crate::admin::client::call;
use crate::admin::{Job, Jobs};
use crate::cli::{JobState, JobsCommands, PlaceArguments};

/// Does what the command line says.
///
/// # Errors
/// What the server says, or that none runs.
pub(super) async fn run(command: JobsCommands) -> Result<ExitCode> {
    match command {
        JobsCommands::List { place, state, kind } => list(&place, state, kind.as_deref()).await?,
        JobsCommands::Show { place, id } => {
            print(&one(&place, Method::GET, &format!("/jobs/{id}")).await?);
        }
        JobsCommands::Cancel { place, id } => {
            let job = one(&place, Method::POST, &format!("/jobs/{id}/cancel")).await?;
            if job.cancel_requested {
                say!("Job {id} runs; it ends before its next change.");
            } else {
                say!("Job {id} is cancelled.");
            }
        }
        JobsCommands::Retry { place, id } => {
            one(&place, Method::POST, &format!("/jobs/{id}/retry")).await?;
            say!("Job {id} runs as soon as a worker is free.");
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn one(place: &PlaceArguments, method: Method, path: &str) -> Result<Job> {
    call(&Place::find(place)?.layout, method, path, None::<&()>).await
}

async fn list(place: &PlaceArguments, state: Option<JobState>, kind: Option<&str>) -> Result<()> {
    let layout = Place::find(place)?.layout;
    let mut after: Option<String> = None;
    say!("{:<20} {:<28} {:<10} {:<12} OF", "ID", "KIND", "STATE", "ACCOUNT");
    loop {
        let mut query = form_urlencoded::Serializer::new(String::new());
        if let Some(state) = state.and_then(|state| state.to_possible_value()) {
            query.append_pair("state", &state.get_name().to_ascii_uppercase());
        }
        if let Some(kind) = kind {
            query.append_pair("kind", kind);
        }
        if let Some(after) = &after {
            query.append_pair("after", after);
        }
        let path = format!("/jobs?{}", query.finish());
        let page: Jobs = call(&layout, Method::GET, &path, None::<&()>).await?;
        for job in &page.jobs {
            let account = job.account.as_deref().unwrap_or("-");
            say!("{:<20} {:<28} {:<10} {account:<12} {}", job.id, job.kind, job.state, job.subject);
        }
        after = page.next;
        if after.is_none() {
            return Ok(());
        }
    }
}

fn print(job: &Job) {
    let total = job.progress_total.map(|total| format!(" of {total}")).unwrap_or_default();
    say!("id         {}", job.id);
    say!("kind       {}", job.kind);
    say!("of         {}", job.subject);
    say!("key        {}", job.key);
    say!("account    {}", job.account.as_deref().unwrap_or("-"));
    say!("state      {}", job.state);
    say!("runs at    {}", job.run_at);
    say!("attempts   {}", job.attempts);
    say!("progress   {}{total}", job.progress_done);
    say!("created    {}", job.created_at);
    say!("changed    {}", job.updated_at);
    if let Some(lease) = &job.lease_expires_at {
        say!("lease      until {lease}");
    }
    if job.cancel_requested {
        say!("cancelled  as soon as its worker notices");
    }
    if let Some(error) = &job.last_error {
        say!("error      {error}");
    }
}
