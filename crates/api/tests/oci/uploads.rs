//! Pushing blobs.

use bytes::Bytes;
use futures_util::stream;
use tokio::sync::mpsc;
use tonnage_domain::names::{Algorithm, Digest};

use crate::content::bytes;
use crate::registry::Registry;

const MIB: usize = 1024 * 1024;

#[tokio::test]
async fn end_4a_end_6_post_then_put() {
    let registry = Registry::open().await;
    let digest = Digest::of_sha256(b"hello");
    let started = registry
        .call("POST /v2/app/blobs/uploads/")
        .await
        .check("202", &[("range", "0-0"), ("docker-upload-uuid", "*"), ("location", "*")]);
    let id = started.header("docker-upload-uuid").unwrap();
    assert_eq!(started.location(), format!("/v2/app/blobs/uploads/{id}"));
    assert!(uuid::Uuid::parse_str(id).is_ok());
    let finished = registry
        .call(format!("PUT {}?digest={digest}", started.location()))
        .with("content-type", "application/octet-stream")
        .body("hello")
        .await
        .check("201", &[("docker-content-digest", digest.as_str())]);
    assert_eq!(finished.location(), format!("/v2/app/blobs/{digest}"));
    assert_eq!(registry.pull("app", &digest).await, b"hello");
    // The session is closed.
    registry
        .call(format!("GET {}", started.location()))
        .await
        .check("404 BLOB_UPLOAD_UNKNOWN", &[]);
}

#[tokio::test]
async fn end_4b_single_post() {
    let registry = Registry::open().await;
    let digest = Digest::of_sha256(b"hello");
    let location = registry
        .call(format!("POST /v2/app/blobs/uploads/?digest={digest}"))
        .body("hello")
        .await
        .check("201", &[("docker-content-digest", digest.as_str())])
        .location();
    let pulled = registry.call(format!("GET {location}")).await.check("200", &[]);
    assert_eq!(pulled.body, "hello");
    // Encoded as a query string may be, and without a length.
    let encoded = digest.as_str().replace(':', "%3A");
    registry
        .call(format!("POST /v2/app/blobs/uploads?digest={encoded}"))
        .chunked(vec![Bytes::from("hel"), Bytes::from("lo")])
        .await
        .check("201", &[]);
}

#[tokio::test]
async fn digests_that_are_none_are_refused_and_cost_nothing() {
    let registry = Registry::open().await;
    let upload = registry.start("app").await;
    for digest in [
        "",
        "?digest=",
        "?digest=sha256",
        "?digest=sha256:",
        "?digest=sha256:baddigeststring",
        "?digest=md5:d41d8cd98f00b204e9800998ecf8427e",
        "?digest=SHA256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "?digest=sha256:E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855",
    ] {
        registry
            .call(format!("PUT {upload}{digest}"))
            .body("x")
            .await
            .check("400 DIGEST_INVALID", &[]);
        if !digest.is_empty() {
            registry
                .call(format!("POST /v2/app/blobs/uploads/{digest}"))
                .body("x")
                .await
                .check("400 DIGEST_INVALID", &[]);
        }
    }
    registry.call(format!("GET {upload}")).await.check("204", &[("range", "0-0")]);
}

#[tokio::test]
async fn end_4c_the_announced_algorithm_must_be_known() {
    let registry = Registry::open().await;
    for (algorithm, expected) in [
        ("sha256", "202"),
        ("sha512", "202"),
        ("md5", "400 DIGEST_INVALID"),
        ("", "400 DIGEST_INVALID"),
    ] {
        registry
            .call(format!("POST /v2/app/blobs/uploads/?digest-algorithm={algorithm}"))
            .await
            .check(expected, &[]);
    }
}

#[tokio::test]
async fn code_4_a_wrong_digest_discards_the_upload() {
    let registry = Registry::open().await;
    for (algorithm, size) in [
        (Algorithm::Sha256, 10),
        (Algorithm::Sha256, 3 * MIB),
        (Algorithm::Sha512, 10),
        (Algorithm::Sha512, 3 * MIB),
    ] {
        let content = bytes(size, 1);
        let wrong = Digest::of(algorithm, b"something else");
        let upload = registry.start("app").await;
        registry.call(format!("PATCH {upload}")).body(content.clone()).await.check("202", &[]);
        registry
            .call(format!("PUT {upload}?digest={wrong}"))
            .await
            .check("400 DIGEST_INVALID", &[])
            .says("None of the provided layer digests match the calculated layer digest");
        registry.call(format!("GET {upload}")).await.check("404 BLOB_UPLOAD_UNKNOWN", &[]);
        registry
            .call(format!("POST /v2/app/blobs/uploads/?digest={wrong}"))
            .body(content.clone())
            .await
            .check("400 DIGEST_INVALID", &[]);
        for digest in [wrong, Digest::of(algorithm, &content)] {
            registry
                .call(format!("GET /v2/app/blobs/{digest}"))
                .await
                .check("404 BLOB_UNKNOWN", &[]);
        }
    }
    tonnage_domain::gc::sweep(&registry.app).await.unwrap();
    assert_eq!(registry.objects(), 0);
}

#[tokio::test]
async fn end_5_a_stream_without_length() {
    let registry = Registry::open().await;
    let content = bytes(2 * MIB + 7, 2);
    let upload = registry.start("app").await;
    let chunks = content.chunks(10_007).map(Bytes::copy_from_slice).collect();
    let next = registry
        .call(format!("PATCH {upload}"))
        .with("content-type", "application/octet-stream")
        .chunked(chunks)
        .await
        .check(
            "202",
            &[("range", &*format!("0-{}", content.len() - 1)), ("docker-upload-uuid", "*")],
        )
        .location();
    let digest = Digest::of_sha256(&content);
    registry
        .call(format!("PUT {next}?digest={digest}"))
        .with("content-length", "0")
        .await
        .check("201", &[]);
    assert_eq!(registry.pull("app", &digest).await, content);
}

/// Chunks with their ranges, the last one in the closing `PUT` if `put_last`, for both spellings.
async fn push_in_chunks(algorithm: Algorithm, put_last: bool, spelled: fn(usize, usize) -> String) {
    let registry = Registry::open().await;
    let content = bytes(3 * 700 - 5, 3);
    let digest = Digest::of(algorithm, &content);
    let mut upload = registry.start("app").await;
    let chunks: Vec<&[u8]> = content.chunks(700).collect();
    for (number, chunk) in chunks.iter().enumerate() {
        let (first, last) = (number * 700, number * 700 + chunk.len() - 1);
        let received = if first == 0 { "0-0".to_owned() } else { format!("0-{}", first - 1) };

        // Skipping ahead or going back is refused, and changes nothing.
        for wrong in [first + 1, first + 700, 0].into_iter().filter(|&wrong| wrong != first) {
            for method in ["PATCH", "PUT"] {
                registry
                    .call(format!("{method} {upload}?digest={digest}"))
                    .with("content-range", spelled(wrong, wrong + chunk.len() - 1))
                    .body(chunk.to_vec())
                    .await
                    .check("416 BLOB_UPLOAD_INVALID", &[("range", &*received)])
                    .says(&format!("First byte of the layer part is {wrong} instead of {first}"));
            }
        }
        upload = registry
            .call(format!("GET {upload}"))
            .await
            .check("204", &[("range", &*received), ("docker-upload-uuid", "*")])
            .location();

        let is_last = number + 1 == chunks.len();
        if is_last && put_last {
            registry
                .call(format!("PUT {upload}?digest={digest}"))
                .with("content-range", spelled(first, last))
                .body(chunk.to_vec())
                .await
                .check("201", &[("docker-content-digest", digest.as_str())]);
        } else {
            upload = registry
                .call(format!("PATCH {upload}"))
                .with("content-range", spelled(first, last))
                .body(chunk.to_vec())
                .await
                .check("202", &[("range", &*format!("0-{last}"))])
                .location();
        }
    }
    if !put_last {
        registry.call(format!("PUT {upload}?digest={digest}")).await.check("201", &[]);
    }
    assert_eq!(registry.pull("app", &digest).await, content);
}

#[tokio::test]
async fn end_5_end_6_end_13_chunks_in_order_and_out_of_it() {
    let specified = |first, last| format!("{first}-{last}");
    let of_http = |first, last| format!("bytes {first}-{last}/*");
    push_in_chunks(Algorithm::Sha256, false, specified).await;
    push_in_chunks(Algorithm::Sha256, true, specified).await;
    push_in_chunks(Algorithm::Sha512, false, specified).await;
    push_in_chunks(Algorithm::Sha512, true, of_http).await;
}

#[tokio::test]
async fn a_chunk_sent_again_is_refused_with_what_the_upload_has() {
    let registry = Registry::open().await;
    let upload = registry.start("app").await;
    let send =
        || registry.call(format!("PATCH {upload}")).with("content-range", "0-4").body("hello");
    send().await.check("202", &[("range", "0-4")]);
    let id = upload.rsplit_once('/').unwrap().1;
    send().await.check("416 BLOB_UPLOAD_INVALID", &[("range", "0-4"), ("docker-upload-uuid", id)]);
    let digest = Digest::of_sha256(b"hello");
    registry.call(format!("PUT {upload}?digest={digest}")).await.check("201", &[]);
}

#[tokio::test]
async fn a_chunk_must_have_the_length_of_its_range() {
    let registry = Registry::open().await;
    for before in [0, 70_000] {
        let upload = registry.start("app").await;
        let head = bytes(before, 4);
        if before > 0 {
            registry.call(format!("PATCH {upload}")).body(head.clone()).await.check("202", &[]);
        }
        let status = if before == 0 { "0-0".to_owned() } else { format!("0-{}", before - 1) };
        let whole = Digest::of_sha256(&[&head[..], b"12345"].concat());
        for last in [before + 3, before + 5, before + 500_000] {
            let call = |method: &str| {
                registry
                    .call(format!("{method} {upload}?digest={whole}"))
                    .with("content-range", format!("{before}-{last}"))
            };
            let refused = "416 BLOB_UPLOAD_INVALID";
            call("PATCH").body("12345").await.check(refused, &[("range", &*status)]);
            let unannounced = call("PATCH").chunked(vec!["12".into(), "345".into()]).await;
            unannounced.check(refused, &[("range", &*status)]);
            call("PUT").body("12345").await.check(refused, &[]);
        }
        registry.call(format!("GET {upload}")).await.check("204", &[("range", &*status)]);
        registry
            .call(format!("PUT {upload}?digest={whole}"))
            .with("content-range", format!("{before}-{}", before + 4))
            .body("12345")
            .await
            .check("201", &[]);
        assert_eq!(registry.pull("app", &whole).await, [&head[..], b"12345"].concat());
    }
}

#[tokio::test]
async fn a_content_range_that_cannot_be_read_is_refused() {
    let registry = Registry::open().await;
    let upload = registry.start("app").await;
    for range in ["x", "0", "0-", "-4", "4-0", "bytes 0-4", "bytes=0-4", "bytes 0-4/3", "0-4,5-6"] {
        for method in ["PATCH", "PUT"] {
            registry
                .call(format!("{method} {upload}?digest={}", Digest::of_sha256(b"hello")))
                .with("content-range", range)
                .body("hello")
                .await
                .check("416 BLOB_UPLOAD_INVALID", &[]);
        }
    }
    registry.call(format!("GET {upload}")).await.check("204", &[("range", "0-0")]);
}

#[tokio::test]
async fn end_14_a_cancelled_upload_is_gone() {
    let registry = Registry::open().await;
    for size in [0, 10, 3 * MIB] {
        let upload = registry.start("app").await;
        registry.call(format!("PATCH {upload}")).body(bytes(size, 5)).await.check("202", &[]);
        registry
            .call(format!("DELETE {upload}"))
            .with("content-length", "0")
            .await
            .check("204", &[]);
        for request in ["GET", "DELETE", "PATCH", "PUT"] {
            registry
                .call(format!("{request} {upload}?digest={}", Digest::of_sha256(b"")))
                .await
                .check("404 BLOB_UPLOAD_UNKNOWN", &[]);
        }
    }
    tonnage_domain::gc::sweep(&registry.app).await.unwrap();
    assert_eq!(registry.objects(), 0);
}

#[tokio::test]
async fn an_upload_that_rests_too_long_is_gone() {
    let registry = Registry::open().await;
    let upload = registry.start("app").await;
    let day = registry.app.settings.upload_idle_seconds;
    // Tokens live shorter than uploads.
    let patched = async || {
        let credentials = registry.token_of(&registry.root, "us-east-1").await;
        registry
            .call(format!("PATCH {upload}"))
            .with("authorization", format!("Basic {credentials}"))
            .body("x")
            .await
    };
    registry.clock.advance_seconds(day - 1);
    patched().await.check("202", &[("range", "0-0")]);
    registry.clock.advance_seconds(day - 1);
    patched().await.check("202", &[("range", "0-1")]);
    registry.clock.advance_seconds(day);
    patched().await.check("404 BLOB_UPLOAD_UNKNOWN", &[]);
}

#[tokio::test]
async fn code_3_uploads_of_nobody_or_of_others_are_unknown() {
    let registry = Registry::open().await;
    registry.create("second").await;
    let other = registry.other_account().await;
    registry.create_as(&other, "app").await;
    let others = format!("Basic {}", registry.token_of(&other, "us-east-1").await);
    let upload = registry.start("app").await;
    let id = upload.rsplit_once('/').unwrap().1;
    let own = format!("Basic {}", registry.token);
    for (credentials, path) in [
        (&own, format!("/v2/second/blobs/uploads/{id}")),
        (&others, upload.clone()),
        (&own, "/v2/app/blobs/uploads/00000000-0000-4000-8000-000000000000".to_owned()),
        (&own, "/v2/app/blobs/uploads/nonsense".to_owned()),
        (&own, format!("/v2/app/blobs/uploads/{}", id.to_uppercase())),
        (&own, format!("/v2/app/blobs/uploads/{}", id.replace('-', ""))),
    ] {
        for method in ["GET", "PATCH", "PUT", "DELETE"] {
            registry
                .call(format!("{method} {path}?digest={}", Digest::of_sha256(b"")))
                .with("authorization", credentials)
                .body("x")
                .await
                .check("404 BLOB_UPLOAD_UNKNOWN", &[]);
        }
    }
    registry.call(format!("GET {upload}")).await.check("204", &[("range", "0-0")]);
}

#[tokio::test]
async fn a_broken_body_keeps_what_arrived_and_the_client_goes_on_from_there() {
    let registry = Registry::open().await;
    for (arrived, whole) in [
        (0, 10),
        (5, 10),
        (64 * 1024 - 1, 64 * 1024 + 1),
        (64 * 1024, 64 * 1024 + 1),
        (64 * 1024 + 1, 200_000),
        (MIB - 1, 2 * MIB),
        (MIB, 2 * MIB),
        (MIB + 1, 2 * MIB),
        (2 * MIB + 12_345, 3 * MIB + 500_000),
    ] {
        let content = bytes(whole, arrived as u64);
        let digest = Digest::of_sha256(&content);
        for method in ["PATCH", "PUT"] {
            let upload = registry.start("app").await;
            let received =
                if arrived == 0 { "0-0".to_owned() } else { format!("0-{}", arrived - 1) };
            registry
                .call(format!("{method} {upload}?digest={digest}"))
                .broken(content[..arrived].to_vec(), whole)
                .await
                .check("400 BLOB_UPLOAD_INVALID", &[("range", &*received)]);
            registry.call(format!("GET {upload}")).await.check("204", &[("range", &*received)]);
            registry
                .call(format!("PATCH {upload}"))
                .with("content-range", format!("{arrived}-{}", whole - 1))
                .body(content[arrived..].to_vec())
                .await
                .check("202", &[("range", &*format!("0-{}", whole - 1))]);
            registry.call(format!("PUT {upload}?digest={digest}")).await.check("201", &[]);
            assert!(registry.pull("app", &digest).await == content, "{method} {arrived}");
        }
    }
}

#[tokio::test]
async fn one_request_at_a_time_writes_to_an_upload() {
    let registry = Registry::open().await;
    let upload = registry.start("app").await;
    let (chunks, mut arriving) = mpsc::channel::<Bytes>(1);
    let body = stream::poll_fn(move |cx| arriving.poll_recv(cx).map(|chunk| chunk.map(Ok)));
    let first = registry.call(format!("PATCH {upload}")).stream(body);
    let second = async {
        // Taken twice: once it was taken, the first request is reading.
        chunks.send("hel".into()).await.unwrap();
        chunks.send("lo".into()).await.unwrap();
        for (method, digest) in [("PATCH", ""), ("PUT", "?digest="), ("DELETE", "")] {
            let hello = Digest::of_sha256(b"hello");
            let digest = if digest.is_empty() { String::new() } else { format!("{digest}{hello}") };
            registry
                .call(format!("{method} {upload}{digest}"))
                .body("jam")
                .await
                .check("409 BLOB_UPLOAD_INVALID", &[]);
        }
        // Asking is free.
        registry.call(format!("GET {upload}")).await.check("204", &[("range", "0-0")]);
        drop(chunks);
    };
    let (answer, ()) = tokio::join!(std::future::IntoFuture::into_future(first), second);
    answer.check("202", &[("range", "0-4")]);
    let digest = Digest::of_sha256(b"hello");
    registry.call(format!("PUT {upload}?digest={digest}")).await.check("201", &[]);
}

#[tokio::test]
async fn a_request_that_is_dropped_leaves_the_upload_usable() {
    let registry = Registry::open().await;
    let content = bytes(3 * MIB, 6);
    let upload = registry.start("app").await;
    let (chunks, mut arriving) = mpsc::channel::<Bytes>(1);
    let body = stream::poll_fn(move |cx| arriving.poll_recv(cx).map(|chunk| chunk.map(Ok)));
    let call =
        std::future::IntoFuture::into_future(registry.call(format!("PATCH {upload}")).stream(body));
    let feed = async {
        for chunk in content[..2 * MIB].chunks(MIB) {
            chunks.send(Bytes::copy_from_slice(chunk)).await.unwrap();
        }
        chunks.send(Bytes::new()).await.unwrap();
        chunks.send(Bytes::new()).await.unwrap();
    };
    tokio::select! {
        _ = call => panic!("the body never ends"),
        () = feed => {}
    }
    // What was under way may hold the upload for a moment longer.
    loop {
        let answer = registry.call(format!("PATCH {upload}")).body(content.clone()).await;
        if answer.status != http::StatusCode::CONFLICT {
            answer.check("202", &[("range", &*format!("0-{}", content.len() - 1))]);
            break;
        }
        tokio::task::yield_now().await;
    }
    let digest = Digest::of_sha256(&content);
    registry.call(format!("PUT {upload}?digest={digest}")).await.check("201", &[]);
    assert!(registry.pull("app", &digest).await == content);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn pushes_of_one_blob_beside_each_other_store_it_once() {
    let registry = Registry::open().await;
    for name in ["r0", "r1"] {
        registry.create(name).await;
    }
    let content = bytes(MIB + 77, 7);
    let digest = Digest::of_sha256(&content);
    let pushes = (0..16).map(|number| {
        let repository = format!("r{}", number % 2);
        let (registry, content, digest) = (&registry, &content, &digest);
        async move {
            let upload = registry.start(&repository).await;
            registry
                .call(format!("PUT {upload}?digest={digest}"))
                .body(content.clone())
                .await
                .check("201", &[("docker-content-digest", digest.as_str())]);
        }
    });
    futures_util::future::join_all(pushes).await;
    for name in ["r0", "r1"] {
        assert!(registry.pull(name, &digest).await == content);
    }
    tonnage_domain::gc::sweep(&registry.app).await.unwrap();
    assert_eq!(registry.objects(), 1);
}
