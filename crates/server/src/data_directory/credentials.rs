//! The file with the root access key of the first start, in the form of AWS credentials files, so
//! that `AWS_SHARED_CREDENTIALS_FILE` may point at it.

use std::fs;
use std::io;
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use secrecy::{ExposeSecret, SecretString};
use tonnage_domain::identities::access_keys::AccessKey;

use super::write_durably;

/// Writes the file.
///
/// # Errors
/// Those of the operating system.
pub(crate) fn write(path: &Path, key: &AccessKey) -> Result<()> {
    let text = format!(
        "# The root access key of the first start. Whoever has it may do everything.\n\
         [default]\naws_access_key_id = {}\naws_secret_access_key = {}\n",
        key.id,
        key.secret.expose_secret()
    );
    write_durably(path, text.as_bytes())
        .with_context(|| format!("the credentials {} cannot be written", path.display()))
}

/// Reads the file; `None` when there is none.
///
/// # Errors
/// When it cannot be read or holds no key.
pub(crate) fn read(path: &Path) -> Result<Option<AccessKey>> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => {
            return Err(error)
                .with_context(|| format!("the credentials {} cannot be read", path.display()));
        }
    };
    let value = |name: &str| {
        text.lines().find_map(|line| {
            let (key, value) = line.split_once('=')?;
            (key.trim() == name).then(|| value.trim().to_owned())
        })
    };
    let (Some(id), Some(secret)) = (value("aws_access_key_id"), value("aws_secret_access_key"))
    else {
        bail!("the credentials {} hold no access key", path.display());
    };
    let key = AccessKey::given(&id, &SecretString::from(secret))
        .with_context(|| format!("the credentials {} hold no access key", path.display()))?;
    Ok(Some(key))
}
