//! CVSS vectors of versions 2, 3 and 4, and their base scores.
//!
//! Only base metrics count: what a vector says of the time it was written at, or of somebody's
//! surroundings, is kept in its text and changes no score.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::severity::Severity;

/// Longest vector, in bytes; one with every metric of version 4 has about 190.
const VECTOR_BYTES_MAX: usize = 512;

/// A version of CVSS, the oldest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CvssVersion {
    /// 2.0
    V2,
    /// 3.0
    V3_0,
    /// 3.1
    V3_1,
    /// 4.0
    V4,
}

impl CvssVersion {
    /// The version's number: `3.1`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::V2 => "2.0",
            Self::V3_0 => "3.0",
            Self::V3_1 => "3.1",
            Self::V4 => "4.0",
        }
    }
}

/// A vector with its base score. Serialised as the vector, whose score is computed again.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Cvss {
    vector: String,
    version: CvssVersion,
    tenths: u8,
}

const BASE_2: &[&str] = &["AV", "AC", "Au", "C", "I", "A"];
const BASE_3: &[&str] = &["AV", "AC", "PR", "UI", "S", "C", "I", "A"];
const BASE_4: &[&str] = &["AV", "AC", "AT", "PR", "UI", "VC", "VI", "VA", "SC", "SI", "SA"];

impl Cvss {
    /// Reads a vector; one of version 2 may have the prefix `CVSS:2.0/`, which its specification
    /// does not know, or stand in parentheses, as it does in NVD's older data. None for anything
    /// that lacks a base metric or is no vector.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let text = text.strip_prefix('(').and_then(|t| t.strip_suffix(')')).unwrap_or(text);
        if text.len() > VECTOR_BYTES_MAX {
            return None;
        }
        let (version, metrics) = match text.strip_prefix("CVSS:").and_then(|t| t.split_once('/')) {
            Some(("2.0", metrics)) => (CvssVersion::V2, metrics),
            Some(("3.0", metrics)) => (CvssVersion::V3_0, metrics),
            Some(("3.1", metrics)) => (CvssVersion::V3_1, metrics),
            Some(("4.0", metrics)) => (CvssVersion::V4, metrics),
            Some(_) => return None,
            None => (CvssVersion::V2, text),
        };
        // The whole vector must make sense, the base of it is what is scored.
        let score = |vector: &str| Some(vector.parse::<::cvss::Cvss>().ok()?.score());
        let prefix = match version {
            CvssVersion::V2 => String::new(),
            other => format!("CVSS:{}/", other.as_str()),
        };
        score(&format!("{prefix}{metrics}"))?;
        let base = match version {
            CvssVersion::V2 => BASE_2,
            CvssVersion::V3_0 | CvssVersion::V3_1 => BASE_3,
            CvssVersion::V4 => BASE_4,
        };
        let is_base = |metric: &&str| metric.split(':').next().is_some_and(|n| base.contains(&n));
        let metrics: Vec<&str> = metrics.split('/').filter(is_base).collect();
        if metrics.len() != base.len() {
            return None;
        }
        let score = score(&format!("{prefix}{}", metrics.join("/")))?;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a score is between 0 and 10"
        )]
        let tenths = (score.clamp(0.0, 10.0) * 10.0).round() as u8;
        Some(Self { vector: text.to_owned(), version, tenths })
    }

    /// The vector as it was published, without parentheses.
    pub fn vector(&self) -> &str {
        &self.vector
    }

    /// The version that it is of.
    pub fn version(&self) -> CvssVersion {
        self.version
    }

    /// The base score, from 0.0 to 10.0 in steps of 0.1.
    pub fn score(&self) -> f64 {
        f64::from(self.tenths) / 10.0
    }

    /// The band that the base score is in ("Qualitative Severity Rating Scale"; NVD's bands for
    /// version 2, whose specification has none).
    pub fn severity(&self) -> Severity {
        match (self.version, self.tenths) {
            (_, 0) => Severity::Informational,
            (CvssVersion::V2, 70..) => Severity::High,
            (_, 90..) => Severity::Critical,
            (_, 70..) => Severity::High,
            (_, 40..) => Severity::Medium,
            (_, _) => Severity::Low,
        }
    }

    /// Keeps the first vector of each version.
    pub(crate) fn one_of_each(vectors: impl IntoIterator<Item = Self>) -> Vec<Self> {
        let mut kept: Vec<Self> = Vec::new();
        for vector in vectors {
            if kept.iter().all(|other| other.version != vector.version) {
                kept.push(vector);
            }
        }
        kept
    }
}

impl fmt::Display for Cvss {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.vector)
    }
}

impl Serialize for Cvss {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.vector)
    }
}

impl<'de> Deserialize<'de> for Cvss {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| serde::de::Error::custom("this is no CVSS vector"))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The examples of the three specifications and of FIRST's calculators.
    #[test]
    fn scores() {
        for (vector, version, score, severity) in [
            ("AV:N/AC:L/Au:N/C:N/I:N/A:C", "2.0", 7.8, Severity::High),
            ("AV:N/AC:L/Au:N/C:C/I:C/A:C", "2.0", 10.0, Severity::High),
            ("AV:L/AC:H/Au:N/C:C/I:C/A:C", "2.0", 6.2, Severity::Medium),
            ("(AV:N/AC:M/Au:N/C:N/I:P/A:N)", "2.0", 4.3, Severity::Medium),
            ("CVSS:2.0/AV:L/AC:L/Au:N/C:P/I:N/A:N", "2.0", 2.1, Severity::Low),
            // CVE-2002-0392 with the temporal metrics of the specification's example.
            ("AV:N/AC:L/Au:N/C:N/I:N/A:C/E:F/RL:OF/RC:C", "2.0", 7.8, Severity::High),
            ("CVSS:3.0/AV:N/AC:L/PR:N/UI:R/S:C/C:L/I:L/A:N", "3.0", 6.1, Severity::Medium),
            ("CVSS:3.0/AV:N/AC:H/PR:N/UI:R/S:U/C:L/I:N/A:N", "3.0", 3.1, Severity::Low),
            ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:C/C:H/I:H/A:H", "3.1", 10.0, Severity::Critical),
            ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", "3.1", 9.8, Severity::Critical),
            ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:N/A:N", "3.1", 7.5, Severity::High),
            ("CVSS:3.1/AV:N/AC:L/PR:L/UI:N/S:C/C:L/I:L/A:N", "3.1", 6.4, Severity::Medium),
            ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:N/A:N/E:U/RL:O", "3.1", 7.5, Severity::High),
            ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:N", "3.1", 0.0, Severity::Informational),
            (
                "CVSS:4.0/AV:N/AC:L/AT:P/PR:N/UI:P/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N",
                "4.0",
                7.7,
                Severity::High,
            ),
            (
                "CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:H/SI:H/SA:H",
                "4.0",
                10.0,
                Severity::Critical,
            ),
            (
                "CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:N/VA:N/SC:N/SI:N/SA:N/E:A",
                "4.0",
                8.7,
                Severity::High,
            ),
            (
                "CVSS:4.0/AV:L/AC:L/AT:P/PR:L/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N",
                "4.0",
                7.3,
                Severity::High,
            ),
            (
                "CVSS:4.0/AV:L/AC:L/AT:N/PR:N/UI:P/VC:L/VI:N/VA:N/SC:N/SI:N/SA:N",
                "4.0",
                4.8,
                Severity::Medium,
            ),
            (
                "CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:A/VC:N/VI:N/VA:N/SC:L/SI:L/SA:N",
                "4.0",
                5.1,
                Severity::Medium,
            ),
            (
                "CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:N/VI:N/VA:N/SC:N/SI:N/SA:N",
                "4.0",
                0.0,
                Severity::Informational,
            ),
        ] {
            let cvss = Cvss::parse(vector).expect(vector);
            assert_eq!(cvss.version().as_str(), version, "{vector}");
            assert_eq!(cvss.score(), score, "{vector}");
            assert_eq!(cvss.severity(), severity, "{vector}");
            let stored = serde_json::to_string(&cvss).expect("a string");
            assert_eq!(serde_json::from_str::<Cvss>(&stored).expect("the same"), cvss);
        }
    }

    #[test]
    fn no_vectors() {
        for text in [
            "",
            "7.5",
            "HIGH",
            "CVSS:3.1/",
            "CVSS:5.0/AV:N",
            "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:N",
            "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:U/A:N",
            "CVSS:3.1/AV:N/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:N/A:N",
            "AV:N/AC:L/Au:N/C:N/I:N",
            "CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N",
        ] {
            assert_eq!(Cvss::parse(text), None, "{text}");
        }
        let long = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:N/A:N/".repeat(20);
        assert_eq!(Cvss::parse(&long), None);
    }

    proptest! {
        #[test]
        fn never_panics(text in "(CVSS:[234]\\.[01]/)?([A-Za-z]{1,3}:[A-Za-z]/?){0,14}") {
            if let Some(cvss) = Cvss::parse(&text) {
                assert!((0.0..=10.0).contains(&cvss.score()));
            }
        }
    }
}
