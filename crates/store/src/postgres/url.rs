//! The URL of a database. It holds a password, so nothing of it is shown but host, port and name.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use percent_encoding::percent_decode_str;
use tokio_postgres::config::{Host, SslMode};

use super::tls::Verification;

/// Where a database is and how to log in: `postgres://USER:PASSWORD@HOST:PORT/DATABASE`, with
/// libpq's options after `?`. Of those, `sslmode` is `disable`, `prefer` (the default), `require`,
/// `verify-ca` or `verify-full`, and `sslrootcert` names a file of certificates in PEM form, under
/// which `require` means `verify-ca`, as it does to libpq.
#[derive(Clone)]
pub struct PostgresUrl {
    config: tokio_postgres::Config,
    verification: Verification,
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
    /// `sslmode` has a value that is none.
    #[error("sslmode is disable, prefer, require, verify-ca or verify-full")]
    SslMode,
    /// A certificate is to be verified, and nobody says by whom it is signed.
    #[error(
        "sslmode={0} needs sslrootcert=FILE, with the certificate of the authority that signed \
         the server's"
    )]
    NoRootCertificate(&'static str),
    /// An option of libpq that is not built.
    #[error(
        "{0} is not built: this program logs in to the database with a password, and trusts the \
         certificates in the file of sslrootcert"
    )]
    NotBuilt(&'static str),
}

impl FromStr for PostgresUrl {
    type Err = UrlError;

    fn from_str(text: &str) -> Result<Self, UrlError> {
        if !text.starts_with("postgres://") && !text.starts_with("postgresql://") {
            return Err(UrlError::Malformed);
        }
        let (text, asked) = without_tls_options(text)?;
        let (mode, verification) = asked.settle()?;
        let mut config =
            tokio_postgres::Config::from_str(&text).map_err(|_| UrlError::Malformed)?;
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
        // As with libpq, a socket of the machine never needs it.
        let is_local = config.get_hosts().iter().all(|host| matches!(host, Host::Unix(_)));
        config.ssl_mode(if is_local { SslMode::Disable } else { mode });
        Ok(Self { config, verification })
    }
}

/// What a URL says of TLS.
#[derive(Default)]
struct TlsOptions {
    mode: Option<String>,
    root_certificate: Option<PathBuf>,
}

impl TlsOptions {
    fn settle(self) -> Result<(SslMode, Verification), UrlError> {
        let needed = |mode| self.root_certificate.clone().ok_or(UrlError::NoRootCertificate(mode));
        Ok(match self.mode.as_deref() {
            Some("disable") => (SslMode::Disable, Verification::None),
            None | Some("prefer") => (SslMode::Prefer, Verification::None),
            Some("require") => {
                let root = self.root_certificate;
                (SslMode::Require, root.map_or(Verification::None, Verification::Authority))
            }
            Some("verify-ca") => (SslMode::Require, Verification::Authority(needed("verify-ca")?)),
            Some("verify-full") => (SslMode::Require, Verification::Host(needed("verify-full")?)),
            Some(_) => return Err(UrlError::SslMode),
        })
    }
}

/// libpq's options about certificates that the driver does not know and we do not serve.
const NOT_BUILT: &[&str] =
    &["sslcert", "sslkey", "sslpassword", "sslcrl", "sslcrldir", "sslcertmode", "sslsni"];

/// Takes out of a URL what the driver does not know.
fn without_tls_options(text: &str) -> Result<(String, TlsOptions), UrlError> {
    let mut options = TlsOptions::default();
    // Like the driver: what stands before the first "@" is user and password.
    let host = text.find('@').map_or(0, |at| at + 1);
    let Some(question) = text[host..].find('?').map(|at| host + at) else {
        return Ok((text.to_owned(), options));
    };
    let mut kept = Vec::new();
    for pair in text[question + 1..].split('&') {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        let value = || percent_decode_str(value).decode_utf8().map_err(|_| UrlError::Malformed);
        match key {
            "sslmode" => options.mode = Some(value()?.into_owned()),
            "sslrootcert" if value()? == "system" => {
                return Err(UrlError::NotBuilt("sslrootcert=system"));
            }
            "sslrootcert" => options.root_certificate = Some(PathBuf::from(&*value()?)),
            _ => match NOT_BUILT.iter().find(|name| **name == key) {
                Some(name) => return Err(UrlError::NotBuilt(name)),
                None => kept.push(pair),
            },
        }
    }
    let separator = if kept.is_empty() { "" } else { "?" };
    Ok((format!("{}{separator}{}", &text[..question], kept.join("&")), options))
}

impl PartialEq for PostgresUrl {
    fn eq(&self, other: &Self) -> bool {
        self.config == other.config && self.verification == other.verification
    }
}

impl Eq for PostgresUrl {}

impl PostgresUrl {
    pub(super) fn config(&self) -> tokio_postgres::Config {
        self.config.clone()
    }

    pub(super) fn verification(&self) -> &Verification {
        &self.verification
    }

    /// Another database of the same server.
    #[cfg(feature = "testing")]
    #[must_use]
    pub fn in_database(&self, name: &str) -> Self {
        let mut config = self.config.clone();
        config.dbname(name);
        Self { config, verification: self.verification.clone() }
    }

    /// The same database, in another schema of it, which its connections are named after.
    #[cfg(feature = "testing")]
    #[must_use]
    pub fn in_schema(&self, name: &str) -> Self {
        let mut config = self.config.clone();
        config.options(format!("-c search_path={name}")).application_name(name);
        Self { config, verification: self.verification.clone() }
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
    fn tls_is_what_libpq_makes_of_it() {
        let file = || PathBuf::from("/etc/c a.pem");
        for (options, mode, verification) in [
            ("", SslMode::Prefer, Verification::None),
            ("?sslmode=prefer", SslMode::Prefer, Verification::None),
            ("?sslmode=disable&connect_timeout=3", SslMode::Disable, Verification::None),
            ("?sslmode=require", SslMode::Require, Verification::None),
            (
                "?sslrootcert=/etc/c%20a.pem&sslmode=require",
                SslMode::Require,
                Verification::Authority(file()),
            ),
            (
                "?sslmode=verify-ca&sslrootcert=/etc/c%20a.pem",
                SslMode::Require,
                Verification::Authority(file()),
            ),
            (
                "?application_name=x&sslmode=verify-full&sslrootcert=/etc/c a.pem",
                SslMode::Require,
                Verification::Host(file()),
            ),
            ("?host=/run/postgresql&sslmode=require", SslMode::Disable, Verification::None),
        ] {
            let host = if options.contains("host=") { "" } else { "u:p?w@h" };
            let url = PostgresUrl::from_str(&format!("postgres://{host}/r{options}")).unwrap();
            assert_eq!(url.config.get_ssl_mode(), mode, "{options}");
            assert_eq!(url.verification, verification, "{options}");
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
            ("postgres://u:secret@h/r?sslmode=secret", UrlError::SslMode),
            ("postgres://u:secret@h/r?sslmode=verify-ca", UrlError::NoRootCertificate("verify-ca")),
            (
                "postgres://u:secret@h/r?sslmode=verify-full",
                UrlError::NoRootCertificate("verify-full"),
            ),
            ("postgres://u:secret@h/r?sslcert=secret.pem", UrlError::NotBuilt("sslcert")),
            (
                "postgres://u:secret@h/r?sslmode=verify-full&sslrootcert=system",
                UrlError::NotBuilt("sslrootcert=system"),
            ),
        ] {
            let error = PostgresUrl::from_str(text).expect_err(text);
            assert_eq!(error, expected, "{text}");
            assert!(!error.to_string().contains("secret") && !error.to_string().contains("ret@"));
        }
    }
}
