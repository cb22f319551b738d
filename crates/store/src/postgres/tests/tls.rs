//! TLS against the server of the tests, whose certificate is made for `localhost` alone.

use super::super::testing::{CERTIFICATES_VARIABLE, empty_schema_name, url_text};
use super::*;

/// What became of opening a database.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Expected {
    Encrypted,
    Plain,
    /// Refused for good, with these words.
    Refused(&'static str),
    /// The file is no use, for this reason.
    File(&'static str),
}

use Expected::{Encrypted, File, Plain, Refused};

async fn check(host: &str, user: &str, options: &str, expected: Expected) {
    let directory = std::env::var(CERTIFICATES_VARIABLE).unwrap();
    let options = options.replace("DIRECTORY", &directory);
    let text = url_text().replace("tonnage@127.0.0.1", &format!("{user}@{host}"));
    let separator = if text.contains('?') { '&' } else { '?' };
    let url: PostgresUrl = format!("{text}{separator}{options}").parse().unwrap();
    let schema = empty_schema_name(&url_text().parse().unwrap()).await;
    let opened = open(&url.in_schema(&schema), &[FIRST]).await;
    let case = format!("{user}@{host} {options}");
    match (opened, expected) {
        (Ok(database), Encrypted | Plain) => {
            let sql = "SELECT CAST(ssl AS BIGINT) FROM \
                (SELECT CASE WHEN ssl THEN 1 ELSE 0 END AS ssl FROM pg_stat_ssl \
                WHERE pid = pg_backend_pid()) AS mine";
            let encrypted = count(&database, sql).await == 1;
            assert_eq!(encrypted, expected == Encrypted, "{case}");
        }
        (Err(error @ OpenError::Refused { .. }), Refused(words))
        | (Err(error @ OpenError::RootCertificate { .. }), File(words)) => {
            let error = error.to_string();
            assert!(error.contains(words) && !error.contains("secret"), "{case}: {error}");
        }
        (opened, _) => panic!("{case}: {:?} instead of {expected:?}", opened.err()),
    }
}

#[tokio::test]
async fn sslmode_means_what_it_means_to_libpq() {
    if server("postgres::tls").is_none() {
        return;
    }
    const CA: &str = "sslrootcert=DIRECTORY/authority.pem";
    const OTHER: &str = "sslrootcert=DIRECTORY/other-authority.pem";
    for (host, mode, roots, expected) in [
        ("127.0.0.1", "disable", "", Plain),
        ("127.0.0.1", "prefer", "", Encrypted),
        ("127.0.0.1", "require", "", Encrypted),
        ("127.0.0.1", "require", CA, Encrypted),
        ("127.0.0.1", "require", OTHER, Refused("UnknownIssuer")),
        ("127.0.0.1", "verify-ca", CA, Encrypted),
        ("127.0.0.1", "verify-ca", OTHER, Refused("UnknownIssuer")),
        ("localhost", "verify-full", CA, Encrypted),
        ("localhost", "verify-full", OTHER, Refused("UnknownIssuer")),
        ("127.0.0.1", "verify-full", CA, Refused("not valid for name")),
        ("localhost", "verify-full", "sslrootcert=DIRECTORY/none.pem", File("No such file")),
        ("localhost", "verify-full", "sslrootcert=DIRECTORY/server.key", File("no certificate")),
    ] {
        check(host, "tonnage", &format!("sslmode={mode}&{roots}"), expected).await;
    }
    // A log-in by password is bound to the certificate where there is one.
    for (mode, binding, expected) in [
        ("verify-full", "require", Encrypted),
        ("verify-full", "prefer", Encrypted),
        ("verify-full", "disable", Encrypted),
        ("require", "require", Encrypted),
    ] {
        let options = format!("sslmode={mode}&{CA}&channel_binding={binding}");
        check("localhost", "with_password:secret", &options, expected).await;
    }
}

#[tokio::test]
async fn a_pooler_without_tls_is_refused_where_tls_is_required() {
    let test = "postgres::tls_behind_a_pooler";
    let (Some(_), Some(pooler)) = (server(test), super::super::testing::pooler(test)) else {
        return;
    };
    let text = std::env::var(super::super::testing::POOLER_VARIABLE).unwrap();
    assert!(open(&pooler, &[]).await.is_ok());
    let strict = format!("{text}?sslmode=require").parse().unwrap();
    let error = open(&strict, &[]).await.err().unwrap();
    assert!(matches!(error, OpenError::Refused { .. }), "{error:?}");
    assert!(error.to_string().contains("server does not support TLS"), "{error}");
}
