//! Empty databases for tests, on the server that the environment names.

mod schemas;

use std::sync::Arc;

use tokio_postgres::Client;
use tokio_postgres::config::SslMode;

pub use self::schemas::{Borrowed, BorrowedMetadata};
use super::{OpenError, PostgresMetadata, PostgresOptions, PostgresUrl};

/// The variable with the URL of a database in which tests may make schemas. The server is the
/// tests' own; what they make goes with it.
pub const URL_VARIABLE: &str = "TONNAGE_TEST_POSTGRES_URL";
/// The variable with the URL of a pooler in transaction mode before the same server.
pub const POOLER_VARIABLE: &str = "TONNAGE_TEST_POSTGRES_POOLER_URL";
/// The variable with the directory of the certificates of that server: `authority.pem` has signed
/// the server's own, which is made for `localhost`, and `other-authority.pem` has not.
pub const CERTIFICATES_VARIABLE: &str = "TONNAGE_TEST_POSTGRES_CERTIFICATES";
/// The variable that makes a missing server a failure.
pub const NO_SKIP_VARIABLE: &str = "TONNAGE_TEST_NO_SKIP";

/// The URL of the tests' database, or `None`, which is printed as a skipped test.
///
/// # Panics
/// When skipping is forbidden, or the URL is not one.
pub fn server(test: &str) -> Option<PostgresUrl> {
    named_by(URL_VARIABLE, test)
}

/// What [`URL_VARIABLE`] says.
pub(super) fn url_text() -> String {
    std::env::var(URL_VARIABLE).expect("it was read before")
}

/// The URL of the pooler, or `None` as [`server`].
///
/// # Panics
/// As [`server`].
pub fn pooler(test: &str) -> Option<PostgresUrl> {
    named_by(POOLER_VARIABLE, test)
}

fn named_by(variable: &str, test: &str) -> Option<PostgresUrl> {
    match std::env::var(variable) {
        Ok(url) => Some(url.parse().unwrap_or_else(|error| panic!("{variable}: {error}"))),
        Err(_) => {
            assert!(
                std::env::var_os(NO_SKIP_VARIABLE).is_none(),
                "{test} needs PostgreSQL: {variable} is not set"
            );
            println!("SKIPPED {test}: {variable} is not set");
            None
        }
    }
}

/// An empty database with the domain's schema, made on `server` and opened through `pooler`, which
/// passes no search path on.
///
/// # Errors
/// As [`PostgresMetadata::open`].
///
/// # Panics
/// When it cannot be made.
pub async fn empty_database_behind(
    server: &PostgresUrl,
    pooler: &PostgresUrl,
) -> Result<PostgresMetadata, OpenError> {
    let name = format!("test_{}", uuid::Uuid::new_v4().simple());
    run(server, &format!("CREATE DATABASE {name}")).await;
    PostgresMetadata::open(&pooler.in_database(&name), PostgresOptions::default()).await
}

async fn run(server: &PostgresUrl, statement: &str) {
    connected(server).await.batch_execute(statement).await.expect("the tests' server obeys");
}

/// A connection that ends with the client.
async fn connected(server: &PostgresUrl) -> Client {
    let mut config = server.config();
    let connected = config.ssl_mode(SslMode::Disable).connect(tokio_postgres::NoTls).await;
    let (client, connection) = connected.expect("the tests' server answers");
    tokio::spawn(connection);
    client
}

/// A new, empty schema on `server`, as a database of its own.
///
/// # Panics
/// When it cannot be made.
pub async fn empty_schema(server: &PostgresUrl) -> PostgresUrl {
    server.in_schema(&empty_schema_name(server).await)
}

/// As [`empty_schema`], for whoever opens it through another URL of the same server.
pub(super) async fn empty_schema_name(server: &PostgresUrl) -> String {
    let name = format!("test_{}", uuid::Uuid::new_v4().simple());
    run(server, &format!("CREATE SCHEMA {name}")).await;
    name
}

/// As [`empty_schema`] for a process that takes its URL as text.
///
/// # Panics
/// As [`empty_schema`].
pub async fn empty_schema_text() -> Option<String> {
    let server = server("a process of its own")?;
    let schema = empty_schema(&server).await;
    let text = url_text();
    let separator = if text.contains('?') { '&' } else { '?' };
    let options = schema.config().get_options().unwrap_or_default().replace(' ', "%20");
    Some(format!("{text}{separator}options={}", options.replace('=', "%3D")))
}

/// An empty database with the domain's schema, which another test of this process may have used.
///
/// # Errors
/// As [`PostgresMetadata::open`].
pub async fn borrow(server: &PostgresUrl) -> Result<Arc<Borrowed>, OpenError> {
    Borrowed::from(server).await
}

/// A borrowed database, opened once.
///
/// # Errors
/// As [`PostgresMetadata::open`].
pub async fn empty_database(server: &PostgresUrl) -> Result<BorrowedMetadata, OpenError> {
    borrow(server).await?.open(PostgresOptions::default()).await
}
