//! The races of a repository that gets another name, and of what waits to be replicated.

use tonnage_domain::names::RepositoryName;
use tonnage_domain::policies::repository_policy::SetRepositoryPolicy;
use tonnage_domain::replication::ReplicationDestination;
use tonnage_domain::replication::refinements::{
    DestinationRefinement, Patterns, PutReplicationRefinements,
};
use tonnage_domain::replication::retry::RetryReplication;
use tonnage_domain::repositories::rename::RenameRepository;

use super::table::{
    app, append, cancel, complete, create, delete, delete_manifest, initiate, mutability, put,
    race, second, tag_resource,
};
use super::{Act, Race, act, act_with};
use crate::registry::{ACCOUNT, address};

/// A name that the replication rules of the world match.
const NEW: &str = "elsewhere/app";
const POLICY: &str = r#"{"Version":"2012-10-17","Statement":[{"Sid":"a","Effect":"Allow","Principal":{"AWS":"210987654321"},"Action":"ecr:ListImages"}]}"#;

pub(super) fn races() -> Vec<Race> {
    vec![
        race(rename("app", NEW), create(NEW)),
        race(rename("app", NEW), create("app")),
        race(rename("app", NEW), delete("app", true)),
        race(rename("app", NEW), rename("app", "other")),
        race(rename("app", NEW), rename("tagged", NEW)),
        race(rename("app", NEW), put(app, second, Some("v1"))),
        race(rename("app", NEW), delete_manifest(|_| "v1")),
        race(rename("app", NEW), mutability("app")),
        race(rename("app", NEW), initiate()),
        race(rename("app", NEW), append(0)),
        race(rename("app", NEW), complete(app, 0)),
        race(rename("app", NEW), cancel(0)),
        race(rename("tagged", NEW), tag_resource("key0")),
        race(rename("tagged", NEW), repository_policy()),
        race(rename("app", NEW), retry()),
        race(retry(), retry()),
        race(refine("a*"), refine("b*")),
    ]
}

pub(super) fn rename(name: &'static str, new_name: &'static str) -> Act {
    act(move |_| RenameRepository {
        repository: address(name),
        new_name: RepositoryName::parse(new_name).unwrap(),
    })
}

fn repository_policy() -> Act {
    act(|world| SetRepositoryPolicy {
        repository: world.tagged.clone(),
        text: POLICY.to_owned(),
        force: true,
    })
}

fn retry() -> Act {
    act_with(
        |_| RetryReplication { repository: None, destination: None, after: None },
        |retried| format!("{} queued", retried.images),
    )
}

fn refine(tags: &'static str) -> Act {
    act(move |_| PutReplicationRefinements {
        refinement: DestinationRefinement {
            tags: Patterns(vec![tags.to_owned()]),
            ..DestinationRefinement::none(ReplicationDestination {
                region: "eu-west-1".to_owned(),
                account: ACCOUNT.to_owned(),
            })
        },
    })
}
