//! Builds the HTTP clients. None follows redirects, repeats a request, unpacks a body or reads proxies from the environment.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use reqwest::Certificate;
use reqwest::Client;
use reqwest::ClientBuilder;
use reqwest::NoProxy;
use reqwest::Proxy;
use reqwest::redirect;
use reqwest::retry;
use url::Url;

use crate::outbound::AddressPolicy;
use crate::outbound::OutboundError;
use crate::outbound::OutboundSettings;
use crate::outbound::resolver::GuardedResolver;
use crate::outbound::resolver::SystemNames;

/// DNS, TCP and TLS together.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// Shorter than the 55 s or 60 s after which common servers and balancers close an idle connection themselves.
const IDLE_TIMEOUT: Duration = Duration::from_secs(50);
/// A call to 8x8 cannot be repeated when a connection is closed under it, so none is taken that idled for long.
const CHAT_GATEWAY_IDLE_TIMEOUT: Duration = Duration::from_secs(30);
const KEEPALIVE: Duration = Duration::from_secs(20);

/// For calls to 8x8: reaches any address. Time-outs of whole requests are the caller's.
pub fn for_chat_gateway(settings: &OutboundSettings) -> Result<Client, OutboundError> {
    builder(settings)?
        .pool_idle_timeout(CHAT_GATEWAY_IDLE_TIMEOUT)
        .build()
        .map_err(|error| OutboundError::Client(error.without_url()))
}

/// For calls to bots: dials only addresses the policy allows. [`AddressPolicy::check`] must be asked before each request,
/// since a client does not resolve hosts that are addresses already. With a proxy it is the proxy that dials, and that
/// has to check what names resolve to.
pub fn for_callbacks(settings: &OutboundSettings, policy: &AddressPolicy) -> Result<Client, OutboundError> {
    let proxy = settings.proxy.as_deref().and_then(host_of);
    guarded(
        settings,
        GuardedResolver::new(Arc::new(SystemNames), policy.clone(), proxy),
    )
}

pub(super) fn guarded(settings: &OutboundSettings, resolver: GuardedResolver) -> Result<Client, OutboundError> {
    builder(settings)?
        .pool_idle_timeout(IDLE_TIMEOUT)
        .dns_resolver(resolver)
        .build()
        .map_err(|error| OutboundError::Client(error.without_url()))
}

fn builder(settings: &OutboundSettings) -> Result<ClientBuilder, OutboundError> {
    let mut builder = Client::builder()
        .user_agent(concat!("handover-gateway/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(CONNECT_TIMEOUT)
        .redirect(redirect::Policy::none())
        .retry(retry::never())
        .referer(false)
        .tcp_nodelay(true)
        .tcp_keepalive(KEEPALIVE)
        .no_proxy();
    if let Some(url) = &settings.proxy {
        let direct = NoProxy::from_string(&settings.no_proxy.join(","));
        let proxy = Proxy::all(url).map_err(|error| OutboundError::Proxy(error.without_url()))?;
        builder = builder.proxy(proxy.no_proxy(direct));
    }
    if let Some(path) = &settings.ca_file {
        builder = builder.tls_certs_merge(certificates(path)?);
    }
    Ok(builder)
}

fn certificates(path: &Path) -> Result<Vec<Certificate>, OutboundError> {
    let pem = std::fs::read(path).map_err(|source| OutboundError::CaFile {
        path: path.to_owned(),
        source,
    })?;
    match Certificate::from_pem_bundle(&pem) {
        Ok(certificates) if !certificates.is_empty() => Ok(certificates),
        Ok(_) | Err(_) => Err(OutboundError::CaContent { path: path.to_owned() }),
    }
}

/// A proxy may be written without its scheme.
fn host_of(proxy: &str) -> Option<String> {
    let url = Url::parse(proxy)
        .ok()
        .filter(Url::has_host)
        .or_else(|| Url::parse(&format!("http://{proxy}")).ok())?;
    url.host_str().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_are_built_with_and_without_a_proxy() {
        let plain = OutboundSettings::default();
        assert!(for_chat_gateway(&plain).is_ok());
        let proxied = OutboundSettings {
            proxy: Some("http://proxy.corp:3128".to_owned()),
            no_proxy: vec!["example.com".to_owned(), "10.0.0.0/8".to_owned()],
            ca_file: None,
        };
        assert!(for_callbacks(&proxied, &AddressPolicy::default()).is_ok());
        assert_eq!(host_of("proxy.corp:3128").as_deref(), Some("proxy.corp"));
        assert_eq!(host_of("http://u:p@proxy.corp:3128").as_deref(), Some("proxy.corp"));
    }

    #[test]
    fn a_certificate_file_that_is_none_is_named() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let settings = OutboundSettings {
            ca_file: Some(file.path().to_owned()),
            ..OutboundSettings::default()
        };
        assert!(matches!(
            for_chat_gateway(&settings),
            Err(OutboundError::CaContent { .. })
        ));
    }
}
