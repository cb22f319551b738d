//! Events and moves of tags are forgotten when they are old enough.

use tonnage_domain::app::Settings;

use crate::content::{Blob, Pushed};
use crate::lifecycle::drain;
use crate::registry::{Registry, by_tag};

const DAY: i64 = 24 * 3600;

/// What is left at the times of the test, in days: of events of pushes, and of moves of tags.
struct Row {
    events_days: Option<i64>,
    moves_days: Option<i64>,
    expected: [(usize, &'static [&'static str]); 4],
}

async fn check(Row { events_days, moves_days, expected }: Row) {
    let settings = Settings {
        event_retention_seconds: events_days.map(|days| days * DAY),
        tag_history_retention_seconds: moves_days.map(|days| days * DAY),
        ..Settings::default()
    };
    let registry = Registry::with_settings(settings).await;
    let app = registry.create("app").await;
    let config = Blob::new("config", 32);
    registry.push_blob(&app, &config).await.unwrap();
    let images = ["a", "b", "c"].map(|name| {
        let layer = Blob::new(name, 10);
        (Pushed::image(&config, &[&layer]), layer)
    });
    for (_, layer) in &images {
        registry.push_blob(&app, layer).await.unwrap();
    }
    // Day 0: `stays` and `gone` are put. Day 10: `stays` moves, `gone` is removed. Day 20: it moves
    // once more.
    registry.put(&app, &images[0].0, Some("stays")).await.unwrap();
    registry.put(&app, &images[0].0, Some("gone")).await.unwrap();
    let mut found = Vec::new();
    for day in [0, 10, 20, 400] {
        match day {
            10 => {
                registry.clock.advance_seconds(10 * DAY);
                registry.put(&app, &images[1].0, Some("stays")).await.unwrap();
                registry.batch_delete(&app, vec![by_tag("gone")]).await.unwrap();
            }
            20 => {
                registry.clock.advance_seconds(10 * DAY);
                registry.put(&app, &images[2].0, Some("stays")).await.unwrap();
            }
            400 => registry.clock.advance_seconds(380 * DAY),
            _ => {}
        }
        // One second more than the time of what is just as old as it may be.
        registry.clock.advance_seconds(1);
        drain(&registry).await;
        let events = registry.rows("SELECT id FROM outbox WHERE kind = 'image-pushed'").await.len();
        let moves = registry
            .rows(
                "SELECT tag, CASE WHEN digest IS NULL THEN '-' ELSE '+' END \
                 FROM tag_history ORDER BY id",
            )
            .await;
        found.push((events, moves.iter().map(|row| row.concat()).collect::<Vec<_>>()));
    }
    let found: Vec<(usize, Vec<&str>)> = found
        .iter()
        .map(|(events, moves)| (*events, moves.iter().map(String::as_str).collect()))
        .collect();
    let expected: Vec<(usize, Vec<&str>)> =
        expected.iter().map(|(events, moves)| (*events, moves.to_vec())).collect();
    assert_eq!(found, expected, "{events_days:?} {moves_days:?}");
}

#[tokio::test]
async fn what_is_left_of_history() {
    const FIRST: &[&str] = &["stays+", "gone+"];
    const SECOND: &[&str] = &["stays+", "gone+", "stays+", "gone-"];
    const ALL: &[&str] = &["stays+", "gone+", "stays+", "gone-", "stays+"];
    for row in [
        Row {
            events_days: None,
            moves_days: None,
            expected: [(2, FIRST), (3, SECOND), (4, ALL), (4, ALL)],
        },
        Row {
            events_days: Some(10),
            moves_days: None,
            expected: [(2, FIRST), (1, SECOND), (1, ALL), (0, ALL)],
        },
        // The last move of a tag that is there stays, that of one that is gone does not.
        Row {
            events_days: None,
            moves_days: Some(10),
            expected: [(2, FIRST), (3, &["stays+", "gone-"]), (4, &["stays+"]), (4, &["stays+"])],
        },
        Row {
            events_days: Some(15),
            moves_days: Some(15),
            expected: [
                (2, FIRST),
                (3, SECOND),
                (2, &["stays+", "gone-", "stays+"]),
                (0, &["stays+"]),
            ],
        },
    ] {
        check(row).await;
    }
}

/// More than one transaction takes.
#[tokio::test]
async fn a_long_history_is_forgotten_in_parts() {
    let registry = Registry::new().await;
    registry.create("app").await;
    drain(&registry).await;
    const MANY: [&str; 2] = [
        "INSERT INTO outbox (id, registry_id, kind, payload_version, payload, occurred_at) \
         WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 1200) \
         SELECT n, 1, 'image-pushed', 1, '{}', n FROM numbers",
        "INSERT INTO tag_history (id, repository_id, tag, version, digest, previous_digest, \
         principal_arn, changed_at) \
         WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 1200) \
         SELECT n, 1, 'v1', n, NULL, NULL, '', n / 600 FROM numbers",
    ];
    registry.write(&MANY.map(|sql| (sql, Vec::new()))).await;
    registry.clock.advance_seconds(DAY + 1);
    drain(&registry).await;
    assert_eq!(registry.rows("SELECT kind FROM outbox").await, [["repository-created"]]);
    assert!(registry.rows("SELECT id FROM tag_history").await.is_empty());
}
