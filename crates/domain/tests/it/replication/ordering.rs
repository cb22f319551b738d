//! Tags arrive in the order in which they moved: whatever is carried when, and whatever breaks on the
//! way, a tag of the copy never goes back to what it named before.

use proptest::collection::vec;
use proptest::prelude::*;
use tonnage_domain::jobs::Worker;
use tonnage_store::faulty::{Call, Fault};

use super::{EAST, WEST, World, at, rule, to};
use crate::content::{Blob, Pushed};
use crate::registry::{ACCOUNT, on_postgres};

const TAGS: [&str; 2] = ["latest", "stable"];
const HOUR: i64 = 3600;

#[derive(Clone, Copy, Debug)]
enum Step {
    /// A tag moves to an image.
    Put { tag: usize, image: usize },
    /// What waits is carried; perhaps until a statement fails.
    Carry { fails_at: Option<u64> },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (0..TAGS.len(), 0..3_usize).prop_map(|(tag, image)| Step::Put { tag, image }),
        1 => prop::option::of(1..40_u64).prop_map(|fails_at| Step::Carry { fails_at }),
    ]
}

async fn check(steps: &[Step]) {
    let world = World::new().await;
    let registry = &world.registry;
    let app = registry.create("app").await;
    world.rules(vec![rule(&[to(ACCOUNT, WEST)])]).await;
    let layer = Blob::new("layer", 1000);
    registry.push_blob(&app, &layer).await.unwrap();
    let mut images = Vec::new();
    for number in 0..3 {
        let config = Blob::new(&format!("config {number}"), 100);
        registry.push_blob(&app, &config).await.unwrap();
        images.push(Pushed::image(&config, &[&layer]));
    }
    for step in steps {
        match *step {
            Step::Put { tag, image } => {
                // Of an image that the tag names already nothing moves.
                let _ = registry.put(&app, &images[image], Some(TAGS[tag])).await;
            }
            Step::Carry { fails_at } => {
                if let Some(nth) = fails_at {
                    registry.plan.fail(Call::Execute, nth, Fault::Unavailable);
                }
                let _ = Worker::default().run_one(&registry.app).await;
                registry.plan.heal();
                registry.clock.advance_seconds(HOUR);
            }
        }
    }
    world.drain().await;
    let copy = at(ACCOUNT, WEST, "app");
    for tag in TAGS {
        let source = world.resolve(&app, tag).await;
        assert_eq!(world.resolve(&copy, tag).await, source, "{tag}");
        let (there, here) = (moves(&world, WEST, tag).await, moves(&world, EAST, tag).await);
        let mut rest = here.iter();
        assert!(
            there.iter().all(|digest| rest.any(|moved| moved == digest)),
            "{tag} moved {here:?}, and its copy {there:?}"
        );
    }
}

/// What a tag named in a region, one after the other.
async fn moves(world: &World, region: &str, tag: &str) -> Vec<String> {
    let all = world.registry.rows(
        "SELECT registries.region, tag, digest FROM tag_history \
         JOIN repositories ON repositories.id = tag_history.repository_id \
         JOIN registries ON registries.id = repositories.registry_id ORDER BY tag_history.id",
    );
    let mut digests = Vec::new();
    for row in all.await {
        if row[0] == region && row[1] == tag {
            digests.push(row[2].clone());
        }
    }
    digests
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if on_postgres() { 4 } else { 24 }))]

    #[test]
    fn a_tag_never_goes_back(steps in vec(step(), 1..24)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(check(&steps));
    }
}
