//! Bad states of a data directory, its database and its disk: `serve`, `config check` and `doctor`
//! say the same sentence and end with 1.

use std::fs;
use std::io::Write as _;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use tonnage_store::postgres::testing::empty_schema_text;

use crate::support::{Place, Server, run, wait_for};

/// Settings of all three commands.
type Environment = Vec<(&'static str, String)>;

/// A place that was served before.
fn used(environment: &Environment) -> Place {
    let place = Place::new();
    let mut command = place.serve();
    command.envs(environment.clone());
    Server::start(&place, command).stop();
    place
}

/// `{data}` in a sentence is the data directory.
#[track_caller]
fn check(place: &Place, environment: &Environment, sentence: &str) {
    let data = place.data().display().to_string();
    let sentence = sentence.replace("{data}", &data);
    let command = |words: &[&str]| -> Command {
        let mut command = place.command(words);
        command.envs(environment.clone());
        command
    };
    for words in [&["config", "check"][..], &["doctor"]] {
        let before = contents(&place.data());
        let output = run(&mut command(words));
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert!(said.contains(&sentence), "{words:?} says {said:?}, not {sentence:?}");
        assert_eq!(output.status.code(), Some(1), "{words:?}: {said}");
        assert_eq!(contents(&place.data()), before, "{words:?} changes nothing");
    }
    let mut serve = command(&["serve", "--listen", "127.0.0.1:0"]);
    let output = run(&mut serve);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains(&sentence), "serve says {said:?}, not {sentence:?}");
    assert_eq!(output.status.code(), Some(1), "{said}");
}

/// Names and lengths of everything in a directory.
fn contents(directory: &Path) -> Vec<(String, u64)> {
    let mut found: Vec<_> = fs::read_dir(directory)
        .into_iter()
        .flatten()
        .map(|entry| {
            let entry = entry.expect("an entry");
            let length = entry.metadata().map_or(0, |metadata| metadata.len());
            (entry.file_name().to_string_lossy().into_owned(), length)
        })
        .collect();
    found.sort();
    found
}

#[test]
fn certificates() {
    let place = used(&Environment::new());
    let file = |name: &str, text: &str| {
        let path = place.file(name);
        fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let files = |certificate: &str, key: &str| -> Environment {
        vec![
            ("TONNAGE_TLS_CERTIFICATE_FILE", certificate.to_owned()),
            ("TONNAGE_TLS_KEY_FILE", key.to_owned()),
        ]
    };
    let empty = file("empty.pem", "");
    let absent = place.file("absent.pem").display().to_string();
    check(&place, &files(&absent, &empty), "{data}/absent.pem cannot be used");
    check(&place, &files(&empty, &empty), "{data}/empty.pem holds no certificate in PEM form");
    let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let broken = file("broken.pem", broken);
    check(&place, &files(&broken, &empty), "{data}/empty.pem cannot be used");
}

#[test]
fn keys() {
    let nothing = Environment::new();
    let place = used(&nothing);
    let key = place.file("root.key");
    let text = fs::read_to_string(&key).unwrap();
    let rows: &[(&dyn Fn(), &str)] = &[
        (
            &|| fs::remove_file(&key).unwrap(),
            "the root key {data}/root.key is missing, and without it the metadata in {data} cannot \
             be read; put it back from a back-up",
        ),
        (
            &|| fs::write(&key, "0f".repeat(32)).unwrap(),
            "the root key is not the one this metadata was sealed with; put the right root key \
             back, nothing can be read without it",
        ),
        (
            &|| fs::write(&key, "short").unwrap(),
            "the root key {data}/root.key is wrong: it is neither hexadecimal nor Base64 text",
        ),
        (
            &|| {
                fs::write(&key, &text).unwrap();
                fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
            },
            "the root key {data}/root.key may be read by every user of this machine; run `chmod \
             600` on it, and consider whether somebody did",
        ),
    ];
    for (prepare, sentence) in rows {
        prepare();
        fs::set_permissions(place.data(), fs::Permissions::from_mode(0o700)).unwrap();
        if key.exists() && !sentence.contains("every user") {
            fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
        }
        check(&place, &nothing, sentence);
    }
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    check(
        &place,
        &vec![("TONNAGE_ACCOUNT", "210987654321".to_owned())],
        "this data directory was made for account 123456789012, not 210987654321; leave --account \
         out, or create the other account with `tonnage account create`",
    );
    let other = [
        ("TONNAGE_ROOT_ACCESS_KEY_ID", "AKIATONNAGEOTHERROOT".to_owned()),
        ("TONNAGE_ROOT_SECRET_ACCESS_KEY", "o".repeat(40)),
    ];
    check(
        &place,
        &other.to_vec(),
        "the root access key was set on the first start and is another one; unset \
         TONNAGE_ROOT_ACCESS_KEY_ID and TONNAGE_ROOT_SECRET_ACCESS_KEY, or start with an empty \
         data directory",
    );
}

#[test]
fn metadata() {
    let nothing = Environment::new();
    let place = used(&nothing);
    let (file, aside) = (place.file("metadata.sqlite"), place.home().join("aside"));
    fs::rename(&file, &aside).unwrap();
    check(
        &place,
        &nothing,
        "the metadata {data}/metadata.sqlite is missing although the data directory was in use; \
         put it back from a back-up, or start with an empty directory",
    );
    fs::write(place.file("metadata.sqlite.moved"), "").unwrap();
    check(
        &place,
        &nothing,
        "the metadata of {data} were moved to PostgreSQL; let `metadata_url` name that database, \
         or move them back with `tonnage migrate metadata --to sqlite`",
    );
    fs::remove_file(place.file("metadata.sqlite.moved")).unwrap();

    fs::write(&file, "no database ".repeat(1000)).unwrap();
    check(
        &place,
        &nothing,
        "the metadata database {data}/metadata.sqlite is damaged (file is not a database); stop \
         using it and put a backup in its place",
    );

    fs::copy(&aside, &file).unwrap();
    let newer = "INSERT INTO schema_migrations (version, name, checksum, applied_at) \
                 VALUES (9999, 'tomorrow', '0', 0)";
    change(&file, newer);
    check(&place, &nothing, "use a newer tonnage");

    fs::copy(&aside, &file).unwrap();
    let pending = place.file("restore.pending");
    fs::write(&pending, r#"{"snapshot":"s","deployment_id":"d"}"#).unwrap();
    check(
        &place,
        &nothing,
        "a restore into {data} has not ended, so there is only half a registry in it; repeat it \
         with `tonnage restore`",
    );
}

#[test]
fn objects() {
    let nothing = Environment::new();
    let (place, other) = (used(&nothing), used(&nothing));
    let identity = place.file("objects/identity");
    let own = fs::read_to_string(&identity).unwrap();
    let of_archive = place.file("objects/archive/identity");
    for foreign in [&identity, &of_archive] {
        fs::copy(other.file("objects/identity"), foreign).unwrap();
    }
    check(&place, &nothing, "the metadata belongs to another object store (it remembers");
    fs::write(&of_archive, &own).unwrap();
    fs::write(&identity, "?").unwrap();
    check(
        &place,
        &nothing,
        "the object store {data}/objects has no valid identity file: restore `identity` from a \
         backup",
    );
    fs::write(&identity, own).unwrap();
    Server::start(&place, place.serve()).stop();
}

#[test]
fn archives() {
    let place = used(&Environment::new());
    let archive = place.file("objects/archive");
    let at = |directory: &Path| -> Environment {
        vec![("TONNAGE_ARCHIVE_DIRECTORY", directory.display().to_string())]
    };
    let moved = place.file("moved");
    check(
        &place,
        &at(&moved),
        "the archive of the object store {data}/objects is not in {data}/moved: it was in \
         {data}/objects/archive; mount its file system, or let `archive_directory` name the \
         directory that it was moved to",
    );
    let other = used(&Environment::new());
    check(
        &place,
        &at(&other.file("objects/archive")),
        "does not hold the archive of the object store {data}/objects: it belongs to another \
         store",
    );
    fs::rename(&archive, &moved).unwrap();
    check(&place, &Environment::new(), "is not in {data}/objects/archive: it was in");
    let mut serve = place.serve();
    serve.envs(at(&moved));
    Server::start(&place, serve).stop();
}

#[test]
fn directories() {
    let nothing = Environment::new();
    let place = Place::new();
    fs::create_dir(place.data()).unwrap();
    fs::write(place.file("notes.txt"), "mine").unwrap();
    check(
        &place,
        &nothing,
        "{data} is no data directory of Tonnage, it holds \"notes.txt\" and other things; name an \
         empty directory with `--data-dir`",
    );
    fs::remove_dir_all(place.data()).unwrap();
    fs::write(place.data(), "a file").unwrap();
    check(
        &place,
        &nothing,
        "the data directory {data} is a file; name a directory with `--data-dir`",
    );
}

/// A file system over a directory, taken away when dropped.
struct Mount<'p>(&'p Path);

impl<'p> Mount<'p> {
    fn new(directory: &'p Path, arguments: &[&str]) -> Option<Self> {
        let mounted = Command::new("mount").args(arguments).arg(directory).output();
        if mounted.is_ok_and(|output| output.status.success()) {
            return Some(Self(directory));
        }
        // Not by eprintln, which the harness keeps to itself when a test passes.
        let skipped = "SKIPPED: 1 test, a file system cannot be mounted here\n";
        std::io::stderr().write_all(skipped.as_bytes()).expect("standard error");
        None
    }
}

impl Drop for Mount<'_> {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0).output();
    }
}

#[test]
fn disks() {
    let nothing = Environment::new();
    let place = used(&nothing);
    let data = place.data();
    if let Some(_mounted) = Mount::new(&data, &["--bind", data.to_str().unwrap()]) {
        let remounted = Command::new("mount").args(["-o", "remount,bind,ro"]).arg(&data).output();
        assert!(remounted.unwrap().status.success());
        check(
            &place,
            &nothing,
            "the data directory {data} cannot be written to (Read-only file system (os error 30)); \
             make it writable for this user, or name another with `--data-dir`",
        );
    }
    let place = Place::new();
    fs::create_dir(place.data()).unwrap();
    let data = place.data();
    if let Some(_mounted) = Mount::new(&data, &["-t", "tmpfs", "-o", "size=64k,mode=0700", "tmpfs"])
    {
        fs::write(data.join("lock"), "").unwrap();
        let mut file = fs::File::create(data.join("root.key")).unwrap();
        while file.write_all(&[0; 4096]).is_ok() {}
        check(&place, &nothing, "the disk of the data directory {data} is full; make room on it");
    }
}

#[test]
fn databases() {
    let nothing = Environment::new();
    // A port that nobody listens on.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let down = format!("postgres://tonnage@127.0.0.1:{port}/tonnage");
    let unreachable =
        format!("the metadata database at 127.0.0.1:{port}/tonnage cannot be reached");
    let place = Place::new();
    fs::create_dir(place.data()).unwrap();
    for words in [&["config", "check"][..], &["doctor"]] {
        let output = run(place.command(words).env("TONNAGE_METADATA_URL", &down));
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert!(said.contains(&unreachable), "{words:?}: {said}");
        assert_eq!(output.status.code(), Some(1));
    }
    // The server waits for it, and says so.
    let log = place.home().join("log");
    let mut serve = place.serve();
    serve.env("TONNAGE_METADATA_URL", &down).stderr(fs::File::create(&log).unwrap());
    let mut child = serve.stdout(Stdio::null()).spawn().unwrap();
    wait_for("a second attempt", || {
        let text = fs::read_to_string(&log).unwrap();
        (text.matches(&unreachable).count() >= 2 && text.contains("trying again in")).then_some(())
    });
    child.kill().unwrap();
    child.wait().unwrap();

    let runtime = tokio::runtime::Runtime::new().unwrap();
    let Some(url) = runtime.block_on(empty_schema_text()) else { return };
    let environment = vec![("TONNAGE_METADATA_URL", url)];
    let place = used(&nothing);
    check(
        &place,
        &environment,
        "is empty; move them there with `tonnage migrate metadata --to postgres`, or leave \
         `metadata_url` out",
    );
    let place = used(&environment);
    let elsewhere = runtime.block_on(empty_schema_text()).unwrap();
    check(
        &place,
        &vec![("TONNAGE_METADATA_URL", elsewhere)],
        "is empty although the data directory {data} was in use; let `metadata_url` name the \
         database it was used with, or start with an empty directory",
    );
    fs::remove_dir_all(place.file("objects")).unwrap();
    for words in [&["config", "check"][..], &["doctor"]] {
        let output = run(place.command(words).envs(environment.clone()));
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert!(said.contains("belongs to an object store that is not there"), "{said}");
        assert_eq!(output.status.code(), Some(1));
    }
}

#[test]
fn what_only_the_server_meets() {
    let place = Place::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let output = run(&mut place.command(&["serve", "--listen", &address]));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains(&format!("{address} is in use")), "{said}");
    assert_eq!(output.status.code(), Some(1));

    let server = place.start();
    let output = run(&mut place.serve());
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("is in use by process"), "{said}");
    // Beside a server that runs there is nothing wrong with its data directory.
    let output = run(&mut place.command(&["config", "check"]));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    server.stop();
}

fn change(file: &Path, sql: &str) {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        use tonnage_domain::metadata::{Metadata as _, Mode};
        use tonnage_store::sqlite::{SqliteMetadata, SqliteOptions};
        let metadata = SqliteMetadata::open(file, SqliteOptions::default()).expect("metadata");
        let mut tx = metadata.begin(Mode::Write).await.expect("metadata");
        let sql: &'static str = Box::leak(sql.to_owned().into_boxed_str());
        tx.execute(sql, &[]).await.expect("metadata");
        tx.commit().await.expect("metadata");
        metadata.close().await.expect("metadata");
    });
}
