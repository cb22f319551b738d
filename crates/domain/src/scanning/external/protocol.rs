//! The protocol: what is asked, and what answers mean.

use std::collections::BTreeMap;
use std::fmt;

use bytes::Bytes;
use serde::de::{SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use super::{AdapterAnswer, AdapterRequest};

/// The report that adapters should make since version 1.1 of the protocol.
pub(super) const REPORT: &str = "application/vnd.security.vulnerability.report; version=1.1";
/// The report that every adapter makes.
pub(super) const HARBOR_REPORT: &str =
    "application/vnd.scanner.adapter.vuln.report.harbor+json; version=1.0";
/// Reports that are read, the better first.
const REPORTS: [&str; 2] = [REPORT, HARBOR_REPORT];
const METADATA: &str = "application/vnd.scanner.adapter.metadata+json; version=1.0";
const REQUEST: &str = "application/vnd.scanner.adapter.scan.request+json; version=1.0";
/// Since version 1.2 a request says what is wanted.
const REQUEST_1_1: &str = "application/vnd.scanner.adapter.scan.request+json; version=1.1";
const RESPONSE: &str = "application/vnd.scanner.adapter.scan.response+json; version=1.0";

/// Bytes of a report. Trivy's of an image with a thousand findings has about 3 MiB.
const REPORT_BYTES_MAX: usize = 16 << 20;
/// Bytes of any other answer.
const ANSWER_BYTES_MAX: usize = 1 << 20;
/// Entries of a report; more are an adapter's mistake.
const ENTRIES_MAX: usize = 100_000;
/// Links of one entry that are looked at.
const LINKS_MAX: usize = 100;
/// Bytes of the identifier of a scan.
const ID_BYTES_MAX: usize = 256;
/// Bytes of a reason that an adapter gives.
const REASON_BYTES_MAX: usize = 400;

/// What an adapter says of itself.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
pub struct Metadata {
    /// The scanner.
    #[serde(default)]
    pub scanner: Scanner,
    /// What it can do.
    #[serde(default)]
    pub capabilities: Vec<Capability>,
    /// What else it says, such as how new its advisories are.
    #[serde(default)]
    pub properties: BTreeMap<String, String>,
}

/// A scanner's name.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
pub struct Scanner {
    /// Its name.
    #[serde(default)]
    pub name: String,
    /// Who makes it.
    #[serde(default)]
    pub vendor: String,
    /// Its version.
    #[serde(default)]
    pub version: String,
}

/// What an adapter makes of what.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
pub struct Capability {
    /// `vulnerability` or another kind of report; absent before version 1.2 of the protocol.
    #[serde(default, rename = "type")]
    pub kind: Option<String>,
    /// The types of manifests that it takes.
    #[serde(default)]
    pub consumes_mime_types: Vec<String>,
    /// The types of reports that it makes.
    #[serde(default)]
    pub produces_mime_types: Vec<String>,
}

impl Scanner {
    /// Its name and version as findings have it; never empty.
    pub(super) fn shown(&self, adapter: &str) -> String {
        let name = text(&self.name, 64);
        let version = text(&self.version, 32);
        match (name.is_empty(), version.is_empty()) {
            (true, _) => adapter.to_owned(),
            (false, true) => name,
            (false, false) => format!("{name} {version}"),
        }
    }
}

impl Metadata {
    /// The report to ask for of a manifest of this type, and whether the adapter speaks version 1.2.
    pub(super) fn report_for(&self, media_type: &str) -> Option<(&'static str, bool)> {
        let able = self.capabilities.iter().filter(|capability| {
            capability.kind.as_deref().is_none_or(|kind| kind == "vulnerability")
                && capability.consumes_mime_types.iter().any(|it| is_same(it, media_type))
        });
        able.filter_map(|capability| {
            let makes =
                |wanted: &&str| capability.produces_mime_types.iter().any(|it| is_same(it, wanted));
            Some((REPORTS.into_iter().find(makes)?, capability.kind.is_some()))
        })
        .min_by_key(|(report, _)| *report != REPORT)
    }

    /// When its advisories were made, where it says so; in milliseconds.
    pub(super) fn updated_at(&self) -> Option<i64> {
        let time =
            self.properties.get("harbor.scanner-adapter/vulnerability-database-updated-at")?;
        Some(time.parse::<jiff::Timestamp>().ok()?.as_millisecond())
    }
}

/// Whether two media types with parameters are the same.
fn is_same(left: &str, right: &str) -> bool {
    let parts = |text: &str| {
        let mut parts = text.split(';').map(|part| part.trim().to_ascii_lowercase());
        let essence = parts.next().unwrap_or_default();
        let mut parameters: Vec<String> =
            parts.filter(|it| !it.is_empty() && !it.starts_with("charset=")).collect();
        parameters.sort();
        (essence, parameters)
    };
    parts(left) == parts(right)
}

pub(super) fn metadata_request() -> AdapterRequest {
    AdapterRequest {
        path: "/api/v1/metadata".to_owned(),
        accept: METADATA,
        body: None,
        bytes_max: ANSWER_BYTES_MAX,
    }
}

/// What is to be scanned.
pub(super) struct Wanted<'a> {
    pub(super) registry: &'a str,
    pub(super) authorization: &'a str,
    pub(super) repository: &'a str,
    pub(super) digest: &'a str,
    pub(super) media_type: &'a str,
    pub(super) report: &'static str,
    pub(super) says_capability: bool,
}

pub(super) fn scan_request(wanted: &Wanted<'_>) -> Result<AdapterRequest, serde_json::Error> {
    #[derive(Serialize)]
    struct Registry<'a> {
        url: &'a str,
        authorization: &'a str,
    }
    #[derive(Serialize)]
    struct Artifact<'a> {
        repository: &'a str,
        digest: &'a str,
        mime_type: &'a str,
    }
    #[derive(Serialize)]
    struct Enabled {
        #[serde(rename = "type")]
        kind: &'static str,
        produces_mime_types: [&'static str; 1],
    }
    #[derive(Serialize)]
    struct Request<'a> {
        registry: Registry<'a>,
        artifact: Artifact<'a>,
        #[serde(skip_serializing_if = "Option::is_none")]
        enabled_capabilities: Option<[Enabled; 1]>,
    }
    let kind = "vulnerability";
    let body = serde_json::to_vec(&Request {
        registry: Registry { url: wanted.registry, authorization: wanted.authorization },
        artifact: Artifact {
            repository: wanted.repository,
            digest: wanted.digest,
            mime_type: wanted.media_type,
        },
        enabled_capabilities: wanted
            .says_capability
            .then_some([Enabled { kind, produces_mime_types: [wanted.report] }]),
    })?;
    let content_type = if wanted.says_capability { REQUEST_1_1 } else { REQUEST };
    Ok(AdapterRequest {
        path: "/api/v1/scan".to_owned(),
        accept: RESPONSE,
        body: Some((content_type, Bytes::from(body))),
        bytes_max: ANSWER_BYTES_MAX,
    })
}

pub(super) fn report_request(id: &str, report: &'static str) -> AdapterRequest {
    let mut path = "/api/v1/scan/".to_owned();
    for byte in id.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_~".contains(&byte) {
            path.push(char::from(byte));
        } else {
            path.push_str(&format!("%{byte:02X}"));
        }
    }
    path.push_str("/report");
    AdapterRequest { path, accept: report, body: None, bytes_max: REPORT_BYTES_MAX }
}

/// What an answer that is no success says, in a sentence.
pub(super) fn reason(answer: &AdapterAnswer) -> String {
    #[derive(Deserialize)]
    struct Inner {
        message: String,
    }
    #[derive(Deserialize)]
    struct Outer {
        error: Inner,
    }
    let said = serde_json::from_slice::<Outer>(&answer.body).ok();
    let said = said.map(|outer| text(&outer.error.message, REASON_BYTES_MAX)).unwrap_or_default();
    let status = answer.status;
    match said.is_empty() {
        true => format!("it answered with status {status}"),
        false => format!("it answered with status {status}: {said}"),
    }
}

/// Whether the same request may succeed later.
pub(super) fn is_transient(status: u16) -> bool {
    matches!(status, 408 | 425 | 429 | 502 | 503 | 504)
}

/// A JSON object. The parser would take a list of members for one.
fn object<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, serde_json::Error> {
    if body.trim_ascii_start().first() != Some(&b'{') {
        return Err(serde::de::Error::custom("it is no JSON object"));
    }
    serde_json::from_slice(body)
}

pub(super) fn read_metadata(answer: &AdapterAnswer) -> Result<Metadata, String> {
    if answer.status != 200 {
        return Err(reason(answer));
    }
    object(&answer.body).map_err(|error| format!("what it says of itself cannot be read: {error}"))
}

pub(super) fn read_id(answer: &AdapterAnswer) -> Result<String, String> {
    #[derive(Deserialize)]
    struct Response {
        id: String,
    }
    if !matches!(answer.status, 200..=202) {
        return Err(reason(answer));
    }
    let response: Response = object(&answer.body)
        .map_err(|error| format!("its answer to the request cannot be read: {error}"))?;
    if response.id.is_empty() || response.id.len() > ID_BYTES_MAX {
        return Err(format!("the identifier of the scan is not 1 to {ID_BYTES_MAX} bytes long"));
    }
    Ok(response.id)
}

/// A report.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Report {
    #[serde(default)]
    artifact: Option<Artifact>,
    #[serde(default)]
    pub(super) scanner: Option<Scanner>,
    #[serde(default, deserialize_with = "entries")]
    pub(super) vulnerabilities: Option<Vec<Entry>>,
}

#[derive(Debug, Deserialize)]
struct Artifact {
    #[serde(default)]
    digest: String,
}

/// One flaw of one package.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Entry {
    pub(super) id: String,
    pub(super) package: String,
    #[serde(default)]
    pub(super) version: Option<String>,
    #[serde(default)]
    pub(super) fix_version: Option<String>,
    #[serde(default)]
    pub(super) severity: Option<String>,
    #[serde(default)]
    pub(super) description: Option<String>,
    #[serde(default, deserialize_with = "links")]
    pub(super) links: Vec<String>,
    #[serde(default)]
    pub(super) layer: Option<Layer>,
    #[serde(default)]
    pub(super) preferred_cvss: Option<PreferredCvss>,
}

/// The layer that brought a package; Trivy's addition to the protocol.
#[derive(Debug, Deserialize)]
pub(super) struct Layer {
    #[serde(default)]
    pub(super) digest: Option<String>,
}

/// The vectors that count.
#[derive(Debug, Deserialize)]
pub(super) struct PreferredCvss {
    #[serde(default)]
    pub(super) vector_v3: Option<String>,
    #[serde(default)]
    pub(super) vector_v2: Option<String>,
}

/// A report, if it is one of this image and of the type that was asked for.
pub(super) fn read_report(
    answer: &AdapterAnswer,
    report: &str,
    digest: &str,
) -> Result<Report, String> {
    let content_type = answer.content_type.as_deref().unwrap_or_default();
    if !is_same(content_type, report) {
        return Err(format!(
            "its report is of the type {:?}, but {report:?} was asked for",
            text(content_type, 200)
        ));
    }
    let read: Report =
        object(&answer.body).map_err(|error| format!("its report cannot be read: {error}"))?;
    match &read.artifact {
        // Of Trivy's reports of images without findings only this is left.
        None if read.vulnerabilities.is_none() => {
            Err("its report says neither what was found nor of which image".to_owned())
        }
        Some(artifact) if artifact.digest != digest => Err(format!(
            "its report is of {:?}, which is another image",
            text(&artifact.digest, 200)
        )),
        _ => Ok(read),
    }
}

/// A list of at most [`ENTRIES_MAX`]; an adapter that found nothing may have none.
fn entries<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Vec<Entry>>, D::Error> {
    bounded(from, ENTRIES_MAX, false)
}

/// The first [`LINKS_MAX`] of a list, which may be null.
fn links<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    bounded(from, LINKS_MAX, true).map(Option::unwrap_or_default)
}

fn bounded<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    from: D,
    most: usize,
    cut: bool,
) -> Result<Option<Vec<T>>, D::Error> {
    struct List<T> {
        most: usize,
        cut: bool,
        of: std::marker::PhantomData<T>,
    }
    impl<'de, T: Deserialize<'de>> Visitor<'de> for List<T> {
        type Value = Option<Vec<T>>;

        fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(formatter, "a list of at most {}", self.most)
        }

        fn visit_unit<E>(self) -> Result<Option<Vec<T>>, E> {
            Ok(None)
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut from: A) -> Result<Option<Vec<T>>, A::Error> {
            let mut list = Vec::new();
            while list.len() < self.most {
                match from.next_element()? {
                    Some(element) => list.push(element),
                    None => return Ok(Some(list)),
                }
            }
            while from.next_element::<serde::de::IgnoredAny>()?.is_some() {
                if !self.cut {
                    return Err(serde::de::Error::custom(format!(
                        "it has more than {} entries",
                        self.most
                    )));
                }
            }
            Ok(Some(list))
        }
    }
    from.deserialize_any(List { most, cut, of: std::marker::PhantomData })
}

/// A text of others without what may break a line or a database, and not longer than `bytes_max`.
pub(super) fn text(text: &str, bytes_max: usize) -> String {
    let mut clean: String = text.chars().map(|it| if it.is_control() { ' ' } else { it }).collect();
    clean.truncate(clean.floor_char_boundary(bytes_max));
    clean.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, content_type: &str, body: &str) -> AdapterAnswer {
        AdapterAnswer {
            status,
            content_type: Some(content_type.to_owned()),
            again_seconds: None,
            body: Bytes::from(body.to_owned()),
        }
    }

    #[test]
    fn the_best_report_of_those_that_an_adapter_makes() {
        let manifest = "application/vnd.oci.image.manifest.v1+json";
        let trivy = r#"{"scanner":{"name":"Trivy"},"capabilities":[
            {"type":"sbom","consumes_mime_types":["MANIFEST"],"produces_mime_types":["REPORT"]},
            {"type":"vulnerability","consumes_mime_types":["MANIFEST"],
             "produces_mime_types":["REPORT"]}]}"#;
        let old = r#"{"capabilities":[{"consumes_mime_types":["MANIFEST"],
            "produces_mime_types":["HARBOR","application/vnd.scanner.adapter.vuln.report.raw"]}]}"#;
        let both = r#"{"capabilities":[{"consumes_mime_types":["MANIFEST"],
            "produces_mime_types":["HARBOR","REPORT"]}]}"#;
        for (text, media_type, expected) in [
            (trivy, manifest, Some((REPORT, true))),
            (old, manifest, Some((HARBOR_REPORT, false))),
            (both, manifest, Some((REPORT, false))),
            (trivy, "application/vnd.oci.image.index.v1+json", None),
            (r#"{"capabilities":[]}"#, manifest, None),
            ("{}", manifest, None),
        ] {
            let text = text.replace("MANIFEST", manifest).replace("REPORT", REPORT);
            let text = text.replace("HARBOR", HARBOR_REPORT);
            let metadata = read_metadata(&answer(200, METADATA, &text)).unwrap();
            assert_eq!(metadata.report_for(media_type), expected, "{text}");
        }
    }

    #[test]
    fn media_types_differ_in_more_than_their_spelling() {
        for (left, right, expected) in [
            (REPORT, REPORT, true),
            ("application/vnd.security.vulnerability.report;version=1.1", REPORT, true),
            ("Application/vnd.security.vulnerability.report; VERSION=1.1", REPORT, true),
            (
                "application/vnd.security.vulnerability.report; version=1.1; charset=utf-8",
                REPORT,
                true,
            ),
            ("application/vnd.security.vulnerability.report; version=1.1;", REPORT, true),
            ("application/vnd.security.vulnerability.report", REPORT, false),
            ("application/vnd.security.vulnerability.report; version=1.2", REPORT, false),
            ("application/json", REPORT, false),
            ("", REPORT, false),
        ] {
            assert_eq!(is_same(left, right), expected, "{left}");
        }
    }

    #[test]
    fn reports_that_are_none() {
        let digest = "sha256:00";
        let many = format!(r#"{{"vulnerabilities":[{}]}}"#, vec!["{}"; ENTRIES_MAX + 1].join(","));
        let ok = r#"{"id":"CVE-1","package":"a"}"#;
        let too_many =
            format!(r#"{{"vulnerabilities":[{}]}}"#, vec![ok; ENTRIES_MAX + 1].join(","));
        let deep = format!(r#"{{"artifact":{}{}}}"#, "[".repeat(10_000), "]".repeat(10_000));
        for (content_type, body, expected) in [
            (REPORT, "{}", "neither"),
            (REPORT, r#"{"vulnerabilities":null,"artifact":null}"#, "neither"),
            (REPORT, r#"{"vulnerabilities":[],"artifact":null,"new":[{"a":1}]}"#, ""),
            (REPORT, r#" {"vulnerabilities":null,"artifact":{"digest":"sha256:00"}}"#, ""),
            (REPORT, r#"{"artifact":{"digest":"sha256:00"}}"#, ""),
            (REPORT, r#"{"vulnerabilities":[{"id":"CVE-1","package":"a","links":null}]}"#, ""),
            (HARBOR_REPORT, "{}", "of the type"),
            ("text/html", "<html>", "of the type"),
            (REPORT, "", "cannot be read"),
            (REPORT, "[]", "cannot be read"),
            (REPORT, r#"{"vulnerabilities":{"id":1}}"#, "cannot be read"),
            (REPORT, r#"{"vulnerabilities":[{"package":"a"}]}"#, "cannot be read"),
            (REPORT, &many, "cannot be read"),
            (REPORT, &too_many, "more than 100000 entries"),
            (REPORT, &deep, "cannot be read"),
            (REPORT, r#"{"artifact":{"digest":"sha256:01"}}"#, "another image"),
        ] {
            let read = read_report(&answer(200, content_type, body), REPORT, digest);
            match (read, expected) {
                (Ok(_), "") => {}
                (Err(error), expected) if !expected.is_empty() => {
                    assert!(error.contains(expected), "{error}");
                }
                (read, _) => panic!("{body:.100}: {read:?}"),
            }
        }
    }

    #[test]
    fn identifiers_are_one_segment_of_a_path() {
        for (id, expected) in [
            ("3fa85f64-5717", "/api/v1/scan/3fa85f64-5717/report"),
            ("../../admin?x=1#", "/api/v1/scan/%2E%2E%2F%2E%2E%2Fadmin%3Fx%3D1%23/report"),
            ("é", "/api/v1/scan/%C3%A9/report"),
        ] {
            assert_eq!(report_request(id, REPORT).path, expected);
        }
        for (status, body, expected) in [
            (202, r#"{"id":"a"}"#, Ok("a")),
            (202, r#"{"id":""}"#, Err("1 to 256")),
            (202, r#"{"id":7}"#, Err("cannot be read")),
            (
                422,
                r#"{"error":{"message":"invalid\u0000 registry"}}"#,
                Err("422: invalid  registry"),
            ),
            (500, "<html>", Err("status 500")),
        ] {
            let read = read_id(&answer(status, RESPONSE, body));
            match expected {
                Ok(expected) => assert_eq!(read.unwrap(), expected),
                Err(expected) => {
                    let error = read.unwrap_err();
                    assert!(error.ends_with(expected) || error.contains(expected), "{error}");
                }
            }
        }
    }
}
