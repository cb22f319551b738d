//! Text files, line by line, in bounded memory.

use std::io::{self, BufRead};

use super::error::Fault;

/// Longest line that is kept; what is longer is cut. Nothing that matters is as long.
const LINE_BYTES_MAX: usize = 64 * 1024;

/// The lines of a file.
pub(super) struct Lines<'a> {
    reader: &'a mut dyn BufRead,
    left: u64,
    maximum: u64,
    line: Vec<u8>,
    text: String,
}

impl<'a> Lines<'a> {
    /// Lines of a file of at most `maximum` bytes.
    pub(super) fn new(reader: &'a mut dyn BufRead, maximum: u64) -> Self {
        Self { reader, left: maximum, maximum, line: Vec::new(), text: String::new() }
    }

    /// The next line without its end, or none after the last.
    pub(super) fn next(&mut self) -> Result<Option<&str>, Fault> {
        self.line.clear();
        let mut any = false;
        loop {
            let buffer = match self.reader.fill_buf() {
                Ok(buffer) => buffer,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error.into()),
            };
            if buffer.is_empty() {
                break;
            }
            any = true;
            let end = buffer.iter().position(|byte| *byte == b'\n');
            let content = &buffer[..end.unwrap_or(buffer.len())];
            let room = LINE_BYTES_MAX - self.line.len();
            self.line.extend_from_slice(&content[..content.len().min(room)]);
            let consumed = end.map_or(buffer.len(), |end| end + 1);
            self.reader.consume(consumed);
            self.left = match self.left.checked_sub(consumed as u64) {
                Some(left) => left,
                None => return Err(Fault::File(format!("larger than {} bytes", self.maximum))),
            };
            if end.is_some() {
                break;
            }
        }
        if !any {
            return Ok(None);
        }
        if self.line.last() == Some(&b'\r') {
            self.line.pop();
        }
        self.text.clear();
        self.text.push_str(&String::from_utf8_lossy(&self.line));
        Ok(Some(&self.text))
    }
}

/// Words between white space.
pub(super) fn split_words(text: &str) -> impl Iterator<Item = &str> {
    text.split_ascii_whitespace()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines() {
        let long = "x".repeat(LINE_BYTES_MAX + 10);
        let text = format!("a\r\n\n{long}\nlast");
        let mut reader = io::BufReader::with_capacity(7, text.as_bytes());
        let mut lines = Lines::new(&mut reader, 1 << 20);
        let mut seen = Vec::new();
        while let Some(line) = lines.next().expect("a line") {
            seen.push(line.to_owned());
        }
        assert_eq!(seen, ["a", "", &long[..LINE_BYTES_MAX], "last"]);
        let mut reader = text.as_bytes();
        let mut lines = Lines::new(&mut reader, 4);
        assert!(matches!(lines.next(), Ok(Some("a"))));
        assert!(matches!(lines.next(), Ok(Some(""))));
        assert!(matches!(lines.next(), Err(Fault::File(_))));
    }
}
