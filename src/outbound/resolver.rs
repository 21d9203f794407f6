//! Resolves the names of callback targets and gives out their addresses only when every one of them may be dialled.
//! What is given out is what is dialled: a name that resolves differently a moment later changes nothing.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use reqwest::dns::Addrs;
use reqwest::dns::Name;
use reqwest::dns::Resolve;
use reqwest::dns::Resolving;
use thiserror::Error;

use crate::outbound::AddressPolicy;

/// The name leads to an address that callbacks may not reach. Does not say which: a bot's owner may read it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the host resolves to a private, local or reserved address")]
pub struct RefusedAddress;

#[derive(Debug, Error)]
#[error("the host cannot be resolved")]
pub struct NameNotFound(#[source] pub Option<io::Error>);

pub(crate) struct GuardedResolver {
    /// Whom to ask.
    names: Arc<dyn Resolve>,
    policy: Arc<AddressPolicy>,
    /// The proxy was named by the operator and may stand anywhere.
    proxy: Option<String>,
}

impl GuardedResolver {
    pub(crate) fn new(names: Arc<dyn Resolve>, policy: AddressPolicy, proxy: Option<String>) -> Self {
        Self {
            names,
            policy: Arc::new(policy),
            proxy,
        }
    }
}

/// As the machine resolves names.
pub(crate) struct SystemNames;

impl Resolve for SystemNames {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            // The port is filled in by the client.
            let found = tokio::net::lookup_host((name.as_str(), 0)).await;
            let found: Vec<SocketAddr> = found.map_err(|error| NameNotFound(Some(error)))?.collect();
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let policy = Arc::clone(&self.policy);
        let trusted = self
            .proxy
            .as_deref()
            .is_some_and(|proxy| proxy.eq_ignore_ascii_case(name.as_str()));
        let found = self.names.resolve(name);
        Box::pin(async move {
            let addresses: Vec<SocketAddr> = found.await?.collect();
            if addresses.is_empty() {
                return Err(NameNotFound(None).into());
            }
            if trusted || addresses.iter().all(|address| policy.allows(address.ip())) {
                Ok(Box::new(addresses.into_iter()) as Addrs)
            } else {
                Err(RefusedAddress.into())
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn resolve(policy: AddressPolicy, proxy: Option<&str>) -> Result<usize, String> {
        let resolver = GuardedResolver::new(Arc::new(SystemNames), policy, proxy.map(str::to_owned));
        match resolver.resolve("localhost".parse().unwrap()).await {
            Ok(addresses) => Ok(addresses.count()),
            Err(error) => Err(error.to_string()),
        }
    }

    #[tokio::test]
    async fn a_name_that_leads_to_this_machine_is_refused_unless_allowed() {
        let allowed = AddressPolicy {
            allow_http: false,
            allow_networks: vec!["127.0.0.0/8".parse().unwrap(), "::1/128".parse().unwrap()],
            ..AddressPolicy::default()
        };
        assert_eq!(
            resolve(AddressPolicy::default(), None).await,
            Err(RefusedAddress.to_string())
        );
        assert!(resolve(allowed, None).await.is_ok());
        assert!(resolve(AddressPolicy::default(), Some("LOCALHOST")).await.is_ok());
    }
}
