//! Changing the root key: what was made under the old one goes on, and the old one opens nothing.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::ExposeSecret as _;
use tonnage_domain::accounts::CreateAccount;
use tonnage_domain::accounts::bootstrap::OpenError;
use tonnage_domain::clock::Clock as _;
use tonnage_domain::error::ErrorKind;
use tonnage_domain::identities::get_authorization_token::GetAuthorizationToken;
use tonnage_domain::identities::{access_keys, authorization_token};
use tonnage_domain::names::AccountId;
use tonnage_domain::params;
use tonnage_domain::root_key::RootKey;
use tonnage_domain::root_key::rotate::{RotateError, Rotated, matches, rotate};
use tonnage_store::faulty::{Call, Fault};

use crate::content::{Blob, Pushed};
use crate::registry::{ROOT_KEY, Registry, by_digest, faulted, root_key};

const NEW: u8 = 8;

fn key(number: u8) -> RootKey {
    RootKey::new(&root_key(number)).unwrap()
}

async fn password(registry: &Registry) -> String {
    let tokens = registry.run(GetAuthorizationToken { registry_ids: Vec::new() }).await.unwrap();
    let decoded = STANDARD.decode(&tokens[0].token).unwrap();
    String::from_utf8(decoded).unwrap().strip_prefix("AWS:").unwrap().to_owned()
}

#[tokio::test]
async fn tokens_access_keys_and_images_outlive_the_root_key() {
    let mut registry = Registry::new().await;
    let app = registry.create("app").await;
    let (config, layer) = (Blob::new("config", 300), Blob::new("layer", 300_000));
    for blob in [&config, &layer] {
        registry.push_blob(&app, blob).await.unwrap();
    }
    registry.put(&app, &Pushed::image(&config, &[&layer]), Some("v1")).await.unwrap();
    let unfinished = registry.initiate(&app).await.unwrap();
    let large = Blob::new("large", 2_000_000);
    registry.append(&app, &unfinished, &large.bytes.slice(..1_500_000)).await.unwrap();
    let password = password(&registry).await;

    crate::signing::put_profile(&registry, "release").await;
    crate::signing::put_rules(&registry, &["release"]).await;
    let signed = registry.push_image(&app, "signed", &["signed"]).await;

    let secret = registry.run(crate::secrets::create("app", "hidden")).await.unwrap().secret;
    let rotated = rotate(registry.metadata.as_ref(), &key(ROOT_KEY), &key(NEW)).await.unwrap();
    let expected = Rotated {
        access_keys: 1,
        token_keys: 1,
        encryption_domains: 1,
        signing_keys: 2,
        secret_versions: 1,
    };
    assert_eq!(rotated, expected);
    let refused = registry.reopen_with(&root_key(ROOT_KEY)).await.unwrap_err();
    assert!(matches!(refused, OpenError::WrongRootKey), "{refused}");
    registry.reopen_with(&root_key(NEW)).await.unwrap();

    assert_eq!(crate::secrets::value(&registry, &secret.arn).await.unwrap(), "text hidden");
    registry.check_images(&app).await;
    assert_eq!(registry.blob(&app, &layer.digest).await.unwrap(), layer.bytes);
    let now = registry.clock.now();
    let identity = authorization_token::verify(&registry.app, &password, now).await.unwrap();
    assert_eq!(identity.principal.arn, registry.root.arn);
    let made = registry.first_access_key.as_ref().unwrap();
    let found = access_keys::find_active(&registry.app, &made.id).await.unwrap().unwrap();
    assert_eq!(found.secret.expose_secret(), made.secret.expose_secret());
    let rest = large.bytes.slice(1_500_000..);
    registry.complete(&app, &unfinished, &large.digest, Some(&rest)).await.unwrap();
    assert_eq!(registry.blob(&app, &large.digest).await.unwrap(), large.bytes);
    crate::lifecycle::drain(&registry).await;
    let told = crate::signing::statuses(&registry, &app, by_digest(&signed.digest)).await;
    assert_eq!(told, ["release COMPLETE -"]);
    crate::signing::put_profile(&registry, "after").await;
    // What is new is sealed with the new key, and equal blobs are still found.
    registry.push_image(&app, "later", &["v2"]).await;
    registry.push_blob(&app, &layer).await.unwrap();
    registry.check_images(&app).await;
}

/// The value that recognises the old key is put back by hand; then each table in turn is what the
/// old key meets first.
#[tokio::test]
async fn the_old_key_opens_nothing() {
    let registry = Registry::new().await;
    let app = registry.create("app").await;
    registry.push_image(&app, "image", &["v1"]).await;
    password(&registry).await;
    let metadata = registry.metadata.as_ref();
    rotate(metadata, &key(ROOT_KEY), &key(NEW)).await.unwrap();
    let check = key(ROOT_KEY).check_value().unwrap();
    let put_back = ("UPDATE deployment SET root_key_check = $1", params![check].to_vec());
    registry.write(&[put_back]).await;
    let tables = [
        ("access_keys", Some("DELETE FROM access_keys")),
        ("token_keys", Some("DELETE FROM token_keys")),
        ("encryption_domains", None),
    ];
    for (table, delete) in tables {
        let refused = rotate(metadata, &key(ROOT_KEY), &key(9)).await.unwrap_err();
        assert!(
            matches!(&refused, RotateError::Failed(error) if error.kind() == ErrorKind::Internal),
            "{table}: {refused}"
        );
        if let Some(delete) = delete {
            registry.write(&[(delete, Vec::new())]).await;
        }
    }
    assert_eq!(registry.rows("SELECT id FROM encryption_domains").await.len(), 1);
}

#[tokio::test]
async fn more_keys_than_are_read_at_a_time() {
    let mut registry = Registry::new().await;
    let management_account = registry.app.management_account;
    let mut made = Vec::new();
    for number in 0..1100 {
        let id = AccountId::parse(&format!("{number:012}")).unwrap();
        let create = CreateAccount { management_account, id, name: "team".to_owned() };
        made.push(registry.run(create).await.unwrap().1);
    }
    let rotated = rotate(registry.metadata.as_ref(), &key(ROOT_KEY), &key(NEW)).await.unwrap();
    assert_eq!(rotated.access_keys, 1101);
    registry.reopen_with(&root_key(NEW)).await.unwrap();
    for key in made {
        let found = access_keys::find_active(&registry.app, &key.id).await.unwrap().unwrap();
        assert_eq!(found.secret.expose_secret(), key.secret.expose_secret());
    }
}

#[tokio::test]
async fn a_wrong_key_or_an_empty_database_changes_nothing() {
    let mut registry = Registry::new().await;
    let metadata = registry.metadata.as_ref();
    let refused = rotate(metadata, &key(NEW), &key(9)).await.unwrap_err();
    assert!(matches!(refused, RotateError::WrongRootKey), "{refused}");
    assert_eq!(matches(metadata, &key(ROOT_KEY)).await.unwrap(), Some(true));
    assert_eq!(matches(metadata, &key(NEW)).await.unwrap(), Some(false));
    registry.reopen().await;

    let empty = crate::registry::empty_database().await;
    let empty = empty.as_ref();
    let refused = rotate(empty, &key(ROOT_KEY), &key(NEW)).await.unwrap_err();
    assert!(matches!(refused, RotateError::NoDeployment), "{refused}");
    assert_eq!(matches(empty, &key(ROOT_KEY)).await.unwrap(), None);
}

#[tokio::test]
async fn a_change_that_breaks_off_anywhere_never_was() {
    let mut registry = Registry::new().await;
    let app = registry.create("app").await;
    registry.push_image(&app, "image", &["v1"]).await;
    password(&registry).await;
    let interposed = std::sync::Arc::clone(&registry.interposed);
    let calls = [Call::BeginWrite, Call::Query, Call::Execute, Call::CommitBefore];
    let before = calls.map(|call| registry.plan.count(call));
    rotate(interposed.as_ref(), &key(ROOT_KEY), &key(NEW)).await.unwrap();
    let counts = calls.map(|call| registry.plan.count(call));
    rotate(interposed.as_ref(), &key(NEW), &key(ROOT_KEY)).await.unwrap();
    for ((call, before), count) in calls.into_iter().zip(before).zip(counts) {
        assert!(count > before, "{call:?} is not made");
        for nth in faulted(count - before) {
            registry.plan.fail(call, nth, Fault::Other);
            let failed = rotate(interposed.as_ref(), &key(ROOT_KEY), &key(NEW)).await;
            assert!(matches!(failed, Err(RotateError::Failed(_))), "{call:?} {nth}");
            registry.reopen().await;
            registry.check_images(&app).await;
        }
    }
    // The answer to the commit is lost: metadata tells which key holds.
    registry.plan.fail(Call::CommitAfterDurable, 1, Fault::Other);
    assert!(rotate(interposed.as_ref(), &key(ROOT_KEY), &key(NEW)).await.is_err());
    assert_eq!(matches(interposed.as_ref(), &key(NEW)).await.unwrap(), Some(true));
    registry.reopen_with(&root_key(NEW)).await.unwrap();
    registry.check_images(&app).await;
}
