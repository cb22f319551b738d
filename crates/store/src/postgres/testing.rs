//! Empty databases for tests, on the server that the environment names.

use super::{OpenError, PostgresMetadata, PostgresOptions, PostgresUrl};

/// The variable with the URL of a database in which tests may make schemas. The server is the
/// tests' own; what they make goes with it.
pub const URL_VARIABLE: &str = "TONNAGE_TEST_POSTGRES_URL";
/// The variable that makes a missing server a failure.
pub const NO_SKIP_VARIABLE: &str = "TONNAGE_TEST_NO_SKIP";

/// The URL of the tests' database, or `None`, which is printed as a skipped test.
///
/// # Panics
/// When skipping is forbidden, or the URL is not one.
pub fn server(test: &str) -> Option<PostgresUrl> {
    match std::env::var(URL_VARIABLE) {
        Ok(url) => Some(url.parse().unwrap_or_else(|error| panic!("{URL_VARIABLE}: {error}"))),
        Err(_) => {
            assert!(
                std::env::var_os(NO_SKIP_VARIABLE).is_none(),
                "{test} needs PostgreSQL: {URL_VARIABLE} is not set"
            );
            println!("SKIPPED {test}: {URL_VARIABLE} is not set");
            None
        }
    }
}

/// A new, empty schema on `server`, as a database of its own.
///
/// # Panics
/// When it cannot be made.
pub async fn empty_schema(server: &PostgresUrl) -> PostgresUrl {
    let name = format!("test_{}", uuid::Uuid::new_v4().simple());
    let connected = server.config().connect(tokio_postgres::NoTls).await;
    let (client, connection) = connected.expect("the tests' server answers");
    let connection = tokio::spawn(connection);
    let made = client.batch_execute(&format!("CREATE SCHEMA {name}")).await;
    made.expect("a schema can be made");
    drop(client);
    // Its end is the end of the connection.
    let _ = connection.await;
    server.in_schema(&name)
}

/// As [`empty_schema`] for a process that takes its URL as text.
///
/// # Panics
/// As [`empty_schema`].
pub async fn empty_schema_text() -> Option<String> {
    let server = server("a process of its own")?;
    let schema = empty_schema(&server).await;
    let text = std::env::var(URL_VARIABLE).expect("it was read before");
    let separator = if text.contains('?') { '&' } else { '?' };
    let options = schema.config().get_options().unwrap_or_default().replace(' ', "%20");
    Some(format!("{text}{separator}options={}", options.replace('=', "%3D")))
}

/// An empty database with the domain's schema.
///
/// # Errors
/// As [`PostgresMetadata::open`].
pub async fn empty_database(server: &PostgresUrl) -> Result<PostgresMetadata, OpenError> {
    let url = empty_schema(server).await;
    PostgresMetadata::open(&url, PostgresOptions::default()).await
}
