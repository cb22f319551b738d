//! rpm's own format, which SUSE uses (rpm, `lib/backend/ndb/rpmpkg.c`): pages of slots, each of
//! which says where a blob is. All numbers are little-endian, positions are in units of 16 bytes.

use super::super::bytes::Order;
use super::super::collect::Findings;
use super::super::error::Fault;
use super::super::scratch::Spooled;
use super::Headers;

const PAGE_BYTES: usize = 4096;
const SLOT_BYTES: usize = 16;
const UNIT_BYTES: u64 = 16;
const BLOB_HEADER_BYTES: u64 = 16;

/// Slots before the first: the header of the file.
const HEADER_SLOTS: usize = 2;

pub(in super::super) fn read(
    file: &mut Spooled<'_>,
    header_bytes_max: usize,
    findings: &mut Findings<'_>,
) -> Result<(), Fault> {
    let start = file.bytes_at(0, HEADER_SLOTS * SLOT_BYTES)?;
    let number = |at| Order::Little.u32(&start, at).unwrap_or_default();
    if !start.starts_with(b"RpmP") || number(4) != 0 {
        return Err(Fault::file("not a database of rpm's own format"));
    }
    let mut headers = Headers::new(findings, header_bytes_max, file.len());
    for page in 0..u64::from(number(12)) {
        // Pages past the end fail here, however many are claimed.
        let slots = file.bytes_at(page.saturating_mul(PAGE_BYTES as u64), PAGE_BYTES)?;
        let skipped = if page == 0 { HEADER_SLOTS } else { 0 };
        for slot in slots.chunks_exact(SLOT_BYTES).skip(skipped) {
            read_slot(file, slot, &mut headers)?;
        }
    }
    Ok(())
}

fn read_slot(
    file: &mut Spooled<'_>,
    slot: &[u8],
    headers: &mut Headers<'_, '_>,
) -> Result<(), Fault> {
    let number = |at| Order::Little.u32(slot, at).unwrap_or_default();
    if !slot.starts_with(b"Slot") {
        return Err(Fault::file("a slot has no mark"));
    }
    let (package, position) = (number(4), u64::from(number(8)) * UNIT_BYTES);
    if package == 0 {
        return Ok(());
    }
    let blob = file.bytes_at(position, BLOB_HEADER_BYTES as usize)?;
    if !blob.starts_with(b"BlbS") || Order::Little.u32(&blob, 4) != Some(package) {
        headers.problem("a slot points to what is no package");
        return Ok(());
    }
    let length = Order::Little.u32(&blob, 12).unwrap_or_default();
    if !headers.admit(u64::from(length))? {
        return Ok(());
    }
    let bytes = file.bytes_at(position + BLOB_HEADER_BYTES, length as usize)?;
    headers.header(&bytes)
}
