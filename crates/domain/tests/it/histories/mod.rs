//! Random histories of requests, failures and restarts, compared step by step with a naive model.
//!
//! `TONNAGE_TEST_SEEDS` sets how many seeds are tried; a number that is given as
//! `TONNAGE_TEST_SEED` is tried alone.

mod model;
mod run;

use std::collections::BTreeSet;
use std::fmt::Write as _;

use futures_util::{StreamExt as _, stream};

/// Steps of one history.
const STEPS: usize = 50;
const SEEDS: u64 = 200;
/// Histories that run at the same time, each on a registry of its own.
const TOGETHER: usize = 4;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn histories_follow_the_model() {
    let seeds = match number("TONNAGE_TEST_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("TONNAGE_TEST_SEEDS").unwrap_or(SEEDS),
    };
    let enough = seeds.contains(&0) && seeds.contains(&(SEEDS - 1));
    let mut outcomes = BTreeSet::new();
    // A panic of a step is caught by its task.
    let histories = seeds.map(|seed| async move {
        (seed, tokio::spawn(run::history(seed, STEPS, run::Checks::Sparse)).await)
    });
    let mut histories = stream::iter(histories).buffered(TOGETHER);
    while let Some((seed, history)) = histories.next().await {
        match history {
            Ok(seen) => outcomes.extend(seen),
            Err(_) => panic!("{}", shortest(seed).await),
        }
    }
    let expected: BTreeSet<String> = OUTCOMES.lines().map(|line| line.trim().to_owned()).collect();
    let unseen: Vec<_> = expected.difference(&outcomes).collect();
    assert!(!enough || unseen.is_empty(), "the histories never came to {unseen:?}");
}

/// What histories must come to, or they check too little.
const OUTCOMES: &str = "Append
    Append StorageFull
    Append UploadNotFound
    BatchDelete
    BatchDelete with failures
    BatchDelete with several
    Cancel
    Complete
    Complete InvalidLayer
    Complete UploadNotFound
    Create
    Create RepositoryAlreadyExists
    Delete
    Delete RepositoryNotEmpty
    Delete RepositoryNotFound
    DeleteManifest
    DeleteManifest ImageNotFound
    DeleteManifest ImageReferencedByManifestList
    Initiate
    PushBlob
    PushBlob Internal
    PushBlob RepositoryNotFound
    PushBlob StorageFull
    PushBlob Unavailable
    PutImage
    PutImage ImageAlreadyExists
    PutImage ImageTagAlreadyExists
    PutImage LayersNotFound
    PutImage StorageFull
    PutIndex
    PutIndex ReferencedImagesNotFound
    Reopen
    SetMutability
    Sweep
    Sweep removed blobs of repositories
    Sweep removed blobs
    Tell
    Tell BlobNotFound
    Sweep StorageFull
    done, but the answer was lost";

/// The shortest beginning of a history that fails, step by step.
async fn shortest(seed: u64) -> String {
    let mut text = format!("seed {seed} does not follow the model; the shortest history:\n");
    for steps in 1..=STEPS {
        if tokio::spawn(run::history(seed, steps, run::Checks::Full)).await.is_err() {
            for (number, step) in run::steps(seed, steps).iter().enumerate() {
                writeln!(text, "{:>4} {step:?}", number + 1).unwrap();
            }
            return text;
        }
    }
    text + "none; it failed only with fewer checks in between"
}
