//! TLS on both sides, with certificates that can be replaced while it runs.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use schemars::JsonSchema;
use serde::Deserialize;

use super::Stream;

/// The certificate of one side. PEM files.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "ServerTls")]
pub struct Server {
    /// Our certificate, and those between it and its authority.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
    /// Senders must have a certificate of one of these authorities. Without it they need none.
    pub client_ca: Option<PathBuf>,
}

/// Whom we trust, and who we are. PEM files.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "ClientTls")]
pub struct Client {
    /// Receivers must have a certificate of one of these authorities. Without it, of one that the machine trusts.
    pub ca: Option<PathBuf>,
    /// Our certificate, if receivers ask for one.
    pub certificate: Option<PathBuf>,
    /// Its private key.
    pub key: Option<PathBuf>,
    /// The name in the receivers' certificate; the host we connect to, if it is not given.
    pub server_name: Option<String>,
}

impl Server {
    /// Its files.
    pub fn files(&self) -> Vec<PathBuf> {
        let ca = self.client_ca.iter().cloned();
        [self.certificate.clone(), self.key.clone()]
            .into_iter()
            .chain(ca)
            .collect()
    }

    fn load(&self, protocols: &[&[u8]]) -> Result<ServerConfig, String> {
        let builder = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?;
        let builder = match &self.client_ca {
            None => builder.with_no_client_auth(),
            Some(path) => {
                let roots = Arc::new(authorities(path)?);
                let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider());
                let verifier = verifier.build();
                let verifier = verifier.map_err(|error| format!("{}: {error}", path.display()))?;
                builder.with_client_cert_verifier(verifier)
            }
        };
        let (chain, key) = (certificates(&self.certificate)?, private_key(&self.key)?);
        let config = builder.with_single_cert(chain, key);
        let mut config = config.map_err(|error| unfit(&self.certificate, &self.key, &error))?;
        config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
        Ok(config)
    }
}

impl Client {
    /// Its files.
    pub fn files(&self) -> Vec<PathBuf> {
        let files = [&self.ca, &self.certificate, &self.key];
        files.into_iter().flatten().cloned().collect()
    }

    fn load(&self, protocols: &[&[u8]]) -> Result<ClientConfig, String> {
        let roots = match &self.ca {
            Some(path) => authorities(path)?,
            None => {
                let mut roots = RootCertStore::empty();
                roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
                if roots.is_empty() {
                    return Err("this machine trusts no authority: name one with `ca`".to_owned());
                }
                roots
            }
        };
        let builder = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?
            .with_root_certificates(roots);
        let mut config = match (&self.certificate, &self.key) {
            (Some(certificate), Some(key)) => builder
                .with_client_auth_cert(certificates(certificate)?, private_key(key)?)
                .map_err(|error| unfit(certificate, key, &error))?,
            (None, None) => builder.with_no_client_auth(),
            _ => return Err("`certificate` and `key` are needed together".to_owned()),
        };
        config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
        Ok(config)
    }
}

fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

fn unfit(certificate: &Path, key: &Path, error: &rustls::Error) -> String {
    let (certificate, key) = (certificate.display(), key.display());
    format!("{certificate} and {key} do not go together: {error}")
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let told = |error: &dyn fmt::Display| format!("{}: {error}", path.display());
    let found = CertificateDer::pem_file_iter(path).map_err(|error| told(&error))?;
    let found = found.collect::<Result<Vec<_>, _>>();
    let found = found.map_err(|error| told(&error))?;
    match found.is_empty() {
        false => Ok(found),
        true => Err(told(&"no certificate is in this file; PEM is expected")),
    }
}

fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, String> {
    PrivateKeyDer::from_pem_file(path).map_err(|error| format!("{}: {error}", path.display()))
}

fn authorities(path: &Path) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(path)? {
        let added = roots.add(certificate);
        added.map_err(|error| format!("{}: {error}", path.display()))?;
    }
    Ok(roots)
}

/// Accepts connections that speak TLS.
#[derive(Clone)]
pub struct Acceptor {
    config: Arc<RwLock<Arc<ServerConfig>>>,
}

impl fmt::Debug for Acceptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Acceptor")
    }
}

impl Acceptor {
    /// With these files, for these application protocols.
    ///
    /// # Errors
    /// If one of them cannot be read, or they do not go together.
    pub fn new(server: &Server, protocols: &[&[u8]]) -> Result<Acceptor, String> {
        let config = Arc::new(RwLock::new(Arc::new(server.load(protocols)?)));
        Ok(Acceptor { config })
    }

    fn current(&self) -> Arc<ServerConfig> {
        let config = self.config.read().unwrap_or_else(PoisonError::into_inner);
        config.clone()
    }

    /// From now on, new connections get the other's certificates.
    pub fn become_like(&self, other: &Acceptor) {
        let fresh = other.current();
        *self.config.write().unwrap_or_else(PoisonError::into_inner) = fresh;
    }

    /// The handshake.
    ///
    /// # Errors
    /// If it fails.
    pub async fn accept(&self, stream: Stream) -> io::Result<Stream> {
        let acceptor = tokio_rustls::TlsAcceptor::from(self.current());
        Ok(Box::new(acceptor.accept(stream).await?))
    }
}

/// Makes connections that speak TLS.
#[derive(Clone)]
pub struct Connector {
    config: Arc<ClientConfig>,
    server_name: Option<String>,
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Connector")
    }
}

impl Connector {
    /// With these files, for these application protocols.
    ///
    /// # Errors
    /// If one of them cannot be read, or they do not go together.
    pub fn new(client: &Client, protocols: &[&[u8]]) -> Result<Connector, String> {
        Ok(Connector {
            config: Arc::new(client.load(protocols)?),
            server_name: client.server_name.clone(),
        })
    }

    /// The handshake with a host.
    ///
    /// # Errors
    /// If it fails, above all if the certificate is not the host's.
    pub async fn connect(&self, host: &str, stream: Stream) -> io::Result<Stream> {
        let name = self.server_name.as_deref().unwrap_or(host);
        let name = name
            .trim_start_matches('[')
            .trim_end_matches(']')
            .to_owned();
        let name = ServerName::try_from(name).map_err(io::Error::other)?;
        let connector = tokio_rustls::TlsConnector::from(self.config.clone());
        Ok(Box::new(connector.connect(name, stream).await?))
    }
}
