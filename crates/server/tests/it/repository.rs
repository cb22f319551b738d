//! `tonnage repository` against a running server.

use crate::support::{Place, Server, complaint, printed};

#[test]
fn sparse_manifests_are_set_for_one_repository() {
    let place = Place::new();
    let server = Server::start(&place, place.serve());
    let words = |choice: &'static str| ["repository", "sparse-manifests", choice, "my-app"];
    let refused = complaint(&mut place.command(&words("allow")));
    assert!(refused.contains("The repository with name 'my-app' does not exist"), "{refused}");
    let elsewhere = [&words("allow")[..], &["--account", "999999999999"]].concat();
    let refused = complaint(&mut place.command(&elsewhere));
    assert!(refused.contains("There is no account 999999999999"), "{refused}");
    server.stop();

    let mut serve = place.serve();
    serve.arg("--create-on-push");
    let server = Server::start(&place, serve);
    let login = crate::garbage_collection::login(&place);
    let started = server.send(&crate::garbage_collection::head(
        &server,
        &login,
        "POST",
        "/v2/my-app/blobs/uploads/",
        0,
    ));
    assert_eq!(started.status, 202);
    for (choice, expected) in [
        ("allow", "may refer to"),
        ("refuse", "may not refer to"),
        ("default", "may refer, as the server is set, to"),
    ] {
        let shown = printed(&mut place.command(&words(choice)));
        assert_eq!(shown, format!("Manifests of my-app {expected} what it does not hold.\n"));
    }
    server.stop();
}
