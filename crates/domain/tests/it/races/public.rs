//! The races of public registries.

use tonnage_domain::context::RequestContext;
use tonnage_domain::names::{AccountId, Region};
use tonnage_domain::public::aliases::AliasName;
use tonnage_domain::public::aliases::operations::{
    DecidePublicAlias, Decision, RequestPublicAlias, SetPrimaryPublicAlias,
};
use tonnage_domain::public::catalog::CatalogDataInput;
use tonnage_domain::public::catalog::operations::PutRepositoryCatalogData;
use tonnage_domain::repositories::delete::DeleteRepository;

use super::table::race;
use super::world::World;
use super::{Act, Race, act, act_as};
use crate::public::{create, public, run};
use crate::registry::{ACCOUNT, Registry};

pub(super) fn races() -> Vec<Race> {
    vec![
        // Of two names that look alike one becomes active.
        race(decide("harbour", Decision::Approve), decide("harb0ur", Decision::Approve)),
        race(decide("harbour", Decision::Approve), decide("harbour", Decision::Reject)),
        race(decide("harbour", Decision::Approve), primary("harbour")),
        race(primary("active"), decide("active", Decision::Reject)),
        race(request("new-one"), request("new-one")),
        race(decide("harbour", Decision::Approve), request("harb-our")),
        race(create_public("new"), create_public("new")),
        race(show("one"), show("two")),
        race(show("one"), delete_public()),
    ]
}

/// Aliases that somebody asked for, and a repository.
pub(super) async fn prepare(registry: &Registry) {
    for name in ["harbour", "harb0ur", "active"] {
        registry.run(RequestPublicAlias::of(name)).await.unwrap();
    }
    registry.run(decision("active", Decision::Approve)).await.unwrap();
    run(registry, create("shown")).await.unwrap();
}

/// As the operator does it.
trait Asked {
    fn of(name: &str) -> Self;
}

impl Asked for RequestPublicAlias {
    fn of(name: &str) -> Self {
        let management_account = AccountId::parse(ACCOUNT).unwrap();
        let name = AliasName::parse(name).unwrap();
        Self { management_account, account: management_account, name }
    }
}

fn decision(name: &str, decision: Decision) -> DecidePublicAlias {
    let RequestPublicAlias { management_account, account, name } = RequestPublicAlias::of(name);
    DecidePublicAlias { management_account, account, name, decision }
}

fn request(name: &'static str) -> Act {
    act(move |_| RequestPublicAlias::of(name))
}

fn decide(name: &'static str, wanted: Decision) -> Act {
    act(move |_| decision(name, wanted))
}

fn primary(name: &'static str) -> Act {
    act(move |_| {
        let RequestPublicAlias { management_account, account, name } = RequestPublicAlias::of(name);
        SetPrimaryPublicAlias { management_account, account, name }
    })
}

fn in_public(_: &World, registry: &Registry) -> RequestContext {
    RequestContext { region: Region::global(), ..registry.context() }
}

fn create_public(name: &'static str) -> Act {
    act_as(in_public, move |_| create(name), |_| "ok".to_owned())
}

fn show(description: &'static str) -> Act {
    let make = move |_: &World| PutRepositoryCatalogData {
        repository: public("shown"),
        data: CatalogDataInput {
            description: Some(description.to_owned()),
            ..CatalogDataInput::default()
        },
    };
    act_as(in_public, make, |_| "ok".to_owned())
}

fn delete_public() -> Act {
    let make =
        |_: &World| DeleteRepository { registry_id: None, name: public("shown").name, force: true };
    act_as(in_public, make, |_| "ok".to_owned())
}
