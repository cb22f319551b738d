//! What collecting costs depends on the garbage, not on what is kept.

use std::sync::Arc;

use tonnage_domain::app::Settings;
use tonnage_domain::gc;
use tonnage_domain::metadata::Mode;
use tonnage_store::faulty::Call;
use tonnage_store::sqlite::SqliteMetadata;

use super::{GRACE, available, head, old_blob};
use crate::content::Blob;
use crate::registry::{Registry, by_tag};

/// What may be scanned.
const ALLOWED: [&str; 5] =
    ["garbage_objects ", "garbage_candidates ", "expired", "unnamed", "queued"];

#[tokio::test]
async fn a_sweep_does_not_look_at_what_is_needed() {
    let mut made = Vec::new();
    for images in [1, 40] {
        let registry = Registry::new().await;
        let app = registry.create("app").await;
        for number in 0..images {
            let (name, tag) = (format!("image {number}"), format!("v{number}"));
            registry.push_image(&app, &name, &[&tag]).await;
        }
        registry.push_blob(&app, &Blob::new("garbage", 100_000)).await.unwrap();
        registry.clock.advance_seconds(GRACE);
        let calls = [Call::BeginRead, Call::BeginWrite, Call::Execute, Call::Query, Call::Delete];
        let before = calls.map(|call| registry.plan.count(call));
        // One candidate and no object is left of the equal layers that were pushed again.
        assert_eq!(registry.sweep().await.blobs, 1);
        let after = calls.map(|call| registry.plan.count(call));
        let cost: Vec<u64> =
            after.iter().zip(before).map(|(after, before)| after - before).collect();
        made.push(cost);
    }
    assert_eq!(made[0], made[1]);
}

/// Statements of the collector, of telling and of what makes candidates find their rows by an
/// index. A table that is scanned would make them slower with every image.
#[tokio::test]
async fn no_statement_scans_a_table() {
    // The plans are SQLite's.
    let metadata = Arc::new(SqliteMetadata::open_in_memory().unwrap());
    let registry = Registry::on(metadata, Settings::default()).await;
    let (app, blob, _) = old_blob(&registry).await;
    registry.push_image(&app, "one", &["v1"]).await;
    let upload = registry.initiate(&app).await.unwrap();
    registry.append(&app, &upload, &Blob::new("upload", 200_000).bytes).await.unwrap();
    registry.interposed.record();
    head(&registry, &app, &blob).await.unwrap();
    assert!(available(&registry, &app, &blob).await);
    gc::flush(&registry.app).await.unwrap();
    registry.push_image(&app, "two", &["v2"]).await;
    registry.batch_delete(&app, vec![by_tag("v1")]).await.unwrap();
    registry.clock.advance_seconds(GRACE);
    gc::plan(&registry.app).await.unwrap();
    gc::status(&registry.app).await.unwrap();
    let swept = registry.sweep().await;
    assert!(swept.blobs > 0 && swept.objects > 0 && swept.expired_uploads > 0, "{swept:?}");
    let recorded = registry.interposed.recorded();
    for table in ["garbage_candidates", "repository_blobs", "image_blobs", "garbage_objects"] {
        let mentioned = recorded.iter().filter(|(sql, _)| sql.contains(table)).count();
        assert!(mentioned > 1, "{table} is not looked at");
    }

    let mut seen = std::collections::BTreeSet::new();
    for (sql, params) in recorded {
        if !seen.insert(sql) {
            continue;
        }
        let explain: &'static str = Box::leak(format!("EXPLAIN QUERY PLAN {sql}").into_boxed_str());
        let mut transaction = registry.metadata.begin(Mode::Read).await.unwrap();
        for row in transaction.query(explain, &params).await.unwrap() {
            let step: String = row.get(3).unwrap();
            let scanned = step.strip_prefix("SCAN ").unwrap_or_default();
            // Garbage itself, up to a limit, and the rows of a subquery that has one.
            let bounded = sql.contains("LIMIT") && ALLOWED.iter().any(|it| scanned.starts_with(it));
            // A list in a parameter is as long as its caller made it.
            let parameter = scanned.starts_with("json_each");
            assert!(scanned.is_empty() || bounded || parameter, "{step} in {sql}");
        }
    }
}
