use std::io::{Cursor, Write};

use proptest::prelude::*;
use zip::write::SimpleFileOptions;

use super::*;

/// A file's name, and its bytes or what is wrong with it.
type Named = (String, Result<Vec<u8>, String>);

fn zipped(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in files {
        writer.start_file(*name, SimpleFileOptions::default()).expect("a file");
        writer.write_all(bytes).expect("its bytes");
    }
    writer.finish().expect("an archive").into_inner()
}

fn read_all(bytes: &[u8], limits: Limits) -> Result<Vec<Named>, String> {
    let mut files = Vec::new();
    let each = |file: BundleFile| {
        files.push((file.name, file.bytes));
        true
    };
    let handed = read_zip(Cursor::new(bytes), limits, each).map_err(|error| error.to_string())?;
    assert_eq!(handed, files.len());
    Ok(files)
}

fn names(files: &[Named]) -> Vec<(&str, bool)> {
    files.iter().map(|(name, bytes)| (&**name, bytes.is_ok())).collect()
}

const LIMITS: Limits = Limits { file_bytes: 100, total_bytes: 1_000, files: 5, depth: 2 };

#[test]
fn zips() {
    let (small, large) = ([b'a'; 10], [b'b'; 101]);
    let archive = zipped(&[("A-1.json", &small), ("README.md", &small), ("x/B:2.JSON", &small)]);
    let files = read_all(&archive, LIMITS).expect("files");
    assert_eq!(names(&files), [("A-1.json", true), ("x/B:2.JSON", true)]);
    assert_eq!(files[0].1.as_deref(), Ok(&small[..]));

    let archive = zipped(&[("a.json", &large), ("b.json", &small)]);
    let files = read_all(&archive, LIMITS).expect("files");
    assert_eq!(names(&files), [("a.json", false), ("b.json", true)]);

    let many: Vec<(String, &[u8])> = (0..6).map(|n| (format!("{n}.json"), &small[..])).collect();
    let many: Vec<(&str, &[u8])> = many.iter().map(|(name, bytes)| (&**name, *bytes)).collect();
    let error = read_all(&zipped(&many), LIMITS).expect_err("too many");
    assert!(error.contains("more than 5 files"), "{error}");

    let bombs = [("a.json", &large[..]), ("b.json", &large), ("c.json", &large)];
    let limits = Limits { total_bytes: 150, ..LIMITS };
    let error = read_all(&zipped(&bombs), limits).expect_err("too much");
    assert!(error.contains("more than 150 bytes"), "{error}");

    for bytes in [&b""[..], b"PK", b"{}", b"PK\x05\x06"] {
        let error = read_all(bytes, LIMITS).expect_err("no zip");
        assert!(error.contains("no readable zip"), "{error}");
    }
}

#[test]
fn a_damaged_file_spoils_only_itself() {
    let mut archive = zipped(&[("a.json", &[b'a'; 90]), ("b.json", b"good")]);
    // The first byte of the compressed data of the first file.
    archive["PK..".len() + 26 + "a.json".len()] ^= 0xff;
    let files = read_all(&archive, LIMITS).expect("files");
    assert_eq!(names(&files), [("a.json", false), ("b.json", true)]);
}

#[test]
fn what_a_zip_claims() {
    let archive = zipped(&[("a.json", b"1"), ("b.json", b"2")]);
    let claimed = |bytes: &[u8]| claimed_entries(&mut Cursor::new(bytes)).expect("readable");
    assert_eq!(claimed(&archive), Some(2));
    assert_eq!(claimed(b"nothing"), None);
    let mut commented = archive.clone();
    commented.extend_from_slice(&[b'x'; 1_000]);
    assert_eq!(claimed(&commented), Some(2));
    // An end of directory that refers to a larger one.
    let mut large = b"PK\x06\x06".to_vec();
    large.resize(32, 0);
    large.extend_from_slice(&9_000_000_u64.to_le_bytes());
    large.resize(56, 0);
    large.extend_from_slice(b"PK\x06\x07\0\0\0\0");
    large.extend_from_slice(&0_u64.to_le_bytes());
    large.extend_from_slice(&1_u32.to_le_bytes());
    large.extend_from_slice(b"PK\x05\x06\0\0\0\0\xff\xff\xff\xff");
    large.extend_from_slice(&[0; 10]);
    assert_eq!(claimed(&large), Some(9_000_000));
    let error = read_all(&large, Limits::default()).expect_err("too many");
    assert!(error.contains("files"), "{error}");
}

#[test]
fn directories() {
    let root = tempfile::tempdir().expect("a directory");
    let write = |name: &str, bytes: &[u8]| {
        let path = root.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("a directory");
        std::fs::write(path, bytes).expect("a file");
    };
    write("b/2.json", b"2");
    write("a/1.json", b"1");
    write("c.json", &[b'x'; 101]);
    write("a/b/3.json", b"3");
    write("a/b/too/deep.json", b"4");
    write("note.txt", b"");
    std::os::unix::fs::symlink(root.path().join("a/1.json"), root.path().join("link.json"))
        .expect("a link");
    let read_all = |limits| {
        let mut files = Vec::new();
        let each = |file: BundleFile| {
            files.push((file.name, file.bytes));
            true
        };
        read(root.path(), limits, each).map(|_| files).map_err(|error| error.to_string())
    };
    let limits = Limits { files: 100, ..LIMITS };
    let files = read_all(limits).expect("files");
    assert_eq!(
        names(&files),
        [("c.json", false), ("a/1.json", true), ("a/b/3.json", true), ("b/2.json", true)]
    );
    let error = read_all(LIMITS).expect_err("too many");
    assert!(error.contains("more than 5 files"), "{error}");

    let zip = root.path().join("all.zip");
    std::fs::write(&zip, zipped(&[("z.json", b"z")])).expect("a file");
    let mut first = None;
    let handed = read(&zip, limits, |file| {
        first = Some(file);
        false
    });
    assert_eq!(handed.expect("files"), 1);
    assert_eq!(first, Some(BundleFile { name: "z.json".to_owned(), bytes: Ok(b"z".to_vec()) }));

    write("b/all.ZIP", &zipped(&[("d/4.json", b"4"), ("note.txt", b""), ("5.json", b"5")]));
    let files = read_all(limits).expect("files");
    let of_zips = [("all.zip/z.json", true), ("c.json", false)];
    assert_eq!(names(&files)[..2], of_zips);
    let of_zips = [("b/2.json", true), ("b/all.ZIP/d/4.json", true), ("b/all.ZIP/5.json", true)];
    assert_eq!(names(&files)[4..], of_zips);
    let error = read_all(Limits { files: 13, ..limits }).expect_err("too many with those of zips");
    assert!(error.contains("more than 13 files"), "{error}");
    write("b/broken.zip", b"PK");
    let error = read_all(limits).expect_err("a damaged zip");
    assert!(error.contains("b/broken.zip: it has no end of directory"), "{error}");

    let missing = read(&root.path().join("absent"), limits, |_| true).expect_err("nothing there");
    assert!(matches!(missing, BundleError::Io { .. }));
}

#[test]
fn compressed() {
    let gzip = |bytes: &[u8]| {
        let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        writer.write_all(bytes).expect("bytes");
        writer.finish().expect("bytes")
    };
    let two = [gzip(b"one "), gzip(b"two")].concat();
    for (bytes, max, expected) in [
        (b"plain".to_vec(), 5, Some("plain")),
        (b"plain".to_vec(), 4, None),
        (gzip(b"packed"), 6, Some("packed")),
        (gzip(b"packed"), 5, None),
        (two, 100, Some("one two")),
        (gzip(&[b'x'; 1 << 20]), 1_000, None),
        (b"\x1f\x8bnonsense".to_vec(), 100, None),
        (Vec::new(), 0, Some("")),
    ] {
        let mut text = String::new();
        let read =
            decompressed(bytes.as_slice(), max).and_then(|mut r| r.read_to_string(&mut text));
        assert_eq!(read.is_ok().then_some(&*text), expected);
    }
}

#[test]
fn checksums() {
    let digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    let other = "0".repeat(64);
    for (checksums, expected) in [
        (digest.to_owned(), "ok"),
        (format!("{}\n", digest.to_uppercase()), "ok"),
        (format!("{digest}  all.zip\n"), "ok"),
        (format!("{other}  other.zip\n{digest} *./all.zip\n"), "ok"),
        (format!("{other}  all.zip\n"), "was promised"),
        (other.clone(), "was promised"),
        (format!("{digest}  other.zip\n"), "no SHA-256 checksum"),
        (format!("{digest}\n{digest}\n"), "no SHA-256 checksum"),
        (String::new(), "no SHA-256 checksum"),
        ("abc".to_owned(), "no SHA-256 checksum"),
    ] {
        let outcome = match verify(&b"abc"[..], "all.zip", &checksums) {
            Ok(()) => "ok".to_owned(),
            Err(error) => error.to_string(),
        };
        assert!(outcome.contains(expected), "{checksums}: {outcome}");
    }
}

proptest! {
    #[test]
    fn mutated_zips(position in 0..400_usize, value in any::<u8>(), cut in 0..400_usize) {
        let mut archive = zipped(&[("a.json", b"some bytes, some bytes"), ("b.json", b"more")]);
        if let Some(byte) = archive.get_mut(position) {
            *byte = value;
        }
        let _ = read_all(&archive, LIMITS);
        archive.truncate(cut);
        let _ = read_all(&archive, LIMITS);
    }
}

/// A tar archive of these files.
fn tarred(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = tar::Builder::new(Vec::new());
    for (name, bytes) in files {
        let mut header = tar::Header::new_ustar();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        writer.append_data(&mut header, name, *bytes).expect("a file");
    }
    writer.into_inner().expect("an archive")
}

fn gzipped(bytes: &[u8]) -> Vec<u8> {
    let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    writer.write_all(bytes).expect("bytes");
    writer.finish().expect("gzip")
}

fn zstandard(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 1).expect("zstd")
}

/// What a file with these bytes comes to.
fn read_file(bytes: &[u8], limits: Limits) -> Result<Vec<Named>, String> {
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), bytes).expect("its bytes");
    let mut files = Vec::new();
    let each = |file: BundleFile| {
        files.push((file.name, file.bytes));
        true
    };
    let handed = read(file.path(), limits, each).map_err(|error| error.to_string())?;
    assert_eq!(handed, files.len());
    Ok(files)
}

#[test]
fn archives_are_read_like_zips() {
    let (small, large) = ([b'a'; 10], [b'b'; 101]);
    let files: [(&str, &[u8]); 4] =
        [("A-1.json", &small), ("README", &small), ("x/B:2.JSON", &large), ("c.json", &small)];
    let plain = tarred(&files);
    let expected = [("A-1.json", true), ("x/B:2.JSON", false), ("c.json", true)];
    for archive in [plain.clone(), gzipped(&plain), zstandard(&plain), zipped(&files)] {
        assert_eq!(names(&read_file(&archive, LIMITS).expect("files")), expected);
    }
    let mut stopped = 0;
    let each = |_: BundleFile| {
        stopped += 1;
        false
    };
    assert_eq!(read_tar(&plain[..], LIMITS, each).expect("one file"), 1);
    assert_eq!(stopped, 1);
}

#[test]
fn hostile_archives() {
    let small: &[u8] = &[b'a'; 90];
    let plain = tarred(&[("a.json", small), ("b.json", small)]);
    let many: Vec<(String, &[u8])> = (0..6).map(|n| (format!("{n}.json"), small)).collect();
    let many: Vec<(&str, &[u8])> = many.iter().map(|(name, bytes)| (&**name, *bytes)).collect();
    let zipped_bomb = gzipped(&tarred(&[("zeros", &vec![0; 4 << 20])]));
    let mut header = tarred(&[("a.json", small)]);
    header[130] ^= 0xff;
    let mut damaged = gzipped(&plain);
    let end = damaged.len() - 8;
    damaged[end] ^= 0xff;
    let cut = |bytes: Vec<u8>| bytes[..bytes.len() - 20].to_vec();
    for (what, bytes, expected) in [
        ("too many", tarred(&many), "more than 5 entries"),
        ("too much", plain.clone(), "more than 100 bytes"),
        ("a bomb", zipped_bomb, "more than"),
        ("a damaged header", header, "no readable archive"),
        ("a wrong checksum", damaged, "no readable archive"),
        ("a cut gzip", cut(gzipped(&plain)), "no readable archive"),
        ("a cut zstd", cut(zstandard(&plain)), "no readable archive"),
        ("a cut archive", plain[..600].to_vec(), "no readable archive"),
        ("something else in gzip", gzipped(b"hello"), "no readable archive"),
        ("something else", b"hello".to_vec(), "no readable zip"),
    ] {
        let limits = Limits { total_bytes: if what == "too much" { 100 } else { 1_000 }, ..LIMITS };
        let error = read_file(&bytes, limits).expect_err(what);
        assert!(error.contains(expected), "{what}: {error}");
    }
}
