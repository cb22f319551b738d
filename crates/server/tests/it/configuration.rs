//! Where settings come from, as the binary reads them, and the pages about them.

use std::fs;
use std::path::Path;

use crate::support::{Place, complaint, printed, tonnage};

#[test]
fn config_check_shows_what_the_sources_come_to() {
    let place = Place::new();
    let file = place.home().join("tonnage.toml");
    fs::write(&file, "data_dir = \"/from/file\"\nlisten = [\"127.0.0.1:1\"]\n").unwrap();
    let check = |words: &[&str], variable: Option<&str>| {
        let mut command = tonnage(place.home());
        command.args(["config", "check"]).args(words);
        if let Some(text) = variable {
            command.env("TONNAGE_DATA_DIR", text);
        }
        printed(&mut command)
    };
    let path = file.to_str().unwrap();
    assert!(check(&[], None).contains("/.local/share/tonnage"));
    assert!(check(&["--config", path], None).contains("/from/file"));
    assert!(check(&["--config", path], Some("/from/variable")).contains("/from/variable"));
    let out = check(&["--config", path, "--data-dir", "/from/flag"], Some("/from/variable"));
    assert!(out.contains("/from/flag") && out.contains("127.0.0.1:1"), "{out}");
}

#[test]
fn what_is_unknown_is_refused_by_name() {
    let place = Place::new();
    let file = place.home().join("tonnage.toml");
    fs::write(&file, "data_dri = \"/x\"\n").unwrap();
    let mut command = tonnage(place.home());
    command.args(["serve", "--config"]).arg(&file);
    assert!(complaint(&mut command).contains("`data_dri`"));
    let mut command = tonnage(place.home());
    command.arg("serve").env("TONNAGE_DATADIR", "/x");
    assert!(complaint(&mut command).contains("`TONNAGE_DATADIR`"));
    let mut command = tonnage(place.home());
    command.args(["serve", "--no-such-option"]);
    assert!(complaint(&mut command).contains("--no-such-option"));
}

#[test]
fn the_reference_pages_are_up_to_date() {
    let place = Place::new();
    let pages = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs");
    printed(tonnage(place.home()).args(["reference", "--check"]).arg(pages));
}

#[test]
fn every_subcommand_explains_itself() {
    let place = Place::new();
    let mut asked = 0;
    let mut waiting: Vec<Vec<String>> = vec![Vec::new()];
    while let Some(words) = waiting.pop() {
        let help = printed(tonnage(place.home()).args(&words).arg("--help"));
        asked += 1;
        let Some((_, rest)) = help.split_once("\nCommands:\n") else {
            let needs_none = matches!(words.last().map(String::as_str), Some("version"));
            assert!(needs_none || help.contains("Examples:"), "{words:?} has no example");
            continue;
        };
        let lines = rest.lines().take_while(|line| !line.is_empty());
        // Further lines of a long description stand further in.
        for line in lines.filter(|line| !line.starts_with("   ")) {
            let name = line.split_whitespace().next().unwrap();
            if name != "help" {
                waiting.push(words.iter().cloned().chain([name.to_owned()]).collect());
            }
        }
    }
    assert!(asked > 10, "only {asked} pages of help");
}
