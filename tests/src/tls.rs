//! TLS for the servers that a test runs on this machine.

use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// A certificate authority and the certificate that it signed for this machine, in PEM.
pub struct Certificates {
    /// The certificate of the authority.
    pub authority: String,
    /// The certificate of `localhost`.
    pub certificate: String,
    /// The private key of that certificate.
    pub key: String,
}

impl Certificates {
    /// Creates a new authority and a new certificate.
    ///
    /// # Errors
    /// Fails if they cannot be created.
    pub fn sign() -> Result<Self, rcgen::Error> {
        let mut authority = CertificateParams::new(Vec::<String>::new())?;
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        authority.distinguished_name.push(DnType::CommonName, "the authority of a test");
        let authority_key = KeyPair::generate()?;
        let signed = authority.self_signed(&authority_key)?;
        let issuer = Issuer::new(authority, authority_key);
        let key = KeyPair::generate()?;
        let certificate = CertificateParams::new(vec!["localhost".to_owned(), "127.0.0.1".to_owned()])?.signed_by(&key, &issuer)?;
        Ok(Self { authority: signed.pem(), certificate: certificate.pem(), key: key.serialize_pem() })
    }

    fn acceptor(&self) -> TlsAcceptor {
        let certificate = CertificateDer::from_pem_slice(self.certificate.as_bytes()).expect("a certificate");
        let key = PrivateKeyDer::from_pem_slice(self.key.as_bytes()).expect("a key");
        let settings = ServerConfig::builder_with_provider(Arc::new(default_provider())).with_safe_default_protocol_versions();
        let settings = settings.expect("TLS").with_no_client_auth().with_single_cert(vec![certificate], key).expect("TLS");
        TlsAcceptor::from(Arc::new(settings))
    }
}

/// The files of [`Certificates`] in a folder, which is removed with this value.
pub struct CertificateFiles(TempDir);

impl CertificateFiles {
    /// Creates new certificates, and writes them into files.
    ///
    /// # Panics
    /// Panics if that fails.
    #[must_use]
    pub fn write() -> Self {
        let (certificates, folder) = (Certificates::sign().expect("certificates"), tempfile::tempdir().expect("a folder"));
        let Certificates { authority, certificate, key } = certificates;
        for (name, text) in [("ca.pem", authority), ("node.pem", certificate), ("node.key", key)] {
            std::fs::write(folder.path().join(name), text).expect("a file");
        }
        Self(folder)
    }

    /// The path of the file with this name: `ca.pem`, `node.pem` or `node.key`.
    ///
    /// # Panics
    /// Panics if the path is not UTF-8.
    #[must_use]
    pub fn path(&self, name: &str) -> String {
        self.0.path().join(name).to_str().expect("a path").to_owned()
    }
}

/// Offers the Postgres at an address (`host:port`) over TLS, until the test ends. Returns the port. Postgres begins TLS
/// after a request of its own protocol (`SSLRequest`), which is answered with `S`.
///
/// # Panics
/// Panics if no port is free, or if the certificates are invalid.
pub async fn serve_postgres(certificates: &Certificates, address: String) -> u16 {
    let (acceptor, listener) = (certificates.acceptor(), TcpListener::bind("127.0.0.1:0").await.expect("a port"));
    let port = listener.local_addr().expect("an address").port();
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let (acceptor, address) = (acceptor.clone(), address.clone());
            tokio::spawn(async move {
                client.read_exact(&mut [0; 8]).await?;
                client.write_all(b"S").await?;
                let mut client = acceptor.accept(client).await?;
                copy_bidirectional(&mut client, &mut TcpStream::connect(address).await?).await
            });
        }
    });
    port
}

/// Offers the server at an address (`host:port`) over TLS too, until the test ends. Returns the address for TLS.
///
/// # Panics
/// Panics if no port is free, or if the certificates are invalid.
pub async fn serve(certificates: &Certificates, address: String) -> String {
    let (acceptor, listener) = (certificates.acceptor(), TcpListener::bind("127.0.0.1:0").await.expect("a port"));
    let port = listener.local_addr().expect("an address").port();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let (acceptor, address) = (acceptor.clone(), address.clone());
            tokio::spawn(async move {
                let mut client = acceptor.accept(client).await?;
                copy_bidirectional(&mut client, &mut TcpStream::connect(address).await?).await
            });
        }
    });
    format!("https://localhost:{port}")
}
