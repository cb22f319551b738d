//! Applies the schema's migrations, each in one transaction, and remembers them.

use rusqlite::{Connection, TransactionBehavior};
use tonnage_domain::schema::Migration;

use super::OpenError;
use crate::dialect::{self, Engine};
use crate::schema::{SchemaError, checksum_of, failed, now_ms, pending};

/// Brings the schema to the newest of `migrations`; does nothing when it is there already.
pub(crate) fn apply(
    connection: &mut Connection,
    migrations: &[Migration],
) -> Result<(), OpenError> {
    connection.execute_batch(
        "CREATE TABLE IF NOT EXISTS schema_migrations (
            version INTEGER NOT NULL PRIMARY KEY,
            name TEXT NOT NULL,
            checksum TEXT NOT NULL,
            applied_at INTEGER NOT NULL
        ) STRICT",
    )?;
    for migration in pending(&applied(connection)?, migrations)? {
        apply_one(connection, migration)?;
    }
    Ok(())
}

/// Whether there is a schema; refuses one that this program cannot use, and applies nothing.
pub(crate) fn look(connection: &Connection, migrations: &[Migration]) -> Result<bool, OpenError> {
    let sql =
        "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = 'schema_migrations'";
    let tables: i64 = connection.query_row(sql, [], |row| row.get(0))?;
    if tables == 0 {
        return Ok(false);
    }
    let applied = applied(connection)?;
    pending(&applied, migrations)?;
    Ok(!applied.is_empty())
}

fn applied(connection: &Connection) -> Result<Vec<(i64, String)>, rusqlite::Error> {
    connection
        .prepare("SELECT version, checksum FROM schema_migrations ORDER BY version")?
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect()
}

fn apply_one(connection: &mut Connection, migration: &Migration) -> Result<(), SchemaError> {
    let statements = dialect::migration(Engine::Sqlite, migration.sql)
        .map_err(|error| failed(migration, error))?;
    run(connection, migration, &statements).map_err(|error| failed(migration, error))?;
    tracing::info!(version = migration.version, name = migration.name, "migration applied");
    Ok(())
}

fn run(
    connection: &mut Connection,
    migration: &Migration,
    statements: &[String],
) -> Result<(), rusqlite::Error> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for statement in statements {
        transaction.execute_batch(statement)?;
    }
    transaction.execute(
        "INSERT INTO schema_migrations (version, name, checksum, applied_at)
         VALUES (?1, ?2, ?3, ?4)",
        (migration.version, migration.name, checksum_of(migration), now_ms()),
    )?;
    transaction.commit()
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: Migration = Migration {
        version: 1,
        name: "first",
        sql: "CREATE TABLE a (id BIGINT NOT NULL PRIMARY KEY, body BYTEA);",
    };
    const SECOND: Migration = Migration {
        version: 2,
        name: "second",
        sql: "CREATE TABLE b (id BIGINT NOT NULL PRIMARY KEY); INSERT INTO b VALUES (7);",
    };

    fn count(connection: &Connection, sql: &str) -> i64 {
        connection.query_row(sql, [], |row| row.get(0)).unwrap()
    }

    #[test]
    fn each_migration_is_applied_once_and_in_order() {
        let mut connection = Connection::open_in_memory().unwrap();
        apply(&mut connection, &[FIRST]).unwrap();
        apply(&mut connection, &[FIRST, SECOND]).unwrap();
        apply(&mut connection, &[FIRST, SECOND]).unwrap();
        assert_eq!(count(&connection, "SELECT count(*) FROM b"), 1);
        assert_eq!(count(&connection, "SELECT max(version) FROM schema_migrations"), 2);
        assert!(connection.execute("INSERT INTO a VALUES (1, 'text')", []).is_err(), "STRICT");
    }

    #[test]
    fn a_newer_schema_and_a_changed_migration_are_refused_in_one_sentence() {
        let mut connection = Connection::open_in_memory().unwrap();
        apply(&mut connection, &[FIRST, SECOND]).unwrap();
        assert_eq!(
            apply(&mut connection, &[FIRST]).unwrap_err().to_string(),
            "the database has schema version 2, this program knows up to 1: use a newer tonnage",
        );
        let changed =
            Migration { sql: "CREATE TABLE b (id BIGINT NOT NULL PRIMARY KEY);", ..SECOND };
        assert_eq!(
            apply(&mut connection, &[FIRST, changed]).unwrap_err().to_string(),
            "migration 2 (second) is applied in another form than this program knows: \
             use the tonnage version that made the database, or a later release",
        );
    }

    #[test]
    fn a_failing_migration_leaves_nothing_behind() {
        let mut connection = Connection::open_in_memory().unwrap();
        let broken = Migration {
            sql: "CREATE TABLE c (id BIGINT); INSERT INTO missing VALUES (1)",
            ..SECOND
        };
        let error = apply(&mut connection, &[FIRST, broken]).unwrap_err();
        assert_eq!(error.to_string(), "migration 2 (second) cannot be applied");
        assert_eq!(count(&connection, "SELECT count(*) FROM schema_migrations"), 1);
        assert_eq!(count(&connection, "SELECT count(*) FROM sqlite_schema WHERE name = 'c'"), 0);
    }

    #[test]
    fn the_schema_of_the_domain_can_be_applied() {
        let mut connection = Connection::open_in_memory().unwrap();
        apply(&mut connection, tonnage_domain::schema::MIGRATIONS).unwrap();
        let lax: i64 = count(
            &connection,
            "SELECT count(*) FROM pragma_table_list
             WHERE schema = 'main' AND type = 'table' AND strict = 0 AND name NOT LIKE 'sqlite_%'",
        );
        assert_eq!(lax, 0, "every table is STRICT");
    }
}
