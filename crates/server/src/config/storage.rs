//! Where data is kept.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::{Result, anyhow};
use tonnage_store::postgres::PostgresUrl;

use super::{Kind, Setting, Values};

pub(super) const SETTINGS: &[Setting] = &[
    Setting {
        key: "data_dir",
        kind: Kind::Text,
        value_name: "DIR",
        default: "$XDG_DATA_HOME/tonnage, else ~/.local/share/tonnage, for every user including root",
        help: "The directory that holds everything: metadata, blobs, root key and credentials. \
               Made on the first start, readable by its owner only; one server at a time uses it.",
    },
    Setting {
        key: "archive_directory",
        kind: Kind::Text,
        value_name: "DIR",
        default: "objects/archive in the data directory",
        help: "The directory that holds the blobs of archived images, on a disk that may be slower \
               and cheaper. Made if it is not there. To move it, stop the server, move the \
               directory and name the new place: a server whose archive is not where it should be \
               does not start.",
    },
    Setting {
        key: "metadata_url",
        kind: Kind::Text,
        value_name: "URL",
        default: "SQLite in the data directory",
        help: "The PostgreSQL database that holds the metadata, as \
               postgres://USER:PASSWORD@HOST:PORT/DATABASE. Other users see flags in the list of \
               processes, so set a password in the environment or in a file only you can read. \
               TLS as with libpq: ?sslmode=verify-full&sslrootcert=FILE. \
               The server waits for a database that cannot be reached.",
    },
    Setting {
        key: "root_key_file",
        kind: Kind::Text,
        value_name: "FILE",
        default: "root.key in the data directory, made on the first start",
        help: "A file with the root key, 32 bytes as hexadecimal or Base64 text, that only its \
               owner can read. Without it the key is taken from the variable TONNAGE_ROOT_KEY, else \
               from the systemd credential `tonnage-root-key`, else from the data directory.",
    },
];

/// Where data is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Storage {
    /// The data directory.
    pub(crate) data_dir: PathBuf,
    /// The directory with the archive, when it is not below the objects.
    pub(crate) archive_directory: Option<PathBuf>,
    /// The PostgreSQL database with the metadata, when they are not in the data directory.
    pub(crate) metadata_url: Option<PostgresUrl>,
    /// The file with the root key, when it is not in the data directory.
    pub(crate) root_key_file: Option<PathBuf>,
    /// Where systemd puts credentials, when it does.
    pub(crate) credentials_directory: Option<PathBuf>,
}

impl Storage {
    pub(super) fn read(values: &Values, environment: &BTreeMap<String, String>) -> Result<Self> {
        let variable = |name: &str| environment.get(name).filter(|text| !text.is_empty());
        let default = || {
            let base = match (variable("XDG_DATA_HOME"), variable("HOME")) {
                (Some(data), _) => PathBuf::from(data),
                (None, Some(home)) => PathBuf::from(home).join(".local/share"),
                (None, None) => {
                    return Err(anyhow!(
                        "there is no home directory to keep data in; name one with `--data-dir`"
                    ));
                }
            };
            Ok(base.join("tonnage"))
        };
        Ok(Self {
            data_dir: values.text("data_dir")?.map_or_else(default, |text| Ok(text.into()))?,
            archive_directory: values.text("archive_directory")?.map(PathBuf::from),
            metadata_url: values
                .text("metadata_url")?
                .map(|text| text.parse().map_err(|error| anyhow!("`metadata_url`: {error}")))
                .transpose()?,
            root_key_file: values.text("root_key_file")?.map(PathBuf::from),
            credentials_directory: variable("CREDENTIALS_DIRECTORY").map(PathBuf::from),
        })
    }
}
