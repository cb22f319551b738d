//! Statements for many rows. On PostgreSQL each statement is a round trip and a plan of its own.

use crate::execute::Tx;
use crate::metadata::{MetadataError, Value};

/// Rows of one statement. What is left of a number of rows goes one by one.
const ROWS: usize = 25;

/// A statement with a list of rows in the middle, for one row and for many.
#[derive(Debug)]
pub(crate) struct Many {
    one: String,
    many: String,
}

impl Many {
    /// `columns` are the types to which values are cast that may be NULL or stand in a list of
    /// their own; nothing where the column that takes them says it.
    pub(crate) fn new(before: &str, columns: &[&str], after: &str) -> Self {
        let of = |rows| format!("{before}{}{after}", values(columns, rows));
        Self { one: of(1), many: of(ROWS) }
    }

    /// Runs it for all rows; tells, for the rows of each statement, how many it changed.
    pub(crate) async fn run<'r>(
        &'static self,
        tx: &mut Tx,
        rows: &'r [Vec<Value>],
    ) -> Result<Vec<(&'r [Vec<Value>], u64)>, MetadataError> {
        let mut changed = Vec::new();
        let whole = rows.chunks_exact(ROWS);
        let left = whole.remainder();
        for some in whole {
            changed.push((some, tx.execute(&self.many, &some.concat()).await?));
        }
        for row in left {
            changed.push((std::slice::from_ref(row), tx.execute(&self.one, row).await?));
        }
        Ok(changed)
    }
}

/// `($1, CAST($2 AS BIGINT)), ($3, CAST($4 AS BIGINT))`.
fn values(columns: &[&str], rows: usize) -> String {
    let mut number = 0;
    let mut value = |cast: &&str| {
        number += 1;
        if cast.is_empty() { format!("${number}") } else { format!("CAST(${number} AS {cast})") }
    };
    let rows: Vec<String> = (0..rows)
        .map(|_| format!("({})", columns.iter().map(&mut value).collect::<Vec<_>>().join(", ")))
        .collect();
    rows.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_rows() {
        for (columns, rows, expected) in [
            (&[""][..], 1, "($1)"),
            (&["", "BIGINT"][..], 2, "($1, CAST($2 AS BIGINT)), ($3, CAST($4 AS BIGINT))"),
        ] {
            assert_eq!(values(columns, rows), expected);
        }
    }
}
