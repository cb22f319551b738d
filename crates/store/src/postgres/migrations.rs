//! Applies the schema's migrations in one transaction each, one process at a time.

use tokio_postgres::{Client, Error, IsolationLevel, Transaction};
use tonnage_domain::schema::Migration;

use super::errors::connect_error;
use super::group::WRITER_LOCK;
use super::{OpenError, PostgresUrl};
use crate::dialect::{self, Engine};
use crate::schema::{SchemaError, checksum_of, failed, now_ms, pending};

/// Brings the schema to the newest of `migrations`; does nothing when it is there already. Another
/// process that does the same waits for this one.
pub(super) async fn apply(
    url: &PostgresUrl,
    client: &mut Client,
    migrations: &[Migration],
) -> Result<(), OpenError> {
    while let Some(migration) =
        apply_next(client, migrations).await.map_err(|error| connect_error(url, &error))??
    {
        tracing::info!(version = migration.version, name = migration.name, "migration applied");
    }
    Ok(())
}

/// Whether there is a schema; refuses one that this program cannot use, and applies nothing.
pub(super) async fn look(
    url: &PostgresUrl,
    client: &mut Client,
    migrations: &[Migration],
) -> Result<bool, OpenError> {
    let found = applied_if_any(client).await.map_err(|error| connect_error(url, &error))?;
    pending(&found, migrations)?;
    Ok(!found.is_empty())
}

async fn applied_if_any(client: &mut Client) -> Result<Vec<(i64, String)>, Error> {
    let transaction = client.build_transaction().read_only(true).start().await?;
    let sql = "SELECT to_regclass('schema_migrations') IS NOT NULL";
    let exists: bool = match transaction.query_typed(sql, &[]).await?.first() {
        Some(row) => row.try_get(0)?,
        None => false,
    };
    let found = if exists { applied(&transaction).await? } else { Vec::new() };
    transaction.rollback().await?;
    Ok(found)
}

async fn applied(transaction: &Transaction<'_>) -> Result<Vec<(i64, String)>, Error> {
    let sql = "SELECT version, checksum FROM schema_migrations ORDER BY version";
    let rows = transaction.query_typed(sql, &[]).await?;
    rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
}

/// Applies the oldest migration that is missing, if one is. The outer error is of the connection,
/// the inner one of the schema.
async fn apply_next<'a>(
    client: &mut Client,
    migrations: &'a [Migration],
) -> Result<Result<Option<&'a Migration>, SchemaError>, Error> {
    let transaction =
        client.build_transaction().isolation_level(IsolationLevel::ReadCommitted).start().await?;
    let lock = format!(
        "SET LOCAL lock_timeout = '60s'; \
         SELECT pg_advisory_xact_lock({WRITER_LOCK}, hashtext(current_schema()))"
    );
    transaction.batch_execute(&lock).await?;
    transaction
        .batch_execute(
            "CREATE TABLE IF NOT EXISTS schema_migrations (
                version BIGINT NOT NULL PRIMARY KEY,
                name TEXT NOT NULL,
                checksum TEXT NOT NULL,
                applied_at BIGINT NOT NULL
            )",
        )
        .await?;
    let applied = applied(&transaction).await?;
    let missing = match pending(&applied, migrations) {
        Ok(missing) => missing,
        Err(error) => return Ok(Err(error)),
    };
    let Some(&migration) = missing.first() else {
        transaction.commit().await?;
        return Ok(Ok(None));
    };
    let statements = match dialect::migration(Engine::Postgres, migration.sql) {
        Ok(statements) => statements,
        Err(error) => return Ok(Err(failed(migration, error))),
    };
    for statement in statements {
        if let Err(error) = transaction.batch_execute(&statement).await {
            return Ok(Err(failed(migration, error)));
        }
    }
    let record = format!(
        "INSERT INTO schema_migrations (version, name, checksum, applied_at) \
         VALUES ({}, '{}', '{}', {})",
        migration.version,
        migration.name,
        checksum_of(migration),
        now_ms()
    );
    transaction.batch_execute(&record).await?;
    transaction.commit().await?;
    Ok(Ok(Some(migration)))
}
