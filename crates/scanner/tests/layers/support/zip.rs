//! Zip archives.

use std::io::Write;

use flate2::Compression;
use flate2::write::DeflateEncoder;

/// How entries are written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    Stored,
    Deflated,
    /// With all numbers in fields of 64 bits.
    Zip64,
}

pub(crate) fn zip(entries: &[(&str, &[u8])]) -> Vec<u8> {
    zip_as(Form::Deflated, b"", entries)
}

/// An archive after `before`, which its positions do not count.
pub(crate) fn zip_as(form: Form, before: &[u8], entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut directory = Vec::new();
    for (name, content) in entries {
        let at = bytes.len() as u64;
        let (method, data) = match form {
            Form::Stored => (0_u16, content.to_vec()),
            Form::Deflated | Form::Zip64 => {
                let mut encoder = DeflateEncoder::new(Vec::new(), Compression::fast());
                encoder.write_all(content).expect("memory");
                (8, encoder.finish().expect("memory"))
            }
        };
        let (compressed, inflated) = (data.len() as u64, content.len() as u64);
        let wide = form == Form::Zip64;
        let narrow = |number: u64| if wide { u32::MAX } else { number as u32 };
        bytes.extend(b"PK\x03\x04\x14\0\0\0");
        bytes.extend(method.to_le_bytes());
        bytes.extend([0; 8]);
        bytes.extend((compressed as u32).to_le_bytes());
        bytes.extend((inflated as u32).to_le_bytes());
        bytes.extend((name.len() as u16).to_le_bytes());
        bytes.extend([0; 2]);
        bytes.extend(name.as_bytes());
        bytes.extend(&data);

        let mut extra = Vec::new();
        if wide {
            // Another field first.
            extra.extend([0x99, 0x99, 2, 0, 1, 1, 1, 0, 24, 0]);
            for number in [inflated, compressed, at] {
                extra.extend(number.to_le_bytes());
            }
        }
        directory.extend(b"PK\x01\x02\x14\0\x14\0\0\0");
        directory.extend(method.to_le_bytes());
        directory.extend([0; 8]);
        directory.extend(narrow(compressed).to_le_bytes());
        directory.extend(narrow(inflated).to_le_bytes());
        directory.extend((name.len() as u16).to_le_bytes());
        directory.extend((extra.len() as u16).to_le_bytes());
        directory.extend([0; 10]);
        directory.extend(narrow(at).to_le_bytes());
        directory.extend(name.as_bytes());
        directory.extend(&extra);
    }
    let start = bytes.len() as u64;
    let length = directory.len() as u64;
    bytes.extend(&directory);
    if form == Form::Zip64 {
        let record_at = bytes.len() as u64;
        bytes.extend(b"PK\x06\x06");
        bytes.extend(44_u64.to_le_bytes());
        bytes.extend([0; 28]);
        bytes.extend(length.to_le_bytes());
        bytes.extend(start.to_le_bytes());
        bytes.extend(b"PK\x06\x07\0\0\0\0");
        bytes.extend(record_at.to_le_bytes());
        bytes.extend([1, 0, 0, 0]);
    }
    let narrow = |number: u64| if form == Form::Zip64 { u32::MAX } else { number as u32 };
    bytes.extend(b"PK\x05\x06\0\0\0\0");
    bytes.extend([0; 4]);
    bytes.extend(narrow(length).to_le_bytes());
    bytes.extend(narrow(start).to_le_bytes());
    bytes.extend(b"\x04\0note");
    [before, &bytes].concat()
}
