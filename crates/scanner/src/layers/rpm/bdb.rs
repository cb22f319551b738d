//! Berkeley DB, which Red Hat used up to version 8 and Amazon up to Linux 2 (Berkeley DB,
//! `dbinc/db_page.h`): a hash of package numbers to headers, which mostly lie on chains of overflow
//! pages. The numbers are in the order of the machine that wrote them.

use super::super::bytes::Order;
use super::super::collect::Findings;
use super::super::error::Fault;
use super::super::scratch::Spooled;
use super::Headers;

const PAGE_HEADER_BYTES: usize = 26;
const METADATA_BYTES: usize = 72;
const MAGIC_HASH: u32 = 0x0006_1561;

const META_HASH: u8 = 8;
const PAGE_HASH_UNSORTED: u8 = 2;
const PAGE_OVERFLOW: u8 = 7;
const PAGE_HASH: u8 = 13;

const ITEM_INLINE: u8 = 1;
const ITEM_OVERFLOW: u8 = 3;
const OVERFLOW_ITEM_BYTES: usize = 12;

/// The shortest header: two numbers. The entry with the next package number is shorter.
const HEADER_BYTES_MIN: usize = 8;

struct Database<'a, 'b> {
    file: &'a mut Spooled<'b>,
    order: Order,
    page_bytes: usize,
}

pub(in super::super) fn read(
    file: &mut Spooled<'_>,
    header_bytes_max: usize,
    findings: &mut Findings<'_>,
) -> Result<(), Fault> {
    let start = file.bytes_at(0, METADATA_BYTES)?;
    let order = [Order::Little, Order::Big]
        .into_iter()
        .find(|order| order.u32(&start, 12) == Some(MAGIC_HASH))
        .filter(|_| start.get(25) == Some(&META_HASH))
        .ok_or_else(|| Fault::file("not a hash of Berkeley DB"))?;
    if start.get(24) != Some(&0) {
        return Err(Fault::file("the database is encrypted"));
    }
    let page_bytes = order.u32(&start, 20).unwrap_or_default();
    if !page_bytes.is_power_of_two() || !(512..=65_536).contains(&page_bytes) {
        return Err(Fault::file("pages have an impossible size"));
    }
    let last = order.u32(&start, 32).unwrap_or_default();
    let mut headers = Headers::new(findings, header_bytes_max, file.len());
    let mut database = Database { file, order, page_bytes: page_bytes as usize };
    for number in 1..=last {
        // Pages past the end fail here, however many are claimed.
        let page = database.page(number)?;
        if matches!(page.get(25), Some(&(PAGE_HASH | PAGE_HASH_UNSORTED))) {
            database.read_page(&page, &mut headers)?;
        }
    }
    Ok(())
}

impl Database<'_, '_> {
    fn page(&mut self, number: u32) -> Result<Vec<u8>, Fault> {
        self.file.bytes_at(u64::from(number) * self.page_bytes as u64, self.page_bytes)
    }

    /// Items alternate between keys and values, and fill the page from its end.
    fn read_page(&mut self, page: &[u8], headers: &mut Headers<'_, '_>) -> Result<(), Fault> {
        let broken = || Fault::file("a page has items outside of it");
        let order = self.order;
        let items = usize::from(order.u16(page, 20).unwrap_or_default());
        let offset = |item: usize| {
            let offset = order.u16(page, PAGE_HEADER_BYTES + item * 2)?;
            Some(usize::from(offset))
        };
        for value in (1..items).step_by(2) {
            let start = offset(value).ok_or_else(broken)?;
            let end = offset(value - 1).ok_or_else(broken)?;
            match page.get(start) {
                Some(&ITEM_INLINE) => {
                    let bytes = page.get(start + 1..end).ok_or_else(broken)?;
                    if bytes.len() >= HEADER_BYTES_MIN && headers.admit(bytes.len() as u64)? {
                        headers.header(bytes)?;
                    }
                }
                Some(&ITEM_OVERFLOW) => {
                    let item =
                        page.get(start..start + OVERFLOW_ITEM_BYTES).ok_or_else(broken)?;
                    let first = order.u32(item, 4).unwrap_or_default();
                    let length = order.u32(item, 8).unwrap_or_default();
                    if headers.admit(u64::from(length))? {
                        let bytes = self.overflow(first, length as usize)?;
                        headers.header(&bytes)?;
                    }
                }
                _ => return Err(broken()),
            }
        }
        Ok(())
    }

    /// Follows a chain of pages until it has `length` bytes, which ends any circle: all pages but
    /// the last are full.
    fn overflow(&mut self, first: u32, length: usize) -> Result<Vec<u8>, Fault> {
        let broken = || Fault::file("a chain of pages is broken");
        let mut bytes = Vec::with_capacity(length);
        let mut next = first;
        while bytes.len() < length {
            if next == 0 {
                return Err(broken());
            }
            let page = self.page(next)?;
            if page.get(25) != Some(&PAGE_OVERFLOW) {
                return Err(broken());
            }
            let stored = usize::from(self.order.u16(&page, 22).unwrap_or_default());
            let content = page.get(PAGE_HEADER_BYTES..).unwrap_or_default();
            let wanted = content.len().min(length - bytes.len());
            if stored < wanted {
                return Err(broken());
            }
            bytes.extend_from_slice(content.get(..wanted).unwrap_or_default());
            next = self.order.u32(&page, 16).unwrap_or_default();
        }
        Ok(bytes)
    }
}
