//! Why an HTTP client could not be built: always a fault in the settings or on the machine.

use std::path::PathBuf;

use thiserror::Error;

#[derive(Debug, Error)]
pub enum OutboundError {
    #[error("outbound.proxy is not a proxy's URL")]
    Proxy(#[source] reqwest::Error),
    #[error("outbound.ca_file {path} cannot be read")]
    CaFile {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("outbound.ca_file {path} holds no certificates in PEM")]
    CaContent { path: PathBuf },
    #[error(
        "the HTTP client cannot be set up; where the machine has no CA certificates, install the ca-certificates package"
    )]
    Client(#[source] reqwest::Error),
}
