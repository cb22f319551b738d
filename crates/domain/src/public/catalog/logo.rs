//! Logos: PNG images of a bounded size. Only the header is read (PNG specification, third edition,
//! sections 5.2 and 11.2.1): browsers decode the rest, and it is served as what it is.

use crate::error::{Error, Result};

/// Bytes of a logo at most (botocore `ecr-public`, shape `LogoImageBlob`).
const BYTES_MAX: usize = 512_000;
/// Pixels of each side, at least and at most (Amazon ECR Public user guide, "Repository catalog
/// data").
const SIDE: std::ops::RangeInclusive<u32> = 60..=2048;

const SIGNATURE: [u8; 8] = [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n'];
const HEADER_BYTES: u32 = 13;

/// Refuses what is not a logo.
///
/// # Errors
/// `InvalidParameter`, with what is wrong.
pub(crate) fn check(bytes: &[u8]) -> Result<()> {
    let refuse = |what: String| Err(Error::invalid_parameter("logoImageBlob", what));
    if bytes.len() > BYTES_MAX {
        return refuse(format!("A logo has at most {BYTES_MAX} bytes"));
    }
    match read_header(bytes) {
        Err(what) => refuse(format!("A logo must be a PNG image: {what}")),
        Ok((width, height)) if SIDE.contains(&width) && SIDE.contains(&height) => Ok(()),
        Ok((width, height)) => refuse(format!(
            "Each side of a logo has {} to {} pixels; this one has {width} x {height}",
            SIDE.start(),
            SIDE.end()
        )),
    }
}

/// Width and height in pixels.
fn read_header(bytes: &[u8]) -> Result<(u32, u32), &'static str> {
    let rest = bytes.strip_prefix(&SIGNATURE).ok_or("it does not begin as one")?;
    let (length, rest) = word(rest).ok_or("it is too short")?;
    let chunk = rest.get(..4 + HEADER_BYTES as usize).ok_or("it is too short")?;
    let data = chunk.strip_prefix(b"IHDR").ok_or("its first chunk is no header")?;
    if length != HEADER_BYTES {
        return Err("its header has another length");
    }
    let (sum, after) = rest.get(chunk.len()..).and_then(word).ok_or("it is too short")?;
    if crc(chunk) != sum {
        return Err("its header is damaged");
    }
    let (width, data) = word(data).ok_or("it is too short")?;
    let (height, data) = word(data).ok_or("it is too short")?;
    let [depth, colour, compression, filter, interlace] = *data else {
        return Err("its header has another length");
    };
    let depth_fits = match colour {
        0 => matches!(depth, 1 | 2 | 4 | 8 | 16),
        2 | 4 | 6 => matches!(depth, 8 | 16),
        3 => matches!(depth, 1 | 2 | 4 | 8),
        _ => false,
    };
    if !depth_fits || compression != 0 || filter != 0 || interlace > 1 {
        return Err("its header says what no PNG image is");
    }
    if after.is_empty() {
        return Err("it has no pixels");
    }
    Ok((width, height))
}

fn word(bytes: &[u8]) -> Option<(u32, &[u8])> {
    let (word, rest) = bytes.split_first_chunk::<4>()?;
    Some((u32::from_be_bytes(*word), rest))
}

/// The checksum of PNG chunks (PNG specification, annex D).
fn crc(bytes: &[u8]) -> u32 {
    let mut sum = u32::MAX;
    for byte in bytes {
        sum ^= u32::from(*byte);
        for _ in 0..8 {
            sum = if sum & 1 == 1 { 0xedb8_8320 ^ (sum >> 1) } else { sum >> 1 };
        }
    }
    !sum
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn png(width: u32, height: u32, rest: [u8; 5]) -> Vec<u8> {
        let mut chunk = b"IHDR".to_vec();
        chunk.extend(width.to_be_bytes());
        chunk.extend(height.to_be_bytes());
        chunk.extend(rest);
        let mut bytes = SIGNATURE.to_vec();
        bytes.extend(HEADER_BYTES.to_be_bytes());
        bytes.extend(&chunk);
        bytes.extend(crc(&chunk).to_be_bytes());
        bytes.extend(b"\0\0\0\0IDAT");
        bytes
    }

    #[test]
    fn a_checksum_of_the_specification() {
        // The end chunk of every PNG file.
        assert_eq!(crc(b"IEND"), 0xae42_6082);
    }

    #[test]
    fn logos() {
        let check = |bytes: &[u8], expected: Option<&str>| {
            let message = check(bytes).err().map(|error| error.message().to_owned());
            match expected {
                None => assert_eq!(message, None),
                Some(part) => {
                    assert!(message.as_deref().unwrap_or("").contains(part), "{message:?}");
                }
            }
        };
        const RGBA: [u8; 5] = [8, 6, 0, 0, 0];
        check(&png(60, 60, RGBA), None);
        check(&png(2048, 2048, RGBA), None);
        check(&png(60, 2048, [1, 0, 0, 0, 1]), None);
        check(&png(59, 60, RGBA), Some("59 x 60"));
        check(&png(60, 2049, RGBA), Some("60 x 2049"));
        check(&png(0, 0, RGBA), Some("0 x 0"));
        check(&png(u32::MAX, 60, RGBA), Some("60 to 2048"));
        check(&png(60, 60, [3, 6, 0, 0, 0]), Some("no PNG image is"));
        check(&png(60, 60, [8, 5, 0, 0, 0]), Some("no PNG image is"));
        check(&png(60, 60, [8, 6, 1, 0, 0]), Some("no PNG image is"));
        check(&png(60, 60, [8, 6, 0, 1, 0]), Some("no PNG image is"));
        check(&png(60, 60, [8, 6, 0, 0, 2]), Some("no PNG image is"));
        check(b"", Some("does not begin"));
        check(b"GIF89a", Some("does not begin"));
        check(&SIGNATURE, Some("too short"));
        let whole = png(60, 60, RGBA);
        for length in 8..33 {
            check(&whole[..length], Some("PNG image"));
        }
        check(&whole[..33], Some("no pixels"));
        let mut damaged = whole.clone();
        damaged[18] ^= 1;
        check(&damaged, Some("damaged"));
        let mut long = whole;
        long.resize(BYTES_MAX, 0);
        check(&long, None);
        long.push(0);
        check(&long, Some("at most 512000 bytes"));
    }

    proptest! {
        #[test]
        fn never_panics(mut bytes in proptest::collection::vec(any::<u8>(), 0..64), prefixed: bool) {
            if prefixed {
                bytes.splice(0..0, SIGNATURE);
            }
            let _ = check(&bytes);
        }
    }
}
