//! A database that is only looked at: nothing is made or migrated.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use tonnage_domain::metadata::{Metadata, MetadataError, Mode, Transaction};
use tonnage_domain::schema::MIGRATIONS;

use super::pool::Pool;
use super::transaction::ReadTransaction;
use super::{OpenError, PostgresOptions, PostgresUrl, errors, migrations};

/// A metadata database that refuses transactions that write.
pub struct PostgresLook {
    pool: Arc<Pool>,
    options: PostgresOptions,
}

impl PostgresLook {
    /// Connects once. `None` when there is no schema yet. The schema may be an older one.
    ///
    /// # Errors
    /// [`OpenError`]; its sentences are meant for the operator.
    pub async fn open(url: &PostgresUrl) -> Result<Option<Self>, OpenError> {
        let options = PostgresOptions { connections: 1, ..PostgresOptions::default() };
        let pool = Arc::new(Pool::new(url, &options)?);
        let mut connection = pool.take().await.map_err(|error| errors::open_error(url, &error))?;
        let exists = migrations::look(url, connection.client(), MIGRATIONS).await?;
        connection.give_back();
        Ok(exists.then_some(Self { pool, options }))
    }
}

impl Metadata for PostgresLook {
    fn begin(&self, mode: Mode) -> BoxFuture<'_, Result<Box<dyn Transaction>, MetadataError>> {
        Box::pin(async move {
            match mode {
                Mode::Read => {
                    let begun = ReadTransaction::begin(&self.pool, &self.options).await?;
                    Ok(Box::new(begun) as Box<dyn Transaction>)
                }
                Mode::Write => Err(errors::other("the database is only looked at")),
            }
        })
    }
}
