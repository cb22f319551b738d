//! Forms with files: `multipart/form-data` (RFC 7578), as browsers send it.

use bytes::Bytes;

/// Parts that are looked at; a form has far fewer.
const PARTS_MAX: usize = 50;
/// Bytes of a boundary at most (RFC 2046, section 5.1.1).
const BOUNDARY_MAX: usize = 70;

/// What a form with files says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Parts {
    /// Fields that are no files, in their order.
    pub(super) fields: Vec<(String, String)>,
    /// Files, by the name of their field; one that nobody chose is not there.
    pub(super) files: Vec<(String, Bytes)>,
}

/// Whether a body of this type is such a form, and what its parts are apart by.
pub(super) fn boundary_of(content_type: &str) -> Option<&str> {
    let (kind, parameters) = content_type.split_once(';')?;
    if !kind.trim().eq_ignore_ascii_case("multipart/form-data") {
        return None;
    }
    let boundary = parameters.split(';').find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        let is_boundary = name.trim().eq_ignore_ascii_case("boundary");
        is_boundary.then(|| value.trim().trim_matches('"'))
    })?;
    (1..=BOUNDARY_MAX).contains(&boundary.len()).then_some(boundary)
}

/// Reads the parts; what is no part ends them.
pub(super) fn parse(body: &Bytes, boundary: &str) -> Parts {
    let mut parts = Parts::default();
    let delimiter = format!("\r\n--{boundary}");
    // The first delimiter begins the body, without a line end before it.
    let Some(first) = find(body, delimiter.as_bytes().get(2..).unwrap_or_default(), 0) else {
        return parts;
    };
    let mut at = first + delimiter.len() - 2;
    for _ in 0..PARTS_MAX {
        // A line end follows a delimiter, and two hyphens the last one.
        if body.get(at..at + 2) != Some(b"\r\n") {
            break;
        }
        at += 2;
        let Some(end) = find(body, delimiter.as_bytes(), at) else { break };
        add(&mut parts, body, at, end);
        at = end + delimiter.len();
    }
    parts
}

fn add(parts: &mut Parts, body: &Bytes, begin: usize, end: usize) {
    let Some(head_end) = find(body, b"\r\n\r\n", begin).filter(|at| at + 4 <= end) else { return };
    let head = body.get(begin..head_end).and_then(|head| std::str::from_utf8(head).ok());
    let Some(disposition) = head.unwrap_or_default().lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-disposition").then_some(value)
    }) else {
        return;
    };
    let Some(name) = parameter(disposition, "name") else { return };
    let bytes = body.slice(head_end + 4..end);
    match parameter(disposition, "filename") {
        // Nothing was chosen.
        Some("") if bytes.is_empty() => {}
        Some(_) => parts.files.push((name.to_owned(), bytes)),
        None => {
            parts.fields.push((name.to_owned(), String::from_utf8_lossy(&bytes).into_owned()));
        }
    }
}

/// A quoted parameter of a header; browsers escape quotes inside as `%22`.
fn parameter<'h>(header: &'h str, name: &str) -> Option<&'h str> {
    header.split(';').find_map(|part| {
        let (known, value) = part.trim().split_once('=')?;
        (known == name).then(|| value.trim_matches('"'))
    })
}

fn find(bytes: &[u8], wanted: &[u8], from: usize) -> Option<usize> {
    let rest = bytes.get(from..)?;
    rest.windows(wanted.len().max(1)).position(|window| window == wanted).map(|at| from + at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boundaries() {
        for (content_type, expected) in [
            ("multipart/form-data; boundary=----x", Some("----x")),
            ("Multipart/Form-Data; charset=utf-8; Boundary=\"a b\"", Some("a b")),
            ("multipart/form-data", None),
            ("multipart/form-data; boundary=", None),
            ("application/x-www-form-urlencoded; boundary=x", None),
        ] {
            assert_eq!(boundary_of(content_type), expected, "{content_type}");
        }
    }

    #[test]
    fn fields_and_files() {
        let body = Bytes::from_static(
            b"--x\r\nContent-Disposition: form-data; name=\"csrf\"\r\n\r\ntoken\r\n\
              --x\r\nContent-Disposition: form-data; name=\"logo\"; filename=\"a.png\"\r\n\
              Content-Type: image/png\r\n\r\n\x89PNG\r\n\r\n--y\r\n\
              --x\r\nContent-Disposition: form-data; name=\"none\"; filename=\"\"\r\n\r\n\r\n--x--\r\n",
        );
        let parts = parse(&body, "x");
        assert_eq!(parts.fields, [("csrf".to_owned(), "token".to_owned())]);
        let png = Bytes::from_static(b"\x89PNG\r\n\r\n--y");
        assert_eq!(parts.files, [("logo".to_owned(), png)]);
    }

    #[test]
    fn anything_is_read_without_an_end() {
        for body in [
            &b""[..],
            b"--x",
            b"--x\r\n",
            b"--x\r\n\r\n--x--",
            b"--x--",
            b"no",
            b"--x\r\n--x\r\n--x",
            b"--x\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n--x--",
        ] {
            assert_eq!(parse(&Bytes::copy_from_slice(body), "x"), Parts::default());
        }
    }
}
