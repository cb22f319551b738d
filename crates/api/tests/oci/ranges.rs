//! Parts of blobs (RFC 9110, section 14).

use tonnage_domain::names::Digest;

use crate::content::bytes;
use crate::registry::Registry;

/// What a `Range` header yields.
enum Expected {
    /// 206 and these bytes.
    Part(std::ops::Range<usize>),
    /// 206 and several parts.
    Parts(&'static [(usize, usize)]),
    /// 200 and everything.
    Whole,
    /// 416.
    Nothing,
}
use Expected::{Nothing, Part, Parts, Whole};

async fn check(registry: &Registry, content: &[u8], range: &str, expected: Expected) {
    let digest = Digest::of_sha256(content);
    let size = content.len();
    let answer = registry.call(format!("GET /v2/app/blobs/{digest}")).with("range", range).await;
    match expected {
        Part(part) => {
            let range = format!("bytes {}-{}/{size}", part.start, part.end - 1);
            let length = part.len().to_string();
            let headers = [
                ("content-range", &*range),
                ("content-length", &*length),
                ("content-type", "application/octet-stream"),
                ("docker-content-digest", digest.as_str()),
            ];
            assert!(answer.check("206", &headers).body == content[part]);
        }
        Parts(parts) => {
            let answer = answer.check("206", &[("content-range", "-"), ("content-length", "*")]);
            let kind = answer.header("content-type").unwrap();
            let boundary = kind.strip_prefix("multipart/byteranges; boundary=").unwrap();
            let mut body = Vec::new();
            for (number, (first, last)) in parts.iter().enumerate() {
                let separator = if number == 0 { "" } else { "\r\n" };
                body.extend_from_slice(
                    format!(
                        "{separator}--{boundary}\r\nContent-Type: application/octet-stream\r\n\
                         Content-Range: bytes {first}-{last}/{size}\r\n\r\n"
                    )
                    .as_bytes(),
                );
                body.extend_from_slice(&content[*first..=*last]);
            }
            body.extend_from_slice(format!("\r\n--{boundary}--\r\n").as_bytes());
            assert!(answer.body == body, "{range}");
        }
        Whole => {
            let length = size.to_string();
            let headers = [("content-range", "-"), ("content-length", &*length)];
            assert!(answer.check("200", &headers).body == content, "{range}");
        }
        Nothing => {
            answer.check("416 SIZE_INVALID", &[("content-range", &*format!("bytes */{size}"))]);
        }
    }
}

#[tokio::test]
async fn end_2_ranges_of_a_small_blob() {
    let registry = Registry::open().await;
    let content = bytes(2048, 1);
    registry.push("app", &content).await;
    for (range, expected) in [
        ("bytes=500-1499", Part(500..1500)),
        ("bytes=500-", Part(500..2048)),
        ("bytes=-500", Part(1548..2048)),
        ("bytes=2000-5000", Part(2000..2048)),
        ("bytes=0-0", Part(0..1)),
        ("bytes=2047-", Part(2047..2048)),
        ("bytes=-5000", Part(0..2048)),
        ("bytes=0-", Part(0..2048)),
        ("Bytes=1-2", Part(1..3)),
        ("bytes=1-2,9999-", Part(1..3)),
        ("bytes=0-1,5-6", Parts(&[(0, 1), (5, 6)])),
        ("bytes=5-6, 0-1, -2", Parts(&[(5, 6), (0, 1), (2046, 2047)])),
        ("bytes=2048-", Nothing),
        ("bytes=5000-10000", Nothing),
        ("bytes=-0", Nothing),
        ("bytes=99999999999999999999999-", Nothing),
        // Invalid, which section 14.2 lets a server reject.
        ("bytes=500-0", Nothing),
        ("bytes=0-1,5-4", Nothing),
        // Invalid, or of another unit, and ignored.
        ("bytes=", Whole),
        ("bytes=x", Whole),
        ("bytes=0-x", Whole),
        ("bytes 0-1", Whole),
        ("items=0-1", Whole),
        ("0-1", Whole),
        ("bytes=0-,0-", Whole),
    ] {
        check(&registry, &content, range, expected).await;
    }
}

#[tokio::test]
async fn end_2_ranges_across_the_spans_of_an_object() {
    const MIB: usize = 1024 * 1024;
    let registry = Registry::open().await;
    let content = bytes(3 * MIB + 11, 2);
    registry.push("app", &content).await;
    for (range, expected) in [
        (format!("bytes={}-{}", MIB - 1, MIB), Part(MIB - 1..MIB + 1)),
        (format!("bytes={}-{}", 256 * 1024 - 1, 256 * 1024), Part(256 * 1024 - 1..256 * 1024 + 1)),
        (format!("bytes=1-{}", 3 * MIB), Part(1..3 * MIB + 1)),
        (format!("bytes={}-", 3 * MIB + 10), Part(3 * MIB + 10..3 * MIB + 11)),
        ("bytes=-11".to_owned(), Part(3 * MIB..3 * MIB + 11)),
        (format!("bytes=0-0,{}-{}", MIB - 2, MIB + 1), Parts(&[(0, 0), (MIB - 2, MIB + 1)])),
    ] {
        check(&registry, &content, &range, expected).await;
    }
}

#[tokio::test]
async fn end_2_ranges_of_the_empty_blob() {
    let registry = Registry::open().await;
    registry.push("app", b"").await;
    for (range, expected) in
        [("bytes=0-0", Nothing), ("bytes=0-", Nothing), ("bytes=-1", Whole), ("bytes=x", Whole)]
    {
        check(&registry, b"", range, expected).await;
    }
}

#[tokio::test]
async fn conditions_come_before_ranges() {
    let registry = Registry::open().await;
    let content = bytes(100, 3);
    let digest = registry.push("app", &content).await;
    let etag = format!("\"{digest}\"");
    for (name, value, expected) in [
        ("if-range", etag.clone(), "206"),
        ("if-range", format!("W/{etag}"), "200"),
        ("if-range", "\"other\"".to_owned(), "200"),
        ("if-range", "Fri, 02 Jan 2026 03:04:05 GMT".to_owned(), "200"),
        ("if-none-match", etag.clone(), "304"),
        ("if-none-match", "\"other\"".to_owned(), "206"),
    ] {
        registry
            .call(format!("GET /v2/app/blobs/{digest}"))
            .with("range", "bytes=1-2")
            .with(name, value)
            .await
            .check(expected, &[]);
    }
    // Only GET has ranges (section 14.2).
    registry
        .call(format!("HEAD /v2/app/blobs/{digest}"))
        .with("range", "bytes=1-2")
        .await
        .check("200", &[("content-length", "100"), ("content-range", "-")]);
}
