//! The files of TLS that settings name: they are read and checked at the start, so that an error names the file.

use std::path::{Path, PathBuf};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::diagnosis::Diagnosis;

/// What to do about a file that cannot be read.
const UNREADABLE: &str = "correct the path, and let the user of this process read the file";

/// A file that a setting names.
#[derive(Clone, Debug)]
pub struct NamedFile {
    /// The file.
    pub path: PathBuf,
    /// The setting.
    pub setting: &'static str,
}

/// The files of TLS for one server. Without a certificate authority, those of the system are used.
#[derive(Clone, Debug, Default)]
pub struct TlsFiles {
    /// The certificate authority of the server.
    pub authority: Option<NamedFile>,
    /// The certificate of this process and its key, if the server asks for one.
    pub client: Option<(NamedFile, NamedFile)>,
}

impl NamedFile {
    /// The bytes of the file.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn read(&self) -> Result<Vec<u8>, Diagnosis> {
        std::fs::read(&self.path).map_err(|error| self.wrong(&error.to_string(), UNREADABLE))
    }

    /// The bytes of a file with certificates.
    ///
    /// # Errors
    /// The file cannot be read, or has no certificate.
    pub fn read_certificates(&self) -> Result<Vec<u8>, Diagnosis> {
        let pem = self.read()?;
        let certificates = CertificateDer::pem_slice_iter(&pem).collect::<Result<Vec<_>, _>>();
        match certificates {
            Ok(found) if !found.is_empty() => Ok(pem),
            Ok(_) => Err(self.wrong("it has no certificate", "put a certificate in PEM there: `-----BEGIN CERTIFICATE-----`")),
            Err(error) => Err(self.wrong(&error.to_string(), "put a certificate in PEM there: `-----BEGIN CERTIFICATE-----`")),
        }
    }

    /// The bytes of a file with a private key.
    ///
    /// # Errors
    /// The file cannot be read, or has no key.
    pub fn read_key(&self) -> Result<Vec<u8>, Diagnosis> {
        let pem = self.read()?;
        match PrivateKeyDer::from_pem_slice(&pem) {
            Ok(_) => Ok(pem),
            // The error could quote the file.
            Err(_) => Err(self.wrong("it has no private key", "put a private key in PEM there: `-----BEGIN PRIVATE KEY-----`")),
        }
    }

    fn wrong(&self, reason: &str, advice: &str) -> Diagnosis {
        Diagnosis::of_file(&self.path, self.setting, reason, advice)
    }
}

/// Reads the file of a certificate authority.
///
/// # Errors
/// The file cannot be read, or has no certificate.
pub fn read_authority(path: &Path, setting: &'static str) -> Result<Vec<u8>, Diagnosis> {
    NamedFile { path: path.to_owned(), setting }.read_certificates()
}

/// Makes `ring` the cryptography of clients that use the process's own. If one is already set, it is the same.
pub(crate) fn use_ring() {
    let _ = rustls::crypto::ring::default_provider().install_default();
}
