//! Zip archives that no ordinary program writes: a test can choose the value of each field.

use std::io::Write;

use flate2::write::DeflateEncoder;
use flate2::{Compression, Crc};

pub const STORED: u16 = 0;
pub const DEFLATED: u16 = 8;
pub const BZIP2: u16 = 12;
/// The flag of an encrypted entry.
pub const ENCRYPTED: u16 = 1;
/// The attributes of a symbolic link on Unix.
pub const SYMBOLIC_LINK: u32 = 0o120_777 << 16;

/// The fields of an entry, as the archive claims them.
pub struct Entry {
    pub name: Vec<u8>,
    pub flags: u16,
    pub method: u16,
    pub crc: u32,
    pub bytes: u32,
    pub attributes: u32,
    pub data: Vec<u8>,
}

impl Entry {
    /// An entry with correct fields.
    pub fn deflated(name: &str, content: &[u8]) -> Self {
        Self::deflated_as(name, content, Compression::fast())
    }

    /// An entry with correct fields, compressed at this level.
    pub fn deflated_as(name: &str, content: &[u8], level: Compression) -> Self {
        let mut crc = Crc::new();
        crc.update(content);
        let mut data = DeflateEncoder::new(Vec::new(), level);
        data.write_all(content).expect("a content");
        let data = data.finish().expect("a content");
        let bytes = u32::try_from(content.len()).expect("less than 4 GiB");
        Self { name: name.into(), flags: 0, method: DEFLATED, crc: crc.sum(), bytes, attributes: 0, data }
    }

    /// An empty entry.
    pub fn empty(name: &str) -> Self {
        Self { name: name.into(), flags: 0, method: STORED, crc: 0, bytes: 0, attributes: 0, data: Vec::new() }
    }
}

/// An archive in construction.
#[derive(Default)]
pub struct ForgedZip {
    files: Vec<u8>,
    directory: Vec<u8>,
    count: u64,
}

impl ForgedZip {
    pub fn with(mut self, entry: &Entry) -> Self {
        self.add(entry);
        self
    }

    pub fn add(&mut self, entry: &Entry) {
        let offset = u32::try_from(self.files.len()).expect("less than 4 GiB");
        let length = u16::try_from(entry.name.len()).expect("a name");
        let packed = u32::try_from(entry.data.len()).expect("less than 4 GiB");
        // Version, flags, method, time, date, checksum, sizes, and the lengths of name and extra field. Both headers
        // have the same values.
        let mut shared = Vec::with_capacity(26);
        for half in [20, entry.flags, entry.method, 0, 33] {
            shared.extend(u16::to_le_bytes(half));
        }
        for whole in [entry.crc, packed, entry.bytes] {
            shared.extend(whole.to_le_bytes());
        }
        shared.extend(length.to_le_bytes());
        shared.extend([0, 0]);
        self.files.extend(b"PK\x03\x04");
        self.files.extend(&shared);
        self.files.extend(&entry.name);
        self.files.extend(&entry.data);
        // The system that made the entry is Unix.
        self.directory.extend(b"PK\x01\x02\x14\x03");
        self.directory.extend(&shared);
        self.directory.extend([0; 6]);
        self.directory.extend(entry.attributes.to_le_bytes());
        self.directory.extend(offset.to_le_bytes());
        self.directory.extend(&entry.name);
        self.count += 1;
    }

    /// The finished archive. Its end has the zip64 form if its size requires that.
    pub fn finish(self) -> Vec<u8> {
        let Self { files: mut bytes, directory, count } = self;
        let (at, length) = (bytes.len() as u64, directory.len() as u64);
        bytes.extend(directory);
        let end = bytes.len() as u64;
        bytes.extend(b"PK\x06\x06");
        bytes.extend(44_u64.to_le_bytes());
        bytes.extend([45, 3, 45, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        for number in [count, count, length, at] {
            bytes.extend(number.to_le_bytes());
        }
        bytes.extend(b"PK\x06\x07\0\0\0\0");
        bytes.extend(end.to_le_bytes());
        bytes.extend([1, 0, 0, 0]);
        let count = u16::try_from(count).unwrap_or(u16::MAX);
        bytes.extend(b"PK\x05\x06\0\0\0\0");
        bytes.extend(count.to_le_bytes());
        bytes.extend(count.to_le_bytes());
        bytes.extend(u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes());
        bytes.extend(u32::try_from(at).unwrap_or(u32::MAX).to_le_bytes());
        bytes.extend([0, 0]);
        bytes
    }
}
