//! Which operating system an image has.

use super::error::Fault;
use super::index::word;
use super::lines::{Lines, split_words};
use crate::package::OsRelease;

/// Reads `os-release` (os-release(5)): assignments as a shell reads them, without expansions.
pub(super) fn os_release(mut lines: Lines<'_>) -> Result<OsRelease, Fault> {
    let mut release = OsRelease { id: "linux".to_owned(), ..OsRelease::default() };
    let mut variant_name = None;
    while let Some(line) = lines.next()? {
        let Some((key, value)) = line.split_once('=') else { continue };
        let value = word(&unquote(value.trim()));
        match key.trim() {
            "ID" => {
                if let Some(id) = value {
                    release.id = id.to_lowercase();
                }
            }
            "ID_LIKE" => {
                let like = value.unwrap_or_default();
                release.id_like = split_words(&like).take(16).map(str::to_lowercase).collect();
            }
            "VERSION_ID" => release.version_id = value,
            "VERSION_CODENAME" => release.version_codename = value,
            "VARIANT_ID" => release.variant = value,
            "VARIANT" => variant_name = value,
            "PRETTY_NAME" => release.pretty_name = value,
            "CPE_NAME" => release.cpe_name = value,
            _ => {}
        }
    }
    release.variant = release.variant.or(variant_name);
    Ok(release)
}

fn unquote(value: &str) -> String {
    let inner = match value.as_bytes() {
        [b'"', .., b'"'] | [b'\'', .., b'\''] => value.get(1..value.len() - 1).unwrap_or_default(),
        _ => return value.to_owned(),
    };
    if value.starts_with('\'') {
        return inner.to_owned();
    }
    let mut text = String::with_capacity(inner.len());
    let mut escaped = false;
    for character in inner.chars() {
        if character == '\\' && !escaped {
            escaped = true;
        } else {
            escaped = false;
            text.push(character);
        }
    }
    text
}

/// The branch that the repositories of apk are of: `edge` if any is, else the newest.
pub(super) fn apk_branch(mut lines: Lines<'_>) -> Result<Option<String>, Fault> {
    let mut newest: Option<((u32, u32), String)> = None;
    while let Some(line) = lines.next()? {
        if line.trim_start().starts_with('#') {
            continue;
        }
        for part in line.split('/') {
            if part == "edge" {
                return Ok(Some(part.to_owned()));
            }
            let Some((major, minor)) = part.strip_prefix('v').and_then(|v| v.split_once('.'))
            else {
                continue;
            };
            let (Ok(major), Ok(minor)) = (major.parse(), minor.parse()) else { continue };
            if newest.as_ref().is_none_or(|(version, _)| *version < (major, minor)) {
                newest = Some(((major, minor), part.to_owned()));
            }
        }
    }
    Ok(newest.map(|(_, branch)| branch))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &OsRelease) {
        let mut reader = text.as_bytes();
        assert_eq!(&os_release(Lines::new(&mut reader, 1 << 20)).expect("os-release"), expected);
    }

    #[test]
    fn releases() {
        let some = |text: &str| Some(text.to_owned());
        check("", &OsRelease { id: "linux".to_owned(), ..OsRelease::default() });
        check(
            "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nVERSION_ID=\"12\"\n\
             VERSION_CODENAME=bookworm\nID=debian\n# a comment\nHOME_URL=https://x/?a=b\n",
            &OsRelease {
                id: "debian".to_owned(),
                version_id: some("12"),
                version_codename: some("bookworm"),
                pretty_name: some("Debian GNU/Linux 12 (bookworm)"),
                ..OsRelease::default()
            },
        );
        check(
            "ID='RHEL'\nID_LIKE=\"fedora centos\"\nVARIANT=\"Server Edition\"\nVARIANT_ID=server\n\
             CPE_NAME=\"cpe:/o:redhat:enterprise_linux:9::baseos\"\nPRETTY_NAME=\"a \\\"b\\\" \\$c\"",
            &OsRelease {
                id: "rhel".to_owned(),
                id_like: vec!["fedora".to_owned(), "centos".to_owned()],
                variant: some("server"),
                cpe_name: some("cpe:/o:redhat:enterprise_linux:9::baseos"),
                pretty_name: some("a \"b\" $c"),
                ..OsRelease::default()
            },
        );
        check(
            "ID=\"\nVERSION_ID=\nVARIANT=x\n=\n",
            &OsRelease { id: "\"".to_owned(), variant: some("x"), ..OsRelease::default() },
        );
    }

    #[test]
    fn branches() {
        for (text, expected) in [
            ("https://mirror/alpine/v3.9/main\nhttps://mirror/alpine/v3.20/community\n", "v3.20"),
            ("#https://mirror/alpine/edge/main\nhttps://mirror/alpine/v3.19/main\n", "v3.19"),
            ("https://mirror/alpine/v3.19/main\n@edge https://mirror/alpine/edge/main\n", "edge"),
            ("https://packages.example/os\n", ""),
        ] {
            let mut reader = text.as_bytes();
            let branch = apk_branch(Lines::new(&mut reader, 1 << 20)).expect("a file");
            assert_eq!(branch.unwrap_or_default(), expected, "{text}");
        }
    }
}
