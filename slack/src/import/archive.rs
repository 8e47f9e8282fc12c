//! The zip archive. The whole archive is checked first, and then read entry by entry. It is never unpacked to disk.
//!
//! Refused are: a file that is not a zip, encrypted archives, names that lead outside or occur twice, symbolic links,
//! entries that share bytes, and entries that would become far larger than they are (a zip bomb). Reading stops at an
//! entry that holds more than the directory says.

use std::collections::HashSet;
use std::io::{Read, Seek};

use zip::read::Config;
use zip::result::ZipError;
use zip::unstable::read::ZipIterable;
use zip::{CompressionMethod, ZipArchive};

/// The longest name of an entry, in bytes.
const NAME_BYTES_MAX: usize = 1_000;

/// The limits for reading an archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The most entries (files and folders).
    pub entries_max: usize,
    /// The most bytes of one day of one channel, uncompressed. A day is held in memory as a whole.
    pub day_bytes_max: u64,
    /// The most bytes of a list of users or channels, uncompressed. A list is held in memory as a whole.
    pub list_bytes_max: u64,
    /// The most bytes of all entries, uncompressed.
    pub total_bytes_max: u64,
    /// How many times larger an entry may become when it is unpacked, if it is then larger than
    /// [`Limits::SMALL_BYTES`]. Chat texts become about ten times larger.
    pub ratio_max: u64,
}

impl Limits {
    /// A smaller entry is not a bomb, however well it is compressed.
    pub const SMALL_BYTES: u64 = 1024 * 1024;
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            entries_max: 1_000_000,
            day_bytes_max: 64 * 1024 * 1024,
            list_bytes_max: 256 * 1024 * 1024,
            total_bytes_max: 256 * 1024 * 1024 * 1024,
            ratio_max: 250,
        }
    }
}

/// Why an archive is refused, or cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// The file cannot be opened.
    #[error("the archive cannot be opened")]
    Open(#[source] std::io::Error),
    /// The file is not a zip archive, or is damaged.
    #[error("the file is not a zip archive that can be read")]
    NotAZip(#[source] ZipError),
    /// The archive has too many entries.
    #[error("the archive has {entries} entries; at most {max} are read")]
    TooManyEntries {
        /// The number of entries.
        entries: usize,
        /// The allowed number.
        max: usize,
    },
    /// A name leads outside the archive, or cannot be read.
    #[error("the archive has an entry with the name {name:?}, which {reason}")]
    Name {
        /// The name.
        name: String,
        /// The problem with it.
        reason: &'static str,
    },
    /// Two entries have the same name.
    #[error("the archive has two entries of the same name: it is not known which one is right")]
    DuplicateNames,
    /// Entries share bytes.
    #[error("the archive has entries that share bytes, like a zip bomb")]
    Overlapping,
    /// The archive is encrypted.
    #[error("the archive is encrypted ({0}): export it again without a password")]
    Encrypted(String),
    /// An entry is a symbolic link.
    #[error("the archive has a symbolic link ({0})")]
    SymbolicLink(String),
    /// An entry has an unsupported compression.
    #[error("{0} is compressed in a way that is not supported: zip it again with deflate")]
    Compression(String),
    /// An entry, or the whole archive, would become too large.
    #[error("{what} would take {bytes} bytes, more than the {max} that are read: is it a zip bomb?")]
    TooLarge {
        /// The entry.
        what: String,
        /// The size in the directory.
        bytes: u64,
        /// The allowed size.
        max: u64,
    },
    /// An entry holds more than the directory says.
    #[error("{0} holds more than the archive's directory says: is it a zip bomb?")]
    SizeMismatch(String),
    /// An entry cannot be read.
    #[error("{path} in the archive is damaged")]
    Damaged {
        /// The entry.
        path: String,
        /// Why.
        source: std::io::Error,
    },
}

/// A file in the archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// The index in the archive's directory.
    pub index: usize,
    /// Its name, with `/` between folders.
    pub path: String,
    /// The uncompressed size in bytes, according to the directory.
    pub bytes: u64,
}

/// An archive that was checked.
pub(super) struct Archive<R> {
    zip: ZipArchive<R>,
}

impl<R: Read + Seek> Archive<R> {
    /// Opens the archive, and lists its files.
    pub(super) fn open(mut reader: R, limits: &Limits) -> Result<(Self, Vec<Entry>), ArchiveError> {
        // Counted before the directory is loaded into memory.
        let entries = ZipIterable::try_new(&mut reader, Config::default()).map_err(ArchiveError::NotAZip)?.len();
        not_too_many(entries, limits)?;
        let mut zip = ZipArchive::new(reader).map_err(ArchiveError::NotAZip)?;
        not_too_many(zip.len(), limits)?;
        if zip.has_duplicate_names() {
            return Err(ArchiveError::DuplicateNames);
        }
        let files = check_entries(&zip, limits)?;
        if zip.has_overlapping_entries().map_err(ArchiveError::NotAZip)? {
            return Err(ArchiveError::Overlapping);
        }
        Ok((Self { zip }, files))
    }

    /// Returns the content of a file of at most this many bytes.
    pub(super) fn read(&mut self, entry: &Entry, bytes_max: u64) -> Result<Vec<u8>, ArchiveError> {
        if entry.bytes > bytes_max {
            return Err(ArchiveError::TooLarge { what: entry.path.clone(), bytes: entry.bytes, max: bytes_max });
        }
        let damaged = |source| ArchiveError::Damaged { path: entry.path.clone(), source };
        let file = self.zip.by_index(entry.index).map_err(|error| damaged(error.into()))?;
        let mut content = Vec::with_capacity(usize::try_from(entry.bytes).unwrap_or(0).min(1024 * 1024));
        file.take(entry.bytes + 1).read_to_end(&mut content).map_err(damaged)?;
        match (content.len() as u64).cmp(&entry.bytes) {
            std::cmp::Ordering::Equal => Ok(content),
            std::cmp::Ordering::Greater => Err(ArchiveError::SizeMismatch(entry.path.clone())),
            std::cmp::Ordering::Less => Err(damaged(std::io::ErrorKind::UnexpectedEof.into())),
        }
    }
}

fn not_too_many(entries: usize, limits: &Limits) -> Result<(), ArchiveError> {
    if entries > limits.entries_max { Err(ArchiveError::TooManyEntries { entries, max: limits.entries_max }) } else { Ok(()) }
}

fn check_entries<R: Read + Seek>(zip: &ZipArchive<R>, limits: &Limits) -> Result<Vec<Entry>, ArchiveError> {
    let mut files = Vec::new();
    let mut rewritten = HashSet::new();
    let mut total = 0_u64;
    for index in 0..zip.len() {
        let entry = zip.by_index_data(index).map_err(ArchiveError::NotAZip)?;
        let unreadable = |_| ArchiveError::Name { name: String::from_utf8_lossy(entry.name_raw()).into_owned(), reason: "cannot be read" };
        let name = match std::str::from_utf8(entry.name_raw()) {
            // Some systems write UTF-8 and do not say so: it would be read in the alphabet of the first PCs.
            Ok(name) => name.to_owned(),
            Err(_) => entry.name().map_err(unreadable)?.into_owned(),
        };
        let path = check_name(&name)?;
        if entry.is_symlink() {
            return Err(ArchiveError::SymbolicLink(path));
        }
        if entry.encrypted() {
            return Err(ArchiveError::Encrypted(path));
        }
        if !matches!(entry.compression(), CompressionMethod::Stored | CompressionMethod::Deflated) {
            return Err(ArchiveError::Compression(path));
        }
        let bytes = entry.size();
        let bytes_max = Limits::SMALL_BYTES.max(entry.compressed_size().saturating_mul(limits.ratio_max));
        if bytes > bytes_max {
            return Err(ArchiveError::TooLarge { what: path, bytes, max: bytes_max });
        }
        total = total.saturating_add(bytes);
        if path.is_empty() || path.ends_with('/') {
            continue;
        }
        if path != name && !rewritten.insert(path.clone()) {
            return Err(ArchiveError::DuplicateNames);
        }
        files.push(Entry { index, path, bytes });
    }
    // `a\b` and `a/b` are the same name.
    if files.iter().filter(|file| rewritten.contains(&file.path)).count() > rewritten.len() {
        return Err(ArchiveError::DuplicateNames);
    }
    if total > limits.total_bytes_max {
        return Err(ArchiveError::TooLarge { what: "the archive".into(), bytes: total, max: limits.total_bytes_max });
    }
    Ok(files)
}

/// A name that stays inside the archive, with `/` between folders and without `./` before it. Nothing is unpacked, so
/// other names could do no harm, but no exporter writes them.
fn check_name(name: &str) -> Result<String, ArchiveError> {
    let refuse = |reason| Err(ArchiveError::Name { name: name.into(), reason });
    if name.is_empty() || name.len() > NAME_BYTES_MAX {
        return refuse("is empty or too long");
    }
    // Windows writes `\` between folders.
    let path = name.replace('\\', "/");
    if path.starts_with('/') || path.as_bytes().get(1) == Some(&b':') {
        return refuse("is absolute");
    }
    if path.chars().any(char::is_control) {
        return refuse("has a control character");
    }
    // `zip -r export.zip ./*` and `tar` write `./users.json`.
    let path = path.trim_start_matches("./");
    let folder = path.strip_suffix('/').unwrap_or(path);
    if !path.is_empty() && folder.split('/').any(|part| matches!(part, "" | "." | "..")) {
        return refuse("leads out of its folder");
    }
    Ok(path.into())
}
