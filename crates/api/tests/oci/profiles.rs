//! Every row of the table of profiles, under both.

use tonnage_api::oci::profile::{DEVIATIONS, Profile};
use tonnage_domain::app::Settings;
use tonnage_domain::names::Digest;

use crate::content::{OCI_INDEX, index, text};
use crate::registry::Registry;

struct Row {
    request: &'static str,
    body: &'static [u8],
    expected: [&'static str; 2],
    header: (&'static str, [&'static str; 2]),
}

const NONE: (&str, [&str; 2]) = ("x-none", ["-", "-"]);

/// In the order of the table; `{upload}` is a new upload, `{digest}` a digest of nothing there.
const ROWS: &[Row] = &[
    Row { request: "PATCH {upload}", body: b"abc", expected: ["202", "201"], header: NONE },
    Row {
        request: "POST /v2/app/blobs/uploads/",
        body: b"",
        expected: ["202", "202"],
        header: ("docker-upload-uuid", ["*", "-"]),
    },
    Row {
        request: "GET /v2/app/tags/list",
        body: b"",
        expected: ["200", "200"],
        header: ("content-type", ["application/json", "text/plain; charset=utf-8"]),
    },
    Row {
        request: "GET /v2/app/tags/list?n=1",
        body: b"",
        expected: ["200", "200"],
        header: (
            "link",
            [
                "</v2/app/tags/list?last=a&n=1>; rel=\"next\"",
                "<http://localhost:4510/v2/app/tags/list?last=a&n=1>; rel=\"next\"",
            ],
        ),
    },
    Row {
        request: "GET /v2/app/tags/list?n=1001",
        body: b"",
        expected: ["200", "405 UNSUPPORTED"],
        header: NONE,
    },
    Row {
        request: "DELETE /v2/app/blobs/{digest}",
        body: b"",
        expected: ["404 BLOB_UNKNOWN", "405 UNSUPPORTED"],
        header: ("allow", ["-", "GET, HEAD"]),
    },
    Row {
        request: "PUT /v2/app/manifests/v1",
        body: b"{}",
        expected: ["400 MANIFEST_INVALID", "405 UNSUPPORTED"],
        header: NONE,
    },
    Row {
        request: "PUT /v2/app/manifests/{digest}",
        body: br#"{"schemaVersion":2,"manifests":[]}"#,
        expected: ["400 DIGEST_INVALID", "400 MANIFEST_INVALID"],
        header: NONE,
    },
    Row {
        request: "PUT {upload}?digest={digest}",
        body: b"abc",
        expected: ["400 DIGEST_INVALID", "400 BLOB_UPLOAD_INVALID"],
        header: NONE,
    },
];

#[tokio::test]
async fn every_deviation_of_ecr_is_of_its_profile_alone() {
    // The tests of public registries have the row of stale tokens.
    assert_eq!(ROWS.len() + 1, DEVIATIONS.len(), "a row of the table is not tried");
    for (side, profile) in [Profile::Specification, Profile::Ecr].into_iter().enumerate() {
        let registry = Registry::under(profile, Settings::default()).await;
        registry.create("app").await;
        for tag in ["a", "b"] {
            registry.put("app", tag, OCI_INDEX, &text(&index(&[]))).await.check("201", &[]);
        }
        let digest = Digest::of_sha256(b"nothing that is there");
        for row in ROWS {
            let upload = registry.call("POST /v2/app/blobs/uploads/").await.location();
            let request =
                row.request.replace("{upload}", &upload).replace("{digest}", digest.as_str());
            let (name, values) = row.header;
            registry
                .call(request)
                .body(row.body)
                .await
                .check(row.expected[side], &[(name, values[side])]);
        }
        registry
            .put("app", "-", OCI_INDEX, b"{}")
            .await
            .check(["400 TAG_INVALID", "405 UNSUPPORTED"][side], &[]);
    }
}
