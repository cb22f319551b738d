//! The URL of a database. It holds a password, so nothing of it is shown but host, port and name.

use std::fmt;
use std::str::FromStr;

use tokio_postgres::config::{Host, SslMode};

/// Where a database is and how to log in: `postgres://USER:PASSWORD@HOST:PORT/DATABASE`, with
/// libpq's options after `?`.
#[derive(Clone)]
pub struct PostgresUrl {
    config: tokio_postgres::Config,
}

/// Why a URL cannot be used. It never repeats the URL, which may hold a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// It is not the URL of a PostgreSQL database.
    #[error(
        "this is not the URL of a PostgreSQL database: write \
         postgres://USER:PASSWORD@HOST:PORT/DATABASE, with special characters of the password \
         percent-encoded"
    )]
    Malformed,
    /// It names no database.
    #[error("the URL names no database: write postgres://USER:PASSWORD@HOST:PORT/DATABASE")]
    NoDatabase,
    /// It asks for TLS, which is not built.
    #[error(
        "sslmode={0} is not built: connect over a socket, loopback or a private network with \
         sslmode=disable, or through a local proxy that speaks TLS to the server"
    )]
    Tls(&'static str),
}

impl FromStr for PostgresUrl {
    type Err = UrlError;

    fn from_str(text: &str) -> Result<Self, UrlError> {
        if !text.starts_with("postgres://") && !text.starts_with("postgresql://") {
            return Err(UrlError::Malformed);
        }
        // The parser knows fewer modes than libpq; all it does not know ask for TLS.
        for mode in ["require", "verify-ca", "verify-full"] {
            if text.contains(&format!("sslmode={mode}")) {
                return Err(UrlError::Tls(mode));
            }
        }
        let mut config = tokio_postgres::Config::from_str(text).map_err(|_| UrlError::Malformed)?;
        // A password with an unencoded "@" ends up in the host.
        let misread = config.get_hosts().iter().any(|host| match host {
            Host::Tcp(name) => name.is_empty() || name.contains(['@', ':', '/', '?', '#']),
            Host::Unix(_) => false,
        });
        if misread || config.get_hosts().is_empty() {
            return Err(UrlError::Malformed);
        }
        if config.get_dbname().is_none_or(str::is_empty) {
            return Err(UrlError::NoDatabase);
        }
        if config.get_application_name().is_none() {
            config.application_name("tonnage");
        }
        config.ssl_mode(SslMode::Disable);
        Ok(Self { config })
    }
}

impl PartialEq for PostgresUrl {
    fn eq(&self, other: &Self) -> bool {
        self.config == other.config
    }
}

impl Eq for PostgresUrl {}

impl PostgresUrl {
    pub(super) fn config(&self) -> tokio_postgres::Config {
        self.config.clone()
    }

    #[cfg(test)]
    pub(super) fn from_config(config: tokio_postgres::Config) -> Self {
        Self { config }
    }

    /// Another database of the same server.
    #[cfg(feature = "testing")]
    #[must_use]
    pub fn in_database(&self, name: &str) -> Self {
        let mut config = self.config.clone();
        config.dbname(name);
        Self { config }
    }

    /// The same database, in another schema of it.
    #[cfg(feature = "testing")]
    #[must_use]
    pub fn in_schema(&self, name: &str) -> Self {
        let mut config = self.config.clone();
        config.options(format!("-c search_path={name}"));
        Self { config }
    }
}

/// Host, port and name of the database, as an operator may read it in a log.
impl fmt::Display for PostgresUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ports = self.config.get_ports();
        for (index, host) in self.config.get_hosts().iter().enumerate() {
            if index > 0 {
                f.write_str(",")?;
            }
            match host {
                Host::Tcp(name) => f.write_str(name)?,
                Host::Unix(path) => write!(f, "{}", path.display())?,
            }
            let port = ports.get(index).or(ports.first()).copied().unwrap_or(5432);
            write!(f, ":{port}")?;
        }
        write!(f, "/{}", self.config.get_dbname().unwrap_or_default())
    }
}

impl fmt::Debug for PostgresUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PostgresUrl({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_read_and_shown_without_their_secrets() {
        for (text, expected) in [
            ("postgres://u:secret@db.example:5433/registry", "db.example:5433/registry"),
            ("postgresql://u@127.0.0.1/registry", "127.0.0.1:5432/registry"),
            ("postgres://u:a%40secret@one,two:6000/r?connect_timeout=3", "one:5432,two:6000/r"),
            ("postgres:///r?host=/run/postgresql&user=u&password=secret", "/run/postgresql:5432/r"),
            ("postgres://u:secret@h/r?sslmode=disable", "h:5432/r"),
            ("postgres://u:sec?ret/s@h/r", "h:5432/r"),
        ] {
            let url = PostgresUrl::from_str(text).unwrap();
            assert_eq!(url.to_string(), expected, "{text}");
            assert_eq!(format!("{url:?}"), format!("PostgresUrl({expected})"));
        }
    }

    #[test]
    fn no_refusal_shows_the_password() {
        for (text, expected) in [
            ("", UrlError::Malformed),
            ("mysql://u:secret@h/r", UrlError::Malformed),
            ("host=h user=u password=secret dbname=r", UrlError::Malformed),
            ("postgres://u:se@cret@h/r", UrlError::Malformed),
            ("postgres://u:secret@h:port/r", UrlError::Malformed),
            ("postgres://u:secret@h/r?secret=1", UrlError::Malformed),
            ("postgres://u:secret@h", UrlError::NoDatabase),
            ("postgres://u:secret@h/r?sslmode=require", UrlError::Tls("require")),
            ("postgres://u:secret@h/r?sslmode=verify-full", UrlError::Tls("verify-full")),
        ] {
            let error = PostgresUrl::from_str(text).expect_err(text);
            assert_eq!(error, expected, "{text}");
            assert!(!error.to_string().contains("secret") && !error.to_string().contains("ret@"));
        }
    }
}
