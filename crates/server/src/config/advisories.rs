//! Where advisories come from.

use anyhow::{Result, bail};
use tonnage_domain::advisories::settings::AdvisorySettings;
use tonnage_domain::advisories::source::Source;

use super::registry::parse_seconds;
use super::{Kind, Setting, Values};

/// Shortest interval, in seconds.
const INTERVAL_SECONDS_MIN: i64 = 600;

pub(super) const SETTINGS: &[Setting] = &[
    Setting {
        key: "advisory_source",
        kind: Kind::List,
        value_name: "FIELDS",
        default: "none",
        help: "Where advisories come from: `name=debian,kind=osv,location=URL`. The kinds are `osv` \
               (a zip file, a tar archive or a directory of records of the OSV schema), `updateinfo` (the list of \
               updates of a repository of RPMs, with `ecosystem=Amazon Linux:2023`), `cve` (records \
               of the CVE list), `epss` and `kev`; the location is an https URL, for `osv` \
               also that of a list of changes (`modified_id.csv`), an artifact of a registry \
               (`oci://HOST/REPOSITORY:TAG`, with `credential_file=` if it needs one), or a path of \
               the server's machine. `sha256=` names the checksum that the file must have, `licence=` \
               the licence of its data; more than one source may be given.",
    },
    Setting {
        key: "advisory_interval",
        kind: Kind::Text,
        value_name: "TIME",
        default: "6h",
        help: "How long after a source of advisories was read it is read again, in seconds, minutes, \
               hours or days, at least 10 minutes.",
    },
];

/// Reads them.
///
/// # Errors
/// One sentence that names the setting.
pub(super) fn read(values: &Values) -> Result<AdvisorySettings> {
    let mut sources = values.many("advisory_source", Source::parse)?.unwrap_or_default();
    sources.sort_by(|left, right| left.name.cmp(&right.name));
    for (left, right) in sources.iter().zip(sources.iter().skip(1)) {
        if left.name == right.name {
            bail!("`advisory_source` has the name {} twice", left.name);
        }
    }
    let mut settings = AdvisorySettings { sources, ..AdvisorySettings::NONE };
    if let Some(seconds) = values.one("advisory_interval", parse_seconds)? {
        if seconds < INTERVAL_SECONDS_MIN {
            bail!("`advisory_interval` is less than 10 minutes");
        }
        settings.interval_seconds = seconds;
    }
    Ok(settings)
}
