//! SQLite's file format, as far as one table needs it (SQLite's documentation, "Database File
//! Format"): the rows of `Packages(hnum, blob)`.
//!
//! The library itself is kept away from files of strangers. Every page is visited once at most, and
//! all values together are no larger than the file.

use super::super::bytes::Order;
use super::super::collect::Findings;
use super::super::error::Fault;
use super::super::scratch::Spooled;
use super::Headers;

const FILE_HEADER_BYTES: usize = 100;
const LEAF: u8 = 13;
const INTERIOR: u8 = 5;

/// Deepest tree: one of 2^31 pages is not as deep.
const DEPTH_MAX: usize = 32;

/// Largest row of the schema that is read.
const SCHEMA_ROW_BYTES_MAX: u64 = 64 * 1024;

struct Database<'a, 'b> {
    file: &'a mut Spooled<'b>,
    page_bytes: usize,
    /// Bytes of a page that hold data.
    usable: usize,
    pages: u32,
}

/// What a record's value is, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Value<'a> {
    Number(i64),
    Bytes(&'a [u8]),
    Other,
}

pub(in super::super) fn read(
    file: &mut Spooled<'_>,
    header_bytes_max: usize,
    findings: &mut Findings<'_>,
) -> Result<(), Fault> {
    let mut database = Database::open(file)?;
    let root = database
        .root_of("Packages")?
        .ok_or_else(|| Fault::file("the database has no table of packages"))?;
    let mut headers = Headers::new(findings, header_bytes_max, database.file.len());
    database.rows(root, &mut |database, cell| {
        if !headers.admit(cell.length)? {
            return Ok(());
        }
        let payload = database.payload(cell)?;
        let values = record(&payload).ok_or_else(|| Fault::file("a row is malformed"))?;
        match values.as_slice() {
            [_, Value::Bytes(blob), ..] => headers.header(blob),
            _ => {
                headers.problem("a row holds no package");
                Ok(())
            }
        }
    })
}

/// A row of a leaf page, where it lies.
struct Cell<'a> {
    length: u64,
    /// From the start of the payload to the end of the page.
    local: &'a [u8],
}

impl<'a, 'b> Database<'a, 'b> {
    fn open(file: &'a mut Spooled<'b>) -> Result<Self, Fault> {
        let header = file.bytes_at(0, FILE_HEADER_BYTES)?;
        if !header.starts_with(b"SQLite format 3\0") {
            return Err(Fault::file("not a database of SQLite"));
        }
        let page_bytes = match Order::Big.u16(&header, 16).unwrap_or_default() {
            1 => 65_536,
            bytes => usize::from(bytes),
        };
        let reserved = usize::from(header[20]);
        // The format guarantees 480 usable bytes, and the sums below need them.
        if !page_bytes.is_power_of_two() || page_bytes < 512 || page_bytes - reserved < 480 {
            return Err(Fault::file("pages have an impossible size"));
        }
        let pages = file.len() / page_bytes as u64;
        let pages = u32::try_from(pages).map_err(|_| Fault::file("it has too many pages"))?;
        Ok(Self { file, page_bytes, usable: page_bytes - reserved, pages })
    }

    fn page(&mut self, number: u32) -> Result<Vec<u8>, Fault> {
        if number == 0 || number > self.pages {
            return Err(Fault::file("it refers to a page that is not there"));
        }
        let mut page =
            self.file.bytes_at(u64::from(number - 1) * self.page_bytes as u64, self.page_bytes)?;
        page.truncate(self.usable);
        Ok(page)
    }

    /// The first page of a table, by its name in the schema.
    fn root_of(&mut self, table: &str) -> Result<Option<u32>, Fault> {
        let mut root = None;
        self.rows(1, &mut |database, cell| {
            if cell.length > SCHEMA_ROW_BYTES_MAX {
                return Ok(());
            }
            let payload = database.payload(cell)?;
            if let Some(values) = record(&payload)
                && let [Value::Bytes(b"table"), Value::Bytes(name), _, Value::Number(page), ..] =
                    values.as_slice()
                && *name == table.as_bytes()
            {
                root = u32::try_from(*page).ok();
            }
            Ok(())
        })?;
        Ok(root)
    }

    /// Visits the rows of a table in order.
    fn rows(
        &mut self,
        root: u32,
        visit: &mut dyn FnMut(&mut Self, &Cell<'_>) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        let mut seen = vec![false; self.pages as usize + 1];
        let mut pending = vec![(root, 0)];
        while let Some((number, depth)) = pending.pop() {
            let page = self.page(number)?;
            if depth > DEPTH_MAX || std::mem::replace(&mut seen[number as usize], true) {
                return Err(Fault::file("its pages form a circle"));
            }
            let broken = || Fault::file("a page has cells outside of it");
            let start = if number == 1 { FILE_HEADER_BYTES } else { 0 };
            let kind = page.get(start).copied().unwrap_or_default();
            let cells = usize::from(Order::Big.u16(&page, start + 3).unwrap_or_default());
            let pointers = start + if kind == INTERIOR { 12 } else { 8 };
            let cell_at = |cell: usize| {
                let at = Order::Big.u16(&page, pointers + cell * 2)?;
                page.get(usize::from(at)..)
            };
            match kind {
                LEAF => {
                    for cell in 0..cells {
                        let content = cell_at(cell).ok_or_else(broken)?;
                        let (length, content) = varint(content).ok_or_else(broken)?;
                        let (_row, local) = varint(content).ok_or_else(broken)?;
                        visit(self, &Cell { length, local })?;
                    }
                }
                INTERIOR => {
                    let right = Order::Big.u32(&page, start + 8).ok_or_else(broken)?;
                    pending.push((right, depth + 1));
                    for cell in (0..cells).rev() {
                        let content = cell_at(cell).ok_or_else(broken)?;
                        let child = Order::Big.u32(content, 0).ok_or_else(broken)?;
                        pending.push((child, depth + 1));
                    }
                    if pending.len() > self.pages as usize + 1 {
                        return Err(Fault::file("its pages form a circle"));
                    }
                }
                _ => return Err(Fault::file("a page is not of a table")),
            }
        }
        Ok(())
    }

    /// A row's bytes: those on its page, and the chain of pages after them. Its length, which the
    /// caller has bounded, ends any circle.
    fn payload(&mut self, cell: &Cell<'_>) -> Result<Vec<u8>, Fault> {
        let broken = || Fault::file("a row is cut short");
        let length = usize::try_from(cell.length).map_err(|_| broken())?;
        let in_page = self.usable - 35;
        if length <= in_page {
            return Ok(cell.local.get(..length).ok_or_else(broken)?.to_vec());
        }
        let minimum = (self.usable - 12) * 32 / 255 - 23;
        let remainder = minimum + (length - minimum) % (self.usable - 4);
        let local = if remainder <= in_page { remainder } else { minimum };
        let mut payload = cell.local.get(..local).ok_or_else(broken)?.to_vec();
        let mut next = Order::Big.u32(cell.local, local).ok_or_else(broken)?;
        while payload.len() < length {
            let page = self.page(next)?;
            next = Order::Big.u32(&page, 0).ok_or_else(broken)?;
            let content = page.get(4..).unwrap_or_default();
            let take = content.len().min(length - payload.len());
            payload.extend_from_slice(content.get(..take).unwrap_or_default());
        }
        Ok(payload)
    }
}

/// The values of a record; at most the first eight.
fn record(payload: &[u8]) -> Option<Vec<Value<'_>>> {
    let (header_bytes, after) = varint(payload)?;
    let header_bytes = usize::try_from(header_bytes).ok()?;
    let mut types = after.get(..header_bytes.checked_sub(payload.len() - after.len())?)?;
    let mut data = payload.get(header_bytes..)?;
    let mut values = Vec::new();
    while !types.is_empty() && values.len() < 8 {
        let (serial, rest) = varint(types)?;
        types = rest;
        let width = match serial {
            0 | 8 | 9 => 0,
            1..=4 => usize::try_from(serial).ok()?,
            5 => 6,
            6 | 7 => 8,
            12.. => usize::try_from((serial - 12) / 2).ok()?,
            _ => return None,
        };
        let (bytes, rest) = data.split_at_checked(width)?;
        data = rest;
        values.push(match serial {
            1..=6 => Value::Number(integer(bytes)),
            8 => Value::Number(0),
            9 => Value::Number(1),
            12.. => Value::Bytes(bytes),
            _ => Value::Other,
        });
    }
    Some(values)
}

/// A big-endian number in two's complement.
fn integer(bytes: &[u8]) -> i64 {
    let negative = bytes.first().is_some_and(|byte| byte & 0x80 != 0);
    bytes.iter().fold(if negative { -1 } else { 0 }, |number, byte| {
        (number << 8) | i64::from(*byte)
    })
}

/// A number of one to nine bytes, and what follows it.
fn varint(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut number = 0_u64;
    for at in 0..9 {
        let byte = *bytes.get(at)?;
        if at == 8 {
            return Some(((number << 8) | u64::from(byte), bytes.get(9..)?));
        }
        number = (number << 7) | u64::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            return Some((number, bytes.get(at + 1..)?));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn varints() {
        for (bytes, expected) in [
            (&[0x05][..], Some(5)),
            (&[0x81, 0x00], Some(128)),
            (&[0xff; 9], Some(u64::MAX)),
            (&[0x80], None),
            (&[], None),
        ] {
            assert_eq!(varint(bytes).map(|(number, _)| number), expected, "{bytes:?}");
        }
    }

    #[test]
    fn records() {
        let payload = [4, 1, 18, 8, 0xfe, b'a', b'b', b'c'];
        let values = record(&payload).expect("a record");
        assert_eq!(values, [Value::Number(-2), Value::Bytes(b"abc"), Value::Number(0)]);
        for broken in [&payload[..7], &[], &[9, 1], &[2, 10, 0], &[0]] {
            assert_eq!(record(broken), None, "{broken:?}");
        }
    }
}
