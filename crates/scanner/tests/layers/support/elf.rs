//! Executables with named sections and, for the oldest of Go's, one segment.

/// A section and where it is in memory; 0 if it is not.
pub(crate) struct Section<'a> {
    pub(crate) name: &'a str,
    pub(crate) content: &'a [u8],
}

/// The address at which the whole file is mapped.
pub(crate) const BASE: u64 = 0x40_0000;

/// Where the content of the first section starts in the file.
pub(crate) const FIRST: u64 = 0x100;

/// A 64-bit little-endian executable, mapped to [`BASE`] as a whole.
pub(crate) fn elf(sections: &[Section<'_>]) -> Vec<u8> {
    elf_with(sections, true)
}

pub(crate) fn elf_without_sections(content: &[u8]) -> Vec<u8> {
    elf_with(&[Section { name: ".data", content }], false)
}

fn elf_with(sections: &[Section<'_>], with_table: bool) -> Vec<u8> {
    let mut file = vec![0; FIRST as usize];
    let mut names = vec![0];
    let mut table = vec![0; 64];
    for section in sections {
        while !file.len().is_multiple_of(16) {
            file.push(0);
        }
        table.extend(section_header(
            names.len() as u32,
            1,
            file.len() as u64,
            section.content.len() as u64,
        ));
        names.extend(section.name.as_bytes());
        names.push(0);
        file.extend(section.content);
    }
    table.extend(section_header(names.len() as u32, 3, file.len() as u64, names.len() as u64 + 10));
    names.extend(b".shstrtab\0");
    file.extend(&names);
    let table_at = file.len() as u64;
    let sections = table.len() / 64;
    if with_table {
        file.extend(&table);
    }

    file[..20].copy_from_slice(b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x02\0\x3e\0");
    file[20] = 1;
    file[32..40].copy_from_slice(&64_u64.to_le_bytes());
    file[52] = 64;
    file[54] = 56;
    file[56] = 1;
    file[58] = 64;
    if with_table {
        file[40..48].copy_from_slice(&table_at.to_le_bytes());
        file[60..62].copy_from_slice(&(sections as u16).to_le_bytes());
        file[62..64].copy_from_slice(&(sections as u16 - 1).to_le_bytes());
    }
    // One segment that may be read and written.
    let length = file.len() as u64;
    let segment = [&1_u32.to_le_bytes()[..], &6_u32.to_le_bytes()].concat();
    file[64..72].copy_from_slice(&segment);
    for (at, number) in [(72, 0), (80, BASE), (88, BASE), (96, length), (104, length), (112, 4096)]
    {
        file[at..at + 8].copy_from_slice(&number.to_le_bytes());
    }
    file
}

fn section_header(name: u32, kind: u32, offset: u64, length: u64) -> Vec<u8> {
    let mut header = Vec::new();
    header.extend(name.to_le_bytes());
    header.extend(kind.to_le_bytes());
    header.extend([0; 8]);
    header.extend((BASE + offset).to_le_bytes());
    header.extend(offset.to_le_bytes());
    header.extend(length.to_le_bytes());
    header.extend([0; 24]);
    header
}

/// Go's build information since 1.18.
pub(crate) fn go_block(toolchain: &str, modules: &str) -> Vec<u8> {
    let mut block = b"\xff Go buildinf:\x08\x02".to_vec();
    block.extend([0; 16]);
    let sentinel = [0xaa; 16];
    let modules = [&sentinel, modules.as_bytes(), &sentinel].concat();
    for text in [toolchain.as_bytes(), &modules] {
        let mut length = text.len();
        while length >= 0x80 {
            block.push(length as u8 | 0x80);
            length >>= 7;
        }
        block.push(length as u8);
        block.extend(text);
    }
    block
}

/// Go's build information before 1.18, as the only section: two pointers to texts after it.
pub(crate) fn old_go_block(toolchain: &str, modules: &str) -> Vec<u8> {
    let sentinel = [0xaa; 16];
    let modules = [&sentinel, modules.as_bytes(), &sentinel].concat();
    let mut block = b"\xff Go buildinf:\x08\x00".to_vec();
    let start = BASE + FIRST;
    block.extend((start + 32).to_le_bytes());
    block.extend((start + 48).to_le_bytes());
    let text_at = start + 64;
    block.extend(text_at.to_le_bytes());
    block.extend((toolchain.len() as u64).to_le_bytes());
    block.extend((text_at + toolchain.len() as u64).to_le_bytes());
    block.extend((modules.len() as u64).to_le_bytes());
    block.extend(toolchain.as_bytes());
    block.extend(&modules);
    block
}
