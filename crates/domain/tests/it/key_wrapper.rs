//! Another wrapper of domain keys than the root key: what a key service will be.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use futures_util::future::BoxFuture;
use tonnage_domain::encryption::{KeyError, KeyWrapper};
use tonnage_domain::error::ErrorKind;
use tonnage_domain::objects::SPAN_BYTES_MAX;
use zeroize::Zeroizing;

use crate::content::Blob;
use crate::registry::{Registry, address, check_kind};

/// A key service that can be cut off, and counts how often it is asked.
#[derive(Default)]
struct Service {
    cut_off: AtomicBool,
    wraps: AtomicU64,
    unwraps: AtomicU64,
}

/// Nobody else's form, so that it cannot be opened by the root key by chance.
const MARK: &[u8] = b"service";

impl Service {
    fn answer(&self, counter: &AtomicU64) -> Result<(), KeyError> {
        counter.fetch_add(1, Ordering::SeqCst);
        if self.cut_off.load(Ordering::SeqCst) {
            return Err(KeyError::Unavailable(io::Error::other("cut off").into()));
        }
        Ok(())
    }
}

impl KeyWrapper for Service {
    fn wrap<'a>(
        &'a self,
        domain_id: i64,
        key: &'a [u8],
    ) -> BoxFuture<'a, Result<Vec<u8>, KeyError>> {
        Box::pin(async move {
            self.answer(&self.wraps)?;
            let inverted = key.iter().map(|byte| !byte);
            Ok(MARK.iter().copied().chain(domain_id.to_be_bytes()).chain(inverted).collect())
        })
    }

    fn unwrap<'a>(
        &'a self,
        domain_id: i64,
        wrapped: &'a [u8],
    ) -> BoxFuture<'a, Result<Zeroizing<Vec<u8>>, KeyError>> {
        Box::pin(async move {
            self.answer(&self.unwraps)?;
            let owner = [MARK, &domain_id.to_be_bytes()].concat();
            let inverted = wrapped
                .strip_prefix(owner.as_slice())
                .ok_or_else(|| KeyError::Refused(io::Error::other("not mine").into()))?;
            Ok(Zeroizing::new(inverted.iter().map(|byte| !byte).collect()))
        })
    }
}

async fn registry_with(service: &Arc<Service>) -> Registry {
    let mut registry = Registry::new().await;
    registry.app_mut().set_key_wrapper(service.clone());
    registry
}

#[tokio::test]
async fn what_a_service_wrapped_only_it_opens() {
    let service = Arc::new(Service::default());
    let mut registry = registry_with(&service).await;
    let app = registry.create("app").await;
    registry.push_image(&app, "image", &["v1"]).await;
    registry.check_images(&app).await;
    let asked = |counter: &AtomicU64| counter.load(Ordering::SeqCst);
    assert_eq!(
        (asked(&service.wraps), asked(&service.unwraps)),
        (1, 1),
        "kept in memory after that"
    );

    registry.reopen().await;
    check_kind(registry.manifest(&app, "v1").await, ErrorKind::Internal);
    registry.app_mut().set_key_wrapper(service.clone());
    registry.check_images(&app).await;
    assert_eq!((asked(&service.wraps), asked(&service.unwraps)), (1, 2));
}

#[tokio::test]
async fn a_service_that_is_cut_off_stops_pushes_and_loses_nothing() {
    let service = Arc::new(Service::default());
    let mut registry = registry_with(&service).await;
    let app = registry.create("app").await;
    service.cut_off.store(true, Ordering::SeqCst);
    let blob = Blob::new("layer", 3 * SPAN_BYTES_MAX);
    check_kind(registry.push_blob(&app, &blob).await, ErrorKind::Unavailable);
    registry.check_nothing_left().await;
    service.cut_off.store(false, Ordering::SeqCst);
    registry.push_image(&app, "image", &["v1"]).await;

    registry.reopen().await;
    registry.app_mut().set_key_wrapper(service.clone());
    service.cut_off.store(true, Ordering::SeqCst);
    check_kind(registry.manifest(&app, "v1").await, ErrorKind::Unavailable);
    service.cut_off.store(false, Ordering::SeqCst);
    registry.check_images(&app).await;
}

#[tokio::test]
async fn an_account_that_does_not_exist_gets_no_key() {
    let service = Arc::new(Service::default());
    let registry = registry_with(&service).await;
    let mut elsewhere = address("app");
    elsewhere.account = tonnage_domain::names::AccountId::parse("999999999999").unwrap();
    let allow = r#"{"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}"#;
    let principal = registry.principal("pusher", allow).await;
    let initiate = tonnage_domain::uploads::initiate::InitiateLayerUpload {
        repository: elsewhere,
        rules: tonnage_domain::uploads::UploadRules::Distribution,
    };
    // Nobody of another account is allowed anything; the account need not exist for that.
    check_kind(registry.run_as(&principal, initiate).await, ErrorKind::AccessDenied);
    let domains = registry.rows("SELECT id FROM encryption_domains").await;
    assert_eq!(domains, Vec::<Vec<String>>::new());
}
