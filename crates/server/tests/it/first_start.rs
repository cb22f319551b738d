//! What a first start that was interrupted leaves behind, and what the next start makes of it.
//!
//! The states are made by removing from a finished first start what the step before a crash had
//! not made yet.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use crate::support::{Place, Server, complaint, printed};

const ID: &str = "AKIATONNAGETESTROOT1";
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

fn make() -> Place {
    let place = Place::new();
    place.start().stop();
    place
}

fn remove_metadata(place: &Place) {
    for name in ["metadata.sqlite", "metadata.sqlite-wal", "metadata.sqlite-shm"] {
        let _ = fs::remove_file(place.file(name));
    }
}

/// The key in `credentials` opens the registry.
#[track_caller]
fn check_credentials(place: &Place, server: &Server) {
    let mut login = place.command(&["docker-login", "--print"]);
    assert!(!printed(&mut login).trim().is_empty(), "{}", server.log());
}

#[test]
fn after_the_root_key_was_made() {
    let place = make();
    remove_metadata(&place);
    fs::remove_dir_all(place.file("objects")).unwrap();
    fs::remove_file(place.file("credentials")).unwrap();
    let key = fs::read(place.file("root.key")).unwrap();
    let server = place.start();
    assert_eq!(fs::read(place.file("root.key")).unwrap(), key);
    check_credentials(&place, &server);
    server.stop();
}

#[test]
fn before_the_deployment_was_committed() {
    let place = make();
    remove_metadata(&place);
    fs::rename(place.file("credentials"), place.file("credentials.pending")).unwrap();
    let pending = fs::read(place.file("credentials.pending")).unwrap();
    let server = place.start();
    assert_eq!(fs::read(place.file("credentials")).unwrap(), pending, "the same key goes on");
    assert!(!place.file("credentials.pending").exists());
    check_credentials(&place, &server);
    server.stop();
}

#[test]
fn while_the_pending_key_was_written() {
    let place = make();
    remove_metadata(&place);
    fs::remove_file(place.file("credentials")).unwrap();
    fs::write(place.file("credentials.pending"), "[default]\naws_access").unwrap();
    let server = place.start();
    check_credentials(&place, &server);
    server.stop();
}

#[test]
fn after_the_deployment_was_committed() {
    let place = make();
    let credentials = fs::read(place.file("credentials")).unwrap();
    fs::rename(place.file("credentials"), place.file("credentials.pending")).unwrap();
    let server = place.start();
    assert_eq!(fs::read(place.file("credentials")).unwrap(), credentials);
    assert!(!place.file("credentials.pending").exists());
    check_credentials(&place, &server);
    server.stop();
}

#[test]
fn credentials_that_the_operator_took_away_are_not_missed() {
    let place = make();
    fs::remove_file(place.file("credentials")).unwrap();
    place.start().stop();
    assert!(!place.file("credentials").exists(), "no key is invented");
    let complaint = complaint(&mut place.command(&["env"]));
    assert!(complaint.contains("no credentials"), "{complaint}");
}

#[test]
fn the_operators_own_key_is_taken_once() {
    let place = Place::new();
    let with_key = |id: &str| {
        let mut command = place.serve();
        command.env("TONNAGE_ROOT_ACCESS_KEY_ID", id);
        command.env("TONNAGE_ROOT_SECRET_ACCESS_KEY", SECRET);
        command
    };
    let server = Server::start(&place, with_key(ID));
    assert!(fs::read_to_string(place.file("credentials")).unwrap().contains(ID));
    check_credentials(&place, &server);
    server.stop();
    Server::start(&place, with_key(ID)).stop();
    let complaint = complaint(&mut with_key("AKIATONNAGETESTROOT2"));
    assert!(complaint.contains("TONNAGE_ROOT_ACCESS_KEY_ID"), "{complaint}");
    assert_eq!(complaint.lines().filter(|line| line.starts_with("tonnage:")).count(), 1);
}

#[test]
fn metadata_without_its_key_is_never_given_a_new_one() {
    let place = make();
    fs::remove_file(place.file("root.key")).unwrap();
    let complaint = complaint(&mut place.serve());
    assert!(complaint.contains("root.key") && complaint.contains("back-up"), "{complaint}");
    assert!(!place.file("root.key").exists());
}

#[test]
fn another_root_key_is_refused() {
    let place = make();
    fs::write(place.file("root.key"), "00".repeat(32)).unwrap();
    let complaint = complaint(&mut place.serve());
    assert!(complaint.contains("root key is not the one"), "{complaint}");
}

#[test]
fn a_root_key_that_everybody_may_read_is_refused() {
    let place = make();
    fs::set_permissions(place.file("root.key"), fs::Permissions::from_mode(0o644)).unwrap();
    let complaint = complaint(&mut place.serve());
    assert!(complaint.contains("chmod 600"), "{complaint}");
}

#[test]
fn a_root_key_from_elsewhere_is_never_written_down() {
    let key = "0f".repeat(32);
    let place = Place::new();
    let mut command = place.serve();
    command.env("TONNAGE_ROOT_KEY", &key);
    Server::start(&place, command).stop();
    assert!(!place.file("root.key").exists());

    let directory = place.home().join("systemd");
    fs::create_dir(&directory).unwrap();
    fs::write(directory.join("tonnage-root-key"), &key).unwrap();
    fs::set_permissions(directory.join("tonnage-root-key"), fs::Permissions::from_mode(0o400))
        .unwrap();
    let mut command = place.serve();
    command.env("CREDENTIALS_DIRECTORY", &directory);
    Server::start(&place, command).stop();

    let mut command = place.serve();
    command.arg("--root-key-file").arg(directory.join("tonnage-root-key"));
    Server::start(&place, command).stop();
}

#[test]
fn a_directory_that_lost_its_metadata_is_refused() {
    let place = make();
    remove_metadata(&place);
    let complaint = complaint(&mut place.serve());
    assert!(complaint.contains("metadata.sqlite"), "{complaint}");
    assert!(!place.file("metadata.sqlite").exists());
}

#[test]
fn another_account_than_the_first_is_refused() {
    let place = make();
    let mut command = place.serve();
    command.args(["--account", "999999999999"]);
    let complaint = complaint(&mut command);
    assert!(complaint.contains("123456789012"), "{complaint}");
}
