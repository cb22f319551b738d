//! `tonnage backup` and `tonnage restore`, on SQLite and, where there is one, on PostgreSQL.

use std::fs;
use std::path::Path;
use std::process::Command;

use tonnage_store::postgres::testing::empty_schema_text;

use crate::offline::{check_pull, login, push, start};
use crate::support::{Place, Server, complaint, printed};

const URL: &str = "TONNAGE_METADATA_URL";

fn backup(place: &Place, option: &str, directory: &Path) -> Command {
    let mut command = place.command(&["backup", option]);
    command.arg(directory);
    command
}

fn restore(place: &Place, from: &Path) -> Command {
    let mut command = place.command(&["restore", "--from"]);
    command.arg(from);
    command
}

/// An empty place with the root key of another.
fn place_with_key_of(other: &Place) -> Place {
    let place = Place::new();
    fs::create_dir(place.data()).expect("a directory");
    fs::copy(other.file("root.key"), place.file("root.key")).expect("a copy");
    place
}

/// Whether any file below a directory holds these bytes.
fn holds(directory: &Path, needle: &[u8]) -> bool {
    let entries = fs::read_dir(directory).expect("a directory");
    entries.map(|entry| entry.expect("an entry").path()).any(|path| {
        if path.is_dir() {
            return holds(&path, needle);
        }
        let content = fs::read(path).expect("a file");
        content.windows(needle.len()).any(|window| window == needle)
    })
}

fn snapshots(listed: &str) -> Vec<&str> {
    listed.lines().filter_map(|line| line.split(' ').next()).collect()
}

#[test]
fn a_backup_of_a_running_server_is_restored_elsewhere() {
    let place = Place::new();
    let server = start(&place);
    let credentials = login(&place);
    push(&server, &credentials);
    let directory = place.home().join("backups");
    let said = printed(&mut backup(&place, "--to", &directory));
    assert!(said.contains("The root key is not in it"), "{said}");
    assert!(said.contains("copied now       1 "), "{said}");
    let said = printed(&mut backup(&place, "--to", &directory));
    assert!(said.contains("copied now       0 "), "{said}");
    let listed = printed(&mut backup(&place, "--list", &directory));
    assert_eq!(snapshots(&listed).len(), 2, "{listed}");
    let said = printed(backup(&place, "--to", &directory).args(["--keep", "1"]));
    assert!(said.contains("removed          2 older"), "{said}");
    let verified = printed(&mut backup(&place, "--verify", &directory));
    assert!(verified.contains("Nothing is wrong"), "{verified}");
    let refused = complaint(&mut backup(&place, "--to", &place.data()));
    assert!(refused.contains("holds other things than backups"), "{refused}");
    server.stop();
    let refused = complaint(&mut backup(&place, "--to", &directory));
    assert!(refused.contains("tonnage serve"), "{refused}");

    let key = fs::read(place.file("root.key")).unwrap();
    assert!(!holds(&directory, key.trim_ascii()), "the root key is in the backup");

    let other = place_with_key_of(&place);
    printed(&mut restore(&other, &directory));
    let fsck = printed(&mut other.command(&["fsck", "--contents"]));
    assert!(fsck.contains("Nothing is wrong"), "{fsck}");
    let server = start(&other);
    check_pull(&server, &credentials);
    push(&server, &credentials);
    let refused = complaint(&mut backup(&other, "--to", &directory));
    assert!(refused.contains("another registry"), "{refused}");
    server.stop();
}

#[test]
fn only_an_empty_place_with_the_right_key_is_restored_into() {
    let place = Place::new();
    let server = start(&place);
    let credentials = login(&place);
    push(&server, &credentials);
    let directory = place.home().join("backups");
    printed(&mut backup(&place, "--to", &directory));
    server.stop();

    let refused = complaint(&mut restore(&place, &directory));
    assert!(refused.contains("is not empty"), "{refused}");
    let refused = complaint(&mut restore(&Place::new(), place.home()));
    assert!(refused.contains("there are no backups in"), "{refused}");
    let other = Place::new();
    let refused = complaint(&mut restore(&other, &directory));
    assert!(refused.contains("root key") && refused.contains("is missing"), "{refused}");
    let refused = complaint(restore(&other, &directory).env("TONNAGE_ROOT_KEY", "0f".repeat(32)));
    assert!(refused.contains("the root key is not the one"), "{refused}");
    let refused = complaint(restore(&other, &directory).args(["--snapshot", "none"]));
    assert!(refused.contains("no finished snapshot none"), "{refused}");

    // A damaged object ends it; what it left is no registry, for nobody.
    let other = place_with_key_of(&place);
    let objects = directory.join("objects");
    let shard = fs::read_dir(&objects).unwrap().next().unwrap().unwrap().path();
    let object = fs::read_dir(shard).unwrap().next().unwrap().unwrap().path();
    let whole = fs::read(&object).unwrap();
    fs::write(&object, &whole[1..]).unwrap();
    let refused = complaint(&mut backup(&place, "--verify", &directory));
    assert!(refused.is_empty(), "it is printed: {refused}");
    let refused = complaint(&mut restore(&other, &directory));
    assert!(refused.contains("is damaged"), "{refused}");
    for words in [&["serve"][..], &["config", "check"], &["fsck"]] {
        let refused = complaint(&mut other.command(words));
        assert!(refused.contains("a restore into") && refused.contains("repeat it"), "{refused}");
    }
    let doctor = String::from_utf8(other.command(&["doctor"]).output().unwrap().stdout).unwrap();
    assert!(doctor.contains("FAIL  a restore into"), "{doctor}");
    fs::write(&object, &whole).unwrap();
    printed(&mut restore(&other, &directory));
    let server = start(&other);
    check_pull(&server, &credentials);
    server.stop();
}

#[test]
fn either_engine_takes_a_backup_of_the_other() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let schema = || runtime.block_on(empty_schema_text());
    let (Some(url), Some(used)) = (schema(), schema()) else { return };
    let place = Place::new();
    let server = start(&place);
    let credentials = login(&place);
    push(&server, &credentials);
    let directory = place.home().join("backups");
    printed(&mut backup(&place, "--to", &directory));
    server.stop();

    let other = place_with_key_of(&place);
    printed(restore(&other, &directory).env(URL, &url));
    let mut serve = other.serve();
    serve.env(URL, &url);
    let server = Server::start(&other, serve);
    check_pull(&server, &credentials);
    let second = other.home().join("backups");
    printed(&mut backup(&other, "--to", &second));
    server.stop();
    printed(other.command(&["fsck", "--contents"]).env(URL, &url));
    let refused = complaint(restore(&place_with_key_of(&place), &directory).env(URL, &url));
    assert!(refused.contains("holds another registry"), "{refused}");

    let back = place_with_key_of(&place);
    printed(&mut restore(&back, &second));
    let server = start(&back);
    check_pull(&server, &credentials);
    server.stop();
    // One that broke off is repeated there too.
    let last = place_with_key_of(&place);
    printed(restore(&last, &directory).env(URL, &used));
    assert!(!last.file("restore.pending").exists());
}
