//! Random histories of requests, failures and restarts, compared step by step with a naive model.
//!
//! `TONNAGE_TEST_SEEDS` sets how many seeds are tried; a number that is given as
//! `TONNAGE_TEST_SEED` is tried alone, with those of its steps alone that `TONNAGE_TEST_STEPS`
//! names (`1,4,7`). A seed that fails prints a minimal history, and how to try it again.

mod minimal;
mod model;
mod run;

use std::collections::BTreeSet;
use std::fmt::Write as _;

use futures_util::{StreamExt as _, stream};

use self::run::{Checks, Ending, Planted, Step};
use crate::registry::on_postgres;

/// Steps of one history.
const STEPS: usize = 50;
const SEEDS: u64 = 200;
/// On PostgreSQL, where a history costs many times as much.
const SEEDS_ON_POSTGRES: u64 = 60;
/// Histories that run at the same time, each on a registry of its own.
const TOGETHER: usize = 4;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn histories_follow_the_model() {
    let seeds = match number("TONNAGE_TEST_SEED") {
        Some(seed) => seed..seed + 1,
        None => {
            let seeds = if on_postgres() { SEEDS_ON_POSTGRES } else { SEEDS };
            0..number("TONNAGE_TEST_SEEDS").unwrap_or(seeds)
        }
    };
    let enough = seeds.contains(&0) && seeds.contains(&(SEEDS - 1));
    let mut outcomes = BTreeSet::new();
    // A panic of a step is caught by its task.
    let histories = seeds.map(|seed| async move {
        let history = async move {
            let (steps, checks) = chosen(seed);
            run::history(&steps, Ending::of(seed), checks, Planted::Nothing).await
        };
        (seed, tokio::spawn(history).await)
    });
    let mut histories = stream::iter(histories).buffered(TOGETHER);
    while let Some((seed, history)) = histories.next().await {
        match history {
            Ok(seen) => outcomes.extend(seen),
            Err(_) => panic!("{}", explain(seed, Planted::Nothing).await.0),
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

/// The steps of a seed that are to be tried.
fn chosen(seed: u64) -> (Vec<Step>, Checks) {
    let all = run::steps(seed, STEPS);
    match std::env::var("TONNAGE_TEST_STEPS") {
        Ok(numbers) if number("TONNAGE_TEST_SEED").is_some() => {
            let numbers = numbers.split(',').map(|number| number.parse::<usize>().unwrap());
            (numbers.map(|number| all[number - 1].clone()).collect(), Checks::Full)
        }
        _ => (all, Checks::Sparse),
    }
}

/// Whether these steps of a seed's history depart from the model.
async fn fails(seed: u64, kept: &[usize], checks: Checks, planted: Planted) -> bool {
    let all = run::steps(seed, STEPS);
    let steps: Vec<Step> = kept.iter().map(|number| all[*number].clone()).collect();
    // A panic of a step is caught by its task.
    let history = async move {
        run::history(&steps, Ending::of(seed), checks, planted).await;
    };
    tokio::spawn(history).await.is_err()
}

/// A minimal history of a seed that fails, as text and as the numbers of its steps from 0 on.
async fn explain(seed: u64, planted: Planted) -> (String, Vec<usize>) {
    let all: Vec<usize> = (0..STEPS).collect();
    let mut checks = Checks::Full;
    if !fails(seed, &all, checks, planted).await {
        checks = Checks::Sparse;
        if !fails(seed, &all, checks, planted).await {
            let text = format!("seed {seed} departed from the model once, and not when repeated");
            return (text, all);
        }
    }
    let kept = minimal::minimal(all, async |kept| fails(seed, kept, checks, planted).await).await;
    let steps = run::steps(seed, STEPS);
    let mut text = format!("seed {seed} departs from the model; a minimal history:\n");
    for number in &kept {
        writeln!(text, "{:>4} {:?}", number + 1, steps[*number]).unwrap();
    }
    let numbers: Vec<String> = kept.iter().map(|number| (number + 1).to_string()).collect();
    let numbers = numbers.join(",");
    writeln!(
        text,
        "again: TONNAGE_TEST_SEED={seed} TONNAGE_TEST_STEPS={numbers} \
         cargo test -p tonnage-domain --test it histories_follow_the_model"
    )
    .unwrap();
    if checks == Checks::Sparse {
        text +=
            "It fails only with fewer checks between the steps, so leave TONNAGE_TEST_STEPS out.";
    }
    (text, kept)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_planted_bug_is_told_in_its_fewest_steps() {
    let planted = Planted::CancelledUploads;
    let all: Vec<usize> = (0..STEPS).collect();
    for seed in 0..100 {
        if !fails(seed, &all, Checks::Full, planted).await {
            continue;
        }
        let (text, kept) = explain(seed, planted).await;
        let steps = run::steps(seed, STEPS);
        let actions: Vec<String> =
            kept.iter().map(|number| format!("{:?}", steps[*number])).collect();
        // A repository, an upload, its end, and somebody who believes that it goes on; perhaps what
        // keeps the failure of one of these from happening.
        assert!(kept.len() <= 6, "{text}");
        let mut actions = actions.iter();
        for name in ["Create ", "Initiate ", "Cancel "] {
            assert!(actions.any(|action| action.contains(name)), "{text}");
        }
        for left_out in &kept {
            let rest: Vec<usize> = kept.iter().copied().filter(|step| step != left_out).collect();
            assert!(!fails(seed, &rest, Checks::Full, planted).await, "{left_out} of {text}");
        }
        assert!(text.contains(&format!("TONNAGE_TEST_SEED={seed} TONNAGE_TEST_STEPS=")), "{text}");
        assert!(!fails(seed, &kept, Checks::Full, Planted::Nothing).await, "{text}");
        return;
    }
    panic!("no seed cancels an upload and goes on with it");
}
