//! Listings of secrets and of their versions: pages, orders, filters.

use tonnage_domain::secrets::create_secret::CreateSecret;
use tonnage_domain::secrets::filter::{Filter, FilterKey};
use tonnage_domain::secrets::list_secret_version_ids::ListSecretVersionIds;
use tonnage_domain::secrets::list_secrets::{ListSecrets, SortBy};

use super::{DAY, create, delete, id, put, token, value};
use crate::registry::{Registry, check_kind, page};
use tonnage_domain::error::ErrorKind;

fn list(sort_by: SortBy, descending: bool, limit: u32) -> ListSecrets {
    let page = page(None, limit);
    ListSecrets { include_deleted: false, filters: Vec::new(), sort_by, descending, page }
}

/// Every page of a listing as the names on it.
async fn pages(registry: &Registry, mut list: ListSecrets) -> Vec<String> {
    let mut pages = Vec::new();
    loop {
        let found = registry.run(list.clone()).await.unwrap();
        let names: Vec<_> = found.items.iter().map(|it| it.secret.name.clone()).collect();
        pages.push(names.join(" "));
        match found.next {
            Some(next) => list.page.after = Some(next),
            None => return pages,
        }
    }
}

#[tokio::test]
async fn every_order_has_every_secret_once() {
    let registry = Registry::new().await;
    for name in ["b", "d", "a", "c"] {
        registry.run(create(name, "one")).await.unwrap();
    }
    registry.clock.advance_seconds(DAY);
    registry.run(put("d", "two", "2", &[])).await.unwrap();
    value(&registry, "c").await.unwrap();
    registry.clock.advance_seconds(DAY);
    value(&registry, "b").await.unwrap();
    let check = async |sort_by: SortBy, ascending: &[&str], descending: &[&str]| {
        assert_eq!(pages(&registry, list(sort_by, false, 2)).await, ascending, "{sort_by:?}");
        assert_eq!(pages(&registry, list(sort_by, true, 3)).await, descending, "{sort_by:?}");
    };
    check(SortBy::Name, &["a b", "c d"], &["d c b", "a"]).await;
    check(SortBy::Created, &["b d", "a c"], &["c a d", "b"]).await;
    check(SortBy::Changed, &["b a", "c d"], &["d c a", "b"]).await;
    check(SortBy::Accessed, &["d a", "c b"], &["b c a", "d"]).await;
    for sort_by in [SortBy::Created, SortBy::Name] {
        let mut nowhere = list(sort_by, false, 2);
        nowhere.page.after = Some("nonsense".to_owned());
        check_kind(registry.run(nowhere).await, ErrorKind::InvalidParameter);
    }
}

#[tokio::test]
async fn what_is_deleted_is_listed_when_it_is_asked_for() {
    let registry = Registry::new().await;
    for name in ["deleted", "gone", "kept"] {
        registry.run(create(name, "one")).await.unwrap();
    }
    registry.run(delete("gone", Some(7), false)).await.unwrap();
    registry.clock.advance_seconds(7 * DAY);
    registry.run(delete("deleted", Some(7), false)).await.unwrap();
    let by_name = list(SortBy::Name, false, 100);
    assert_eq!(pages(&registry, by_name.clone()).await, ["kept"]);
    let all = ListSecrets { include_deleted: true, ..by_name };
    assert_eq!(pages(&registry, all).await, ["deleted kept"]);
}

#[tokio::test]
async fn filters_must_all_fit() {
    let registry = Registry::new().await;
    for (name, description) in [("app/one", "first"), ("app/two", "second"), ("web/one", "first")] {
        let description = Some(description.to_owned());
        registry.run(CreateSecret { description, ..create(name, "one") }).await.unwrap();
    }
    let filter = |key, value: &str| Filter { key, values: vec![value.to_owned()] };
    let check = async |filters: Vec<Filter>, expected: &[&str]| {
        let list = ListSecrets { filters, ..list(SortBy::Name, false, 1) };
        assert_eq!(pages(&registry, list).await, expected);
    };
    let app = || filter(FilterKey::Name, "app/");
    check(vec![app()], &["app/one", "app/two"]).await;
    check(vec![app(), filter(FilterKey::Description, "first")], &["app/one"]).await;
    check(vec![filter(FilterKey::Name, "none")], &[""]).await;
}

/// A page looks at so many secrets at most, and goes on.
#[tokio::test]
async fn a_page_may_be_empty_and_go_on() {
    let registry = Registry::new().await;
    for number in 0..2_050 {
        let name = format!("s{number:04}");
        registry.run(CreateSecret { value: None, ..create(&name, "one") }).await.unwrap();
    }
    let filters = vec![Filter { key: FilterKey::Name, values: vec!["s2049".to_owned()] }];
    let list = ListSecrets { filters, ..list(SortBy::Name, false, 10) };
    assert_eq!(pages(&registry, list).await, ["", "s2049"]);
}

#[tokio::test]
async fn versions_with_labels_and_all_of_them() {
    let registry = Registry::new().await;
    registry.run(create("app", "a")).await.unwrap();
    for label in ["b", "c", "d"] {
        registry.run(put("app", label, "x", &[])).await.unwrap();
    }
    value(&registry, "app").await.unwrap();
    let listed = async |include_deprecated: bool| {
        let mut pages = Vec::new();
        let mut list =
            ListSecretVersionIds { id: id("app"), include_deprecated, page: page(None, 2) };
        loop {
            let (secret, found) = registry.run(list.clone()).await.unwrap();
            assert_eq!(secret.name, "app");
            for version in &found.items {
                let accessed = if version.accessed_at.is_some() { " read" } else { "" };
                let name = version.id.trim_end_matches('-');
                pages.push(format!("{name} {}{accessed}", version.stages.join(",")));
            }
            match found.next {
                Some(next) => list.page.after = Some(next),
                None => return pages,
            }
        }
    };
    assert_eq!(listed(false).await, ["c AWSPREVIOUS", "d AWSCURRENT read"]);
    assert_eq!(listed(true).await, ["a ", "b ", "c AWSPREVIOUS", "d AWSCURRENT read"]);
    assert_eq!(token("a").len(), 32);
}
