//! Blobs come back byte for byte, whatever their size and however they were cut: sizes around the
//! border of blobs that live in metadata (64 KiB) and around the spans that objects are written in
//! (1 MiB).

use bytes::Bytes;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use tonnage_domain::names::{Algorithm, Digest};

use crate::content::bytes;
use crate::registry::Registry;

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;
const SIZES: [usize; 13] = [
    0,
    1,
    64 * KIB - 1,
    64 * KIB,
    64 * KIB + 1,
    128 * KIB,
    256 * KIB + 1,
    MIB - 1,
    MIB,
    MIB + 1,
    2 * MIB,
    3 * MIB + MIB / 2,
    4 * MIB - 1,
];

async fn check_pulled(registry: &Registry, digest: &Digest, content: &[u8]) {
    let length = content.len().to_string();
    let path = format!("/v2/app/blobs/{digest}");
    let headers = [("content-length", &*length), ("docker-content-digest", digest.as_str())];
    let pulled = registry.call(format!("GET {path}")).await.check("200", &headers);
    assert!(pulled.body == content, "{} bytes differ", content.len());
    registry.call(format!("HEAD {path}")).await.check("200", &headers);
}

#[tokio::test]
async fn every_size_in_one_request() {
    for algorithm in [Algorithm::Sha256, Algorithm::Sha512] {
        let registry = Registry::open().await;
        for size in SIZES {
            let content = bytes(size, 1);
            let digest = Digest::of(algorithm, &content);
            let upload = registry.start("app").await;
            registry
                .call(format!("PUT {upload}?digest={digest}"))
                .body(content.clone())
                .await
                .check("201", &[]);
            check_pulled(&registry, &digest, &content).await;
        }
        tonnage_domain::gc::sweep(&registry.app).await.unwrap();
        let in_objects = SIZES.iter().filter(|&&size| size > 64 * KIB).count();
        assert_eq!(registry.objects(), in_objects);
    }
}

#[tokio::test]
async fn every_border_crossed_by_a_second_request() {
    let registry = Registry::open().await;
    let borders = [64 * KIB, MIB, 2 * MIB];
    for border in borders {
        for first in [border - 1, border, border + 1] {
            for second in [1, 2, 64 * KIB, MIB + 1] {
                let content = bytes(first + second, (first + second) as u64);
                let digest = Digest::of_sha256(&content);
                let upload = registry.start("app").await;
                registry
                    .call(format!("PATCH {upload}"))
                    .body(content[..first].to_vec())
                    .await
                    .check("202", &[("range", &*format!("0-{}", first - 1))]);
                registry
                    .call(format!("PUT {upload}?digest={digest}"))
                    .body(content[first..].to_vec())
                    .await
                    .check("201", &[]);
                check_pulled(&registry, &digest, &content).await;
            }
        }
    }
}

/// What a client does next to an upload.
#[derive(Clone, Debug)]
enum Step {
    /// Sends so many bytes, in network reads of so many.
    Send { length: usize, read: usize },
    /// Announces so many bytes, and breaks off after some of them.
    Break { length: usize, arrives: usize },
    /// Sends a chunk that begins this far from where it should.
    Misplace { by: usize },
    /// Asks how far the upload got.
    Ask,
}

fn step() -> impl Strategy<Value = Step> {
    let length = || {
        prop_oneof![
            0..300_usize,
            60 * KIB..70 * KIB,
            Just(64 * KIB),
            MIB - 300..MIB + 300,
            Just(MIB)
        ]
    };
    prop_oneof![
        6 => (length(), prop_oneof![1..100_usize, 1000..40_000_usize, Just(MIB)])
            // Small reads of a large body are a test of patience only.
            .prop_map(|(length, read)| Step::Send { length, read: read.max(length / 2000 + 1) }),
        2 => (1..200 * KIB, 0.0..1.0).prop_map(|(length, part)| {
            #[expect(
                clippy::cast_precision_loss,
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "a part of a small number"
            )]
            let arrives = (length as f64 * part) as usize;
            Step::Break { length, arrives }
        }),
        1 => (1..100_usize).prop_map(|by| Step::Misplace { by }),
        1 => Just(Step::Ask),
    ]
}

async fn follow(registry: &Registry, steps: &[Step], algorithm: Algorithm, seed: u64) {
    let total: usize = steps
        .iter()
        .map(|step| match step {
            Step::Send { length, .. } => *length,
            Step::Break { arrives, .. } => *arrives,
            Step::Misplace { .. } | Step::Ask => 0,
        })
        .sum();
    let content = bytes(total, seed);
    let upload = registry.start("app").await;
    let mut sent = 0;
    let range = |sent: usize| format!("0-{}", sent.max(1) - 1);
    for step in steps {
        let call = registry.call(format!("PATCH {upload}"));
        match step {
            Step::Send { length, read } => {
                let part = &content[sent..sent + length];
                sent += length;
                call.chunked(part.chunks(*read).map(Bytes::copy_from_slice).collect())
                    .await
                    .check("202", &[("range", &*range(sent))]);
            }
            Step::Break { length, arrives } => {
                let part = content[sent..sent + arrives].to_vec();
                sent += arrives;
                call.broken(part, *length)
                    .await
                    .check("400 BLOB_UPLOAD_INVALID", &[("range", &*range(sent))]);
            }
            Step::Misplace { by } => {
                call.with("content-range", format!("{}-{}", sent + by, sent + by))
                    .body("x")
                    .await
                    .check("416 BLOB_UPLOAD_INVALID", &[("range", &*range(sent))]);
            }
            Step::Ask => {
                registry
                    .call(format!("GET {upload}"))
                    .await
                    .check("204", &[("range", &*range(sent))]);
            }
        }
    }
    let digest = Digest::of(algorithm, &content);
    registry.call(format!("PUT {upload}?digest={digest}")).await.check("201", &[]);
    check_pulled(registry, &digest, &content).await;
}

#[test]
fn any_sequence_of_chunks_uploads_byte_for_byte() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let registry = runtime.block_on(Registry::open());
    let mut runner = TestRunner::new(Config { cases: 60, ..Config::default() });
    let algorithm = prop_oneof![Just(Algorithm::Sha256), Just(Algorithm::Sha512)];
    let steps = proptest::collection::vec(step(), 0..9);
    runner
        .run(&(steps, algorithm, any::<u64>()), |(steps, algorithm, seed)| {
            runtime.block_on(follow(&registry, &steps, algorithm, seed));
            Ok(())
        })
        .unwrap();
    // Of every upload one object is left, or none; nothing that was refused leaves anything.
    runtime.block_on(async {
        tonnage_domain::gc::sweep(&registry.app).await.unwrap();
    });
}
