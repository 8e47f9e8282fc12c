//! Reads and checks the file of a month.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use domain::personal;
use flate2::read::GzDecoder;
use sha2::{Digest, Sha256};
use stores::log::event_digest;

use super::{ExportError, FORMAT, Line, Manifest};

/// The longest line that is read, in bytes. Payloads of events are limited, but a file may be damaged or forged.
const LINE_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// The result of a check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// The manifest, whose claims hold.
    pub manifest: Manifest,
    /// The number of events whose personal parts were purged or erased before the export. Their digests are of the
    /// former content, so they cannot be checked here.
    pub erased: i64,
}

/// Checks a month: the hash of the file, the sequence of positions, and the digest of every event. Calls `each` with
/// the digests in order.
///
/// # Errors
/// The file is not valid. The error says what is wrong, and at which position.
pub fn verify(manifest_path: &Path, mut each: impl FnMut(&[u8])) -> Result<Verified, ExportError> {
    let manifest = read_manifest(manifest_path)?;
    let mut erased = 0;
    for line in Lines::of(manifest_path, &manifest)? {
        let line = line?;
        erased += i64::from(is_erased(&line));
        each(&hex::decode(&line.digest).unwrap_or_default());
    }
    Ok(Verified { manifest, erased })
}

/// Reads a manifest. It is not checked; [`verify`] does that.
///
/// # Errors
/// The file cannot be read, or is not a manifest.
pub fn read_manifest(path: &Path) -> Result<Manifest, ExportError> {
    let text = std::fs::read_to_string(path).map_err(|source| ExportError::File { path: path.to_owned(), source })?;
    let wrong = |what: String| ExportError::Wrong { path: path.to_owned(), what };
    let manifest = serde_json::from_str::<Manifest>(&text).map_err(|source| ExportError::Unreadable {
        path: path.to_owned(),
        what: "it is not a manifest".into(),
        source,
    })?;
    let is_beside = Path::new(&manifest.file).file_name().is_some_and(|name| name == manifest.file.as_str());
    match manifest.format.as_str() {
        FORMAT if is_beside => Ok(manifest),
        FORMAT => Err(wrong(format!("{:?} is no file beside it", manifest.file))),
        other => Err(wrong(format!("{other:?} is not a known format"))),
    }
}

/// The events of a month. Each is checked when it is read. At the end, missing events are an error.
pub(super) struct Lines {
    path: PathBuf,
    reader: BufReader<GzDecoder<BufReader<File>>>,
    next: i64,
    last: i64,
    ended: bool,
}

impl Lines {
    pub(super) fn of(manifest_path: &Path, manifest: &Manifest) -> Result<Self, ExportError> {
        let path = manifest_path.with_file_name(&manifest.file);
        let failed = |source| ExportError::File { path: path.clone(), source };
        if hash_of(&path).map_err(failed)? != manifest.sha256 {
            return Err(ExportError::Wrong { path, what: "it is not the file that the manifest was written for".into() });
        }
        if manifest.last_position - manifest.first_position + 1 != manifest.events {
            return Err(ExportError::Wrong { path, what: "the number of events in the manifest differs from its positions".into() });
        }
        let reader = BufReader::new(GzDecoder::new(BufReader::new(File::open(&path).map_err(failed)?)));
        Ok(Self { reader, next: manifest.first_position, last: manifest.last_position, path, ended: false })
    }

    fn read(&mut self) -> Result<Option<Line>, ExportError> {
        let mut text = String::new();
        let read = (&mut self.reader).take(LINE_BYTES_MAX).read_line(&mut text);
        let read = read.map_err(|source| ExportError::File { path: self.path.clone(), source })?;
        if read == 0 {
            let is_whole = self.next == self.last + 1;
            return if is_whole { Ok(None) } else { Err(self.wrong(self.next, "is missing")) };
        }
        let line = serde_json::from_str::<Line>(&text).map_err(|source| ExportError::Unreadable {
            path: self.path.clone(),
            what: format!("event {} cannot be read", self.next),
            source,
        })?;
        if line.position != self.next || line.position > self.last {
            return Err(self.wrong(self.next, "is missing"));
        }
        if !is_erased(&line) && digest_of(&line) != line.digest {
            return Err(self.wrong(self.next, "does not have its digest"));
        }
        self.next += 1;
        Ok(Some(line))
    }

    fn wrong(&self, position: i64, what: &str) -> ExportError {
        ExportError::Wrong { path: self.path.clone(), what: format!("event {position} {what}") }
    }
}

impl Iterator for Lines {
    type Item = Result<Line, ExportError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let read = self.read();
        self.ended = !matches!(read, Ok(Some(_)));
        read.transpose()
    }
}

fn hash_of(path: &Path) -> std::io::Result<String> {
    let (mut file, mut hasher, mut piece) = (File::open(path)?, Sha256::new(), vec![0; 64 * 1024]);
    loop {
        match file.read(&mut piece)? {
            0 => return Ok(hex::encode(hasher.finalize())),
            read => hasher.update(&piece[..read]),
        }
    }
}

/// Whether personal parts were removed.
fn is_erased(line: &Line) -> bool {
    personal::is_erased(&line.event_type, &line.payload) || personal::lost_client_id(&line.event_type, &line.payload)
}

fn digest_of(line: &Line) -> String {
    hex::encode(event_digest(
        line.position,
        &line.aggregate_type,
        &line.aggregate_id,
        line.sequence,
        &line.event_type,
        &line.event_version,
        &line.payload,
        &line.metadata,
        line.event_id,
        line.workspace_id,
        line.recorded_at,
    ))
}
