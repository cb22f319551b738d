//! The access record: one line in the log per operation, and one row per change, written in the
//! transaction of the change.

use crate::authorize::Permit;
use crate::context::RequestContext;
use crate::error::{Error, ErrorKind, Result, chain};
use crate::execute::{Demand, Entry, Tx};
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
    tx.execute(
        "INSERT INTO access_records (id, request_id, occurred_at, account_id, region, \
         principal_arn, access_key_id, source_address, user_agent, service, operation, resources) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
        params![
            id,
            &context.request_id,
            context.now,
            context.account.as_str(),
            context.region.as_str(),
            &context.principal.arn,
            context.principal.access_key_id.as_deref(),
            context.source_address.to_string(),
            &context.user_agent,
            entry.service.as_str(),
            entry.name,
            permit.resources().join(" "),
        ],
    )
    .await?;
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
    let principal = context.principal.arn.as_str();
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
