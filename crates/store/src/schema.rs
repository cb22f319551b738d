//! The bookkeeping of applied migrations that every engine shares.

use std::time::{SystemTime, UNIX_EPOCH};

use sha2::{Digest, Sha256};
use tonnage_domain::schema::Migration;

/// Why a schema cannot be brought to what this program knows.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SchemaError {
    /// It was made by a later release.
    #[error(
        "the database has schema version {found}, this program knows up to {known}: \
         use a newer tonnage"
    )]
    TooNew {
        /// The newest migration that is applied.
        found: i64,
        /// The newest migration of this program.
        known: i64,
    },
    /// An applied migration is not the one this program has under the same number.
    #[error(
        "migration {version} ({name}) is applied in another form than this program knows: \
         use the tonnage version that made the database, or a later release"
    )]
    Changed {
        /// Its number.
        version: i64,
        /// Its name.
        name: &'static str,
    },
    /// A migration failed; nothing of it was kept.
    #[error("migration {version} ({name}) cannot be applied")]
    Failed {
        /// Its number.
        version: i64,
        /// Its name.
        name: &'static str,
        /// What failed.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// The migrations still to be applied, given the number and checksum of each applied one.
pub(crate) fn pending<'a>(
    applied: &[(i64, String)],
    migrations: &'a [Migration],
) -> Result<Vec<&'a Migration>, SchemaError> {
    let newest = migrations.iter().map(|migration| migration.version).max().unwrap_or(0);
    if let Some((version, _)) = applied.iter().find(|(version, _)| *version > newest) {
        return Err(SchemaError::TooNew { found: *version, known: newest });
    }
    let mut pending = Vec::new();
    for migration in migrations {
        match applied.iter().find(|(version, _)| *version == migration.version) {
            Some((_, checksum)) if *checksum == checksum_of(migration) => {}
            Some(_) => {
                return Err(SchemaError::Changed {
                    version: migration.version,
                    name: migration.name,
                });
            }
            None => pending.push(migration),
        }
    }
    Ok(pending)
}

/// A migration that failed.
pub(crate) fn failed(
    migration: &Migration,
    source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> SchemaError {
    SchemaError::Failed { version: migration.version, name: migration.name, source: source.into() }
}

/// What tells one form of a migration from another.
pub(crate) fn checksum_of(migration: &Migration) -> String {
    Sha256::digest(migration.sql).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Milliseconds since 1970.
pub(crate) fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use tonnage_domain::schema::MIGRATIONS;

    use super::*;

    /// Lists are put together from several branches, so their order says nothing of what is newest.
    #[test]
    fn what_is_missing_is_applied_and_what_is_too_new_is_refused() {
        let made = |version| Migration { version, name: "a", sql: "SELECT 1" };
        let known = [1, 4, 2].map(made);
        for (applied, expected) in [
            (&[][..], Some(&[1, 4, 2][..])),
            (&[1, 4], Some(&[2])),
            (&[1, 2], Some(&[4])),
            (&[1, 2, 4], Some(&[])),
            (&[1, 2, 4, 5], None),
        ] {
            let rows: Vec<(i64, String)> =
                applied.iter().map(|version| (*version, checksum_of(&known[0]))).collect();
            let found = pending(&rows, &known).ok();
            let found = found.map(|found| found.iter().map(|it| it.version).collect::<Vec<_>>());
            assert_eq!(found.as_deref(), expected, "{applied:?}");
        }
        let other = [(1, "other".to_owned())];
        assert!(matches!(pending(&other, &known), Err(SchemaError::Changed { version: 1, .. })));
    }

    #[test]
    fn no_two_migrations_have_a_number() {
        let numbers: BTreeSet<i64> = MIGRATIONS.iter().map(|migration| migration.version).collect();
        assert_eq!(numbers.len(), MIGRATIONS.len());
    }
}
