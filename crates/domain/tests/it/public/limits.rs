use tonnage_domain::app::Settings;
use tonnage_domain::blobs::get_blob::GetBlob;
use tonnage_domain::context::{Principal, RequestContext};
use tonnage_domain::error::{ErrorKind, Result};
use tonnage_domain::images::get_manifest::GetManifest;
use tonnage_domain::names::{AccountId, Digest, Reference};
use tonnage_domain::public::limits::{Allowance, PublicLimits, flush};
use tonnage_store::faulty::{Call, Fault};

use super::{asking, public, push};
use crate::registry::{ACCOUNT, Registry, address};

async fn limited(pulls_per_second: u32, bytes_per_month: u64) -> Registry {
    let public_limits = PublicLimits {
        anonymous: Allowance { pulls_per_second, bytes_per_month },
        authenticated: Allowance { pulls_per_second: 0, bytes_per_month: 0 },
        loopback: false,
    };
    Registry::with_settings(Settings { public_limits, ..Settings::default() }).await
}

fn from(registry: &Registry, source: &str) -> RequestContext {
    let anonymous = Principal::anonymous(AccountId::parse(ACCOUNT).unwrap());
    let context = asking(registry, &anonymous, ACCOUNT);
    RequestContext { source_address: source.parse().unwrap(), ..context }
}

async fn pull(registry: &Registry, context: &RequestContext) -> Option<ErrorKind> {
    let reference = Reference::parse("v1").unwrap();
    let operation = GetManifest { repository: public("app"), reference, counts_as_pull: true };
    registry.run_in(context, operation).await.err().map(|error| error.kind())
}

/// Reads so many bytes of the layer.
async fn read(registry: &Registry, source: &str, layer: &Digest, bytes: usize) -> Result<()> {
    let operation = GetBlob { repository: public("app"), digest: layer.clone() };
    let reader = registry.run_in(&from(registry, source), operation).await?;
    assert_eq!(reader.read_at(0, bytes).await?.len(), bytes);
    Ok(())
}

async fn check_read(registry: &Registry, source: &str, layer: &Digest, expected: bool) {
    let error = read(registry, source, layer, 1000).await.err();
    let told = error.map(|error| (error.kind(), error.message().to_owned()));
    let refused = (ErrorKind::DataLimitExceeded, "Data limit exceeded".to_owned());
    assert_eq!(told, (!expected).then_some(refused), "{source}");
}

#[tokio::test]
async fn a_source_pulls_so_often_and_no_more() {
    let registry = limited(2, 0).await;
    push(&registry, "app").await;
    let one = from(&registry, "192.0.2.1");
    for _ in 0..20 {
        assert_eq!(pull(&registry, &one).await, None);
    }
    assert_eq!(pull(&registry, &one).await, Some(ErrorKind::Throttled));
    // Others have their own.
    for (source, refused) in [
        ("192.0.2.2", false),
        ("2001:db8::1", false),
        ("::ffff:192.0.2.1", true),
        ("192.0.2.1", true),
        ("127.0.0.1", false),
    ] {
        let told = pull(&registry, &from(&registry, source)).await;
        assert_eq!(told.is_some(), refused, "{source}");
    }
    let root = asking(&registry, &registry.root, ACCOUNT);
    let root = RequestContext { source_address: "192.0.2.1".parse().unwrap(), ..root };
    assert_eq!(pull(&registry, &root).await, None);
    registry.clock.advance_seconds(1);
    let one = from(&registry, "192.0.2.1");
    for expected in [None, None, Some(ErrorKind::Throttled)] {
        assert_eq!(pull(&registry, &one).await, expected);
    }
}

#[tokio::test]
async fn a_network_of_ipv6_is_one_source() {
    let registry = limited(1, 0).await;
    push(&registry, "app").await;
    for last in 0..10 {
        let source = format!("2001:db8:1:2::{last}");
        assert_eq!(pull(&registry, &from(&registry, &source)).await, None);
    }
    let same = from(&registry, "2001:db8:1:2:ffff::1");
    assert_eq!(pull(&registry, &same).await, Some(ErrorKind::Throttled));
    assert_eq!(pull(&registry, &from(&registry, "2001:db8:1:3::1")).await, None);
}

#[tokio::test]
async fn bytes_of_a_month_are_counted_as_they_are_read_and_kept_across_restarts() {
    let mut registry = limited(0, 2500).await;
    let (_, layer) = push(&registry, "app").await;
    let layer = &layer.digest;
    for expected in [true, true, true, false] {
        check_read(&registry, "192.0.2.1", layer, expected).await;
    }
    check_read(&registry, "192.0.2.2", layer, true).await;
    flush(&registry.app).await.unwrap();
    flush(&registry.app).await.unwrap();
    check_read(&registry, "192.0.2.1", layer, false).await;
    let sql = "SELECT kind, source, bytes FROM public_traffic ORDER BY source";
    let stored = registry.rows(sql).await;
    assert_eq!(stored, [["anonymous", "192.0.2.1", "3000"], ["anonymous", "192.0.2.2", "1000"]]);
    registry.reopen().await;
    check_read(&registry, "192.0.2.1", layer, false).await;
    for expected in [true, true, false] {
        check_read(&registry, "192.0.2.2", layer, expected).await;
    }
    // A manifest counts too.
    assert_eq!(
        pull(&registry, &from(&registry, "192.0.2.2")).await,
        Some(ErrorKind::DataLimitExceeded)
    );
    // The next month is another one.
    registry.clock.advance_seconds(31 * 24 * 3600);
    check_read(&registry, "192.0.2.1", layer, true).await;
    flush(&registry.app).await.unwrap();
    assert_eq!(registry.rows(sql).await, [["anonymous", "192.0.2.1", "1000"]]);
}

#[tokio::test]
async fn what_cannot_be_written_down_is_written_down_later() {
    let registry = limited(0, 1_000_000).await;
    let (_, layer) = push(&registry, "app").await;
    check_read(&registry, "192.0.2.1", &layer.digest, true).await;
    registry.plan.fail(Call::CommitBefore, 1, Fault::Unavailable);
    assert!(flush(&registry.app).await.is_err());
    flush(&registry.app).await.unwrap();
    assert_eq!(registry.rows("SELECT bytes FROM public_traffic").await, [["1000"]]);
}

#[tokio::test]
async fn private_registries_have_no_such_limits() {
    let registry = limited(1, 1).await;
    let app = registry.create("app").await;
    registry.push_image(&app, "image", &["v1"]).await;
    let context =
        RequestContext { source_address: "192.0.2.1".parse().unwrap(), ..registry.context() };
    for _ in 0..30 {
        let (repository, reference) = (address("app"), Reference::parse("v1").unwrap());
        let operation = GetManifest { repository, reference, counts_as_pull: true };
        registry.run_in(&context, operation).await.unwrap();
    }
}
