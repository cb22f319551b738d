//! Shells, and how a text is written so that they take it literally.

/// A shell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Shell {
    /// sh, bash, zsh, dash, ksh.
    #[value(aliases = ["bash", "zsh", "dash", "ksh"])]
    Sh,
    /// fish.
    Fish,
    /// PowerShell.
    #[value(alias = "pwsh")]
    Powershell,
}

impl Shell {
    /// The shell of a path such as `/usr/bin/fish`; what is not known takes the commands of sh.
    pub(crate) fn of_path(path: &str) -> Self {
        match path.rsplit(['/', '\\']).next().unwrap_or_default() {
            "fish" => Self::Fish,
            "pwsh" | "powershell" | "pwsh.exe" | "powershell.exe" => Self::Powershell,
            _ => Self::Sh,
        }
    }

    /// `text` as one literal word. Words that no shell reads otherwise stay bare.
    pub(crate) fn quote(self, text: &str) -> String {
        let is_plain = !text.is_empty()
            && text.bytes().all(|byte| {
                byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'.' | b'_' | b'-' | b':')
            });
        match self {
            Self::Sh if is_plain => text.to_owned(),
            Self::Sh => format!("'{}'", text.replace('\'', r"'\''")),
            Self::Fish => format!("'{}'", text.replace('\\', r"\\").replace('\'', r"\'")),
            Self::Powershell => {
                let mut quoted = String::from("'");
                for character in text.chars() {
                    // PowerShell takes typographic quotes for quotes.
                    if matches!(character, '\'' | '\u{2018}'..='\u{201b}') {
                        quoted.push(character);
                    }
                    quoted.push(character);
                }
                quoted.push('\'');
                quoted
            }
        }
    }

    /// A command that sets a variable for this shell and what it starts.
    pub(crate) fn export(self, name: &str, value: &str) -> String {
        let value = self.quote(value);
        match self {
            Self::Sh => format!("export {name}={value}"),
            Self::Fish => format!("set -gx {name} {value}"),
            Self::Powershell => format!("$env:{name} = {value}"),
        }
    }

    /// A command that removes a variable, and does nothing when there is none.
    pub(crate) fn unset(self, name: &str) -> String {
        match self {
            Self::Sh => format!("unset {name}"),
            Self::Fish => format!("set -e {name}"),
            Self::Powershell => format!("Remove-Item Env:{name} -ErrorAction SilentlyContinue"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, sh: &str, fish: &str, powershell: &str) {
        assert_eq!(Shell::Sh.quote(text), sh);
        assert_eq!(Shell::Fish.quote(text), fish);
        assert_eq!(Shell::Powershell.quote(text), powershell);
    }

    #[test]
    fn every_shell_takes_a_quoted_word_literally() {
        check("", "''", "''", "''");
        check(
            "http://localhost:4510",
            "http://localhost:4510",
            "'http://localhost:4510'",
            "'http://localhost:4510'",
        );
        check("a b", "'a b'", "'a b'", "'a b'");
        check("it's", r"'it'\''s'", r"'it\'s'", "'it''s'");
        check(r"back\slash", r"'back\slash'", r"'back\\slash'", r"'back\slash'");
        check("$HOME `id` !x", "'$HOME `id` !x'", "'$HOME `id` !x'", "'$HOME `id` !x'");
        check("x;y&z", "'x;y&z'", "'x;y&z'", "'x;y&z'");
        check("a\u{2019}b", "'a\u{2019}b'", "'a\u{2019}b'", "'a\u{2019}\u{2019}b'");
    }

    #[test]
    fn shells_are_known_by_the_end_of_their_path() {
        for (path, shell) in [
            ("/bin/bash", Shell::Sh),
            ("/usr/local/bin/fish", Shell::Fish),
            ("fish", Shell::Fish),
            ("/opt/microsoft/powershell/7/pwsh", Shell::Powershell),
            (r"C:\Program Files\PowerShell\7\pwsh.exe", Shell::Powershell),
            ("", Shell::Sh),
            ("/bin/unknown", Shell::Sh),
        ] {
            assert_eq!(Shell::of_path(path), shell, "{path}");
        }
    }
}
