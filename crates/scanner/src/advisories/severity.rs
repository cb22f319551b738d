//! How bad a flaw is, in ECR's words, and whose word counts.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::cvss::Cvss;

/// A severity as findings of ECR have it, the mildest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Severity {
    /// Nobody has said; enhanced findings call it `UNTRIAGED`.
    Undefined,
    /// Nothing that could be exploited, or nothing its publisher will act on.
    Informational,
    /// Low.
    Low,
    /// Medium.
    Medium,
    /// High.
    High,
    /// Critical.
    Critical,
}

impl Severity {
    /// Every severity, the mildest first.
    pub const ALL: [Self; 6] =
        [Self::Undefined, Self::Informational, Self::Low, Self::Medium, Self::High, Self::Critical];

    /// The word of basic findings (`FindingSeverity` of ECR's model).
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Undefined => "UNDEFINED",
            Self::Informational => "INFORMATIONAL",
            Self::Low => "LOW",
            Self::Medium => "MEDIUM",
            Self::High => "HIGH",
            Self::Critical => "CRITICAL",
        }
    }

    /// The word of enhanced findings, which know `UNTRIAGED` instead of `UNDEFINED` (`Severity` of
    /// Inspector's model).
    pub fn enhanced(self) -> &'static str {
        match self {
            Self::Undefined => "UNTRIAGED",
            other => other.as_str(),
        }
    }

    /// The severity that a stored or received word of ours stands for.
    pub fn parse(word: &str) -> Option<Self> {
        if word == "UNTRIAGED" {
            return Some(Self::Undefined);
        }
        Self::ALL.into_iter().find(|severity| severity.as_str() == word)
    }

    /// What a publisher's word means: Debian's urgencies, Ubuntu's priorities, the impacts of Red Hat
    /// and those who follow it, the words of SUSE, Amazon and GitHub. None for words which say that
    /// nobody has judged yet, and for unknown ones.
    pub fn of_word(word: &str) -> Option<Self> {
        // Debian's tracker marks what it decided without a report with stars.
        let word = word.trim().trim_end_matches('*').to_ascii_lowercase();
        Some(match word.as_str() {
            "critical" => Self::Critical,
            "high" | "important" => Self::High,
            "medium" | "moderate" => Self::Medium,
            "low" => Self::Low,
            "negligible" | "unimportant" | "informational" | "none" => Self::Informational,
            _ => return None,
        })
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// What one source says of a flaw.
#[derive(Clone, Copy, Debug)]
pub struct Opinion<'a> {
    /// Who says so: an advisory's identifier, or the name of a feed.
    pub source: &'a str,
    /// The source's own word.
    pub word: Option<Severity>,
    /// Its CVSS vectors.
    pub cvss: &'a [Cvss],
}

/// What a finding says of its severity.
#[derive(Clone, Debug, PartialEq)]
pub struct Rating {
    /// The severity that counts.
    pub severity: Severity,
    /// The source that decided; none when nobody said anything.
    pub source: Option<String>,
    /// The vector with the score to show: the first source's that has one. It need not be the source
    /// that decided, as distributions often give a word and no vector.
    pub cvss: Option<Cvss>,
    /// The source of that vector.
    pub cvss_source: Option<String>,
}

/// Weighs opinions, those closest to the package first: the advisory that matched, other advisories
/// of the same flaw, the CVE record. The first that has a word or a vector decides, and its word
/// counts more than its vector, as its publisher knows how the flaw touches its package; of several
/// vectors that of the newest version of CVSS counts.
pub fn rate<'a>(opinions: impl IntoIterator<Item = Opinion<'a>>) -> Rating {
    let mut rating =
        Rating { severity: Severity::Undefined, source: None, cvss: None, cvss_source: None };
    for opinion in opinions {
        let newest = opinion.cvss.iter().max_by_key(|cvss| cvss.version());
        if rating.source.is_none()
            && let Some(severity) = opinion.word.or_else(|| newest.map(Cvss::severity))
        {
            rating.severity = severity;
            rating.source = Some(opinion.source.to_owned());
        }
        if rating.cvss.is_none()
            && let Some(cvss) = newest
        {
            rating.cvss = Some(cvss.clone());
            rating.cvss_source = Some(opinion.source.to_owned());
        }
    }
    rating
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words() {
        for (word, expected) in [
            ("CRITICAL", Some(Severity::Critical)),
            ("Important", Some(Severity::High)),
            ("MODERATE", Some(Severity::Medium)),
            ("medium", Some(Severity::Medium)),
            ("low", Some(Severity::Low)),
            ("high**", Some(Severity::High)),
            ("unimportant", Some(Severity::Informational)),
            ("negligible", Some(Severity::Informational)),
            ("not yet assigned", None),
            ("end-of-life", None),
            ("untriaged", None),
            ("", None),
        ] {
            assert_eq!(Severity::of_word(word), expected, "{word}");
        }
    }

    #[test]
    fn names() {
        for severity in Severity::ALL {
            assert_eq!(Severity::parse(severity.as_str()), Some(severity));
            assert_eq!(Severity::parse(severity.enhanced()), Some(severity));
        }
        assert_eq!(Severity::parse("critical"), None);
    }

    #[test]
    fn whose_word_counts() {
        let high = Cvss::parse("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:H").expect("a vector");
        let low = Cvss::parse("AV:L/AC:H/Au:N/C:P/I:N/A:N").expect("a vector");
        let (both, one, none) = ([low.clone(), high.clone()], [high.clone()], []);
        let opinion = |source, word, cvss| Opinion { source, word, cvss };
        for (opinions, severity, source, cvss, cvss_source) in [
            (vec![], Severity::Undefined, None, None, None),
            (vec![opinion("DSA", None, &none[..])], Severity::Undefined, None, None, None),
            (
                vec![opinion("DEBIAN", Some(Severity::Low), &none), opinion("CVE", None, &one)],
                Severity::Low,
                Some("DEBIAN"),
                Some(&high),
                Some("CVE"),
            ),
            (
                vec![opinion("GHSA", Some(Severity::Medium), &one), opinion("CVE", None, &both)],
                Severity::Medium,
                Some("GHSA"),
                Some(&high),
                Some("GHSA"),
            ),
            (
                vec![opinion("GO", None, &none), opinion("GHSA", None, &both)],
                Severity::High,
                Some("GHSA"),
                Some(&high),
                Some("GHSA"),
            ),
        ] {
            let expected = Rating {
                severity,
                source: source.map(str::to_owned),
                cvss: cvss.cloned(),
                cvss_source: cvss_source.map(str::to_owned),
            };
            assert_eq!(rate(opinions), expected);
        }
    }
}
