//! Sources that list their changes, as osv.dev does for each ecosystem: `modified_id.csv`, a line
//! `TIME,IDENTIFIER` for each record, beside a file of each record and an archive of all. Only what
//! changed since is fetched; where that is much, or nothing was read yet, the archive is.
//!
//! Source: OSV documentation, "Data dumps", "Downloading recent changes".

use std::collections::HashSet;
use std::io::{BufRead, BufReader, Read as _};
use std::path::{Path, PathBuf};

use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use super::import::{self, Failure, Since};
use super::source::{Fetched, Known, Source};
use super::sync::{self, Stored, blocking};
use crate::app::App;
use crate::jobs::Run;

/// The file's name, by which such a source is known.
pub(super) const NAME: &str = "modified_id.csv";
/// The archive beside it.
const ARCHIVE: &str = "all.zip";
/// Bytes of the list.
const LIST_BYTES_MAX: u64 = 512 << 20;
/// Bytes of the archive.
const ARCHIVE_BYTES_MAX: u64 = 16 << 30;
/// Bytes of one record, and of all that are fetched one by one.
const RECORD_BYTES_MAX: u64 = 32 << 20;
const RECORDS_BYTES_MAX: u64 = 512 << 20;
/// Lines of the list.
const LINES_MAX: usize = 4_000_000;
/// Bytes of a line.
const LINE_BYTES_MAX: u64 = 512;
/// Records that are fetched one by one; where more have changed the archive takes less.
const RECORDS_MAX: usize = 2_000;
/// Records that are fetched at a time.
const AT_A_TIME: usize = 8;

/// What a list says.
#[derive(Debug, Default, PartialEq, Eq)]
struct List {
    /// Every record.
    identifiers: HashSet<String>,
    /// Those that changed at a time or later.
    changed: Vec<String>,
    /// When the last one changed, in milliseconds.
    newest: i64,
    /// Lines that could not be read.
    skipped: usize,
}

/// Brings what is stored of a source to what its list says.
pub(super) async fn sync(
    run: &Run<'_>,
    source: &Source,
    url: &str,
    stored: Option<Stored>,
    force: bool,
) -> Result<(), Failure> {
    let app = run.app;
    let known = stored.as_ref().map(|stored| stored.known.clone()).unwrap_or_default();
    let fetched = app.downloads.fetch(url, &known, LIST_BYTES_MAX).await;
    let (file, known) = match fetched.map_err(Failure::Passing)? {
        Fetched::Unchanged => return Ok(sync::unchanged(run, source).await?),
        Fetched::File { file, known } => (file, known),
    };
    let since = stored.and_then(|stored| stored.changes_seen);
    let read = move || {
        let opened = std::fs::File::open(&file).map_err(|error| error.to_string())?;
        read(BufReader::new(opened), since)
    };
    let list = blocking(read).await?.map_err(Failure::Refused)?;
    let base = url.strip_suffix(NAME).unwrap_or(url);
    if since.is_some()
        && list.changed.len() <= RECORDS_MAX
        && let Some(directory) = fetch_changed(app, base, &list.changed).await?
    {
        let since = Since { known: &known, seen: list.newest };
        let path = directory.path();
        return import::import_changes(run, source, path, &list.identifiers, force, since).await;
    }
    let archive = format!("{base}{ARCHIVE}");
    let fetched = app.downloads.fetch(&archive, &Known::default(), ARCHIVE_BYTES_MAX).await;
    match fetched.map_err(Failure::Passing)? {
        Fetched::Unchanged => Err(Failure::Passing(format!("{archive} is not sent"))),
        Fetched::File { file, .. } => {
            let since = Since { known: &known, seen: list.newest };
            import::import_whole(run, source, &file, force, since).await
        }
    }
}

/// The records that changed, each as a file of a directory. None where they are too large.
async fn fetch_changed(
    app: &App,
    base: &str,
    changed: &[String],
) -> Result<Option<tempfile::TempDir>, Failure> {
    let scratch = app.settings.scan_scratch.clone();
    let made = blocking(move || {
        std::fs::create_dir_all(&scratch)?;
        tempfile::TempDir::new_in(&scratch)
    });
    let directory = made.await?.map_err(|error| unwritten(&error))?;
    let wanted: Vec<(String, PathBuf)> = changed
        .iter()
        .enumerate()
        .map(|(number, identifier)| {
            let place = directory.path().join(format!("{number}.json"));
            (format!("{base}{}.json", encoded(identifier)), place)
        })
        .collect();
    let fetches = wanted.into_iter().map(|(url, place)| fetch_record(app, url, place));
    let mut fetches = stream::iter(fetches).buffer_unordered(AT_A_TIME);
    let mut bytes: u64 = 0;
    while let Some(fetched) = fetches.try_next().await? {
        bytes += fetched;
        if bytes > RECORDS_BYTES_MAX {
            return Ok(None);
        }
    }
    Ok(Some(directory))
}

fn unwritten(error: &std::io::Error) -> Failure {
    Failure::Passing(format!("what is fetched cannot be written: {error}"))
}

/// Fetches one record, and says how large it is.
async fn fetch_record(app: &App, url: String, place: PathBuf) -> Result<u64, Failure> {
    let fetched = app.downloads.fetch(&url, &Known::default(), RECORD_BYTES_MAX).await;
    match fetched.map_err(Failure::Passing)? {
        Fetched::Unchanged => Err(Failure::Passing(url + " is not sent")),
        Fetched::File { file, .. } => {
            // They may lie on different file systems.
            let copied = blocking(move || std::fs::copy(&file, &place)).await?;
            copied.map_err(|error| unwritten(&error))
        }
    }
}

/// Reads a list; without a time nothing has changed since it.
fn read(mut lines: impl BufRead, since: Option<i64>) -> Result<List, String> {
    let mut list = List { newest: i64::MIN, ..List::default() };
    let mut line = Vec::new();
    for _ in 0..LINES_MAX {
        line.clear();
        let limit = LINE_BYTES_MAX + 1;
        let read = lines.by_ref().take(limit).read_until(b'\n', &mut line);
        if read.map_err(|error| error.to_string())? == 0 {
            if list.identifiers.is_empty() {
                return Err("it is no list of changes: it has no line `TIME,IDENTIFIER`".to_owned());
            }
            list.changed.sort();
            list.changed.dedup();
            return Ok(list);
        }
        if line.len() as u64 > LINE_BYTES_MAX {
            return Err(format!(
                "it is no list of changes: a line is longer than {LINE_BYTES_MAX} bytes"
            ));
        }
        let Some((time, identifier)) = parse(&line) else {
            list.skipped += 1;
            continue;
        };
        list.newest = list.newest.max(time);
        if since.is_some_and(|since| time >= since) && list.changed.len() <= RECORDS_MAX {
            list.changed.push(identifier.to_owned());
        }
        list.identifiers.insert(identifier.to_owned());
    }
    Err(format!("it has more than {LINES_MAX} lines"))
}

/// A line; an identifier becomes a part of a URL.
fn parse(line: &[u8]) -> Option<(i64, &str)> {
    let (time, identifier) = std::str::from_utf8(line).ok()?.trim().split_once(',')?;
    let time: jiff::Timestamp = time.parse().ok()?;
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:+".contains(&byte);
    let is_identifier =
        !identifier.is_empty() && !identifier.starts_with('.') && identifier.bytes().all(allowed);
    is_identifier.then_some((time.as_millisecond(), identifier))
}

fn encoded(identifier: &str) -> String {
    identifier.replace(':', "%3A").replace('+', "%2B")
}

/// Whether a location is that of such a list.
pub(super) fn is_list(url: &str) -> bool {
    url.rsplit('/').next() == Some(NAME)
}

/// For messages and tests: a path has no list of changes beside it.
pub(super) fn is_list_path(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name == NAME)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_changes() {
        let time = |text: &str| text.parse::<jiff::Timestamp>().unwrap().as_millisecond();
        let since = time("2026-01-02T00:00:00Z");
        let text = "2026-01-03T00:00:00Z,DSA-1-1\n2026-01-02T00:00:00.000Z,ALSA-2026:1\r\n\
                    2026-01-01T00:00:00Z,CVE-1\n2026-01-04T00:00:00Z,../secret\n\
                    2026-01-04T00:00:00Z,a/b\n2026-01-04T00:00:00Z,..\nyesterday,CVE-2\nCVE-3\n\
                    2026-01-03T00:00:00Z,DSA-1-1\n2026-01-04T00:00:00Z,";
        let list = read(text.as_bytes(), Some(since)).unwrap();
        assert_eq!(list.changed, ["ALSA-2026:1", "DSA-1-1"]);
        assert_eq!((list.identifiers.len(), list.skipped), (3, 6));
        assert_eq!(list.newest, time("2026-01-03T00:00:00Z"));
        assert!(read(text.as_bytes(), None).unwrap().changed.is_empty());
        let long = format!("2026-01-03T00:00:00Z,{}", "a".repeat(600));
        for (text, expected) in
            [("", "no line"), ("<html>\n</html>\n", "no line"), (&long, "longer than 512")]
        {
            assert!(read(text.as_bytes(), None).unwrap_err().contains(expected), "{text}");
        }
        let many: String =
            (0..3_000).map(|number| format!("2026-01-03T00:00:00Z,CVE-{number}\n")).collect();
        let list = read(many.as_bytes(), Some(since)).unwrap();
        assert_eq!((list.changed.len(), list.identifiers.len()), (RECORDS_MAX + 1, 3_000));
        assert_eq!(encoded("ALSA-2026:1+b"), "ALSA-2026%3A1%2Bb");
        assert!(is_list("https://a/Debian/modified_id.csv") && !is_list("https://a/all.zip"));
        assert!(is_list_path(Path::new("/srv/modified_id.csv")));
    }
}
