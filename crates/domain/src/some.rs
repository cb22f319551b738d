//! Statements about some rows of which the ids are known. `IN_LIST` takes texts only, and a text that is
//! compared with an id finds no index.

use crate::metadata::Value;

/// Ids of one statement.
const IDS: usize = 25;

/// A statement with the places of [`chunks`] between its two parts; other parameters begin at `$26`.
macro_rules! some_ids {
    ($before:literal $after:literal) => {
        concat!(
            $before,
            "($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, \
             $20, $21, $22, $23, $24, $25)",
            $after
        )
    };
}
pub(crate) use some_ids;

/// The parameters of a statement for every 25 ids; places that are left over have an id again.
pub(crate) fn chunks(ids: &[i64]) -> impl Iterator<Item = Vec<Value>> {
    ids.chunks(IDS).map(|chunk| chunk.iter().cycle().take(IDS).map(|&id| Value::Int(id)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_id_has_a_place() {
        let lengths = |count: i64| {
            let ids: Vec<i64> = (0..count).collect();
            let chunks: Vec<Vec<Value>> = chunks(&ids).collect();
            assert!(ids.iter().all(|&id| chunks.iter().flatten().any(|it| *it == Value::Int(id))));
            chunks.iter().map(Vec::len).collect::<Vec<_>>()
        };
        assert_eq!(lengths(0), [0; 0]);
        assert_eq!(lengths(1), [25]);
        assert_eq!(lengths(25), [25]);
        assert_eq!(lengths(26), [25, 25]);
    }
}
