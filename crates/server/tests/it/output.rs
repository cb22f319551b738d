//! What commands print, to whoever stops reading.

use std::io::Read;
use std::process::Stdio;

use crate::support::Place;

#[test]
fn whoever_stops_reading_is_no_failure_to_complain_about() {
    let place = Place::new();
    // Each prints more than a pipe holds.
    for words in [&["completions", "bash"][..], &["api", "model"]] {
        let mut command = place.command(words);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        child.stdout.take().unwrap().read_exact(&mut [0]).unwrap();
        let ended = child.wait_with_output().unwrap();
        let complaint = String::from_utf8_lossy(&ended.stderr);
        assert_eq!((ended.status.code(), &*complaint), (Some(141), ""), "{words:?}");
    }
}

#[test]
fn an_output_that_is_full_is_a_failure() {
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let ended = Place::new().command(&["version"]).stdout(full).output().unwrap();
    let complaint = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.status.code(), Some(1));
    assert!(complaint.starts_with("tonnage: the output cannot be written: "), "{complaint}");
}
