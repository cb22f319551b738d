//! How many connections and requests there are.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tonnage_outbound::registry::PoolLimits;

use super::*;

fn with_pool(pool: PoolLimits) -> Registries {
    registries_with(Limits { pool, ..limits() }, &[])
}

#[tokio::test]
async fn connections_are_used_again() {
    let server = Server::start(open_registry).await;
    let (registries, origin) = (registries(), anonymous(&server.url()));
    for _ in 0..10 {
        registries.manifest(&origin, "a", "latest").await.unwrap();
        registries.head_manifest(&origin, "a", "latest").await.unwrap();
        let _ = registries.manifest(&origin, "b", "latest").await.unwrap_err();
        shown_blob(registries.blob(&origin, "a", EMPTY).await).await;
    }
    assert_eq!(server.connections(), 1);
    // A body that nobody reads to its end takes its connection along.
    let server = Server::start(|_| Reply::endless()).await;
    let origin = anonymous(&server.url());
    for _ in 0..3 {
        drop(registries.blob(&origin, "a", EMPTY).await.unwrap());
    }
    assert_eq!(server.connections(), 3);
    // One that was kept too long is not used.
    let server = Server::start(open_registry).await;
    let registries = with_pool(PoolLimits { idle: Duration::ZERO, ..PoolLimits::default() });
    for _ in 0..3 {
        registries.manifest(&anonymous(&server.url()), "a", "latest").await.unwrap();
    }
    assert_eq!(server.connections(), 3);
}

#[tokio::test]
async fn a_server_is_not_asked_by_too_many_at_once() {
    let server = Server::start(open_registry).await;
    let origin = anonymous(&server.url());
    let pool = PoolLimits { requests_per_server: 3, ..PoolLimits::default() };
    let registries = with_pool(pool);
    let all = (0..40).map(|_| registries.manifest(&origin, "a", "latest"));
    for manifest in futures_util::future::join_all(all).await {
        manifest.unwrap();
    }
    assert!(server.running_max() <= 3, "{}", server.running_max());
    assert!(server.connections() <= 3, "{}", server.connections());

    // A blob counts until it was read, and those who wait are bounded in number and in time.
    let server = Server::start(|_| Reply::endless()).await;
    let origin = anonymous(&server.url());
    let check = async |pool: PoolLimits| {
        let registries = with_pool(pool);
        let first = registries.blob(&origin, "a", EMPTY).await.unwrap();
        let second = registries.blob(&origin, "a", EMPTY).await;
        let expected = "unavailable: too many requests to 127.0.0.1 are under way";
        assert_eq!(shown_blob(second).await, expected);
        drop(first);
        drop(registries.blob(&origin, "a", EMPTY).await.unwrap());
    };
    let wait = Duration::from_millis(100);
    check(PoolLimits { requests_per_server: 1, wait, ..PoolLimits::default() }).await;
    check(PoolLimits { requests: 1, wait, ..PoolLimits::default() }).await;
    let registries = with_pool(PoolLimits { waiting_per_server: 0, ..PoolLimits::default() });
    assert_says(&shown_blob(registries.blob(&origin, "a", EMPTY).await).await, "too many", "");
}

#[tokio::test]
async fn servers_are_forgotten_to_make_room() {
    let (first, second) = (Server::start(open_registry).await, Server::start(open_registry).await);
    let registries = with_pool(PoolLimits { servers: 1, ..PoolLimits::default() });
    for server in [&first, &second, &first, &second] {
        registries.manifest(&anonymous(&server.url()), "a", "latest").await.unwrap();
    }
    // One that is in use is not.
    let held = registries.blob(&anonymous(&first.url()), "a", EMPTY).await.unwrap();
    let found = registries.manifest(&anonymous(&second.url()), "a", "latest").await;
    assert_says(&shown_manifest(found), "too many requests", "no room");
    drop(held);
    registries.manifest(&anonymous(&second.url()), "a", "latest").await.unwrap();
}

/// Answers the first request of every connection and closes it at the second one.
async fn closing_server() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                let mut head = [0_u8; 4096];
                let _ = stream.read(&mut head).await;
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}").await;
                let _ = stream.read(&mut head).await;
            });
        }
    });
    port
}

#[tokio::test]
async fn a_kept_connection_that_breaks_is_replaced() {
    let origin = anonymous(&format!("http://127.0.0.1:{}", closing_server().await));
    let registries = registries();
    for _ in 0..5 {
        registries.manifest(&origin, "a", "latest").await.unwrap();
    }
}

#[tokio::test]
async fn nobody_is_waited_for_without_end() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = anonymous(&format!("http://{}", listener.local_addr().unwrap()));
    let request = Duration::from_millis(200);
    let registries = registries_with(Limits { request, ..limits() }, &[]);
    let found = registries.manifest(&origin, "a", "latest").await;
    assert_says(&shown_manifest(found), "did not answer in time", "no answer");
    drop(listener);
    let found = registries.manifest(&origin, "a", "latest").await;
    assert_says(&shown_manifest(found), "unavailable: 127.0.0.1 cannot be reached: ", "nobody");
}
