//! How archives are written and compressed, by our hand and by that of others.

use std::io::Read;

use tonnage_scanner::layers::{
    INDEXER_VERSION, IndexDecodeError, LayerError, LayerIndex, Limits, MemoryFiles, index_layer,
};

use crate::support::{Layer, gzip, index, lines};

const PATH: &str = "app/node_modules/x/package.json";
const MODULE: &[u8] = br#"{"name":"x","version":"1"}"#;

fn layer() -> Vec<u8> {
    Layer::of(&[("big", &[7; 300_000]), (PATH, MODULE), ("end", b"end")]).tar()
}

#[track_caller]
fn finds(name: &str, bytes: &[u8]) {
    let index = index(bytes).expect(name);
    assert_eq!(lines(index.packages()), [format!("pkg:npm/x@1 {PATH}")], "{name}");
    assert_eq!(index.warnings(), [], "{name}");
}

#[test]
fn compressions() {
    let tar = layer();
    let zstd = zstd::encode_all(&tar[..], 3).expect("zstd");
    let skippable = [&[0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3][..], &zstd].concat();
    let half = tar.len() / 2;
    let members = [gzip(&tar[..half]), gzip(&tar[half..])].concat();
    let described = {
        let builder = flate2::GzBuilder::new().filename("a").comment("b").extra("c").mtime(1);
        let mut encoder = builder.write(Vec::new(), flate2::Compression::none());
        std::io::copy(&mut &tar[..], &mut encoder).expect("memory");
        encoder.finish().expect("memory")
    };
    for (name, bytes) in [
        ("plain", tar.clone()),
        ("gzip", gzip(&tar)),
        ("gzip with everything in its header, not compressed", described),
        ("gzip in members", members),
        ("zstd", zstd.clone()),
        ("zstd after a frame to skip", skippable.clone()),
        ("zstd before one", [&zstd[..], &skippable[..11]].concat()),
    ] {
        finds(name, &bytes);
    }
    let empty = index(b"").expect("an empty layer");
    assert_eq!(empty.packages().count(), 0);
    index(&gzip(&[0; 1024])).expect("an archive without entries");
    index(&gzip(&[0; 10_240])).expect("a longer one");
}

#[test]
fn what_is_not_read() {
    let long_window = {
        use zstd::stream::write::Encoder;
        let mut encoder = Encoder::new(Vec::new(), 1).expect("zstd");
        encoder.window_log(27).expect("a window");
        std::io::copy(&mut &layer()[..], &mut encoder).expect("memory");
        encoder.finish().expect("memory")
    };
    let unsupported = |bytes: &[u8]| match index(bytes).expect_err("not read") {
        LayerError::Unsupported(problem) => problem,
        LayerError::LimitExceeded { limit, maximum } => format!("{maximum} {limit}"),
        other => panic!("{other}"),
    };
    for (bytes, expected) in [
        (&b"\xfd7zXZ\0"[..], "compressed with xz"),
        (b"BZh91AY", "compressed with bzip2"),
        (b"\x04\x22\x4d\x18", "compressed with lz4"),
        (&[b'x'; 600], "no tar archive"),
        (&gzip(&[b'x'; 600]), "no tar archive"),
        (&long_window, "33554432 bytes of the window of zstd"),
    ] {
        let problem = unsupported(bytes);
        assert!(problem.contains(expected), "{problem}, not {expected}");
    }
    let media_type = Some("application/vnd.oci.image.layer.v1.tar+gzip+encrypted");
    let scratch = MemoryFiles::new(0);
    let encrypted =
        index_layer(&[1; 600][..], media_type, &Limits::default(), &scratch, &mut || true);
    assert!(matches!(encrypted, Err(LayerError::Unsupported(_))), "{encrypted:?}");
}

#[test]
fn what_ends_too_early() {
    let tar = layer();
    let zip = gzip(&tar);
    let zstd = zstd::encode_all(&tar[..], 3).expect("zstd");
    let mut corrupt = zip.clone();
    let middle = corrupt.len() / 2;
    corrupt[middle..middle + 40].fill(0xaa);
    let mut checksum = zip.clone();
    let end = checksum.len() - 8;
    checksum[end] ^= 1;
    let mut length = zip.clone();
    let end = length.len() - 1;
    length[end] ^= 1;
    let mut reserved = zip.clone();
    reserved[3] |= 0x80;
    let followed = [&zip, &b"followed by something else"[..]].concat();
    let second_cut = [&zip, &zip[..20]].concat();
    let mut header = tar.clone();
    // A digit of the second entry's size.
    let second = 512 + 300_032;
    header[second + 130] ^= 1;
    for (name, bytes, expected) in [
        ("gzip cut", &zip[..zip.len() / 2], "gzip: "),
        ("gzip cut in its header", &zip[..5], "gzip: "),
        ("gzip without its end", &zip[..zip.len() - 4], "gzip: "),
        ("gzip corrupt", &corrupt, "gzip: "),
        ("gzip with a wrong checksum", &checksum, "gzip: "),
        ("gzip with a wrong length", &length, "gzip: "),
        ("gzip with a flag that means nothing", &reserved, "gzip: "),
        ("gzip followed by something else", &followed, "gzip: "),
        ("gzip with a second member cut", &second_cut, "gzip: "),
        ("zstd cut", &zstd[..zstd.len() - 20], "zstd: "),
        ("tar cut in data", &tar[..1000], "tar: the archive ends in the data of an entry"),
        ("tar cut in a header", &tar[..100], "tar: the archive ends in the header of an entry"),
        ("tar with a wrong header", &header, "tar: the checksum of a header is wrong"),
    ] {
        match index(bytes) {
            Err(LayerError::Failed(problem)) => {
                assert!(problem.contains(expected), "{name}: {problem}");
            }
            other => panic!("{name}: {other:?}"),
        }
    }
    // Where nothing is missing but the end's mark, nothing is missing.
    finds("without the end's mark", &tar[..tar.len() - 1024]);
}

/// Fails after so many bytes.
struct Failing<'a>(&'a [u8], std::io::ErrorKind);

impl Read for Failing<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        match self.0.read(buffer)? {
            0 => Err(std::io::Error::from(self.1)),
            read => Ok(read),
        }
    }
}

#[test]
fn failures_that_are_not_the_layers() {
    let (tar, scratch) = (layer(), MemoryFiles::new(1 << 20));
    let limits = Limits::default();
    for bytes in [tar.clone(), gzip(&tar), zstd::encode_all(&tar[..], 1).expect("zstd")] {
        let half = &bytes[..bytes.len() / 2];
        // Even one that looks like the end of the data.
        for kind in [std::io::ErrorKind::UnexpectedEof, std::io::ErrorKind::TimedOut] {
            let found = index_layer(Failing(half, kind), None, &limits, &scratch, &mut || true);
            assert!(matches!(found, Err(LayerError::Source(_))), "{kind}: {found:?}");
        }
        let stopped = index_layer(&bytes[..], None, &limits, &scratch, &mut || false);
        assert!(matches!(stopped, Err(LayerError::Interrupted)), "{stopped:?}");
    }
    let jar = Layer::of(&[("a.jar", &[1; 3000])]).tar();
    let full = index_layer(&jar[..], None, &limits, &MemoryFiles::new(2000), &mut || true);
    assert!(matches!(full, Err(LayerError::Scratch(_))), "{full:?}");
    let later = index_layer(&jar[..], None, &limits, &scratch, &mut || true);
    assert!(later.is_ok(), "{later:?}");
}

#[test]
fn scratch_space_is_given_back() {
    let directory = tempfile::tempdir().expect("a directory");
    let scratch = tonnage_scanner::layers::TemporaryFiles::new(directory.path(), 4000);
    let jar = Layer::of(&[("a.jar", &[1; 3000]), ("b.jar", &[1; 3500])]).tar();
    for _ in 0..3 {
        let index = index_layer(&jar[..], None, &Limits::default(), &scratch, &mut || true);
        assert_eq!(index.expect("an index").warnings().len(), 2);
    }
    let entries = std::fs::read_dir(directory.path()).expect("a directory").count();
    assert_eq!(entries, 0, "nothing has a name");
}

#[test]
fn stored_indexes() {
    let index = index(&layer()).expect("an index");
    let bytes = index.to_bytes().expect("bytes");
    assert_eq!(LayerIndex::version_of(&bytes), Some(INDEXER_VERSION));
    assert_eq!(LayerIndex::version_of(&[]), None);
    assert!(matches!(
        LayerIndex::from_bytes(&[0, 0, 0, 99, 1]),
        Err(IndexDecodeError::Version(99))
    ));
    for length in 0..bytes.len() {
        let cut = LayerIndex::from_bytes(&bytes[..length]);
        assert!(cut.is_err(), "{length} of {} bytes", bytes.len());
    }
}

/// A header that the usual builder would not write.
pub(crate) fn header(name: &[u8], type_flag: u8, size: &str) -> [u8; 512] {
    let mut header = [0; 512];
    let length = name.len().min(100);
    header[..length].copy_from_slice(&name[..length]);
    header[100..107].copy_from_slice(b"0000755");
    header[124..124 + size.len()].copy_from_slice(size.as_bytes());
    header[156] = type_flag;
    header[257..265].copy_from_slice(b"ustar\x0000");
    seal(&mut header);
    header
}

pub(crate) fn seal(header: &mut [u8; 512]) {
    header[148..156].fill(b' ');
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
}

pub(crate) fn entry(name: &[u8], type_flag: u8, content: &[u8]) -> Vec<u8> {
    let mut bytes = header(name, type_flag, &format!("{:011o}", content.len())).to_vec();
    bytes.extend(content);
    bytes.resize(bytes.len().next_multiple_of(512), 0);
    bytes
}

pub(crate) fn pax(records: &[(&str, &str)]) -> Vec<u8> {
    let mut text = Vec::new();
    for (key, value) in records {
        let rest = format!(" {key}={value}\n");
        let mut length = rest.len() + 1;
        while format!("{length}{rest}").len() != length {
            length += 1;
        }
        text.extend(format!("{length}{rest}").into_bytes());
    }
    entry(b"pax", b'x', &text)
}

#[test]
fn dialects_of_tar() {
    let file = entry(PATH.as_bytes(), b'0', MODULE);
    let other = entry(b"other", b'0', MODULE);
    let long = |kind, text: &[u8]| entry(b"././@LongLink", kind, text);
    let mut posix = header(b"x/package.json", b'0', &format!("{:011o}", MODULE.len()));
    posix[345..361].copy_from_slice(b"app/node_modules");
    seal(&mut posix);
    let mut binary = header(PATH.as_bytes(), b'0', "");
    binary[124] = 0x80;
    binary[135] = MODULE.len() as u8;
    seal(&mut binary);
    let mut signed = header(&[PATH.as_bytes(), b"\0\xff\xff"].concat(), b'0', "00000000032");
    let sum: i32 = {
        signed[148..156].fill(b' ');
        signed.iter().map(|byte| i32::from(byte.cast_signed())).sum()
    };
    signed[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    let content = entry(b"", b'0', MODULE)[512..].to_vec();
    for (name, bytes) in [
        ("plain", file.clone()),
        ("old type", entry(PATH.as_bytes(), 0, MODULE)),
        ("contiguous", entry(PATH.as_bytes(), b'7', MODULE)),
        ("unknown type", entry(PATH.as_bytes(), b'Z', MODULE)),
        ("dots and slashes", entry(&[b".//./", PATH.as_bytes()].concat(), b'0', MODULE)),
        ("absolute", entry(&[b"/", PATH.as_bytes()].concat(), b'0', MODULE)),
        ("up and out", entry(&[b"../x/../../", PATH.as_bytes()].concat(), b'0', MODULE)),
        ("prefix", [&posix[..], &content].concat()),
        ("binary size", [&binary[..], &content].concat()),
        ("signed checksum", [&signed[..], &content].concat()),
        ("GNU long name", [long(b'L', &[PATH.as_bytes(), b"\0"].concat()), other.clone()].concat()),
        (
            "GNU long name and link",
            [long(b'K', b"target\0"), long(b'L', PATH.as_bytes()), other.clone()].concat(),
        ),
        ("PAX path", [pax(&[("mtime", "1.5"), ("path", PATH)]), other.clone()].concat()),
        (
            "PAX before GNU",
            [long(b'L', b"elsewhere\0"), pax(&[("path", PATH)]), other.clone()].concat(),
        ),
        (
            "PAX size",
            [
                pax(&[("path", PATH), ("size", &MODULE.len().to_string())]),
                header(b"x", b'0', "00000000000").to_vec(),
                content.clone(),
            ]
            .concat(),
        ),
        (
            "global records are for nobody",
            [entry(b"g", b'g', b"20 path=../../../x\n\n"), file.clone()].concat(),
        ),
        (
            "links have no data",
            [
                header(b"link", b'1', "00000000777").to_vec(),
                header(b"dir", b'5', "00000000777").to_vec(),
                file.clone(),
            ]
            .concat(),
        ),
        ("extensions alone at the end", [file.clone(), pax(&[("path", "x")])].concat()),
        ("garbage after the end", [&file[..], &[0; 1024], &[b'x'; 4000]].concat()),
    ] {
        finds(name, &bytes);
    }
}

/// What the usual reader of archives makes of them.
#[test]
fn same_as_the_usual_reader() {
    let long = "d/".repeat(80);
    let mut layer = Layer::new();
    let mut expected = Vec::new();
    for (number, directory) in ["", "a/", "b/c/", &long].iter().enumerate() {
        for size in [0, 1, 511, 512, 513, 5_000] {
            let path = format!("{directory}node_modules/m{size}/package.json");
            let filler = " ".repeat(size);
            let content = format!(r#"{{"name":"m{size}","version":"{number}"{filler}}}"#);
            layer = layer.file(&path, content);
            expected.push(path);
        }
    }
    let tar = layer.tar();
    let mut theirs: Vec<String> = tar::Archive::new(&tar[..])
        .entries()
        .expect("entries")
        .map(|entry| entry.expect("an entry").path().expect("a path").display().to_string())
        .collect();
    assert_eq!(theirs, expected);
    theirs.sort_unstable();
    let ours: Vec<_> =
        index(&tar).expect("an index").packages().map(|package| package.path).collect();
    assert_eq!(ours, theirs);
}
