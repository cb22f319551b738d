//! Start, stop, start again, and what is refused.

use std::fs;
use std::io::Write as _;
use std::net::TcpListener;
use std::os::unix::fs::MetadataExt as _;

use crate::support::{Answer, Place, Server, complaint, printed, wait_for};

#[test]
fn a_second_start_finds_everything_and_says_little() {
    let place = Place::new();
    let first = place.start();
    assert!(first.stdout().contains("tonnage env"), "{}", first.stdout());
    assert!(first.stdout().contains("root.key"), "{}", first.stdout());
    let credentials = fs::read(place.file("credentials")).unwrap();
    let created = printed(&mut place.command(&["account", "create", "111122223333"]));
    assert!(created.contains("AKIA"), "{created}");
    first.stop();
    assert!(!place.file("runtime.json").exists());
    assert!(!place.file("admin.sock").exists());

    let second = place.start();
    assert_eq!(second.stdout().lines().count(), 1, "{}", second.stdout());
    assert_eq!(fs::read(place.file("credentials")).unwrap(), credentials);
    let accounts = printed(&mut place.command(&["account", "list"]));
    assert!(accounts.contains("111122223333") && accounts.contains("123456789012"), "{accounts}");
    second.stop();
}

#[test]
fn what_is_in_the_data_directory_is_its_owners_alone() {
    let place = Place::new();
    let server = place.start();
    assert_eq!(fs::metadata(place.data()).unwrap().mode() & 0o777, 0o700);
    let mut looked_at = 0;
    for entry in fs::read_dir(place.data()).unwrap() {
        let entry = entry.unwrap();
        let mode = entry.metadata().unwrap().mode();
        assert_eq!(mode & 0o077, 0, "{:?} has mode {mode:o}", entry.file_name());
        looked_at += 1;
    }
    assert!(looked_at > 5, "only {looked_at} files");
    server.stop();
}

#[test]
fn a_second_server_on_the_same_directory_is_refused() {
    let place = Place::new();
    let server = place.start();
    let complaint = complaint(&mut place.serve());
    assert!(complaint.contains("in use by process"), "{complaint}");
    assert!(complaint.contains(place.data().to_str().unwrap()), "{complaint}");
    assert_eq!(complaint.lines().count(), 1, "{complaint}");
    assert_eq!(server.get("/readyz").status, 200);
    server.stop();
}

#[test]
fn a_server_that_was_killed_does_not_keep_the_next_one_from_starting() {
    let place = Place::new();
    place.start().kill();
    assert!(place.file("admin.sock").exists());
    place.start().stop();
}

#[test]
fn sigterm_waits_for_the_request_under_way() {
    let place = Place::new();
    let mut server = place.start();
    let mut stream = server.connect();
    let head = format!(
        "POST / HTTP/1.1\r\nHost: {}\r\nContent-Length: 10\r\nConnection: close\r\n\r\n12345",
        server.address
    );
    stream.write_all(head.as_bytes()).unwrap();
    // The server has accepted the connection once it counts two: ours and the one that asks.
    wait_for("an accepted connection", || {
        server.get("/metrics").text.contains("tonnage_connections_open 2").then_some(())
    });
    server.terminate();
    wait_for("the stop", || server.log().contains("stopping").then_some(()));
    stream.write_all(b"67890").unwrap();
    assert_ne!(Answer::read(stream).status, 0, "the answer is missing");
    let status = server.ended();
    assert!(status.success(), "{status}: {}", server.log());
}

#[test]
fn a_second_signal_ends_at_once() {
    let place = Place::new();
    let mut server = place.start();
    let mut stream = server.connect();
    stream.write_all(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n").unwrap();
    wait_for("an accepted connection", || {
        server.get("/metrics").text.contains("tonnage_connections_open 2").then_some(())
    });
    server.terminate();
    wait_for("the stop", || server.log().contains("stopping").then_some(()));
    // The second signal may arrive before it is listened for, so it is repeated.
    let status = wait_for("the end", || {
        server.terminate();
        server.try_ended()
    });
    assert_eq!(status.code(), Some(130), "{}", server.log());
}

#[test]
fn the_time_to_drain_is_bounded() {
    let place = Place::new();
    let mut command = place.serve();
    command.args(["--drain-seconds", "0"]);
    let mut server = Server::start(&place, command);
    let mut stream = server.connect();
    stream.write_all(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n").unwrap();
    wait_for("an accepted connection", || {
        server.get("/metrics").text.contains("tonnage_connections_open 2").then_some(())
    });
    server.terminate();
    assert!(server.ended().success(), "{}", server.log());
}

#[test]
fn a_busy_port_is_refused_with_what_to_do() {
    let place = Place::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let complaint = complaint(&mut place.command(&["serve", "--listen", &address]));
    assert!(complaint.contains(&address) && complaint.contains("`--listen"), "{complaint}");
    assert!(!place.file("credentials").exists(), "a start that fails makes nothing");
}

#[test]
fn a_foreign_directory_is_refused() {
    let place = Place::new();
    fs::create_dir(place.data()).unwrap();
    fs::write(place.file("thesis.tex"), "years of work").unwrap();
    let complaint = complaint(&mut place.serve());
    assert!(complaint.contains("thesis.tex") && complaint.contains("--data-dir"), "{complaint}");
    assert_eq!(fs::read_dir(place.data()).unwrap().count(), 1, "nothing was added");
}

#[test]
fn subcommands_say_that_no_server_runs() {
    let place = Place::new();
    let complaint = complaint(&mut place.command(&["account", "list"]));
    assert!(complaint.contains("no server runs"), "{complaint}");
    assert!(complaint.contains("tonnage serve"), "{complaint}");
}

#[test]
fn accounts_are_created_suspended_and_resumed() {
    let place = Place::new();
    let server = place.start();
    let created = printed(&mut place.command(&["account", "create", "--name", "harbour"]));
    let id = created.split(' ').nth(1).unwrap().to_owned();
    assert_eq!(id.len(), 12, "{created}");
    let state = || {
        let accounts = printed(&mut place.command(&["account", "list"]));
        let line = accounts.lines().find(|line| line.starts_with(&id)).unwrap().to_owned();
        line.split_whitespace().nth(1).unwrap().to_owned()
    };
    assert_eq!(state(), "ACTIVE");
    printed(&mut place.command(&["account", "suspend", &id]));
    assert_eq!(state(), "SUSPENDED");
    printed(&mut place.command(&["account", "resume", &id]));
    assert_eq!(state(), "ACTIVE");
    for (words, word) in [
        (&["account", "create", "12"][..], "12 digits"),
        (&["account", "create", id.as_str()][..], "exists already"),
        (&["account", "suspend", "../status"][..], "12 digits"),
        (&["account", "suspend", "999999999999"][..], "no account"),
        (&["account", "suspend", "123456789012"][..], "management"),
    ] {
        let complaint = complaint(&mut place.command(words));
        assert!(complaint.contains(word), "{words:?}: {complaint}");
    }
    server.stop();
}
