//! Makes guessing slow without locking anybody out. Whoever asks from an address that failed a lot is sent away for a
//! while; a user for whom others failed a lot waits a moment and is then let in. Memory is bounded.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use crate::domain::Timestamp;
use crate::http::tokens::network;

/// So many failures cost nothing: people mistype.
const FREE: u32 = 5;
const FIRST_DELAY: Duration = Duration::from_millis(250);
/// For an address, which can be anybody's.
const LONGEST_AWAY: Duration = Duration::from_secs(30);
/// For a user, who may not be to blame: never long enough to be shut out.
const LONGEST_WAIT: Duration = Duration::from_secs(2);
/// Without another failure all is forgotten.
const FORGIVEN: Duration = Duration::from_mins(15);
/// Addresses, and users, remembered at a time.
const REMEMBERED: usize = 10_000;

#[derive(Debug, Default)]
pub(super) struct SlowDown {
    addresses: Mutex<Failures<IpAddr>>,
    users: Mutex<Failures<[u8; 32]>>,
}

#[derive(Debug)]
struct Failures<K>(HashMap<K, Failed>);

#[derive(Clone, Copy, Debug)]
struct Failed {
    count: u32,
    last: Timestamp,
}

impl SlowDown {
    /// Counts an attempt as failed until it is known to be good, so that many at once gain nothing. `Err` when the address
    /// is to come again after a while.
    pub(super) fn enter(&self, address: IpAddr, now: Timestamp) -> Result<(), Duration> {
        let mut addresses = self.addresses.lock().unwrap_or_else(PoisonError::into_inner);
        let address = network(address);
        let away = addresses.left(&address, LONGEST_AWAY, now);
        if !away.is_zero() {
            return Err(away);
        }
        addresses.add(address, now);
        Ok(())
    }

    /// How long a user's attempt is held up, whoever makes it. `user` is a hash of the name.
    pub(super) fn wait(&self, user: &[u8; 32], now: Timestamp) -> Duration {
        let users = self.users.lock().unwrap_or_else(PoisonError::into_inner);
        users.left(user, LONGEST_WAIT, now)
    }

    /// Nothing was wrong about the attempt, or nobody looked.
    pub(super) fn let_off(&self, address: IpAddr) {
        let mut addresses = self.addresses.lock().unwrap_or_else(PoisonError::into_inner);
        addresses.take_back(&network(address));
    }

    pub(super) fn failed(&self, user: [u8; 32], now: Timestamp) {
        self.users.lock().unwrap_or_else(PoisonError::into_inner).add(user, now);
    }
}

impl<K: Copy + Eq + Hash> Failures<K> {
    fn left(&self, key: &K, longest: Duration, now: Timestamp) -> Duration {
        let Some(failed) = self.0.get(key) else {
            return Duration::ZERO;
        };
        let doublings = failed.count.saturating_sub(FREE);
        if doublings == 0 || now.since(failed.last) > FORGIVEN {
            return Duration::ZERO;
        }
        let delay = FIRST_DELAY.saturating_mul(1 << (doublings - 1).min(16)).min(longest);
        failed.last.plus(delay).since(now)
    }

    fn add(&mut self, key: K, now: Timestamp) {
        if self.0.len() >= REMEMBERED && !self.0.contains_key(&key) {
            self.make_room(now);
        }
        let failed = self.0.entry(key).or_insert(Failed { count: 0, last: now });
        if now.since(failed.last) > FORGIVEN {
            failed.count = 0;
        }
        failed.count = failed.count.saturating_add(1);
        failed.last = now;
    }

    fn take_back(&mut self, key: &K) {
        if let Some(failed) = self.0.get_mut(key) {
            failed.count = failed.count.saturating_sub(1);
        }
        if self.0.get(key).is_some_and(|failed| failed.count == 0) {
            self.0.remove(key);
        }
    }

    /// Those that are forgiven go, or else the quarter that failed least lately.
    fn make_room(&mut self, now: Timestamp) {
        self.0.retain(|_, failed| now.since(failed.last) <= FORGIVEN);
        if self.0.len() >= REMEMBERED {
            let mut times: Vec<Timestamp> = self.0.values().map(|failed| failed.last).collect();
            let place = times.len() / 4;
            let (_, cut, _) = times.select_nth_unstable(place);
            let cut = *cut;
            self.0.retain(|_, failed| failed.last > cut);
        }
    }
}

impl<K> Default for Failures<K> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Timestamp {
        Timestamp::from_millis(1_800_000_000_000).plus(Duration::from_millis(millis))
    }

    #[test]
    fn an_address_that_fails_is_sent_away_for_longer_and_longer_and_others_are_not() {
        let slow = SlowDown::default();
        let (guesser, other): (IpAddr, IpAddr) = ("192.0.2.1".parse().unwrap(), "192.0.2.2".parse().unwrap());
        for _ in 0..FREE {
            assert_eq!(slow.enter(guesser, at(0)), Ok(()));
        }
        assert_eq!(
            slow.enter(guesser, at(0)),
            Ok(()),
            "the sixth is still unknown when it comes"
        );
        assert_eq!(slow.enter(guesser, at(0)), Err(Duration::from_millis(250)));
        assert_eq!(slow.enter(guesser, at(249)), Err(Duration::from_millis(1)));
        assert_eq!(slow.enter(guesser, at(250)), Ok(()));
        assert_eq!(slow.enter(guesser, at(250)), Err(Duration::from_millis(500)));
        assert_eq!(slow.enter(other, at(250)), Ok(()));
        let mut now = 250;
        for _ in 0..40 {
            now += 30_000;
            assert_eq!(slow.enter(guesser, at(now)), Ok(()));
        }
        assert_eq!(slow.enter(guesser, at(now)), Err(LONGEST_AWAY), "never longer");
        assert_eq!(slow.enter(guesser, at(now + 900_001)), Ok(()));
        assert_eq!(slow.enter(guesser, at(now + 900_001)), Ok(()), "all was forgiven");
    }

    #[test]
    fn a_good_attempt_costs_its_address_nothing() {
        let slow = SlowDown::default();
        let address: IpAddr = "192.0.2.1".parse().unwrap();
        for _ in 0..100 {
            assert_eq!(slow.enter(address, at(0)), Ok(()));
            slow.let_off(address);
        }
        assert!(slow.addresses.lock().unwrap().0.is_empty());
    }

    #[test]
    fn a_user_whom_others_guess_at_waits_two_seconds_at_most() {
        let slow = SlowDown::default();
        for _ in 0..1000 {
            slow.failed([1; 32], at(0));
        }
        assert_eq!(slow.wait(&[1; 32], at(0)), LONGEST_WAIT);
        assert_eq!(slow.wait(&[1; 32], at(2000)), Duration::ZERO);
        assert_eq!(slow.wait(&[2; 32], at(0)), Duration::ZERO);
    }

    #[test]
    fn memory_is_bounded_and_the_latest_are_remembered() {
        let slow = SlowDown::default();
        for n in 0..30_000_u32 {
            slow.enter(IpAddr::V4(n.into()), at(u64::from(n))).unwrap();
        }
        let addresses = slow.addresses.lock().unwrap();
        assert!(addresses.0.len() <= REMEMBERED);
        assert!(addresses.0.contains_key(&IpAddr::V4(29_999.into())));
    }

    #[test]
    fn neighbours_in_ipv6_are_one() {
        assert_eq!(
            network("2001:db8:1:2:3::4".parse().unwrap()),
            network("2001:db8:1:2:ffff::1".parse().unwrap())
        );
        assert_eq!(
            network("::ffff:192.0.2.1".parse().unwrap()),
            "192.0.2.1".parse::<IpAddr>().unwrap()
        );
    }
}
