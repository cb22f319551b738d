//! The suite for metadata databases, on the domain's own schema.
#![expect(clippy::unwrap_used, reason = "a failure of the suite is a panic")]

use std::sync::Arc;

use tonnage_domain::metadata::{
    Metadata, MetadataError, MetadataErrorKind, Mode, Row, Transaction, Value,
};
use tonnage_domain::params;

use super::metadata_concurrency;

/// A database under test.
pub(super) type Database = Arc<dyn Metadata>;

/// Checks everything the trait promises; `make` makes an empty database with the domain's schema
/// for each check. Needs a runtime of several threads with its time driver.
pub async fn metadata_suite(make: impl AsyncFn() -> Database) {
    values_come_back_as_they_were_given(make().await).await;
    parameters_are_numbered(make().await).await;
    counts_and_returned_rows(make().await).await;
    dropping_rolls_back(make().await).await;
    a_failed_transaction_is_lost(make().await).await;
    reading_transactions_cannot_write(make().await).await;
    snapshots_stay_as_they_are(make().await).await;
    nobody_sees_what_is_not_committed(make().await).await;
    errors_have_their_kinds(make().await).await;
    lists(make().await).await;
    nul_is_refused(make().await).await;
    an_empty_transaction_commits(make().await).await;
    metadata_concurrency::suite(&make).await;
}

pub(super) const INSERT: &str = "INSERT INTO versions (name, version) VALUES ($1, $2)";

pub(super) async fn write(database: &Database) -> Box<dyn Transaction> {
    database.begin(Mode::Write).await.unwrap()
}

pub(super) async fn query(database: &Database, sql: &'static str, params: &[Value]) -> Vec<Row> {
    let mut transaction = database.begin(Mode::Read).await.unwrap();
    let rows = transaction.query(sql, params).await.unwrap();
    transaction.commit().await.unwrap();
    rows
}

pub(super) async fn names(database: &Database) -> Vec<String> {
    names_in(&mut *database.begin(Mode::Read).await.unwrap()).await
}

async fn names_in(transaction: &mut dyn Transaction) -> Vec<String> {
    let rows = transaction.query("SELECT name FROM versions ORDER BY name", &[]).await.unwrap();
    rows.iter().map(|row| row.get(0).unwrap()).collect()
}

pub(super) async fn insert(database: &Database, name: &str, version: i64) {
    let mut transaction = write(database).await;
    assert_eq!(transaction.execute(INSERT, params![name, version]).await.unwrap(), 1);
    transaction.commit().await.unwrap();
}

async fn values_come_back_as_they_were_given(database: Database) {
    let sql = "INSERT INTO token_keys
        (id, sealed_secret, created_at, signs_until, verifies_until) VALUES ($1, $2, $3, $4, $5)";
    let every_byte: Vec<u8> = (0..=255).collect();
    let rows = [
        ("", vec![], i64::MIN, -1i64, 0i64),
        ("a'b\"c\\d;--$1", every_byte, i64::MAX, 1, i64::from(u32::MAX) + 1),
        ("Zürich 東京 🚢\n\t", vec![0; 100_000], 3, 4, 5),
    ];
    let mut transaction = write(&database).await;
    for (id, secret, a, b, c) in &rows {
        transaction.execute(sql, params![*id, secret.clone(), *a, *b, *c]).await.unwrap();
    }
    transaction.commit().await.unwrap();
    for (id, secret, a, b, c) in rows {
        let found = query(
            &database,
            "SELECT id, sealed_secret, created_at, signs_until, verifies_until
             FROM token_keys WHERE id = $1",
            params![id],
        )
        .await;
        let expected = [Value::from(id), secret.into(), a.into(), b.into(), c.into()];
        assert_eq!(found, [Row::new(expected.to_vec())]);
    }
    let sql = "SELECT CAST($1 AS TEXT), CAST($2 AS TEXT) IS NULL";
    let rows = query(&database, sql, params![Value::Null, "x"]).await;
    assert_eq!(rows[0].get::<Option<String>>(0).unwrap(), None);
    assert!(!rows[0].get::<bool>(1).unwrap());
    assert_eq!(
        rows[0].get::<i64>(0).unwrap_err().kind(),
        MetadataErrorKind::Corrupt,
        "a column of another type is told"
    );
}

async fn parameters_are_numbered(database: Database) {
    insert(&database, "a", 1).await;
    let rows = query(
        &database,
        "SELECT name FROM versions WHERE version = $2 AND name = $1 AND $1 <> 'it''s $2'",
        params!["a", 1i64],
    )
    .await;
    assert_eq!(rows.len(), 1);
    for wrong in [&params!["a"][..], &params!["a", 1i64, 2i64][..]] {
        let mut transaction = write(&database).await;
        assert!(transaction.execute(INSERT, wrong).await.is_err());
    }
}

async fn counts_and_returned_rows(database: Database) {
    for (name, version) in [("a", 1), ("b", 2), ("c", 3)] {
        insert(&database, name, version).await;
    }
    let mut transaction = write(&database).await;
    let update = "UPDATE versions SET version = version + 1 WHERE version >= $1";
    assert_eq!(transaction.execute(update, params![2i64]).await.unwrap(), 2);
    assert_eq!(transaction.execute(update, params![99i64]).await.unwrap(), 0);
    let upsert = "INSERT INTO versions (name, version) VALUES ($1, 1)
        ON CONFLICT (name) DO UPDATE SET version = versions.version + 1 RETURNING version";
    for (name, expected) in [("a", 2i64), ("new", 1), ("new", 2)] {
        let rows = transaction.query(upsert, params![name]).await.unwrap();
        assert_eq!(rows, [Row::new(vec![Value::Int(expected)])]);
    }
    transaction.commit().await.unwrap();
    assert_eq!(names(&database).await, ["a", "b", "c", "new"]);
}

async fn dropping_rolls_back(database: Database) {
    let mut transaction = write(&database).await;
    transaction.execute(INSERT, params!["dropped", 1i64]).await.unwrap();
    assert_eq!(names_in(&mut *transaction).await, ["dropped"], "it sees its own writes");
    drop(transaction);
    assert!(names(&database).await.is_empty());
    let mut transaction = write(&database).await;
    transaction.execute(INSERT, params!["never committed", 1i64]).await.unwrap();
    drop(transaction.commit());
    assert!(names(&database).await.is_empty());
    insert(&database, "after", 1).await;
    assert_eq!(names(&database).await, ["after"]);
}

async fn a_failed_transaction_is_lost(database: Database) {
    insert(&database, "a", 1).await;
    let mut transaction = write(&database).await;
    transaction.execute(INSERT, params!["b", 1i64]).await.unwrap();
    transaction.execute(INSERT, params!["a", 1i64]).await.unwrap_err();
    transaction.execute(INSERT, params!["c", 1i64]).await.unwrap_err();
    transaction.query("SELECT name FROM versions", &[]).await.unwrap_err();
    transaction.commit().await.unwrap_err();
    assert_eq!(names(&database).await, ["a"]);
}

async fn reading_transactions_cannot_write(database: Database) {
    let mut transaction = database.begin(Mode::Read).await.unwrap();
    transaction.execute(INSERT, params!["a", 1i64]).await.unwrap_err();
    transaction.commit().await.unwrap_err();
    assert!(names(&database).await.is_empty());
}

async fn snapshots_stay_as_they_are(database: Database) {
    insert(&database, "a", 1).await;
    let mut before = database.begin(Mode::Read).await.unwrap();
    insert(&database, "b", 1).await;
    let mut between = database.begin(Mode::Read).await.unwrap();
    insert(&database, "c", 1).await;
    for _ in 0..2 {
        assert_eq!(names_in(&mut *before).await, ["a"], "its snapshot is taken when it begins");
        assert_eq!(names_in(&mut *between).await, ["a", "b"]);
    }
    before.commit().await.unwrap();
    drop(between);
    assert_eq!(names(&database).await, ["a", "b", "c"]);
}

async fn nobody_sees_what_is_not_committed(database: Database) {
    let mut transaction = write(&database).await;
    transaction.execute(INSERT, params!["a", 1i64]).await.unwrap();
    assert!(names(&database).await.is_empty());
    transaction.commit().await.unwrap();
    assert_eq!(names(&database).await, ["a"]);
}

async fn errors_have_their_kinds(database: Database) {
    use MetadataErrorKind::{Constraint, Duplicate};
    let account = "INSERT INTO accounts (id, name, state, created_at) VALUES ($1, 'n', $2, 0)";
    let principal = "INSERT INTO principals
        (id, account_id, kind, name, arn, unique_id, created_at)
        VALUES ($1, $2, 'user', $3, $4, $5, 0)";
    let mut transaction = write(&database).await;
    transaction.execute(account, params!["111122223333", "ACTIVE"]).await.unwrap();
    let first = params![1i64, "111122223333", "ada", "arn:ada", "AIDAADA"];
    transaction.execute(principal, first).await.unwrap();
    transaction.commit().await.unwrap();
    let cases: [(&'static str, &[Value], MetadataErrorKind); 7] = [
        (account, params!["111122223333", "ACTIVE"], Duplicate),
        (principal, params![1i64, "111122223333", "bob", "arn:bob", "AIDABOB"], Duplicate),
        (principal, params![2i64, "111122223333", "bob", "arn:ada", "AIDABOB"], Duplicate),
        (principal, params![2i64, "111122223333", "ada", "arn:bob", "AIDABOB"], Duplicate),
        (principal, params![2i64, "444455556666", "bob", "arn:bob", "AIDABOB"], Constraint),
        (account, params!["444455556666", "ASLEEP"], Constraint),
        (account, params!["444455556666", Value::Null], Constraint),
    ];
    for (sql, params, expected) in cases {
        let error = run_one(&database, sql, params).await.unwrap_err();
        assert_eq!(error.kind(), expected, "{params:?}: {error:?}");
    }
    let unknown = run_one(&database, "INSERT INTO missing VALUES (1)", &[]).await.unwrap_err();
    assert_eq!(unknown.kind(), MetadataErrorKind::Other);
    let delete = "DELETE FROM accounts WHERE id = $1";
    let referred = run_one(&database, delete, params!["111122223333"]).await.unwrap_err();
    assert_eq!(referred.kind(), Constraint);
}

async fn run_one(
    database: &Database,
    sql: &'static str,
    params: &[Value],
) -> Result<(), MetadataError> {
    let mut transaction = database.begin(Mode::Write).await?;
    transaction.execute(sql, params).await?;
    transaction.commit().await
}

async fn lists(database: Database) {
    let present = ["", "a", "b'\"\\", "Zürich 🚢", "line\nbreak\u{1}", "1"];
    for name in present {
        insert(&database, name, 1).await;
    }
    let sql = "SELECT name FROM versions
        WHERE version = $1 AND name IN_LIST($2) AND name NOT IN_LIST($3) ORDER BY name";
    let check = async |list: Vec<&str>, without: Vec<&str>, expected: Vec<&str>| {
        let params = params![1i64, Value::list(&list), Value::list(&without)];
        let rows = query(&database, sql, params).await;
        let found: Vec<String> = rows.iter().map(|row| row.get(0).unwrap()).collect();
        assert_eq!(found, expected, "{list:?} without {without:?}");
    };
    check(vec![], vec![], vec![]).await;
    check(vec!["absent"], vec![], vec![]).await;
    check(vec!["b'\"\\", "a", "a"], vec![], vec!["a", "b'\"\\"]).await;
    check(
        vec!["line\nbreak\u{1}", "Zürich 🚢", ""],
        vec![""],
        vec!["Zürich 🚢", "line\nbreak\u{1}"],
    )
    .await;
    let many: Vec<String> = (0..5000).map(|number| number.to_string()).collect();
    check(many.iter().map(String::as_str).collect(), vec![], vec!["1"]).await;
    let mut transaction = database.begin(Mode::Read).await.unwrap();
    let sql = "SELECT 1 WHERE 'a' = $1";
    transaction.query(sql, params![Value::list(["a"])]).await.unwrap_err();
}

async fn nul_is_refused(database: Database) {
    for name in ["\0", "a\0b", "a\0"] {
        let error = run_one(&database, INSERT, params![name, 1i64]).await.unwrap_err();
        assert_eq!(error.kind(), MetadataErrorKind::Constraint);
        let mut transaction = database.begin(Mode::Read).await.unwrap();
        let sql = "SELECT name FROM versions WHERE name IN_LIST($1)";
        let error = transaction.query(sql, params![Value::list([name])]).await.unwrap_err();
        assert_eq!(error.kind(), MetadataErrorKind::Constraint);
    }
    assert!(names(&database).await.is_empty());
}

async fn an_empty_transaction_commits(database: Database) {
    for mode in [Mode::Read, Mode::Write] {
        database.begin(mode).await.unwrap().commit().await.unwrap();
    }
    insert(&database, "a", 1).await;
    assert_eq!(names(&database).await, ["a"]);
}
