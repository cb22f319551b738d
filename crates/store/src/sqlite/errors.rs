//! How SQLite's failures become kinds that the domain reacts to.

use rusqlite::ErrorCode;
use rusqlite::ffi;
use tonnage_domain::metadata::{MetadataError, MetadataErrorKind};

/// A failure with its kind by SQLite's result codes (<https://www.sqlite.org/rescode.html>).
pub(crate) fn metadata_error(error: rusqlite::Error) -> MetadataError {
    MetadataError::new(kind_of(&error), error)
}

/// A failure that did not come from SQLite.
pub(crate) fn other(message: impl Into<String>) -> MetadataError {
    MetadataError::new(MetadataErrorKind::Other, message.into())
}

/// A failure that may pass.
pub(crate) fn unavailable(message: impl Into<String>) -> MetadataError {
    MetadataError::new(MetadataErrorKind::Unavailable, message.into())
}

/// What SQLite said, without the words of the driver.
pub(crate) fn reason(error: &rusqlite::Error) -> String {
    match error {
        rusqlite::Error::SqliteFailure(_, Some(text)) => text.clone(),
        other => other.to_string(),
    }
}

pub(crate) fn kind_of(error: &rusqlite::Error) -> MetadataErrorKind {
    match error {
        rusqlite::Error::SqliteFailure(failure, _) => kind_of_code(*failure),
        rusqlite::Error::Utf8Error(..) => MetadataErrorKind::Corrupt,
        _ => MetadataErrorKind::Other,
    }
}

fn kind_of_code(failure: ffi::Error) -> MetadataErrorKind {
    match (failure.code, failure.extended_code) {
        (
            ErrorCode::ConstraintViolation,
            ffi::SQLITE_CONSTRAINT_PRIMARYKEY
            | ffi::SQLITE_CONSTRAINT_UNIQUE
            | ffi::SQLITE_CONSTRAINT_ROWID,
        ) => MetadataErrorKind::Duplicate,
        (ErrorCode::ConstraintViolation, _) => MetadataErrorKind::Constraint,
        // Growing the index of the write-ahead log fails this way when the disk is full.
        (ErrorCode::DiskFull, _) | (_, ffi::SQLITE_IOERR_SHMSIZE) => MetadataErrorKind::Full,
        (ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked, _) => MetadataErrorKind::Unavailable,
        (ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase, _) => MetadataErrorKind::Corrupt,
        _ => MetadataErrorKind::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_result_code_has_its_kind() {
        use MetadataErrorKind::{Constraint, Corrupt, Duplicate, Full, Other, Unavailable};
        for (code, expected) in [
            (ffi::SQLITE_CONSTRAINT_PRIMARYKEY, Duplicate),
            (ffi::SQLITE_CONSTRAINT_UNIQUE, Duplicate),
            (ffi::SQLITE_CONSTRAINT_ROWID, Duplicate),
            (ffi::SQLITE_CONSTRAINT_FOREIGNKEY, Constraint),
            (ffi::SQLITE_CONSTRAINT_CHECK, Constraint),
            (ffi::SQLITE_CONSTRAINT_NOTNULL, Constraint),
            (ffi::SQLITE_CONSTRAINT_DATATYPE, Constraint),
            (ffi::SQLITE_FULL, Full),
            (ffi::SQLITE_IOERR_SHMSIZE, Full),
            (ffi::SQLITE_BUSY, Unavailable),
            (ffi::SQLITE_BUSY_SNAPSHOT, Unavailable),
            (ffi::SQLITE_LOCKED, Unavailable),
            (ffi::SQLITE_CORRUPT, Corrupt),
            (ffi::SQLITE_NOTADB, Corrupt),
            (ffi::SQLITE_IOERR_FSYNC, Other),
            (ffi::SQLITE_READONLY, Other),
            (ffi::SQLITE_NOMEM, Other),
        ] {
            assert_eq!(kind_of_code(ffi::Error::new(code)), expected, "result code {code}");
        }
    }
}
