//! Headers of RPMs, and the databases that hold them.

use std::path::Path;

use rusqlite::Connection;

/// A tag's value.
pub(crate) enum Value<'a> {
    Text(&'a str),
    Number(u32),
    Texts(&'a [&'a str]),
    Numbers(&'a [u32]),
}

pub(crate) const NAME: u32 = 1000;
pub(crate) const VERSION: u32 = 1001;
pub(crate) const RELEASE: u32 = 1002;
pub(crate) const EPOCH: u32 = 1003;
pub(crate) const LICENCE: u32 = 1014;
pub(crate) const ARCHITECTURE: u32 = 1022;
pub(crate) const SOURCE: u32 = 1044;
pub(crate) const DIRECTORY_INDEXES: u32 = 1116;
pub(crate) const BASE_NAMES: u32 = 1117;
pub(crate) const DIRECTORY_NAMES: u32 = 1118;
pub(crate) const MODULE: u32 = 5096;

pub(crate) fn header(tags: &[(u32, Value<'_>)]) -> Vec<u8> {
    let mut index = Vec::new();
    let mut store = Vec::new();
    for (tag, value) in tags {
        let (kind, count) = match value {
            Value::Text(_) => (6_u32, 1),
            Value::Number(_) => (4, 1),
            Value::Texts(texts) => (8, texts.len()),
            Value::Numbers(numbers) => (4, numbers.len()),
        };
        if kind == 4 {
            while store.len() % 4 != 0 {
                store.push(0);
            }
        }
        for number in [*tag, kind, store.len() as u32, count as u32] {
            index.extend(number.to_be_bytes());
        }
        let mut text = |text: &str| {
            store.extend(text.as_bytes());
            store.push(0);
        };
        match value {
            Value::Text(only) => text(only),
            Value::Texts(texts) => texts.iter().for_each(|each| text(each)),
            Value::Number(number) => store.extend(number.to_be_bytes()),
            Value::Numbers(numbers) => {
                numbers.iter().for_each(|number| store.extend(number.to_be_bytes()));
            }
        }
    }
    let mut header = (tags.len() as u32).to_be_bytes().to_vec();
    header.extend((store.len() as u32).to_be_bytes());
    header.extend(index);
    header.extend(store);
    header
}

/// A package with little in it.
pub(crate) fn small(name: &str) -> Vec<u8> {
    header(&[
        (NAME, Value::Text(name)),
        (VERSION, Value::Text("1.0")),
        (RELEASE, Value::Text("1.el9")),
    ])
}

/// A package whose header takes at least `bytes`.
pub(crate) fn large(name: &str, bytes: usize) -> Vec<u8> {
    let filler = "x".repeat(bytes);
    header(&[
        (1, Value::Text(&filler)),
        (NAME, Value::Text(name)),
        (VERSION, Value::Text("1.0")),
        (RELEASE, Value::Text("1.el9")),
    ])
}

/// `rpmdb.sqlite`, written by SQLite itself.
pub(crate) fn sqlite(page_bytes: u32, headers: &[Vec<u8>]) -> Vec<u8> {
    let directory = tempfile::tempdir().expect("a directory");
    let path: &Path = &directory.path().join("rpmdb.sqlite");
    let database = Connection::open(path).expect("a database");
    database.pragma_update(None, "page_size", page_bytes).expect("a page size");
    database.pragma_update(None, "journal_mode", "wal").expect("a mode");
    database
        .execute_batch(
            "CREATE TABLE Other (a TEXT);
             CREATE TABLE 'Packages' (hnum INTEGER PRIMARY KEY AUTOINCREMENT, blob BLOB NOT NULL);
             CREATE TABLE 'Name' (key 'TEXT' NOT NULL, hnum INTEGER NOT NULL, idx INTEGER);
             CREATE INDEX 'Name_key_idx' ON 'Name'(key ASC);",
        )
        .expect("tables");
    for header in headers {
        database.execute("INSERT INTO Packages (blob) VALUES (?1)", [header]).expect("a row");
    }
    database.pragma_update(None, "wal_checkpoint", "TRUNCATE").ok();
    database.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).expect("a checkpoint");
    drop(database);
    std::fs::read(path).expect("the database")
}

/// `Packages.db`, rpm's own format, with one page of slots.
pub(crate) fn ndb(headers: &[Vec<u8>]) -> Vec<u8> {
    let mut slots = b"RpmP\0\0\0\0\x01\0\0\0\x01\0\0\0".to_vec();
    slots.resize(32, 0);
    let mut blobs = Vec::new();
    for (number, header) in (1_u32..).zip(headers) {
        let at = (4096 + blobs.len()) / 16;
        let length = 16 + header.len() + 12;
        for word in [number, at as u32, length.div_ceil(16) as u32] {
            if word == number {
                slots.extend(b"Slot");
            }
            slots.extend(word.to_le_bytes());
        }
        blobs.extend(b"BlbS");
        for word in [number, 1, header.len() as u32] {
            blobs.extend(word.to_le_bytes());
        }
        blobs.extend(header);
        blobs.extend([0; 8]);
        blobs.extend(b"BlbE");
        while blobs.len() % 16 != 0 {
            blobs.push(0);
        }
    }
    while slots.len() < 4096 {
        slots.extend(b"Slot");
        slots.extend([0; 12]);
    }
    [slots, blobs].concat()
}

/// `Packages`, a hash of Berkeley DB with pages of 4096 bytes: one page of items, and the chains
/// that it points to. Headers of at most 500 bytes lie in the page itself.
pub(crate) fn bdb(big_endian: bool, headers: &[Vec<u8>]) -> Vec<u8> {
    const PAGE: usize = 4096;
    let word = |number: u32| if big_endian { number.to_be_bytes() } else { number.to_le_bytes() };
    let half = |number: u16| if big_endian { number.to_be_bytes() } else { number.to_le_bytes() };

    let mut chains: Vec<Vec<u8>> = Vec::new();
    // The next package number comes first, as rpm has it.
    let mut items: Vec<Vec<u8>> =
        vec![[&[1][..], &word(0)].concat(), [&[1][..], &word(9)].concat()];
    for (number, header) in (1_u32..).zip(headers) {
        items.push([&[1][..], &word(number)].concat());
        if header.len() <= 500 {
            items.push([&[1][..], header].concat());
            continue;
        }
        let first = 2 + chains.len() as u32;
        items.push(
            [&[3, 0, 0, 0][..], &word(first), &word(header.len() as u32)].concat(),
        );
        let parts: Vec<&[u8]> = header.chunks(PAGE - 26).collect();
        for (part, content) in parts.iter().enumerate() {
            let own = 2 + chains.len() as u32;
            let next = if part + 1 == parts.len() { 0 } else { own + 1 };
            let mut page = page_header(own, next, 1, content.len() as u16, 7, word, half);
            page.extend(*content);
            page.resize(PAGE, 0);
            chains.push(page);
        }
    }
    let mut offsets = Vec::new();
    let mut content = Vec::new();
    let mut end = PAGE;
    for item in &items {
        end -= item.len();
        offsets.extend(half(end as u16));
        content.splice(0..0, item.iter().copied());
    }
    let mut hash = page_header(1, 0, items.len() as u16, end as u16, 13, word, half);
    hash.extend(offsets);
    assert!(hash.len() <= end, "too much for one page");
    hash.resize(end, 0);
    hash.extend(content);

    let mut metadata = vec![0; 8];
    for number in [0, 0x0006_1561, 9, PAGE as u32] {
        metadata.extend(word(number));
    }
    metadata.extend([0, 8, 0, 0]);
    metadata.extend(word(0));
    metadata.extend(word(1 + chains.len() as u32));
    metadata.resize(PAGE, 0);
    [metadata, hash, chains.concat()].concat()
}

fn page_header(
    own: u32,
    next: u32,
    entries: u16,
    offset: u16,
    kind: u8,
    word: impl Fn(u32) -> [u8; 4],
    half: impl Fn(u16) -> [u8; 2],
) -> Vec<u8> {
    let mut page = vec![0; 8];
    page.extend(word(own));
    page.extend(word(0));
    page.extend(word(next));
    page.extend(half(entries));
    page.extend(half(offset));
    page.extend([0, kind]);
    page
}
