//! Which declared licences are expressions of SPDX, and what becomes of the others.

use std::collections::BTreeMap;

/// Identifiers of the SPDX licence list that packages commonly declare. An expression with any other
/// word is kept as text, which is right for every licence, only less convenient.
const KNOWN: [&str; 66] = [
    "0BSD",
    "AGPL-3.0-only",
    "AGPL-3.0-or-later",
    "Apache-1.1",
    "Apache-2.0",
    "Artistic-1.0",
    "Artistic-1.0-Perl",
    "Artistic-2.0",
    "BSD-1-Clause",
    "BSD-2-Clause",
    "BSD-2-Clause-Patent",
    "BSD-3-Clause",
    "BSD-3-Clause-Clear",
    "BSD-4-Clause",
    "BSL-1.0",
    "BlueOak-1.0.0",
    "CC-BY-3.0",
    "CC-BY-4.0",
    "CC-BY-SA-4.0",
    "CC0-1.0",
    "CDDL-1.0",
    "CDDL-1.1",
    "EPL-1.0",
    "EPL-2.0",
    "FTL",
    "GFDL-1.3-only",
    "GFDL-1.3-or-later",
    "GPL-1.0-only",
    "GPL-1.0-or-later",
    "GPL-2.0-only",
    "GPL-2.0-or-later",
    "GPL-3.0-only",
    "GPL-3.0-or-later",
    "HPND",
    "ICU",
    "IJG",
    "ISC",
    "LGPL-2.0-only",
    "LGPL-2.0-or-later",
    "LGPL-2.1-only",
    "LGPL-2.1-or-later",
    "LGPL-3.0-only",
    "LGPL-3.0-or-later",
    "Libpng",
    "MIT",
    "MIT-0",
    "MPL-1.1",
    "MPL-2.0",
    "MS-PL",
    "NCSA",
    "OFL-1.1",
    "OLDAP-2.8",
    "OpenSSL",
    "PHP-3.01",
    "PSF-2.0",
    "PostgreSQL",
    "Python-2.0",
    "Ruby",
    "Unicode-3.0",
    "Unicode-DFS-2016",
    "Unlicense",
    "Vim",
    "W3C",
    "WTFPL",
    "Zlib",
    "curl",
];

/// Licences of a document that SPDX has no name for, by the name that they get there.
#[derive(Default)]
pub(super) struct Extracted(BTreeMap<String, String>);

impl Extracted {
    /// What a document says of a declared licence.
    pub(super) fn declare(&mut self, licence: Option<&str>) -> String {
        let Some(licence) = licence.map(str::trim).filter(|licence| !licence.is_empty()) else {
            return "NOASSERTION".to_owned();
        };
        if is_expression(licence) {
            return licence.to_owned();
        }
        // Not the text itself: two texts may differ only in what a name cannot have.
        use sha2::{Digest, Sha256};
        let hash = hex::encode(Sha256::digest(licence.as_bytes()));
        let name = format!("LicenseRef-{}", hash.get(..16).unwrap_or_default());
        self.0.insert(name.clone(), licence.to_owned());
        name
    }

    /// The licences, in the order of their names.
    pub(super) fn into_iter(self) -> impl Iterator<Item = (String, String)> {
        self.0.into_iter()
    }
}

/// Whether a text is known names with `AND` and `OR` between them, without parentheses: of these two
/// the order is defined, and nothing can be unbalanced.
fn is_expression(text: &str) -> bool {
    let words: Vec<&str> = text.split(' ').collect();
    words.len() % 2 == 1
        && words.iter().enumerate().all(|(position, word)| match position % 2 {
            0 => KNOWN.contains(word),
            _ => *word == "AND" || *word == "OR",
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions() {
        for (text, expected) in [
            ("MIT", true),
            ("MIT OR Apache-2.0", true),
            ("MIT AND ISC OR Zlib", true),
            ("MIT OR", false),
            ("OR", false),
            ("MIT  OR ISC", false),
            ("MIT or ISC", false),
            ("GPL", false),
            ("(MIT OR ISC)", false),
            ("", false),
        ] {
            assert_eq!(is_expression(text), expected, "{text}");
        }
        let mut sorted = KNOWN;
        sorted.sort_unstable();
        assert_eq!(sorted, KNOWN);
    }
}
