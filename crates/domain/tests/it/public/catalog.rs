use tonnage_domain::context::Principal;
use tonnage_domain::error::ErrorKind;
use tonnage_domain::names::AccountId;
use tonnage_domain::public::catalog::operations::{
    GetRepositoryCatalogData, GetRepositoryLogo, PutRepositoryCatalogData,
};
use tonnage_domain::public::catalog::{CatalogData, CatalogDataInput};
use tonnage_domain::public::create_repository::CreatePublicRepository;
use tonnage_domain::public::registries::{GetRegistryCatalogData, PutRegistryCatalogData};
use tonnage_domain::repositories::delete::DeleteRepository;

use super::{asking, create, public, run};
use crate::registry::{ACCOUNT, Registry, check_kind};

/// The header of a PNG of 64 x 64 pixels, and something after it.
const LOGO: &[u8] =
    b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x40\0\0\0\x40\x08\x06\0\0\0\xaa\x69\x71\xde\0\0\0\0IDAT";

fn input(description: &str, logo: Option<&[u8]>) -> CatalogDataInput {
    CatalogDataInput {
        description: Some(description.to_owned()),
        architectures: vec!["x86-64".to_owned(), "ARM".to_owned()],
        operating_systems: vec!["Linux".to_owned()],
        logo: logo.map(<[u8]>::to_vec),
        about_text: Some("# About".to_owned()),
        usage_text: Some(String::new()),
    }
}

async fn put(registry: &Registry, data: CatalogDataInput) -> CatalogData {
    run(registry, PutRepositoryCatalogData { repository: public("app"), data }).await.unwrap()
}

async fn get(registry: &Registry) -> CatalogData {
    run(registry, GetRepositoryCatalogData { repository: public("app") }).await.unwrap()
}

#[tokio::test]
async fn what_is_put_replaces_all_that_was_there() {
    let registry = Registry::new().await;
    run(&registry, create("app")).await.unwrap();
    assert_eq!(get(&registry).await, CatalogData::default());
    let first = put(&registry, input("first", Some(LOGO))).await;
    assert_eq!(first.usage_text, None);
    assert_eq!(first.architectures, ["x86-64", "ARM"]);
    assert_eq!(get(&registry).await, first);
    let second = put(&registry, CatalogDataInput::default()).await;
    assert_eq!(second, CatalogData::default());
    assert_eq!(get(&registry).await, second);
}

#[tokio::test]
async fn everybody_may_read_a_logo_under_its_own_name() {
    let registry = Registry::new().await;
    let made = CreatePublicRepository { data: Some(input("first", Some(LOGO))), ..create("app") };
    let (_, data) = run(&registry, made).await.unwrap();
    let first = data.unwrap().logo_id.unwrap();
    let anonymous = Principal::anonymous(AccountId::parse(ACCOUNT).unwrap());
    let context = asking(&registry, &anonymous, ACCOUNT);
    let logo = |logo_id: &str| {
        let operation =
            GetRepositoryLogo { repository: public("app"), logo_id: logo_id.to_owned() };
        registry.run_in(&context, operation)
    };
    assert_eq!(logo(&first).await.unwrap(), LOGO);
    let second = put(&registry, input("second", Some(LOGO))).await.logo_id.unwrap();
    assert_ne!(first, second);
    check_kind(logo(&first).await, ErrorKind::RepositoryNotFound);
    assert_eq!(logo(&second).await.unwrap(), LOGO);
    put(&registry, input("third", Some(b""))).await;
    check_kind(logo(&second).await, ErrorKind::RepositoryNotFound);
}

#[tokio::test]
async fn what_is_no_logo_changes_nothing() {
    let registry = Registry::new().await;
    let bad = CreatePublicRepository { data: Some(input("x", Some(b"GIF89a"))), ..create("app") };
    check_kind(run(&registry, bad).await, ErrorKind::InvalidParameter);
    run(&registry, create("app")).await.unwrap();
    put(&registry, input("first", None)).await;
    let data = input("second", Some(b"GIF89a"));
    let refused = run(&registry, PutRepositoryCatalogData { repository: public("app"), data });
    check_kind(refused.await, ErrorKind::InvalidParameter);
    assert_eq!(get(&registry).await.description.as_deref(), Some("first"));
}

#[tokio::test]
async fn it_goes_with_the_repository() {
    let registry = Registry::new().await;
    run(&registry, create("app")).await.unwrap();
    put(&registry, input("first", Some(LOGO))).await;
    let name = public("app").name;
    run(&registry, DeleteRepository { registry_id: None, name, force: false }).await.unwrap();
    let rows = registry.rows("SELECT repository_id FROM public_catalog_data").await;
    assert_eq!(rows, Vec::<Vec<String>>::new());
    run(&registry, create("app")).await.unwrap();
    assert_eq!(get(&registry).await, CatalogData::default());
}

#[tokio::test]
async fn a_registry_has_a_display_name_or_none() {
    let registry = Registry::new().await;
    let shown = async || run(&registry, GetRegistryCatalogData).await.unwrap().display_name;
    let put = |name: Option<&str>| {
        run(&registry, PutRegistryCatalogData { display_name: name.map(str::to_owned) })
    };
    assert_eq!(shown().await, None);
    put(Some("Harbour")).await.unwrap();
    put(None).await.unwrap();
    assert_eq!(shown().await.as_deref(), Some("Harbour"));
    put(Some("")).await.unwrap();
    assert_eq!(shown().await, None);
}
