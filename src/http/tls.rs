//! TLS on the public port: HTTP/1.1 over TLS 1.2 and 1.3, with a certificate that can be replaced while connections stand.

use std::fmt;
use std::io;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::PoisonError;
use std::sync::RwLock;
use std::time::Duration;

use rustls::ServerConfig;
use rustls::crypto::CryptoProvider;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem;
use rustls::pki_types::pem::PemObject as _;
use rustls::server::ClientHello;
use rustls::server::ResolvesServerCert;
use rustls::sign::CertifiedKey;
use thiserror::Error;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// From the connection to the end of the handshake.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// Without HTTP/2 there is nothing of its own to attack.
const PROTOCOL: &[u8] = b"http/1.1";

/// A certificate with its key, read from PEM files and known to belong together.
#[derive(Clone)]
pub struct Certificate(Arc<CertifiedKey>);

#[derive(Debug, Error)]
pub enum TlsError {
    #[error("server.tls.{key}: {path} cannot be read")]
    File {
        key: &'static str,
        path: PathBuf,
        #[source]
        error: io::Error,
    },
    #[error("server.tls.{key}: {path} is not PEM")]
    NotPem { key: &'static str, path: PathBuf },
    #[error("server.tls.cert_file: no certificate is in {0}")]
    NoCertificate(PathBuf),
    #[error("server.tls.key_file: no private key is in {0}")]
    NoKey(PathBuf),
    #[error("server.tls.key_file: it is not the key of the certificate in server.tls.cert_file")]
    OtherKey,
    #[error("server.tls: the certificate or its key cannot be used")]
    Unusable(#[source] rustls::Error),
}

/// Cheap to clone; all clones show the same certificate.
#[derive(Clone)]
pub struct Tls {
    acceptor: TlsAcceptor,
    shown: Arc<Shown>,
}

/// Why a connection was not secured.
#[derive(Debug, Error)]
pub(super) enum NotSecured {
    #[error("the handshake took too long")]
    TooSlow,
    #[error(transparent)]
    Broken(io::Error),
}

#[derive(Debug)]
struct Shown(RwLock<Arc<CertifiedKey>>);

impl Certificate {
    pub fn read(cert_file: &Path, key_file: &Path) -> Result<Self, TlsError> {
        let chain = pem_of("cert_file", cert_file)?;
        let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&chain).collect();
        let chain = chain.map_err(|_not_pem| not_pem("cert_file", cert_file))?;
        if chain.is_empty() {
            return Err(TlsError::NoCertificate(cert_file.to_owned()));
        }
        let key = PrivateKeyDer::from_pem_slice(&pem_of("key_file", key_file)?).map_err(|error| match error {
            pem::Error::NoItemsFound => TlsError::NoKey(key_file.to_owned()),
            _ => not_pem("key_file", key_file),
        })?;
        let certified = CertifiedKey::from_der(chain, key, &provider()).map_err(|error| match error {
            rustls::Error::InconsistentKeys(_) => TlsError::OtherKey,
            error => TlsError::Unusable(error),
        })?;
        Ok(Self(Arc::new(certified)))
    }
}

impl Tls {
    pub fn new(certificate: Certificate) -> Result<Self, TlsError> {
        let shown = Arc::new(Shown(RwLock::new(certificate.0)));
        let config = ServerConfig::builder_with_provider(Arc::new(provider()))
            .with_safe_default_protocol_versions()
            .map_err(TlsError::Unusable)?;
        let mut config = config
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(&shown) as Arc<dyn ResolvesServerCert>);
        config.alpn_protocols = vec![PROTOCOL.to_vec()];
        // Who comes back need not shake hands in full, whichever connection it had before.
        config.ticketer = aws_lc_rs::Ticketer::new().map_err(TlsError::Unusable)?;
        let acceptor = TlsAcceptor::from(Arc::new(config));
        Ok(Self { acceptor, shown })
    }

    /// For handshakes from now on. Says whether it is another one than before.
    pub fn replace(&self, certificate: Certificate) -> bool {
        let mut shown = self.shown.0.write().unwrap_or_else(PoisonError::into_inner);
        let before = std::mem::replace(&mut *shown, certificate.0);
        before.cert != shown.cert
    }

    pub(super) async fn accept(&self, stream: TcpStream) -> Result<Box<TlsStream<TcpStream>>, NotSecured> {
        match tokio::time::timeout(HANDSHAKE, self.acceptor.accept(stream)).await {
            Ok(Ok(stream)) => Ok(Box::new(stream)),
            Ok(Err(error)) => Err(NotSecured::Broken(error)),
            Err(_elapsed) => Err(NotSecured::TooSlow),
        }
    }
}

impl ResolvesServerCert for Shown {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner)))
    }
}

fn provider() -> CryptoProvider {
    aws_lc_rs::default_provider()
}

fn pem_of(key: &'static str, path: &Path) -> Result<Vec<u8>, TlsError> {
    std::fs::read(path).map_err(|error| TlsError::File {
        key,
        path: path.to_owned(),
        error,
    })
}

fn not_pem(key: &'static str, path: &Path) -> TlsError {
    TlsError::NotPem {
        key,
        path: path.to_owned(),
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Certificate")
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tls")
    }
}
