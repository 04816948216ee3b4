//! TLS with certificates at both ends.

use std::fmt;
use std::io;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio::net::TcpStream;
use tokio_rustls::{TlsAcceptor, TlsConnector, TlsStream};

/// The certificate of a node, and whose certificates it trusts.
///
/// Both ends of a connection show a certificate, which the given authority must have signed. The certificates of all
/// nodes have one name among their subject alternative names, [`with_server_name`](Self::with_server_name); so a peer
/// may be reached under any address.
#[derive(Clone)]
pub struct Tls {
    server: Arc<ServerConfig>,
    client: Arc<ClientConfig>,
    name: ServerName<'static>,
}

/// Certificates or a key can't be used.
#[derive(Debug)]
#[non_exhaustive]
pub enum TlsError {
    /// The text is no certificate or key in PEM.
    Pem(rustls::pki_types::pem::Error),
    /// They don't fit together, or are none that rustls takes.
    Rustls(rustls::Error),
    /// The authority's certificates can't verify others.
    Authority(rustls::server::VerifierBuilderError),
    /// The name of the nodes is no name for a certificate.
    Name(String),
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pem(_) => f.write_str("a certificate or key is not in PEM"),
            Self::Rustls(_) => f.write_str("a certificate or key can't be used"),
            Self::Authority(_) => f.write_str("the authority's certificates can't be used"),
            Self::Name(name) => write!(f, "{name:?} is no name for a certificate"),
        }
    }
}

impl std::error::Error for TlsError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Pem(source) => Some(source),
            Self::Rustls(source) => Some(source),
            Self::Authority(source) => Some(source),
            Self::Name(_) => None,
        }
    }
}

impl From<rustls::Error> for TlsError {
    fn from(error: rustls::Error) -> Self {
        Self::Rustls(error)
    }
}

impl From<rustls::pki_types::pem::Error> for TlsError {
    fn from(error: rustls::pki_types::pem::Error) -> Self {
        Self::Pem(error)
    }
}

impl Tls {
    /// Takes the node's certificate with those that lead to the authority, its private key, and the certificates of the
    /// authority, all in PEM.
    ///
    /// # Errors
    ///
    /// [`TlsError`] if one of them can't be used.
    pub fn from_pem(certificate: &[u8], key: &[u8], authority: &[u8]) -> Result<Self, TlsError> {
        let certificates: Vec<CertificateDer<'static>> =
            CertificateDer::pem_slice_iter(certificate).collect::<Result<_, _>>()?;
        let key = PrivateKeyDer::from_pem_slice(key)?;
        let mut roots = RootCertStore::empty();
        for root in CertificateDer::pem_slice_iter(authority) {
            roots.add(root?)?;
        }
        let roots = Arc::new(roots);
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::clone(&roots), Arc::clone(&provider))
            .build()
            .map_err(TlsError::Authority)?;
        let server = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()?
            .with_client_cert_verifier(verifier)
            .with_single_cert(certificates.clone(), key.clone_key())?;
        let client = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_client_auth_cert(certificates, key)?;
        let name = ServerName::try_from("atomik").expect("this is a name");
        Ok(Self { server: Arc::new(server), client: Arc::new(client), name })
    }

    /// Sets the name that the certificates of all nodes have. The default is `atomik`.
    ///
    /// # Errors
    ///
    /// [`TlsError::Name`] if it can't be the name of a certificate.
    pub fn with_server_name(self, name: &str) -> Result<Self, TlsError> {
        let name = ServerName::try_from(name.to_owned()).map_err(|_| TlsError::Name(name.to_owned()))?;
        Ok(Self { name, ..self })
    }

    pub(crate) async fn accept(&self, stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        Ok(TlsAcceptor::from(Arc::clone(&self.server)).accept(stream).await?.into())
    }

    pub(crate) async fn connect(&self, stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        let connector = TlsConnector::from(Arc::clone(&self.client));
        Ok(connector.connect(self.name.clone(), stream).await?.into())
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").field("name", &self.name).finish_non_exhaustive()
    }
}
