//! How many of the connections one address may have open: half of them, so that others get in whatever it does. Proxies
//! that are trusted bring others' requests and are not counted.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::RwLock;

use ipnet::IpNet;

use crate::http::tokens::network;

/// Networks of proxies, which a reload may change while connections come in. Cheap to clone; all clones are one.
#[derive(Clone, Debug, Default)]
pub struct TrustedProxies(Arc<RwLock<Vec<IpNet>>>);

#[derive(Debug)]
pub(super) struct Shares {
    most: usize,
    trusted_proxies: TrustedProxies,
    open: Open,
}

type Open = Arc<Mutex<HashMap<IpAddr, usize>>>;

/// Counted until dropped.
#[derive(Debug)]
pub(super) struct Share(Option<(IpAddr, Open)>);

impl TrustedProxies {
    pub fn new(networks: Vec<IpNet>) -> Self {
        Self(Arc::new(RwLock::new(networks)))
    }

    /// For connections from now on; those that stand count as they did when they came.
    pub fn replace(&self, networks: Vec<IpNet>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = networks;
    }

    fn have(&self, address: IpAddr) -> bool {
        let networks = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let plain = address.to_canonical();
        networks.iter().any(|network| network.contains(&plain))
    }
}

impl Shares {
    pub(super) fn new(connections: usize, trusted_proxies: TrustedProxies) -> Self {
        Self {
            most: (connections / 2).max(1),
            trusted_proxies,
            open: Arc::default(),
        }
    }

    /// `None` when the address has its share.
    pub(super) fn take(&self, from: IpAddr) -> Option<Share> {
        if self.trusted_proxies.have(from) {
            return Some(Share(None));
        }
        let from = network(from);
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let count = open.entry(from).or_default();
        if *count >= self.most {
            return None;
        }
        *count += 1;
        Some(Share(Some((from, Arc::clone(&self.open)))))
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let Some((from, open)) = &self.0 else { return };
        let mut open = open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = open.get_mut(from) {
            *count -= 1;
            if *count == 0 {
                open.remove(from);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_gets_half_and_a_trusted_proxy_all() {
        let shares = Shares::new(8, TrustedProxies::new(vec!["10.0.0.0/8".parse().unwrap()]));
        let (one, other, proxy): (IpAddr, IpAddr, IpAddr) = (
            "192.0.2.1".parse().unwrap(),
            "192.0.2.2".parse().unwrap(),
            "::ffff:10.0.0.1".parse().unwrap(),
        );
        let mut held: Vec<_> = (0..4).map(|_| shares.take(one).unwrap()).collect();
        assert!(shares.take(one).is_none());
        assert!(shares.take(other).is_some());
        let proxied: Vec<_> = (0..20).map(|_| shares.take(proxy)).collect();
        assert!(proxied.iter().all(Option::is_some));
        held.pop();
        assert!(shares.take(one).is_some());
        drop(held);
        assert!(shares.open.lock().unwrap().is_empty());
    }

    #[test]
    fn a_proxy_that_is_trusted_from_now_on_has_more_than_a_share_from_now_on() {
        let trusted = TrustedProxies::default();
        let shares = Shares::new(4, trusted.clone());
        let proxy: IpAddr = "10.0.0.1".parse().unwrap();
        let before: Vec<_> = (0..3).filter_map(|_| shares.take(proxy)).collect();
        assert_eq!(before.len(), 2);
        trusted.replace(vec!["10.0.0.0/8".parse().unwrap()]);
        let after: Vec<_> = (0..3).filter_map(|_| shares.take(proxy)).collect();
        assert_eq!(after.len(), 3);
        trusted.replace(Vec::new());
        drop(after);
        assert!(shares.take(proxy).is_none(), "those of before still count");
        drop(before);
        assert!(shares.open.lock().unwrap().is_empty());
    }
}
