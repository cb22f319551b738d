//! Which other scanners there are, and what they scan.

use anyhow::{Result, anyhow};
use tonnage_domain::scanning::external::{Adapter, ScannerChoice, ScannerSettings};

use super::registry::parse_seconds;
use super::{Kind, Setting, Values};

pub(super) const SETTINGS: &[Setting] = &[
    Setting {
        key: "scanner",
        kind: Kind::List,
        value_name: "FIELDS",
        default: "none: images are scanned by this program",
        help: "Another scanner, behind an adapter that speaks the protocol of Harbor's pluggable \
               scanners: `name=trivy,url=https://trivy.example.com:8443,registry=URL`, where \
               `registry` is the URL by which the adapter reaches this registry, with `{account}` \
               and `{region}` if it needs them. `credential_file=` names a file with \
               `USER:PASSWORD` or `Bearer TOKEN` for the adapter, `timeout=` how long a scan may \
               take (15 minutes), `rescan=` how long after a scan an image that is scanned \
               continuously is scanned again (24 hours); more than one may be given. Addresses that \
               are not public need `outbound_network` too.",
    },
    Setting {
        key: "scanner_for",
        kind: Kind::List,
        value_name: "REGISTRY=NAME",
        default: "none: every registry has its images scanned by this program",
        help: "Which images another `scanner` scans: those of an account (`123456789012=trivy`), of \
               a region, of both (`123456789012/us-east-1=trivy`) or of all (`*=trivy`), or only \
               those of the repositories below a prefix (`123456789012:team/web=trivy`). What says \
               most about a repository counts, and `builtin` is the scanner of this program; more \
               than one may be given.",
    },
];

/// Reads them.
///
/// # Errors
/// One sentence that names the setting.
pub(super) fn read(values: &Values) -> Result<ScannerSettings> {
    let adapter = |text: &str| Adapter::parse(text, parse_seconds);
    let settings = ScannerSettings {
        adapters: values.many("scanner", adapter)?.unwrap_or_default(),
        choices: values.many("scanner_for", ScannerChoice::parse)?.unwrap_or_default(),
    };
    settings.check().map_err(|error| anyhow!("`scanner` and `scanner_for`: {error}"))?;
    Ok(settings)
}
