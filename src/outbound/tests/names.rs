//! Names whose addresses somebody else decides: several at once, others a moment later, and where redirects lead.

use std::net::IpAddr;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::Mutex;

use reqwest::dns::Addrs;
use reqwest::dns::Name;
use reqwest::dns::Resolve;
use reqwest::dns::Resolving;

use crate::outbound::AddressPolicy;
use crate::outbound::OutboundSettings;
use crate::outbound::RefusedAddress;
use crate::outbound::client::guarded;
use crate::outbound::resolver::GuardedResolver;

/// Answers one list after the other, and the last one for ever.
struct Names(Mutex<Vec<Vec<IpAddr>>>);

impl Names {
    fn answering(lists: &[&[&str]]) -> Arc<Self> {
        let read = |list: &&[&str]| list.iter().map(|text| text.parse().unwrap()).collect();
        Arc::new(Self(Mutex::new(lists.iter().rev().map(read).collect())))
    }
}

impl Resolve for Names {
    fn resolve(&self, _name: Name) -> Resolving {
        let mut lists = self.0.lock().unwrap();
        let list = if lists.len() > 1 {
            lists.pop().unwrap()
        } else {
            lists[0].clone()
        };
        let addresses: Vec<_> = list.into_iter().map(|address| SocketAddr::new(address, 0)).collect();
        Box::pin(async move { Ok(Box::new(addresses.into_iter()) as Addrs) })
    }
}

async fn resolve(resolver: &GuardedResolver) -> Result<Vec<IpAddr>, String> {
    match resolver.resolve("bot.example.com".parse().unwrap()).await {
        Ok(addresses) => Ok(addresses.map(|address| address.ip()).collect()),
        Err(error) => Err(error.to_string()),
    }
}

#[tokio::test]
async fn one_private_address_among_public_ones_refuses_the_name() {
    for private in [
        "10.0.0.1",
        "127.0.0.1",
        "169.254.169.254",
        "::1",
        "fd00::1",
        "::ffff:192.168.0.1",
        "64:ff9b::a00:1",
    ] {
        for answer in [[private, "8.8.8.8"], ["8.8.8.8", private]] {
            let resolver = GuardedResolver::new(Names::answering(&[&answer]), AddressPolicy::default(), None);
            let refused = resolve(&resolver).await.unwrap_err();
            assert_eq!(refused, RefusedAddress.to_string(), "{answer:?}");
            assert!(!refused.contains(private), "the address is not told: {refused}");
        }
    }
    let public = GuardedResolver::new(
        Names::answering(&[&["8.8.8.8", "2606:4700::1"]]),
        AddressPolicy::default(),
        None,
    );
    assert_eq!(resolve(&public).await.unwrap().len(), 2);
}

#[tokio::test]
async fn a_name_that_is_public_first_and_private_then_is_looked_at_each_time() {
    let names = Names::answering(&[&["8.8.8.8"], &["127.0.0.1"], &["8.8.4.4"], &["10.0.0.1"]]);
    let resolver = GuardedResolver::new(names, AddressPolicy::default(), None);
    let mut answers = Vec::new();
    for _ in 0..4 {
        answers.push(resolve(&resolver).await.map(|addresses| addresses[0].to_string()));
    }
    let refused = || Err(RefusedAddress.to_string());
    assert_eq!(
        answers,
        [Ok("8.8.8.8".to_owned()), refused(), Ok("8.8.4.4".to_owned()), refused()]
    );
}

#[tokio::test]
async fn a_refused_name_is_never_dialled_and_an_allowed_one_is_dialled_as_it_was_checked() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let url = format!("http://rebound.example.com:{port}/");
    let client = |policy: AddressPolicy| {
        let resolver = GuardedResolver::new(Names::answering(&[&["127.0.0.1"]]), policy, None);
        guarded(&OutboundSettings::default(), resolver).unwrap()
    };
    let refused = client(AddressPolicy::default()).get(&url).send().await.unwrap_err();
    assert!(format!("{refused:?}").contains("RefusedAddress"), "{refused:?}");
    assert!(
        !format!("{refused} {refused:?}").contains("127.0.0.1"),
        "the address is not told: {refused:?}"
    );
    let allowed = AddressPolicy {
        allow_http: true,
        allow_networks: vec!["127.0.0.0/8".parse().unwrap()],
        ..AddressPolicy::default()
    };
    let asking = client(allowed);
    let asked = asking.get(&url).timeout(std::time::Duration::from_secs(10)).send();
    let (dialled, from) = {
        let accepted = listener.accept();
        tokio::pin!(accepted);
        tokio::select! {
            accepted = &mut accepted => accepted.unwrap(),
            answered = asked => panic!("{answered:?}"),
        }
    };
    assert!(from.ip().is_loopback());
    drop(dialled);
    // The one connection was the allowed client's: the refused one never came.
    let another = tokio::time::timeout(std::time::Duration::from_millis(50), listener.accept()).await;
    assert!(another.is_err());
}
