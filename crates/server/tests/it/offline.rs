//! Commands on a stopped server: changing the root key, examining the store.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tonnage_domain::names::Digest;

use crate::support::{Answer, Place, Server, complaint, printed, run};

/// Text too long to be kept in metadata.
fn layer() -> String {
    "all work and no play makes jack a dull boy\n".repeat(5000)
}

pub(crate) fn start(place: &Place) -> Server {
    let mut command = place.serve();
    command.arg("--create-on-push");
    Server::start(place, command)
}

pub(crate) fn login(place: &Place) -> String {
    let password = printed(&mut place.command(&["docker-login", "--print"]));
    STANDARD.encode(format!("AWS:{}", password.trim()))
}

fn request(server: &Server, login: &str, head: &str, body: &str) -> Answer {
    server.send(&format!(
        "{head} HTTP/1.1\r\nHost: {}\r\nAuthorization: Basic {login}\r\n\
         Content-Type: application/vnd.oci.image.manifest.v1+json\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
        server.address,
        body.len()
    ))
}

fn push_blob(server: &Server, login: &str, blob: &str) -> String {
    let digest = Digest::of_sha256(blob.as_bytes()).to_string();
    let head = format!("POST /v2/app/blobs/uploads/?digest={digest}");
    let answer = request(server, login, &head, blob);
    assert_eq!(answer.status, 201, "{}", answer.text);
    digest
}

pub(crate) fn push(server: &Server, login: &str) {
    let (config, layer) = ("{}", layer());
    let (config_digest, layer_digest) =
        (push_blob(server, login, config), push_blob(server, login, &layer));
    let manifest = serde_json::json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": {
            "mediaType": "application/vnd.oci.image.config.v1+json",
            "digest": config_digest,
            "size": config.len(),
        },
        "layers": [{
            "mediaType": "application/vnd.oci.image.layer.v1.tar",
            "digest": layer_digest,
            "size": layer.len(),
        }],
    });
    let answer = request(server, login, "PUT /v2/app/manifests/v1", &manifest.to_string());
    assert_eq!(answer.status, 201, "{}", answer.text);
}

fn layer_path() -> String {
    format!("/v2/app/blobs/{}", Digest::of_sha256(layer().as_bytes()))
}

#[track_caller]
pub(crate) fn check_pull(server: &Server, login: &str) {
    let manifest = request(server, login, "GET /v2/app/manifests/v1", "");
    assert_eq!(manifest.status, 200, "{}", manifest.text);
    let answer = request(server, login, &format!("GET {}", layer_path()), "");
    assert_eq!(answer.status, 200);
    assert!(answer.text.ends_with(&layer()), "the layer is another one");
}

/// A stopped registry with an image, and a token for it.
fn stopped() -> (Place, String) {
    let place = Place::new();
    let server = start(&place);
    let login = login(&place);
    push(&server, &login);
    check_pull(&server, &login);
    server.stop();
    (place, login)
}

fn objects(place: &Place) -> Vec<PathBuf> {
    fn walk(directory: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(directory).expect("a directory") {
            let path = entry.expect("an entry").path();
            if path.is_dir() { walk(&path, found) } else { found.push(path) }
        }
    }
    let mut found = Vec::new();
    walk(&place.file("objects").join("objects"), &mut found);
    found
}

fn status(command: &mut Command) -> (Option<i32>, String) {
    let output = run(command);
    (output.status.code(), String::from_utf8(output.stdout).expect("text"))
}

#[test]
fn a_new_root_key_opens_everything() {
    let (place, login) = stopped();
    let old = fs::read(place.file("root.key")).unwrap();
    let said = printed(&mut place.command(&["keys", "rotate-root"]));
    assert!(said.contains("The root key is changed"), "{said}");
    let new = fs::read(place.file("root.key")).unwrap();
    assert_ne!(new, old);
    assert!(!String::from_utf8_lossy(&new).is_empty());
    assert!(!said.contains(String::from_utf8_lossy(&new).trim()), "the key is printed");
    assert_eq!(fs::read(place.file("root.key.previous")).unwrap(), old);
    for name in ["root.key", "root.key.previous"] {
        assert_eq!(fs::metadata(place.file(name)).unwrap().mode() & 0o777, 0o600, "{name}");
    }
    assert!(!place.file("root.key.next").exists());

    let server = start(&place);
    assert!(!place.file("root.key.previous").exists());
    check_pull(&server, &login);
    check_pull(&server, &self::login(&place));
    server.stop();

    fs::write(place.file("root.key"), &old).unwrap();
    let complaint = complaint(&mut place.serve());
    assert!(complaint.contains("root key is not the one"), "{complaint}");
}

#[test]
fn a_change_of_the_key_that_lost_its_last_rename_is_finished_by_the_start() {
    let (place, login) = stopped();
    let old = fs::read(place.file("root.key")).unwrap();
    printed(&mut place.command(&["keys", "rotate-root"]));
    fs::rename(place.file("root.key"), place.file("root.key.next")).unwrap();
    fs::write(place.file("root.key"), &old).unwrap();
    fs::set_permissions(place.file("root.key"), fs::Permissions::from_mode(0o600)).unwrap();
    let server = start(&place);
    check_pull(&server, &login);
    assert_ne!(fs::read(place.file("root.key")).unwrap(), old);
    assert!(!place.file("root.key.next").exists());
    server.stop();
}

#[test]
fn a_root_key_from_elsewhere_is_changed_by_its_owner() {
    let place = Place::new();
    let old = "0f".repeat(32);
    let with_key = |mut command: Command, key: &str| {
        command.env("TONNAGE_ROOT_KEY", key);
        command
    };
    Server::start(&place, with_key(place.serve(), &old)).stop();
    let file = place.home().join("next-key");
    let rotate = || place.command(&["keys", "rotate-root"]);
    let refused = complaint(&mut with_key(rotate(), &old));
    assert!(
        refused.contains("--new-key-file") && refused.contains("TONNAGE_ROOT_KEY"),
        "{refused}"
    );

    let with_file = |key: &str| {
        let mut command = with_key(rotate(), key);
        command.arg("--new-key-file").arg(&file);
        command
    };
    let refused = complaint(&mut with_file(&"01".repeat(32)));
    assert!(refused.contains("root key is not the one"), "{refused}");
    assert!(!file.exists(), "a key was made for nothing");
    let said = printed(&mut with_file(&old));
    assert!(said.contains("TONNAGE_ROOT_KEY") && said.contains("next-key"), "{said}");
    assert!(!place.file("root.key").exists());
    assert_eq!(fs::metadata(&file).unwrap().mode() & 0o777, 0o600);
    // Once more, as after a crash that hid the answer.
    let said = printed(&mut with_file(&old));
    assert!(said.contains("was changed before"), "{said}");
    let new = fs::read_to_string(&file).unwrap();
    let refused = complaint(&mut with_file(new.trim()));
    assert!(refused.contains("in use already"), "{refused}");

    let refused = complaint(&mut with_key(place.serve(), &old));
    assert!(refused.contains("root key is not the one"), "{refused}");
    Server::start(&place, with_key(place.serve(), new.trim())).stop();
    let mut command = place.serve();
    command.arg("--root-key-file").arg(&file);
    Server::start(&place, command).stop();
    let mut command = rotate();
    command.env("TONNAGE_ROOT_KEY_FILE", &file).arg("--new-key-file");
    let said = printed(command.arg(place.home().join("third-key")));
    assert!(said.contains("root_key_file"), "{said}");
}

#[test]
fn what_needs_a_stopped_server_is_refused_in_a_sentence() {
    let place = Place::new();
    for words in [&["keys", "rotate-root"][..], &["fsck"]] {
        let refused = complaint(&mut place.command(words));
        assert!(refused.contains("no registry in"), "{refused}");
        assert!(!place.data().exists(), "nothing is made");
    }
    let server = start(&place);
    for words in [&["keys", "rotate-root"][..], &["fsck", "--repair"]] {
        let refused = complaint(&mut place.command(words));
        assert!(refused.contains("in use by process"), "{refused}");
        assert_eq!(refused.lines().count(), 1, "{refused}");
    }
    server.stop();
    let mut command = place.command(&["keys", "rotate-root", "--new-key-file"]);
    let refused = complaint(command.arg(place.home().join("key")));
    assert!(refused.contains("leave out"), "{refused}");
    // A key that does not fit is no finding.
    fs::write(place.file("root.key"), "00".repeat(32)).unwrap();
    assert_eq!(status(&mut place.command(&["fsck"])).0, Some(2));
}

#[test]
fn fsck_finds_repairs_and_a_push_heals() {
    let (place, login) = stopped();
    let (code, said) = status(&mut place.command(&["fsck", "--contents"]));
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("Nothing is wrong"), "{said}");

    let [object] = objects(&place).try_into().unwrap();
    fs::remove_file(&object).unwrap();
    let (code, said) = status(&mut place.command(&["fsck"]));
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("missing-object") && said.contains("--repair"), "{said}");
    assert!(said.contains("damages 123456789012/us-east-1/app@sha256:"), "{said}");
    let (code, said) = status(&mut place.command(&["fsck", "--repair", "--format", "json"]));
    assert_eq!(code, Some(1), "{said}");
    let documents: Vec<serde_json::Value> =
        said.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(documents[0]["clean"], false);
    assert_eq!(documents[0]["findings"][0]["problem"], "missing-object");
    assert_eq!(documents[0]["findings"][0]["repair"], "mark-damaged");
    assert_eq!(documents[1]["repaired"], 1);

    let server = start(&place);
    let answer = request(&server, &login, &format!("GET {}", layer_path()), "");
    assert_eq!(answer.status, 500, "{}", answer.text);
    let answer = request(&server, &login, &format!("HEAD {}", layer_path()), "");
    assert_eq!(answer.status, 404, "clients upload what is not there");
    push(&server, &login);
    check_pull(&server, &login);
    server.stop();
    let (code, said) = status(&mut place.command(&["fsck", "--contents"]));
    assert_eq!(code, Some(0), "{said}");
}
