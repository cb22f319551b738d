//! The server on PostgreSQL: metadata there, objects in the data directory.

use std::fs;
use std::process::Command;

use tonnage_store::postgres::testing::empty_schema_text;

use crate::offline::{check_pull, login, push, start};
use crate::support::{Place, Server, complaint, printed, wait_for};

const URL: &str = "TONNAGE_METADATA_URL";

fn schema() -> Option<String> {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(empty_schema_text())
}

fn serve(place: &Place, url: &str) -> Command {
    let mut command = place.serve();
    command.env(URL, url).arg("--create-on-push");
    command
}

#[test]
fn images_outlive_the_process_and_belong_to_one_object_store() {
    let Some(url) = schema() else { return };
    let place = Place::new();
    let server = Server::start(&place, serve(&place, &url));
    let login = login(&place);
    push(&server, &login);
    check_pull(&server, &login);
    assert!(!place.file("metadata.sqlite").exists());
    server.stop();

    let other = Place::new();
    let refusal = complaint(&mut serve(&other, &url));
    assert!(refusal.contains("is missing, and without it the metadata in 127.0.0.1"), "{refusal}");
    assert!(!other.file("root.key").exists());
    fs::copy(place.file("root.key"), other.file("root.key")).unwrap();
    let refusal = complaint(&mut serve(&other, &url));
    assert!(refusal.contains("object store"), "{refusal}");

    let mut fsck = place.command(&["fsck", "--contents"]);
    printed(fsck.env(URL, &url));
    let mut rotation = place.command(&["keys", "rotate-root"]);
    printed(rotation.env(URL, &url));
    let server = Server::start(&place, serve(&place, &url));
    check_pull(&server, &login);
    server.stop();
}

#[test]
fn a_database_that_cannot_be_reached_is_waited_for() {
    const NOBODY: &str = "postgres://u:secret@127.0.0.1:1/registry";
    let place = Place::new();
    drop(start(&place));
    let mut command = serve(&place, NOBODY);
    let log = place.home().join("waiting");
    command.stderr(fs::File::create(&log).unwrap());
    let mut child = command.spawn().unwrap();
    let said = wait_for("a word about the database", || {
        let text = fs::read_to_string(&log).ok()?;
        text.contains("trying again").then_some(text)
    });
    assert!(
        said.contains("the metadata database at 127.0.0.1:1/registry cannot be reached"),
        "{said}"
    );
    assert!(!said.contains("secret"), "{said}");
    let id = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(id, rustix::process::Signal::TERM).unwrap();
    let status = wait_for("the end", || child.try_wait().unwrap());
    assert!(status.success(), "{status}");

    let refusal = complaint(place.command(&["fsck"]).env(URL, NOBODY));
    assert!(refusal.contains("cannot be reached") && !refusal.contains("secret"), "{refusal}");
    let refusal = complaint(place.command(&["config", "check"]).env(URL, "postgres://u:secret@"));
    assert!(refusal.contains("`metadata_url`") && !refusal.contains("secret"), "{refusal}");
}
