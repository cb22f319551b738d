//! How PostgreSQL's failures become kinds that the domain reacts to.

use tokio_postgres::error::{Severity, SqlState};
use tonnage_domain::metadata::{MetadataError, MetadataErrorKind};

use super::{OpenError, PostgresUrl};

/// A failure with its kind by SQLSTATE (PostgreSQL manual, appendix A).
pub(super) fn metadata_error(error: tokio_postgres::Error) -> MetadataError {
    MetadataError::new(kind_of(&error), error)
}

/// Whether nothing works on the connection any more that this failure came from.
pub(super) fn ends_connection(error: &MetadataError) -> bool {
    let source = std::error::Error::source(error);
    let driver = source.and_then(|source| source.downcast_ref::<tokio_postgres::Error>());
    driver.is_some_and(|driver| match driver.as_db_error() {
        Some(answer) => {
            matches!(answer.parsed_severity(), Some(Severity::Fatal | Severity::Panic))
        }
        None => driver.is_closed(),
    })
}

/// A failure that may pass.
pub(super) fn unavailable(message: &'static str) -> MetadataError {
    MetadataError::new(MetadataErrorKind::Unavailable, message)
}

/// A failure that did not come from PostgreSQL.
pub(super) fn other(message: impl Into<String>) -> MetadataError {
    MetadataError::new(MetadataErrorKind::Other, message.into())
}

fn kind_of(error: &tokio_postgres::Error) -> MetadataErrorKind {
    match error.code() {
        Some(state) => kind_of_state(state.code()),
        // Without a SQLSTATE it is the connection that failed.
        None => MetadataErrorKind::Unavailable,
    }
}

fn kind_of_state(state: &str) -> MetadataErrorKind {
    match state {
        "23505" => MetadataErrorKind::Duplicate,
        // A NUL inside a text has no representation in the server's encoding.
        "22021" => MetadataErrorKind::Constraint,
        // Disk and memory; "53300" is too many connections.
        "53100" | "53200" | "53400" => MetadataErrorKind::Full,
        // A failed disk, or a page whose checksum does not fit.
        "XX001" | "XX002" => MetadataErrorKind::Corrupt,
        // Locks and serialisation: trying again may help. 57: the operator shuts it down.
        "40001" | "40P01" | "55P03" | "53300" => MetadataErrorKind::Unavailable,
        _ if state.starts_with("23") => MetadataErrorKind::Constraint,
        _ if state.starts_with("08") || state.starts_with("57") => MetadataErrorKind::Unavailable,
        _ => MetadataErrorKind::Other,
    }
}

/// Whether the server answered and will not change its mind by itself.
fn is_final(state: &SqlState) -> bool {
    // 28: wrong user or password; 3D000: no such database; 42501: not permitted.
    state.code().starts_with("28") || matches!(state.code(), "3D000" | "42501" | "3F000")
}

/// The driver's words for a server without TLS; it has no kind for them.
const NO_TLS: &str = "server does not support TLS";

/// Whether this is a certificate that does not fit what the URL asks for.
fn is_certificate(cause: &(dyn std::error::Error + 'static)) -> bool {
    let inner = cause.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
    inner.is_some_and(|inner| {
        matches!(inner.downcast_ref::<rustls::Error>(), Some(rustls::Error::InvalidCertificate(_)))
    })
}

/// Why the first connection failed.
pub(super) fn open_error(url: &PostgresUrl, error: &MetadataError) -> OpenError {
    let source = std::error::Error::source(error);
    match source.and_then(|source| source.downcast_ref::<tokio_postgres::Error>()) {
        Some(error) => connect_error(url, error),
        None => OpenError::Unreachable {
            server: url.to_string(),
            reason: source.map_or_else(|| error.to_string(), ToString::to_string),
        },
    }
}

/// Why a statement of the start failed.
pub(super) fn connect_error(url: &PostgresUrl, error: &tokio_postgres::Error) -> OpenError {
    let server = url.to_string();
    match error.as_db_error() {
        Some(answer) if is_final(answer.code()) => {
            OpenError::Refused { server, reason: answer.message().to_owned() }
        }
        Some(answer) => OpenError::Unreachable { server, reason: answer.message().to_owned() },
        None => {
            let mut reason = error.to_string();
            let mut is_of_tls = false;
            let mut source = std::error::Error::source(error);
            while let Some(cause) = source {
                reason = cause.to_string();
                is_of_tls |= reason == NO_TLS || is_certificate(cause);
                source = cause.source();
            }
            if is_of_tls {
                OpenError::Refused { server, reason }
            } else {
                OpenError::Unreachable { server, reason }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_has_its_kind() {
        use MetadataErrorKind::{Constraint, Corrupt, Duplicate, Full, Other, Unavailable};
        for (state, expected) in [
            ("23505", Duplicate),
            ("23503", Constraint),
            ("23514", Constraint),
            ("23502", Constraint),
            ("22021", Constraint),
            ("53100", Full),
            ("53300", Unavailable),
            ("40001", Unavailable),
            ("40P01", Unavailable),
            ("55P03", Unavailable),
            ("57P01", Unavailable),
            ("57014", Unavailable),
            ("08006", Unavailable),
            ("XX001", Corrupt),
            ("42P01", Other),
            ("25006", Other),
        ] {
            assert_eq!(kind_of_state(state), expected, "{state}");
        }
    }
}
