//! Executables (System V ABI, "Object Files"): as much as is needed to find a section, and what is
//! at an address.

use super::bytes::Order;
use super::error::Fault;
use super::scratch::Spooled;

pub(super) const MAGIC: &[u8] = b"\x7fELF";

/// Bytes of the longest header of a file.
pub(super) const HEADER_BYTES: usize = 64;

/// Most sections and segments that are looked at.
const PARTS_MAX: u64 = 16_384;

const SECTION_NOBITS: u32 = 8;
const SEGMENT_LOAD: u32 = 1;
const SEGMENT_WRITABLE: u32 = 2;
const TYPE_EXECUTABLE: u16 = 2;
const TYPE_SHARED: u16 = 3;

/// A part of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Extent {
    pub offset: u64,
    pub length: u64,
}

#[derive(Clone, Copy, Debug)]
struct Segment {
    address: u64,
    writable: bool,
    extent: Extent,
}

/// An executable or a shared library.
pub(super) struct Elf<'a, 'b> {
    file: &'a mut Spooled<'b>,
    order: Order,
    /// 4 or 8.
    width: usize,
    header: Vec<u8>,
    segments: Vec<Segment>,
}

/// Whether the start of a file is that of something that may be run.
pub(super) fn is_executable(start: &[u8]) -> bool {
    let order = if start.get(5) == Some(&2) { Order::Big } else { Order::Little };
    start.starts_with(MAGIC)
        && matches!(order.u16(start, 16), Some(TYPE_EXECUTABLE | TYPE_SHARED))
}

impl<'a, 'b> Elf<'a, 'b> {
    pub(super) fn open(file: &'a mut Spooled<'b>) -> Result<Self, Fault> {
        let length = file.len().min(HEADER_BYTES as u64) as usize;
        let header = file.bytes_at(0, length)?;
        let (width, order) = match (header.get(4), header.get(5)) {
            (Some(1), Some(1)) => (4, Order::Little),
            (Some(1), Some(2)) => (4, Order::Big),
            (Some(2), Some(1)) => (8, Order::Little),
            (Some(2), Some(2)) => (8, Order::Big),
            _ => return Err(Fault::file("an executable of an unknown class")),
        };
        let mut elf = Self { file, order, width, header, segments: Vec::new() };
        elf.segments = elf.read_segments()?;
        Ok(elf)
    }

    pub(super) fn file(&mut self) -> &mut Spooled<'b> {
        self.file
    }

    /// A number of the header: its place in files of 32 and of 64 bits.
    fn wide(&self, place32: usize, place64: usize) -> u64 {
        let place = if self.width == 4 { place32 } else { place64 };
        self.order.word(&self.header, place, self.width).unwrap_or_default()
    }

    fn half(&self, place32: usize, place64: usize) -> u64 {
        let place = if self.width == 4 { place32 } else { place64 };
        self.order.u16(&self.header, place).unwrap_or_default().into()
    }

    fn table(&mut self, offset: u64, entry: u64, entries: u64) -> Result<Vec<u8>, Fault> {
        if entries > PARTS_MAX || entry > 1024 {
            return Err(Fault::file("an executable with too many parts"));
        }
        // Both were bounded just now.
        self.file.bytes_at(offset, (entries * entry) as usize)
    }

    fn read_segments(&mut self) -> Result<Vec<Segment>, Fault> {
        let (offset, entry, entries) = (self.wide(28, 32), self.half(42, 54), self.half(44, 56));
        if offset == 0 || entries == 0 {
            return Ok(Vec::new());
        }
        let table = self.table(offset, entry, entries)?;
        let (order, width) = (self.order, self.width);
        let segment = |entry: &[u8]| {
            let place = |place32, place64| if width == 4 { place32 } else { place64 };
            if order.u32(entry, 0)? != SEGMENT_LOAD {
                return None;
            }
            Some(Segment {
                writable: order.u32(entry, place(24, 4))? & SEGMENT_WRITABLE != 0,
                address: order.word(entry, place(8, 16), width)?,
                extent: Extent {
                    offset: order.word(entry, place(4, 8), width)?,
                    length: order.word(entry, place(16, 32), width)?,
                },
            })
        };
        Ok(table.chunks_exact(usize::try_from(entry).unwrap_or(1).max(1)).filter_map(segment).collect())
    }

    /// Where the first section of that name is in the file; none also if the file has no sections.
    pub(super) fn section(&mut self, wanted: &str) -> Result<Option<Extent>, Fault> {
        let (offset, entry, entries) = (self.wide(32, 40), self.half(46, 58), self.half(48, 60));
        let names = self.half(50, 62);
        if offset == 0 || entries == 0 || entry == 0 {
            return Ok(None);
        }
        let table = self.table(offset, entry, entries)?;
        let (order, width) = (self.order, self.width);
        let place = |place32, place64| if width == 4 { place32 } else { place64 };
        let extent = |section: &[u8]| {
            Some(Extent {
                offset: order.word(section, place(16, 24), width)?,
                length: order.word(section, place(20, 32), width)?,
            })
        };
        let mut sections = table.chunks_exact(usize::try_from(entry).unwrap_or(1));
        let Some(names) = sections.clone().nth(names as usize).and_then(extent) else {
            return Ok(None);
        };
        let mut name = vec![0; wanted.len() + 1];
        for section in &mut sections {
            let Some(at) = order.u32(section, 0).map(u64::from) else { continue };
            if at.saturating_add(name.len() as u64) > names.length {
                continue;
            }
            self.file.read_at(names.offset.saturating_add(at), &mut name)?;
            let is_wanted = name.strip_suffix(b"\0") == Some(wanted.as_bytes());
            if is_wanted && order.u32(section, 4) != Some(SECTION_NOBITS) {
                return Ok(extent(section));
            }
        }
        Ok(None)
    }

    /// The first segment that the program may write to.
    pub(super) fn data_segment(&self) -> Option<Extent> {
        self.segments.iter().find(|segment| segment.writable).map(|segment| segment.extent)
    }

    /// Where in the file an address lies, and how much of it follows.
    pub(super) fn at_address(&self, address: u64) -> Option<Extent> {
        self.segments.iter().find_map(|segment| {
            let inside = address.checked_sub(segment.address)?;
            let length = segment.extent.length.checked_sub(inside).filter(|left| *left > 0)?;
            Some(Extent { offset: segment.extent.offset.checked_add(inside)?, length })
        })
    }
}
