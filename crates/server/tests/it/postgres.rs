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

/// One sentence, and the server that was there first does not notice.
#[test]
fn a_second_server_with_objects_of_its_own_is_refused() {
    let Some(url) = schema() else { return };
    let place = Place::new();
    let server = Server::start(&place, serve(&place, &url));
    let login = login(&place);
    push(&server, &login);

    let refusal = complaint(&mut serve(&place, &url));
    assert!(refusal.contains("is in use by"), "{refusal}");
    let other = Place::new();
    let refusal = complaint(&mut serve(&other, &url));
    assert!(refusal.contains("is missing, and without it the metadata in 127.0.0.1"), "{refusal}");
    fs::copy(place.file("root.key"), other.file("root.key")).unwrap();
    let refusal = complaint(&mut serve(&other, &url));
    assert!(refusal.contains("object store"), "{refusal}");
    assert_eq!(refusal.trim_end().lines().count(), 1, "{refusal}");

    check_pull(&server, &login);
    server.stop();
}

#[test]
fn of_two_first_starts_on_one_database_one_goes_on() {
    let Some(url) = schema() else { return };
    let places = [Place::new(), Place::new()];
    let logs: Vec<_> = places.iter().map(|place| place.home().join("log")).collect();
    let start = |number: usize| {
        let mut command = serve(&places[number], &url);
        command.stdout(std::process::Stdio::null());
        command.stderr(fs::File::create(&logs[number]).unwrap()).spawn().unwrap()
    };
    let mut children = [start(0), start(1)];
    let (loser, status) = wait_for("the end of one", || {
        children
            .iter_mut()
            .enumerate()
            .find_map(|(number, child)| child.try_wait().unwrap().map(|status| (number, status)))
    });
    let said = fs::read_to_string(&logs[loser]).unwrap();
    assert!(!status.success(), "{said}");
    assert!(said.contains("object store") || said.contains("root key"), "{said}");
    let winner = 1 - loser;
    wait_for("the other one", || places[winner].file("credentials").exists().then_some(()));
    let id = rustix::process::Pid::from_child(&children[winner]);
    rustix::process::kill_process(id, rustix::process::Signal::TERM).unwrap();
    let status = wait_for("its end", || children[winner].try_wait().unwrap());
    assert!(status.success(), "{}", fs::read_to_string(&logs[winner]).unwrap());
}

#[test]
fn metadata_move_to_postgres_and_back() {
    let Some(url) = schema() else { return };
    let place = Place::new();
    let server = start(&place);
    let login = login(&place);
    push(&server, &login);
    let migrate = |to: &str, url: &str| {
        let mut command = place.command(&["migrate", "metadata", "--to", to]);
        command.env(URL, url);
        command
    };
    assert!(complaint(&mut migrate("postgres", &url)).contains("is in use by"), "one runs");
    server.stop();
    let refusal = complaint(&mut place.command(&["migrate", "metadata", "--to", "postgres"]));
    assert!(refusal.contains("`metadata_url` names no PostgreSQL database"), "{refusal}");

    let said = printed(&mut migrate("postgres", &url));
    assert!(said.starts_with("Every row is compared: "), "{said}");
    let refusal = complaint(&mut place.serve());
    assert!(refusal.contains("were moved to PostgreSQL"), "{refusal}");
    let server = Server::start(&place, serve(&place, &url));
    check_pull(&server, &login);
    push(&server, &login);
    server.stop();

    printed(&mut migrate("sqlite", &url));
    let server = start(&place);
    check_pull(&server, &login);
    server.stop();
    let refusal = complaint(&mut serve(&place, &url));
    assert!(refusal.contains("moved to another database"), "{refusal}");
    let schema = schema().expect("a server of the tests");
    printed(&mut migrate("postgres", &schema));
    let server = Server::start(&place, serve(&place, &schema));
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
