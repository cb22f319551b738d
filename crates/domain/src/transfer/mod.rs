//! Moving all metadata from one database to another, and holding two against each other.
//!
//! Only for a registry that nobody serves. Objects stay where they are: both databases name the
//! same object store, and the one that was left is retired, so that it cannot be served again.

mod tables;

pub(crate) use self::tables::{TABLES, Table};
use crate::authorize::Permit;
use crate::error::{Error, Result};
use crate::execute::Tx;
use crate::metadata::{Metadata, Mode, Value};
use crate::params;

/// What the retired database names as its object store.
pub(crate) const RETIRED: &str = "moved to another database";

/// What was copied or compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Transferred {
    /// Tables.
    pub tables: u64,
    /// Rows of all tables.
    pub rows: u64,
}

/// Why metadata were not moved; one sentence each, for the operator.
#[derive(Debug, thiserror::Error)]
pub enum TransferError {
    /// There is nothing to move.
    #[error("there is no registry in the database to move from")]
    NothingToMove,
    /// The source was moved before.
    #[error("the registry in the database to move from was moved to another database before")]
    MovedBefore,
    /// The target is in use.
    #[error("the database to move to holds another registry; name an empty one")]
    TargetInUse,
    /// The databases differ.
    #[error("the databases differ in the table {table}; nothing was retired, the source holds")]
    Different {
        /// The first table that differs.
        table: String,
    },
    /// Anything else.
    #[error(transparent)]
    Failed(#[from] Error),
}

/// Copies everything from `source` into an empty `target`, in one transaction there. A target that
/// holds the same deployment already is left as it is, so that a move that broke off can be
/// repeated; [`verify`] tells whether it is whole.
///
/// # Errors
/// [`TransferError`]; the target is as empty as before.
pub async fn copy(
    source: &dyn Metadata,
    target: &dyn Metadata,
) -> Result<Transferred, TransferError> {
    let permit = Permit::maintenance();
    let mut from = Tx::begin(source, Mode::Read, &permit).await?;
    let mut to = Tx::begin(target, Mode::Write, &permit).await?;
    let (deployment, store) = deployment(&mut from).await?.ok_or(TransferError::NothingToMove)?;
    if store == RETIRED {
        return Err(TransferError::MovedBefore);
    }
    let mut transferred = Transferred::default();
    match self::deployment(&mut to).await? {
        Some((same, _)) if same == deployment => {
            to.commit().await.map_err(Error::from)?;
            return Ok(transferred);
        }
        Some(_) => return Err(TransferError::TargetInUse),
        None => {}
    }
    // What the migrations themselves put there.
    for table in TABLES.iter().rev() {
        to.execute(table.clear, &[]).await.map_err(Error::from)?;
    }
    for table in TABLES.iter() {
        let mut pages = Pages::new(table);
        while let Some(rows) = pages.next(&mut from).await? {
            transferred.rows += u64::try_from(rows.len()).unwrap_or(u64::MAX);
            insert(&mut to, table, rows).await?;
        }
        transferred.tables += 1;
    }
    to.commit().await.map_err(Error::from)?;
    Ok(transferred)
}

/// Compares every row of every table.
///
/// # Errors
/// [`TransferError::Different`] with the first table that differs.
pub async fn verify(
    one: &dyn Metadata,
    other: &dyn Metadata,
) -> Result<Transferred, TransferError> {
    let permit = Permit::maintenance();
    let mut one = Tx::begin(one, Mode::Read, &permit).await?;
    let mut other = Tx::begin(other, Mode::Read, &permit).await?;
    let mut transferred = Transferred::default();
    for table in TABLES.iter() {
        let (mut left, mut right) = (Pages::new(table), Pages::new(table));
        loop {
            let (rows, others) = (left.next(&mut one).await?, right.next(&mut other).await?);
            if rows != others {
                return Err(TransferError::Different { table: table.name.clone() });
            }
            let Some(rows) = rows else { break };
            transferred.rows += u64::try_from(rows.len()).unwrap_or(u64::MAX);
        }
        transferred.tables += 1;
    }
    Ok(transferred)
}

/// Keeps a database that was moved from ever being served again.
///
/// # Errors
/// When the database fails.
pub async fn retire(source: &dyn Metadata) -> Result<()> {
    let mut tx = Tx::begin(source, Mode::Write, &Permit::maintenance()).await?;
    tx.execute("UPDATE deployment SET object_store_id = $1 WHERE id = 1", params![RETIRED]).await?;
    tx.commit().await?;
    Ok(())
}

/// Whether both databases hold the same deployment, served or retired.
///
/// # Errors
/// When a database fails.
pub async fn same_deployment(one: &dyn Metadata, other: &dyn Metadata) -> Result<bool> {
    let permit = Permit::maintenance();
    let one = deployment(&mut Tx::begin(one, Mode::Read, &permit).await?).await?;
    let other = deployment(&mut Tx::begin(other, Mode::Read, &permit).await?).await?;
    Ok(matches!((one, other), (Some((one, _)), Some((other, _))) if one == other))
}

/// Whether [`retire`] was called on a database.
///
/// # Errors
/// When the database fails.
pub async fn is_retired(metadata: &dyn Metadata) -> Result<bool> {
    let mut tx = Tx::begin(metadata, Mode::Read, &Permit::maintenance()).await?;
    Ok(deployment(&mut tx).await?.is_some_and(|(_, store)| store == RETIRED))
}

/// The deployment in a database and the object store that belongs to it.
pub(crate) async fn deployment(tx: &mut Tx) -> Result<Option<(String, String)>> {
    let sql = "SELECT deployment_id, object_store_id FROM deployment WHERE id = 1";
    let row = tx.optional(sql, &[]).await?;
    row.map(|row| Ok((row.get(0)?, row.get(1)?))).transpose()
}

/// The rows of a table by its primary key, some at a time.
pub(crate) struct Pages<'a> {
    table: &'a Table,
    /// The key of the last row; `None` before the first page.
    after: Option<Vec<Value>>,
    ended: bool,
}

impl<'a> Pages<'a> {
    pub(crate) fn new(table: &'a Table) -> Self {
        Self { table, after: None, ended: false }
    }

    pub(crate) async fn next(&mut self, tx: &mut Tx) -> Result<Option<Vec<Vec<Value>>>> {
        if self.ended {
            return Ok(None);
        }
        let rows = match &self.after {
            None => tx.all(self.table.first_page, &[]).await?,
            Some(after) => tx.all(self.table.next_page, after).await?,
        };
        self.ended = rows.len() < self.table.page;
        let rows: Vec<Vec<Value>> = rows.iter().map(|row| row.columns().to_vec()).collect();
        let Some(last) = rows.last() else { return Ok(None) };
        self.after = Some(self.table.key_of(last));
        Ok(Some(rows))
    }
}

pub(crate) async fn insert(tx: &mut Tx, table: &Table, rows: Vec<Vec<Value>>) -> Result<()> {
    for some in rows.chunks(table.rows_of_insert) {
        if some.len() == table.rows_of_insert {
            tx.execute(table.insert_many, &some.concat()).await?;
        } else {
            for row in some {
                tx.execute(table.insert_one, row).await?;
            }
        }
    }
    Ok(())
}
