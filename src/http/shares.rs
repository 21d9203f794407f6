//! How many of the connections one address may have open: half of them, so that others get in whatever it does. Proxies
//! that are trusted bring others' requests and are not counted.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;

use ipnet::IpNet;

use crate::http::tokens::network;

#[derive(Debug)]
pub(super) struct Shares {
    most: usize,
    trusted_proxies: Vec<IpNet>,
    open: Open,
}

type Open = Arc<Mutex<HashMap<IpAddr, usize>>>;

/// Counted until dropped.
#[derive(Debug)]
pub(super) struct Share(Option<(IpAddr, Open)>);

impl Shares {
    pub(super) fn new(connections: usize, trusted_proxies: Vec<IpNet>) -> Self {
        Self {
            most: (connections / 2).max(1),
            trusted_proxies,
            open: Arc::default(),
        }
    }

    /// `None` when the address has its share.
    pub(super) fn take(&self, from: IpAddr) -> Option<Share> {
        let plain = from.to_canonical();
        if self.trusted_proxies.iter().any(|proxies| proxies.contains(&plain)) {
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
        let shares = Shares::new(8, vec!["10.0.0.0/8".parse().unwrap()]);
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
}
