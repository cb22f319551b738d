use proptest::prelude::*;
use serde_json::json;

use super::*;

#[test]
fn scores_of_epss() {
    let head =
        "#model_version:v2023.03.01,score_date:2024-01-02T00:00:00+0000\ncve,epss,percentile\n";
    let score = |cve: &str, score, percentile| Epss { cve: cve.to_owned(), score, percentile };
    for (lines, expected, skipped) in [
        ("", vec![], 0),
        ("CVE-2021-44228,0.97565,0.99996\n", vec![score("CVE-2021-44228", 0.97565, 0.99996)], 0),
        (
            "CVE-2021-44228,0.5,1\r\ncve-1999-0001,0,0.1",
            vec![score("CVE-2021-44228", 0.5, 1.0), score("CVE-1999-0001", 0.0, 0.1)],
            0,
        ),
        ("CVE-2021-44228,1.5,1\n", vec![], 1),
        ("CVE-2021-44228,-0.1,1\n", vec![], 1),
        ("CVE-2021-44228,NaN,1\n", vec![], 1),
        ("CVE-2021-44228,0.5\n\nGHSA-1,0.5,0.5\n\u{feff}\n", vec![], 3),
    ] {
        let mut scores = Vec::new();
        let list = epss(format!("{head}{lines}").as_bytes(), |score| scores.push(score));
        assert_eq!(scores, expected, "{lines}");
        assert_eq!(
            list.expect("a list"),
            EpssList {
                model: Some("v2023.03.01".to_owned()),
                date: Some(1_704_153_600_000),
                scores: expected.len(),
                skipped,
            },
            "{lines}"
        );
    }
    for text in ["", "<html>", "#model_version:v1", "cve;epss;percentile\n"] {
        assert!(matches!(epss(text.as_bytes(), |_| ()), Err(FeedError::Format(_))), "{text}");
    }
    let long = format!("{head}{}\nCVE-2021-44228,0.5,1\n", "x".repeat(5_000));
    let list = epss(long.as_bytes(), |_| ()).expect("a list");
    assert_eq!((list.scores, list.skipped), (1, 5));
}

#[test]
fn exploited_flaws() {
    let catalogue = kev(json!({
        "title": "CISA Catalog of Known Exploited Vulnerabilities",
        "catalogVersion": "2024.01.02",
        "dateReleased": "2024-01-02T00:00:00.000Z",
        "count": 3,
        "vulnerabilities": [
            {
                "cveID": "CVE-2021-44228", "vendorProject": "Apache", "product": "Log4j2",
                "vulnerabilityName": "Remote code execution", "dateAdded": "2021-12-10",
                "shortDescription": "…", "requiredAction": "Update.", "dueDate": "2021-12-24",
                "knownRansomwareCampaignUse": "Known", "notes": "", "cwes": ["CWE-20"]
            },
            {"cveID": "CVE-2020-0001", "knownRansomwareCampaignUse": "Unknown", "dateAdded": 7},
            {"cveID": "none"}
        ]
    })
    .to_string()
    .as_bytes())
    .expect("a catalogue");
    assert_eq!(
        catalogue,
        Catalogue {
            released: Some(1_704_153_600_000),
            skipped: 1,
            exploited: vec![
                Exploited {
                    cve: "CVE-2021-44228".to_owned(),
                    name: "Remote code execution".to_owned(),
                    added: Some(1_639_094_400_000),
                    due: Some(1_640_304_000_000),
                    action: "Update.".to_owned(),
                    ransomware: true,
                },
                Exploited {
                    cve: "CVE-2020-0001".to_owned(),
                    name: String::new(),
                    added: None,
                    due: None,
                    action: String::new(),
                    ransomware: false,
                },
            ],
        }
    );
    for text in ["", "{}", "[]", r#"{"vulnerabilities":{}}"#] {
        assert!(matches!(kev(text.as_bytes()), Err(Refused::Json(_))), "{text}");
    }
    let many = json!({"vulnerabilities": vec![json!({}); KEV_MAX + 1]}).to_string();
    assert!(matches!(kev(many.as_bytes()), Err(Refused::TooMany { .. })));
}

#[test]
fn cve_records() {
    let vector = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H";
    let added = "CVSS:3.1/AV:L/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H";
    let newer = "CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N";
    let record = cve(json!({
        "dataType": "CVE_RECORD",
        "dataVersion": "5.1",
        "cveMetadata": {
            "cveId": "CVE-2024-0001", "state": "PUBLISHED",
            "datePublished": "2024-01-01T00:00:00", "dateUpdated": "2024-01-02T00:00:00.000Z"
        },
        "containers": {
            "cna": {
                "title": "A title",
                "descriptions": [{"lang": "de", "value": "Deutsch"}, {"lang": "en-US", "value": "English"}],
                "metrics": [
                    {"format": "CVSS", "cvssV3_1": {"vectorString": vector, "baseScore": 9.8}},
                    {"other": {"type": "ssvc", "content": {}}}
                ],
                "problemTypes": [{"descriptions": [{"cweId": "CWE-79", "lang": "en"}, {"description": "n/a"}]}],
                "references": [{"url": "https://example.org/a"}, {"url": "ftp://example.org"}]
            },
            "adp": [{
                "title": "CISA ADP Vulnrichment",
                "metrics": [{"cvssV3_1": {"vectorString": added}}, {"cvssV4_0": {"vectorString": newer}}],
                "references": [{"url": "https://example.org/a"}, {"url": "https://example.org/b"}]
            }]
        }
    })
    .to_string()
    .as_bytes())
    .expect("a record");
    let vectors: Vec<&str> = record.cvss.iter().map(Cvss::vector).collect();
    assert_eq!(vectors, [vector, newer]);
    assert_eq!(
        CveRecord { cvss: vec![], ..record },
        CveRecord {
            cve: "CVE-2024-0001".to_owned(),
            rejected: false,
            title: "A title".to_owned(),
            description: "English".to_owned(),
            published: Some(1_704_067_200_000),
            modified: Some(1_704_153_600_000),
            cvss: vec![],
            cwes: vec!["CWE-79".to_owned()],
            references: vec![
                "https://example.org/a".to_owned(),
                "https://example.org/b".to_owned()
            ],
        }
    );
    let rejected = json!({"dataType": "CVE_RECORD", "cveMetadata": {"cveId": "CVE-2024-0001", "state": "REJECTED"}});
    assert!(cve(rejected.to_string().as_bytes()).expect("a record").rejected);
    for record in [
        json!({}),
        json!({"dataType": "CVE_RECORD"}),
        json!({"dataType": "CVE_RECORD", "cveMetadata": {"cveId": "GHSA-1"}}),
        json!({"cveMetadata": {"cveId": "CVE-2024-0001"}}),
    ] {
        assert!(cve(record.to_string().as_bytes()).is_err(), "{record}");
    }
}

proptest! {
    #[test]
    fn never_panic(text in "\\PC{0,80}", bytes in prop::collection::vec(any::<u8>(), 0..80)) {
        let _ = epss(bytes.as_slice(), |_| ());
        let _ = epss(format!("cve,epss,percentile\n{text}").as_bytes(), |_| ());
        let _ = kev(&bytes);
        let _ = cve(&bytes);
        let _ = kev(text.as_bytes());
    }
}
