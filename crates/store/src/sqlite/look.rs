//! A database that is only looked at: nothing is made, migrated, repaired or locked.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures_util::future::BoxFuture;
use tonnage_domain::metadata::{Metadata, MetadataError, Mode, Transaction};
use tonnage_domain::schema::MIGRATIONS;

use super::answers::Answers;
use super::errors::other;
use super::readers::{Keep, Readers};
use super::session::{Role, Session};
use super::{OpenError, SqliteOptions, migrations};

/// A metadata database that refuses transactions that write.
pub struct SqliteLook {
    readers: Arc<Readers>,
}

impl SqliteLook {
    /// Opens the file at `path`, which must exist. `in_use` says that a server may have it open.
    /// `None` when it holds no schema yet. The schema may be an older one.
    ///
    /// # Errors
    /// [`OpenError`]; its sentences are meant for the operator.
    pub fn open(path: impl AsRef<Path>, in_use: bool) -> Result<Option<Self>, OpenError> {
        let path = path.as_ref();
        // Of a server that was killed there is a log, with an index beside it that may be used.
        let role = match in_use || has_log(path) {
            true => Role::Onlooker,
            false => Role::LoneOnlooker,
        };
        let options = SqliteOptions { readers: 1, ..SqliteOptions::default() };
        let answers = Answers::new(0);
        let failed = |error| OpenError::new(path, error);
        let mut session = Session::open(path, role, &options, &answers).map_err(failed)?;
        let schema = migrations::look(session.connection(), MIGRATIONS);
        let exists = schema.map_err(|error| match error {
            OpenError::Sqlite(error) => failed(error),
            other => other,
        })?;
        if !exists {
            return Ok(None);
        }
        let readers = Readers::open(path.to_owned(), role, options, answers).map_err(failed)?;
        Ok(Some(Self { readers: Arc::new(readers) }))
    }
}

fn has_log(path: &Path) -> bool {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    fs::metadata(PathBuf::from(log)).is_ok_and(|metadata| metadata.len() > 0)
}

impl Metadata for SqliteLook {
    fn begin(&self, mode: Mode) -> BoxFuture<'_, Result<Box<dyn Transaction>, MetadataError>> {
        Box::pin(async move {
            match mode {
                Mode::Read => {
                    Ok(Box::new(self.readers.begin(Keep::No).await?) as Box<dyn Transaction>)
                }
                Mode::Write => Err(other("the database is only looked at")),
            }
        })
    }
}
