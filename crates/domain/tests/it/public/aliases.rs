use tonnage_domain::accounts::{CreateAccount, SetAccountState};
use tonnage_domain::error::ErrorKind;
use tonnage_domain::names::AccountId;
use tonnage_domain::public::aliases::operations::{
    DecidePublicAlias, Decision, ListPublicAliases, RequestPublicAlias, SetPrimaryPublicAlias,
};
use tonnage_domain::public::aliases::{ALIASES_MAX, AliasName, primary_of, resolve};
use tonnage_domain::public::registries::DescribeRegistries;

use super::{OTHER, create, run};
use crate::registry::{ACCOUNT, Registry, page};

fn name(text: &str) -> AliasName {
    AliasName::parse(text).unwrap()
}

fn id(text: &str) -> AccountId {
    AccountId::parse(text).unwrap()
}

async fn request(registry: &Registry, account: &str, alias: &str) -> Result<String, String> {
    let management_account = registry.app.management_account;
    let operation =
        RequestPublicAlias { management_account, account: id(account), name: name(alias) };
    told(registry.run(operation).await)
}

async fn decide(
    registry: &Registry,
    account: &str,
    alias: &str,
    decision: Decision,
) -> Result<String, String> {
    let management_account = registry.app.management_account;
    let (account, name) = (id(account), name(alias));
    told(registry.run(DecidePublicAlias { management_account, account, name, decision }).await)
}

async fn make_primary(registry: &Registry, account: &str, alias: &str) -> Result<String, String> {
    let management_account = registry.app.management_account;
    let (account, name) = (id(account), name(alias));
    told(registry.run(SetPrimaryPublicAlias { management_account, account, name }).await)
}

fn told(
    answer: tonnage_domain::error::Result<tonnage_domain::public::aliases::Alias>,
) -> Result<String, String> {
    match answer {
        Ok(alias) if alias.primary => Ok(format!("{} primary", alias.status.as_str())),
        Ok(alias) => Ok(alias.status.as_str().to_owned()),
        Err(error) => Err(format!("{:?}: {}", error.kind(), error.message())),
    }
}

async fn other_account(registry: &Registry) {
    let management_account = registry.app.management_account;
    let (id, name) = (id(OTHER), "other".to_owned());
    registry.run(CreateAccount { management_account, id, name }).await.unwrap();
}

#[tokio::test]
async fn the_first_repository_brings_a_default_alias() {
    let registry = Registry::new().await;
    assert_eq!(run(&registry, DescribeRegistries).await.unwrap().aliases, []);
    run(&registry, create("one")).await.unwrap();
    run(&registry, create("two")).await.unwrap();
    let aliases = run(&registry, DescribeRegistries).await.unwrap().aliases;
    let [alias] = aliases.as_slice() else { panic!("{aliases:?}") };
    assert!(alias.primary && alias.default);
    assert_eq!(alias.name.as_str().len(), 8);
    let found = resolve(&registry.app, alias.name.as_str()).await.unwrap();
    assert_eq!(found, Some(id(ACCOUNT)));
    assert_eq!(primary_of(&registry.app, &id(ACCOUNT)).await.unwrap().as_ref(), Some(&alias.name));
}

#[tokio::test]
async fn an_alias_works_from_its_approval_to_its_rejection() {
    let registry = Registry::new().await;
    other_account(&registry).await;
    let resolves = async |expected: Option<&str>| {
        let found = resolve(&registry.app, "harbour").await.unwrap();
        assert_eq!(found, expected.map(id));
    };
    resolves(None).await;
    assert_eq!(request(&registry, OTHER, "harbour").await.unwrap(), "PENDING");
    assert_eq!(request(&registry, OTHER, "harbour").await.unwrap(), "PENDING");
    resolves(None).await;
    let refused = make_primary(&registry, OTHER, "harbour").await.unwrap_err();
    assert!(refused.contains("is PENDING"), "{refused}");
    assert_eq!(decide(&registry, OTHER, "harbour", Decision::Reject).await.unwrap(), "REJECTED");
    resolves(None).await;
    assert_eq!(request(&registry, OTHER, "harbour").await.unwrap(), "PENDING");
    assert_eq!(decide(&registry, OTHER, "harbour", Decision::Approve).await.unwrap(), "ACTIVE");
    assert_eq!(decide(&registry, OTHER, "harbour", Decision::Approve).await.unwrap(), "ACTIVE");
    resolves(Some(OTHER)).await;
    assert_eq!(make_primary(&registry, OTHER, "harbour").await.unwrap(), "ACTIVE primary");
    let primary = primary_of(&registry.app, &id(OTHER)).await.unwrap();
    assert_eq!(primary, Some(name("harbour")));
    let refused = decide(&registry, OTHER, "harbour", Decision::Reject).await.unwrap_err();
    assert!(refused.contains("make another one primary first"), "{refused}");

    let management_account = registry.app.management_account;
    for (active, expected) in [(false, None), (true, Some(OTHER))] {
        registry.run(SetAccountState { management_account, id: id(OTHER), active }).await.unwrap();
        resolves(expected).await;
    }
    let listed = ListPublicAliases { management_account, page: page(None, 100) };
    let listed = registry.run(listed).await.unwrap().items;
    let listed: Vec<String> =
        listed.iter().map(|alias| format!("{} {}", alias.account, alias.name)).collect();
    assert_eq!(listed, [format!("{OTHER} harbour")]);
}

#[tokio::test]
async fn names_that_are_taken_reserved_or_look_alike_are_refused() {
    let registry = Registry::new().await;
    other_account(&registry).await;
    request(&registry, ACCOUNT, "modern-team").await.unwrap();
    // Nobody has decided, so others may ask for it, too.
    assert_eq!(request(&registry, OTHER, "rnodern.team").await.unwrap(), "PENDING");
    decide(&registry, ACCOUNT, "modern-team", Decision::Approve).await.unwrap();
    let refused = decide(&registry, OTHER, "rnodern.team", Decision::Approve).await.unwrap_err();
    assert!(refused.contains("looks too much like 'modern-team'"), "{refused}");
    for (alias, reason) in [
        ("modern-team", "is taken"),
        ("modernteam", "looks too much like 'modern-team'"),
        ("modern_team", "looks too much like"),
        ("m0dern-team", "looks too much like"),
        ("modem-team", "looks too much like"),
        ("aws", "is reserved"),
        ("amazon-linux", "is reserved"),
        ("arnazon", "is reserved"),
        ("lambda", "is reserved"),
        ("public", "is reserved"),
        ("te5t", "is reserved"),
    ] {
        let refused = request(&registry, OTHER, alias).await.unwrap_err();
        assert!(refused.contains(reason), "{alias}: {refused}");
    }
    // An alias that ended makes room for others.
    decide(&registry, ACCOUNT, "modern-team", Decision::Reject).await.unwrap();
    assert_eq!(
        decide(&registry, OTHER, "rnodern.team", Decision::Approve).await.unwrap(),
        "ACTIVE"
    );
}

#[tokio::test]
async fn what_is_not_there_is_said_to_be_so() {
    let registry = Registry::new().await;
    for refused in [
        decide(&registry, ACCOUNT, "harbour", Decision::Approve).await,
        make_primary(&registry, ACCOUNT, "harbour").await,
    ] {
        assert!(refused.unwrap_err().starts_with(&format!("{:?}", ErrorKind::RegistryNotFound)));
    }
    let refused = request(&registry, OTHER, "harbour").await.unwrap_err();
    assert!(refused.starts_with("AccountNotFound"), "{refused}");
    for number in 0..ALIASES_MAX {
        request(&registry, ACCOUNT, &format!("harbour-{number}x")).await.unwrap();
    }
    let refused = request(&registry, ACCOUNT, "one-more").await.unwrap_err();
    assert!(refused.starts_with("LimitExceeded"), "{refused}");
    assert_eq!(resolve(&registry.app, "No Alias").await.unwrap(), None);
}
