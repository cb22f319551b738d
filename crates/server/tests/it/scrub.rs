//! `tonnage scrub` against a running server.

use crate::support::{Place, Server, complaint, printed, wait_for};

#[test]
fn a_pass_begins_when_it_is_asked_for_and_says_what_it_found() {
    let place = Place::new();
    let server = Server::start(&place, place.serve());
    wait_for("the first pass", || {
        let status = printed(&mut place.command(&["scrub", "--status"]));
        status.contains("0 damaged, 0 unreadable").then_some(())
    });
    let begun = printed(&mut place.command(&["scrub"]));
    assert!(begun.contains("8388608 bytes a second"), "{begun}");
    assert!(begun.contains("damaged     nothing"), "{begun}");
    let metrics = server.get("/metrics").text;
    assert!(metrics.contains("tonnage_scrub_bytes_total"), "{metrics}");
    server.stop();
}

#[test]
fn it_can_be_turned_off() {
    let place = Place::new();
    let mut serve = place.serve();
    serve.args(["--scrub-rate", "0"]);
    let server = Server::start(&place, serve);
    let status = printed(&mut place.command(&["scrub", "--status"]));
    assert!(status.contains("off (`scrub_rate` is 0)"), "{status}");
    let refused = complaint(&mut place.command(&["scrub"]));
    assert!(refused.contains("scrub_rate"), "{refused}");
    server.stop();
    let complaint = complaint(&mut place.command(&["scrub"]));
    assert!(complaint.contains("tonnage serve"), "{complaint}");
}
