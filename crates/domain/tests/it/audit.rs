//! What was done, what was denied and what happened, as it is found again.

use tonnage_domain::audit::lookup_events::{Attribute, Criteria, LookupEvents};
use tonnage_domain::audit::{self};
use tonnage_domain::clock::{Clock as _, Millis};
use tonnage_domain::error::ErrorKind;
use tonnage_domain::events::search_events::{KINDS, SearchEvents};
use tonnage_domain::images::list_tags::ListTags;
use tonnage_domain::names::Region;

use crate::registry::{Registry, START, address, check_kind, page};

#[tokio::test]
async fn what_was_done_is_found() {
    let registry = Registry::new().await;
    registry.create("team/app").await;
    registry.clock.advance_seconds(10);
    registry.push_image(&address("team/app"), "first", &["v1"]).await;
    registry.clock.advance_seconds(10);
    let look = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"ecr:DescribeImages","Resource":"*"}]}"#;
    let user = registry.principal("limited", look).await;
    let list = ListTags { repository: address("team/app"), page: page(None, 10) };
    check_kind(registry.run_as(&user, list).await, ErrorKind::AccessDenied);
    audit::flush(&registry.app).await.unwrap();

    let find = async |criteria: Criteria, after: Option<&str>, limit| {
        let found =
            registry.run(LookupEvents { criteria, page: page(after, limit) }).await.unwrap();
        let names: Vec<_> = found.items.iter().map(|record| record.operation.clone()).collect();
        (names.join(" "), found.next)
    };
    let by = |attribute, text: &str| Criteria {
        attributes: vec![(attribute, text.to_owned())],
        ..Criteria::default()
    };
    let all = find(Criteria::default(), None, 50).await.0;
    assert!(all.starts_with("ListTags ") && all.ends_with(" CreateRepository"), "{all}");
    let arn = "arn:aws:ecr:us-east-1:123456789012:repository/team/app";
    for (attribute, text, expected) in [
        (Attribute::EventName, "PutImage", "PutImage"),
        (Attribute::EventName, "ecr:PutImage", "PutImage"),
        (Attribute::EventName, "iam:PutImage", ""),
        (Attribute::EventName, "putimage", ""),
        (Attribute::ReadOnly, "true", "ListTags"),
        (Attribute::UserName, "limited", "ListTags"),
        (Attribute::Principal, &user.arn, "ListTags"),
        (Attribute::Principal, "nobody", ""),
        (Attribute::AccessKeyId, "AKIANONE", ""),
        (Attribute::EventSource, "sts.amazonaws.com", ""),
        (Attribute::EventId, "no id", ""),
    ] {
        let found = find(by(attribute, text), None, 50).await.0;
        assert_eq!(found, expected, "{attribute:?} {text}");
    }
    for (attribute, text) in [
        (Attribute::ResourceName, "team/app"),
        (Attribute::ResourceName, arn),
        (Attribute::ResourceType, "AWS::ECR::Repository"),
        (Attribute::EventSource, "ecr.amazonaws.com"),
    ] {
        let found = find(by(attribute, text), None, 50).await.0;
        assert!(
            found.contains("PutImage") && found.contains("CreateRepository"),
            "{text}: {found}"
        );
    }
    for (from, until, denied, begin, end) in [
        (None, Some(START), None, "CreateRepository", "CreateRepository"),
        (Some(registry.clock.now()), None, Some(true), "ListTags", "ListTags"),
        (None, None, Some(false), "", "CreateRepository"),
        (Some(START.plus_seconds(10)), Some(START.plus_seconds(10)), None, "PutImage", ""),
        (Some(Millis(i64::MAX)), None, None, "", ""),
    ] {
        let found =
            find(Criteria { from, until, denied, attributes: Vec::new() }, None, 50).await.0;
        assert!(found.starts_with(begin) && found.ends_with(end), "{from:?} {until:?}: {found}");
        assert_eq!(found.contains("ListTags"), found == "ListTags", "{found}");
    }

    // Page by page it is the same.
    let (mut paged, mut after) = (Vec::new(), None);
    loop {
        let (names, next) = find(Criteria::default(), after.as_deref(), 2).await;
        paged.extend(names.split_whitespace().map(str::to_owned));
        after = next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(paged.join(" "), all);
    for wrong in ["", "1", "x.y", "1.2.3"] {
        let lookup = LookupEvents { criteria: Criteria::default(), page: page(Some(wrong), 1) };
        check_kind(registry.run(lookup).await, ErrorKind::InvalidParameter);
    }

    let lookup = || LookupEvents { criteria: by(Attribute::ReadOnly, "true"), page: page(None, 1) };
    let denied = registry.run(lookup()).await.unwrap().items.remove(0);
    assert!(
        denied.denial.as_ref().is_some_and(|text| text.contains("ecr:ListImages")),
        "{denied:?}"
    );
    let one = find(by(Attribute::EventId, &denied.event_id()), None, 1).await.0;
    assert_eq!(one, "ListTags");
    check_kind(registry.run_as(&user, lookup()).await, ErrorKind::AccessDenied);

    // Another region has nothing; the one of global services has what is done in public registries.
    let mut elsewhere = registry.context();
    elsewhere.region = Region::parse("eu-west-1").unwrap();
    let nothing = registry.run_in(&elsewhere, lookup()).await.unwrap();
    assert!(nothing.items.is_empty() && nothing.next.is_none());
}

#[tokio::test]
async fn what_happened_is_found() {
    let registry = Registry::new().await;
    let find =
        async |kind: Option<&str>, repository: Option<&str>, from, after: Option<&str>, limit| {
            let (kind, repository) = (kind.map(str::to_owned), repository.map(str::to_owned));
            let search =
                SearchEvents { from, until: None, kind, repository, page: page(after, limit) };
            let found = registry.run(search).await.unwrap();
            let kinds: Vec<_> = found.items.iter().map(|event| event.kind.clone()).collect();
            (kinds.join(" "), found.next)
        };
    assert_eq!(find(None, None, None, None, 10).await, (String::new(), None));
    registry.create("team/app").await;
    registry.create("other").await;
    registry.clock.advance_seconds(10);
    registry.push_image(&address("team/app"), "first", &["v1"]).await;
    let (all, next) = find(None, None, None, None, 10).await;
    assert_eq!((all.as_str(), next), ("image-pushed repository-created repository-created", None));
    for (kind, repository, from, expected) in [
        (Some("image-pushed"), None, None, "image-pushed"),
        (Some("image-deleted"), None, None, ""),
        (None, Some("other"), None, "repository-created"),
        (None, Some("team"), None, ""),
        (None, None, Some(registry.clock.now()), "image-pushed"),
    ] {
        let found = find(kind, repository, from, None, 10).await.0;
        assert_eq!(found, expected, "{kind:?} {repository:?} {from:?}");
    }
    let (first, next) = find(None, None, None, None, 1).await;
    let rest = find(None, None, None, next.as_deref(), 10).await.0;
    assert_eq!(
        (first.as_str(), rest.as_str()),
        ("image-pushed", "repository-created repository-created")
    );
    let wrong = SearchEvents {
        from: None,
        until: None,
        kind: None,
        repository: None,
        page: page(Some("x"), 1),
    };
    check_kind(registry.run(wrong).await, ErrorKind::InvalidParameter);
    assert!(KINDS.is_sorted());
}
