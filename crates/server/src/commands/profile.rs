//! Profiles in the files of the AWS command line and SDKs. Only the profile's own section changes;
//! everything else stays byte for byte.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use crate::data_directory::write_durably;

/// How a file names the sections of profiles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// `[profile NAME]`, but `[default]`.
    Config,
    /// `[NAME]`.
    Credentials,
}

impl Kind {
    fn header(self, profile: &str) -> String {
        match self {
            Self::Config if profile != "default" => format!("[profile {profile}]"),
            Self::Config | Self::Credentials => format!("[{profile}]"),
        }
    }

    /// Whether a header line begins the section of `profile`.
    pub(super) fn begins(self, line: &str, profile: &str) -> bool {
        let Some((name, _)) = line.strip_prefix('[').and_then(|rest| rest.split_once(']')) else {
            return false;
        };
        let name = name.trim();
        let unquoted = |text: &str| {
            let text = text.trim();
            let quote = |text: &str, quote: char| {
                text.strip_prefix(quote)?.strip_suffix(quote).map(str::to_owned)
            };
            quote(text, '"').or_else(|| quote(text, '\'')).unwrap_or_else(|| text.to_owned())
        };
        match (self, name.split_once(char::is_whitespace)) {
            (Self::Config, Some(("profile", rest))) => unquoted(rest) == profile,
            (Self::Config, _) => profile == "default" && name == "default",
            (Self::Credentials, _) => unquoted(name) == profile,
        }
    }
}

/// Whether a profile can have this name in every tool that reads the files.
///
/// # Errors
/// One sentence.
pub(super) fn check_name(name: &str) -> Result<()> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.@+".contains(&byte);
    if name.is_empty() || name.len() > 64 || !name.bytes().all(fits) {
        bail!("`--profile {name}` is no profile name: use up to 64 letters, digits and `-_.@+`");
    }
    Ok(())
}

/// The text of a file in which the section of `profile` holds exactly `values`.
pub(super) fn edited(text: &str, kind: Kind, profile: &str, values: &[(&str, &str)]) -> String {
    let newline = if text.contains("\r\n") { "\r\n" } else { "\n" };
    let mut section = format!("{}{newline}", kind.header(profile));
    for (key, value) in values {
        section.push_str(&format!("{key} = {value}{newline}"));
    }
    let mut out = String::with_capacity(text.len() + section.len() + 2);
    let mut written = false;
    // Blank lines and comments at the end of a section belong to what follows.
    let mut between = String::new();
    let mut inside = false;
    for line in text.split_inclusive('\n') {
        if line.starts_with('[') {
            inside = kind.begins(line, profile);
            out.push_str(&between);
            between.clear();
            if inside && !written {
                out.push_str(&section);
                written = true;
            }
        }
        if !inside {
            out.push_str(line);
        } else if line.trim().is_empty() || line.starts_with(['#', ';']) {
            between.push_str(line);
        } else {
            between.clear();
        }
    }
    out.push_str(&between);
    if !written {
        if !out.is_empty() {
            if !out.ends_with('\n') {
                out.push_str(newline);
            }
            if !out.ends_with(&newline.repeat(2)) {
                out.push_str(newline);
            }
        }
        out.push_str(&section);
    }
    out
}

/// Edits a file, and makes it (0600) and its directory when they are not there.
///
/// # Errors
/// When it cannot be read or written.
pub(super) fn edit(path: &Path, kind: Kind, profile: &str, values: &[(&str, &str)]) -> Result<()> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
        Err(error) => {
            return Err(error).with_context(|| format!("{} cannot be read", path.display()));
        }
    };
    // People keep these files elsewhere and link to them; the link must stay.
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let write = || -> io::Result<()> {
        if let Some(directory) = path.parent().filter(|directory| !directory.as_os_str().is_empty())
        {
            fs::create_dir_all(directory)?;
        }
        write_durably(&path, edited(&text, kind, profile, values).as_bytes())
    };
    write().with_context(|| format!("{} cannot be written", path.display()))
}

/// The two files: where the environment says, else under the home directory.
///
/// # Errors
/// When there is no home directory.
pub(super) fn paths(variable: impl Fn(&str) -> Option<String>) -> Result<(PathBuf, PathBuf)> {
    let home = variable("HOME").map(PathBuf::from);
    let path = |name: &str, file: &str| match (variable(name), &home) {
        (Some(path), home) => Ok(match (path.strip_prefix("~/"), home) {
            (Some(rest), Some(home)) => home.join(rest),
            _ => PathBuf::from(path),
        }),
        (None, Some(home)) => Ok(home.join(".aws").join(file)),
        (None, None) => bail!("there is no home directory for a profile; set `{name}`"),
    };
    Ok((path("AWS_CONFIG_FILE", "config")?, path("AWS_SHARED_CREDENTIALS_FILE", "credentials")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const VALUES: &[(&str, &str)] = &[("region", "us-east-1"), ("endpoint_url", "http://x")];
    const NEW: &str = "[profile me]\nregion = us-east-1\nendpoint_url = http://x\n";

    #[track_caller]
    fn check(before: &str, after: &str) {
        assert_eq!(edited(before, Kind::Config, "me", VALUES), after, "from {before:?}");
        assert_eq!(edited(after, Kind::Config, "me", VALUES), after, "a second time");
    }

    #[test]
    fn only_the_profiles_own_section_changes() {
        check("", NEW);
        check("[default]\nregion=a\n", &format!("[default]\nregion=a\n\n{NEW}"));
        check("[default]\nregion=a", &format!("[default]\nregion=a\n\n{NEW}"));
        check("[default]\n\n", &format!("[default]\n\n{NEW}"));
        check("[profile me]\nold = 1\n", NEW);
        check("[profile me]", NEW);
        check(
            "# mine\n[profile  me ]\nold = 1\n  nested = 2\n\n# theirs\n[profile you]\nx=1",
            &format!("# mine\n{NEW}\n# theirs\n[profile you]\nx=1"),
        );
        check("[profile \"me\"]\nold = 1\n[default]\n", &format!("{NEW}[default]\n"));
        check(
            "[profile me]\na = 1\n[default]\nb = 2\n[profile me]\nc = 3\n[services s]\n",
            &format!("{NEW}[default]\nb = 2\n[services s]\n"),
        );
        check(
            "[me]\na = 1\n[profile me2]\nb = 2\n[sso-session me]\nc = 3\n",
            &format!("[me]\na = 1\n[profile me2]\nb = 2\n[sso-session me]\nc = 3\n\n{NEW}"),
        );
        check(
            "[default]\r\nx = 1\r\n",
            &format!("[default]\r\nx = 1\r\n\r\n{}", NEW.replace('\n', "\r\n")),
        );
    }

    #[test]
    fn the_default_profile_and_credentials_have_other_headers() {
        let values = &[("a", "1")];
        for (kind, profile, before, after) in [
            (Kind::Config, "default", "[profile default]\nx=1\n", "[default]\na = 1\n"),
            (Kind::Config, "default", "[default]\nx=1\n", "[default]\na = 1\n"),
            (Kind::Credentials, "default", "[default]\nx=1\n", "[default]\na = 1\n"),
            (Kind::Credentials, "me", "[me]\nx=1\n", "[me]\na = 1\n"),
            (Kind::Credentials, "me", "[profile me]\nx=1\n", "[profile me]\nx=1\n\n[me]\na = 1\n"),
        ] {
            assert_eq!(edited(before, kind, profile, values), after);
        }
    }

    #[test]
    fn names_that_some_tool_would_misread_are_refused() {
        for (name, accepted) in [
            ("me", true),
            ("a.b-c_d@e+f", true),
            ("", false),
            ("a b", false),
            ("a]b", false),
            ("a\nb", false),
        ] {
            assert_eq!(check_name(name).is_ok(), accepted, "{name:?}");
        }
    }

    #[test]
    fn files_are_where_the_environment_says() {
        let home = |name: &str| (name == "HOME").then(|| "/h".to_owned());
        let (config, credentials) = paths(home).unwrap();
        assert_eq!(config, Path::new("/h/.aws/config"));
        assert_eq!(credentials, Path::new("/h/.aws/credentials"));
        let given = |name: &str| match name {
            "HOME" => Some("/h".to_owned()),
            "AWS_CONFIG_FILE" => Some("~/c".to_owned()),
            "AWS_SHARED_CREDENTIALS_FILE" => Some("/k".to_owned()),
            _ => None,
        };
        let (config, credentials) = paths(given).unwrap();
        assert_eq!((config.as_path(), credentials.as_path()), (Path::new("/h/c"), Path::new("/k")));
        assert!(paths(|_| None).is_err());
    }

    #[test]
    fn a_linked_file_stays_a_link_and_is_its_owners() {
        use std::os::unix::fs::MetadataExt as _;
        let directory = tempfile::tempdir().unwrap();
        let real = directory.path().join("dotfiles-config");
        let link = directory.path().join("config");
        fs::write(&real, "[default]\n").unwrap();
        std::os::unix::fs::symlink(&real, &link).unwrap();
        edit(&link, Kind::Config, "me", VALUES).unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read_to_string(&real).unwrap(), format!("[default]\n\n{NEW}"));
        assert_eq!(fs::metadata(&real).unwrap().mode() & 0o777, 0o600);
        let fresh = directory.path().join("made/for/it/config");
        edit(&fresh, Kind::Config, "me", VALUES).unwrap();
        assert_eq!(fs::read_to_string(&fresh).unwrap(), NEW);
    }
}
