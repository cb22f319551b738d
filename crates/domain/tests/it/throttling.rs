//! How often an account may call an operation.

use tonnage_domain::app::Settings;
use tonnage_domain::context::Principal;
use tonnage_domain::error::ErrorKind;
use tonnage_domain::names::AccountId;
use tonnage_domain::pages::PageRequest;
use tonnage_domain::repositories::describe::DescribeRepositories;
use tonnage_domain::throttle::Throttling;
use tonnage_domain::uploads::UploadRules::Distribution;

use crate::content::{Blob, Pushed};
use crate::registry::{Registry, address, put_image};

/// How many pushes of one image in a row are let through before one is not.
async fn let_through(registry: &Registry, image: &Pushed, most: usize) -> usize {
    let address = address("app");
    for count in 0..most {
        match registry.run(put_image(&address, image, Some("v1"), Distribution)).await {
            Ok(_) => {}
            Err(error) => {
                assert_eq!(
                    (error.kind(), error.message()),
                    (ErrorKind::Throttled, "Rate exceeded")
                );
                return count;
            }
        }
    }
    most
}

#[tokio::test]
async fn a_bucket_holds_a_second_of_calls_and_fills_again() {
    for (throttling, burst) in
        [(Throttling::Times(1), 10), (Throttling::Times(3), 30), (Throttling::Off, 100)]
    {
        let registry =
            Registry::with_settings(Settings { throttling, ..Settings::default() }).await;
        let app = registry.create("app").await;
        let (config, layer) = (Blob::new("config", 100), Blob::new("layer", 2000));
        for blob in [&config, &layer] {
            registry.push_blob(&app, blob).await.unwrap();
        }
        let image = Pushed::image(&config, &[&layer]);
        assert_eq!(let_through(&registry, &image, 100).await, burst, "{throttling:?}");
        for (milliseconds, more) in [(0, 0), (100, burst / 10), (10_000, burst)] {
            registry.clock.advance_milliseconds(milliseconds);
            let expected = if throttling == Throttling::Off { 100 } else { more };
            let found = let_through(&registry, &image, 100).await;
            assert_eq!(found, expected, "{throttling:?} after {milliseconds} ms");
        }
    }
}

#[tokio::test]
async fn each_account_and_operation_has_its_own() {
    let settings = Settings { throttling: Throttling::Times(1), ..Settings::default() };
    let registry = Registry::with_settings(settings).await;
    let app = registry.create("app").await;
    let (config, layer) = (Blob::new("config", 100), Blob::new("layer", 2000));
    for blob in [&config, &layer] {
        registry.push_blob(&app, blob).await.unwrap();
    }
    let image = Pushed::image(&config, &[&layer]);
    assert_eq!(let_through(&registry, &image, 100).await, 10);
    // Another operation, and one without a published rate.
    registry.push_blob(&app, &Blob::new("other", 10)).await.unwrap();
    for _ in 0..200 {
        let page = PageRequest { after: None, limit: 100 };
        let list = DescribeRepositories { registry_id: None, names: Vec::new(), page };
        registry.run(list).await.unwrap();
    }
    let account = AccountId::parse("210987654321").unwrap();
    let stranger = Principal { account, ..registry.root.clone() };
    let refused =
        registry.run_as(&stranger, put_image(&app, &image, None, Distribution)).await.unwrap_err();
    assert_ne!(refused.kind(), ErrorKind::Throttled, "it is refused for another reason");
}
