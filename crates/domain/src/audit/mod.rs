//! The access record: one line in the log per operation, one row per change, written in the
//! transaction of the change, and one row per denial, written with others soon after.

pub mod details;
pub mod lookup_events;
pub mod parameters;
pub mod record;
pub(crate) mod sign_ins;

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::{Mutex, PoisonError};

use self::details::Details;
use crate::app::App;
use crate::authorize::Permit;
use crate::clock::Millis;
use crate::context::RequestContext;
use crate::error::{Error, ErrorKind, Result, chain};
use crate::execute::{Demand, Entry, Tx};
use crate::metadata::Mode;
use crate::params;

/// How long access records are kept, in seconds.
pub(crate) const RETENTION_SECONDS: i64 = 90 * 24 * 3600;

/// Writes the record of a change.
pub(crate) async fn put(
    tx: &mut Tx,
    id: i64,
    context: &RequestContext,
    entry: Entry,
    permit: &Permit,
) -> Result<()> {
    let resources = permit.resources().join(" ");
    let details = Details::default();
    let told = Told { of: named(entry), resources: &resources, denial: None, details: &details };
    insert(tx, id, context, told).await
}

/// The service and the name of an operation.
type Named = (&'static str, &'static str);

fn named(entry: Entry) -> Named {
    (entry.service.as_str(), entry.name)
}

/// What a record tells beside its context.
#[derive(Clone, Copy)]
struct Told<'t> {
    of: Named,
    resources: &'t str,
    denial: Option<&'t str>,
    details: &'t Details,
}

async fn insert(tx: &mut Tx, id: i64, context: &RequestContext, told: Told<'_>) -> Result<()> {
    let mut details = told.details.clone();
    if details.request_parameters.is_none() {
        details.request_parameters = context.input.as_ref().and_then(|input| input.kept());
    }
    tx.execute(
        "INSERT INTO access_records (id, request_id, occurred_at, account_id, region, \
         principal_arn, access_key_id, source_address, user_agent, service, operation, resources, \
         denial, details) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)",
        params![
            id,
            &context.request_id,
            context.now,
            context.account.as_str(),
            context.region.as_str(),
            context.principal.recorded_arn().into_owned(),
            context.principal.access_key_id.as_deref(),
            context.source_address.to_string(),
            &context.user_agent,
            told.of.0,
            told.of.1,
            told.resources,
            told.denial,
            details.stored()?,
        ],
    )
    .await?;
    Ok(())
}

/// How many denials may wait to be written down, which happens every second; past that they are
/// only logged. A client that is denied in a loop must not fill the disk.
const DENIALS_MAX: usize = 50;
/// For how long a denial that is like one before it is only logged, in milliseconds.
const SAME_MILLIS: i64 = 60_000;
/// How many different denials are remembered for that.
const REMEMBERED_MAX: usize = 10_000;

/// Denials that are not written down yet: whoever asks for what they may not must not cause a write
/// with each request.
#[derive(Debug, Default)]
pub(crate) struct Denials(Mutex<Waiting>);

#[derive(Debug, Default)]
struct Waiting {
    records: Vec<Record>,
    /// When each was last written down, by a hash of what it says.
    remembered: HashMap<u64, Millis>,
    dropped: u64,
}

#[derive(Debug)]
struct Record {
    context: RequestContext,
    of: Named,
    resources: String,
    denial: String,
    details: Details,
}

/// Notes a denial for the access records, unless it was noted a moment ago.
pub(crate) fn note_denial(
    app: &App,
    context: &RequestContext,
    entry: Entry,
    demands: &[Demand],
    error: &Error,
) {
    let mut resources: Vec<String> = demands.iter().map(|demand| demand.resource.arn()).collect();
    resources.dedup();
    let resources = resources.join(" ");
    let denial = chain(error);
    let mut hasher = DefaultHasher::new();
    (context.principal.recorded_arn(), entry.name, &resources, &denial).hash(&mut hasher);
    let same = hasher.finish();
    let is_fresh = |noted: &Millis| context.now.0.saturating_sub(noted.0) < SAME_MILLIS;

    let mut waiting = app.denials.0.lock().unwrap_or_else(PoisonError::into_inner);
    if waiting.remembered.get(&same).is_some_and(is_fresh) {
        return;
    }
    if waiting.remembered.len() >= REMEMBERED_MAX {
        waiting.remembered.retain(|_, noted| is_fresh(noted));
    }
    if waiting.records.len() >= DENIALS_MAX || waiting.remembered.len() >= REMEMBERED_MAX {
        waiting.dropped += 1;
        return;
    }
    waiting.remembered.insert(same, context.now);
    let (context, of, details) = (context.clone(), named(entry), Details::default());
    waiting.records.push(Record { context, of, resources, denial, details });
}

/// Notes what was refused before it was an operation, each time; whoever calls this bounds how often.
fn note(app: &App, record: Record) {
    let mut waiting = app.denials.0.lock().unwrap_or_else(PoisonError::into_inner);
    match waiting.records.len() < DENIALS_MAX {
        true => waiting.records.push(record),
        false => waiting.dropped += 1,
    }
}

/// Writes the denials noted so far.
///
/// # Errors
/// When the database fails; these denials are then in the log only.
pub async fn flush(app: &App) -> Result<()> {
    let (records, dropped) = {
        let mut waiting = app.denials.0.lock().unwrap_or_else(PoisonError::into_inner);
        (std::mem::take(&mut waiting.records), std::mem::take(&mut waiting.dropped))
    };
    if dropped > 0 {
        tracing::warn!(dropped, "denials were too many to be written down; the log has them");
    }
    if records.is_empty() {
        return Ok(());
    }
    let mut tx = Tx::begin(app.metadata.as_ref(), Mode::Write, &Permit::maintenance()).await?;
    for Record { context, of, resources, denial, details } in records {
        let id = app.ids.next(app.clock.now());
        let told = Told { of, resources: &resources, denial: Some(&denial), details: &details };
        insert(&mut tx, id, &context, told).await?;
    }
    tx.commit().await?;
    Ok(())
}

/// Logs the outcome of an operation: faults as errors, denials as warnings, the rest as events
/// that are off unless asked for.
pub(crate) fn log(
    context: &RequestContext,
    entry: Entry,
    demands: &[Demand],
    error: Option<&Error>,
) {
    let service = entry.service.as_str();
    let operation = entry.name;
    let request_id = context.request_id.as_str();
    let principal = context.principal.recorded_arn();
    let principal = principal.as_ref();
    let resource = demands.first().map(|demand| demand.resource.arn()).unwrap_or_default();
    match error {
        None => tracing::debug!(service, operation, request_id, principal, resource, "operation"),
        Some(error) if error.is_fault() => {
            let cause = chain(error);
            tracing::error!(
                service,
                operation,
                request_id,
                principal,
                resource,
                cause,
                "operation failed"
            );
        }
        Some(error) if error.kind() == ErrorKind::AccessDenied => {
            let reason = error.message();
            // Names the statement, also where the client may not know of it.
            let cause = chain(error);
            tracing::warn!(
                service,
                operation,
                request_id,
                principal,
                resource,
                reason,
                cause,
                "access denied"
            );
        }
        Some(error) if error.kind() == ErrorKind::RepositoryNotFound => {
            let reason = error.message();
            let hint = match demands.first().map(|demand| &demand.resource) {
                Some(crate::execute::Resource::Repository { region, name, .. })
                    if region.is_global() =>
                {
                    format!("aws ecr-public create-repository --repository-name {name}")
                }
                Some(crate::execute::Resource::Repository { region, name, .. }) => {
                    format!("aws ecr create-repository --repository-name {name} --region {region}")
                }
                _ => String::new(),
            };
            tracing::info!(
                service,
                operation,
                request_id,
                principal,
                reason,
                hint,
                "no such repository"
            );
        }
        Some(error) => {
            let reason = error.message();
            tracing::debug!(
                service,
                operation,
                request_id,
                principal,
                resource,
                reason,
                "operation refused"
            );
        }
    }
}
