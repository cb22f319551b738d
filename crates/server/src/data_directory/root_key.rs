//! The root key: found where the operator put it, or made on the first start.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, anyhow, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::ExposeSecret;
use tonnage_domain::root_key::{ROOT_KEY_BYTES, RootKey};

use super::{Layout, write_durably};
use crate::config::{Secrets, Storage};

/// The name of the credential that systemd may hand over (`LoadCredential=`).
const SYSTEMD_CREDENTIAL: &str = "tonnage-root-key";

/// Where the root key came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum KeySource {
    /// The environment.
    Variable,
    /// A file that the operator named, or a systemd credential.
    File(PathBuf),
    /// The data directory.
    DataDirectory(PathBuf),
}

/// Finds the root key, or makes it when there is nothing yet that one could have sealed; `in_use`
/// names the place of metadata that need it.
///
/// # Errors
/// When it is malformed, may be read by others, or is missing although there is metadata.
pub(crate) fn find_root_key(
    layout: &Layout,
    storage: &Storage,
    secrets: &Secrets,
    in_use: Option<&str>,
) -> Result<(RootKey, KeySource)> {
    if let Some(found) = look_for_root_key(layout, storage, secrets)? {
        return Ok(found);
    }
    match in_use {
        Some(place) => Err(missing_root_key(layout, place)),
        None => {
            let path = layout.root_key();
            Ok((make(&path)?, KeySource::DataDirectory(path)))
        }
    }
}

/// The refusal of metadata in `place` without a root key.
pub(crate) fn missing_root_key(layout: &Layout, place: &str) -> anyhow::Error {
    anyhow!(
        "the root key {} is missing, and without it the metadata in {place} cannot be read; put \
         it back from a back-up",
        layout.root_key().display()
    )
}

/// The root key, if there is one.
///
/// # Errors
/// When it is malformed, or may be read by others.
pub(crate) fn look_for_root_key(
    layout: &Layout,
    storage: &Storage,
    secrets: &Secrets,
) -> Result<Option<(RootKey, KeySource)>> {
    match (&secrets.root_key, &storage.root_key_file) {
        (Some(_), Some(_)) => bail!(
            "there are two root keys, `TONNAGE_ROOT_KEY` and the one in `root_key_file`; set one \
             of them"
        ),
        (Some(text), None) => {
            let key = parse(text.expose_secret()).context("`TONNAGE_ROOT_KEY` is wrong")?;
            return Ok(Some((key, KeySource::Variable)));
        }
        (None, Some(path)) => return Ok(Some((read(path)?, KeySource::File(path.clone())))),
        (None, None) => {}
    }
    if let Some(directory) = &storage.credentials_directory {
        let path = directory.join(SYSTEMD_CREDENTIAL);
        if path.exists() {
            return Ok(Some((read(&path)?, KeySource::File(path))));
        }
    }
    let path = layout.root_key();
    match path.try_exists() {
        Ok(true) => Ok(Some((read(&path)?, KeySource::DataDirectory(path)))),
        Ok(false) => Ok(None),
        Err(error) => Err(error).with_context(|| cannot_read(&path)),
    }
}

/// The root key in a file that the operator named, made if there is no such file.
///
/// # Errors
/// When it is malformed, may be read by others, or cannot be written.
pub(crate) fn read_or_make_root_key(path: &Path) -> Result<RootKey> {
    if path.try_exists().with_context(|| cannot_read(path))? { read(path) } else { make(path) }
}

pub(super) fn make(path: &Path) -> Result<RootKey> {
    let bytes: [u8; ROOT_KEY_BYTES] = RootKey::random()?;
    let text = format!("{}\n", hex::encode(bytes));
    write_durably(path, text.as_bytes())
        .with_context(|| format!("the root key {} cannot be written", path.display()))?;
    Ok(RootKey::new(&bytes)?)
}

fn cannot_read(path: &Path) -> String {
    format!("the root key {} cannot be read", path.display())
}

pub(super) fn read(path: &Path) -> Result<RootKey> {
    let text = fs::read_to_string(path).with_context(|| cannot_read(path))?;
    let mode =
        fs::metadata(path).map(|metadata| metadata.mode()).with_context(|| cannot_read(path))?;
    // systemd's credentials and secrets of orchestrators may be readable by the group that the
    // service runs under; nobody else may ever read them.
    if mode & 0o007 != 0 {
        bail!(
            "the root key {} may be read by every user of this machine; run `chmod 600` on it, and \
             consider whether somebody did",
            path.display()
        );
    }
    parse(&text).with_context(|| format!("the root key {} is wrong", path.display()))
}

fn parse(text: &str) -> Result<RootKey> {
    Ok(RootKey::new(&decode(text)?)?)
}

fn decode(text: &str) -> Result<[u8; ROOT_KEY_BYTES]> {
    let text = text.trim();
    let bytes = hex::decode(text).ok().or_else(|| STANDARD.decode(text).ok());
    let bytes = bytes.context("it is neither hexadecimal nor Base64 text")?;
    bytes
        .try_into()
        .map_err(|bytes: Vec<u8>| anyhow!("it has {} bytes, not {ROOT_KEY_BYTES}", bytes.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, accepted: bool) {
        assert_eq!(decode(text).is_ok(), accepted, "{text:?}");
    }

    #[test]
    fn a_root_key_is_32_bytes_as_text() {
        check(&"0f".repeat(32), true);
        check(&format!("  {}\n", "0F".repeat(32)), true);
        check("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=", true);
        check(&"0f".repeat(31), false);
        check(&"0f".repeat(33), false);
        check("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHg==", false);
        check("", false);
        check("not a key", false);
    }

    #[test]
    fn the_two_forms_are_the_same_key() {
        assert_eq!(decode(&hex::encode([7; 32])).unwrap(), [7; 32]);
        assert_eq!(decode(&STANDARD.encode([7; 32])).unwrap(), [7; 32]);
    }
}
