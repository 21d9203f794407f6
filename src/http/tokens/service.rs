//! Gives out tokens and knows them again. What was given out is in the store, as hashes, so that it outlives the process;
//! memory only saves looking there for each webhook.

use std::collections::HashMap;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use aws_lc_rs::constant_time;
use ipnet::IpNet;
use secrecy::ExposeSecret as _;
use secrecy::SecretString;
use tokio::sync::Semaphore;

use crate::clock::Clock;
use crate::domain::TenantName;
use crate::domain::Timestamp;
use crate::http::extract::sha256;
use crate::http::seldom::Seldom;
use crate::http::tokens::answer::Issued;
use crate::http::tokens::answer::TokenAnswer;
use crate::http::tokens::logins::Login;
use crate::http::tokens::logins::Logins;
use crate::http::tokens::slow_down::SlowDown;
use crate::http::tokens::token;
use crate::http::tokens::token::Kind;
use crate::http::tokens::token::NewToken;
use crate::store::Access;
use crate::store::Exchange;
use crate::store::Exchanged;
use crate::store::Grant;
use crate::store::Store;
use crate::store::StoreError;

/// An access token.
const ACCESS: Duration = Duration::from_hours(1);
/// All that comes of one log-in; then the password is asked for again.
const GRANT: Duration = Duration::from_hours(24 * 30);
/// Log-ins of one user with one app token that are good at a time; the oldest ends for the next.
const GRANTS: usize = 100;
/// Passwords checked at a time, and waiting for it.
const CHECKS: usize = 2;
const CHECKS_WAITING: usize = 64;
const CHECK_WAIT: Duration = Duration::from_secs(5);
/// A token that was looked up is believed so long without another look.
const BELIEVED: Duration = Duration::from_mins(1);
const REMEMBERED: usize = 4096;

/// Cheap to clone; all clones share the same memory.
#[derive(Clone)]
pub struct Tokens(Arc<Inner>);

struct Inner {
    store: Arc<dyn Store>,
    clock: Clock,
    logins: Logins,
    trusted_proxies: Vec<IpNet>,
    slow_down: Arc<SlowDown>,
    checks: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
    seen: Mutex<HashMap<[u8; 32], Seen>>,
    seldom: Arc<Seldom>,
}

struct Seen {
    tenant: TenantName,
    until: Timestamp,
}

/// A new pair of tokens, not in the store yet.
struct Pair {
    access: NewToken,
    refresh: NewToken,
    until: Timestamp,
}

impl Tokens {
    pub fn new(store: Arc<dyn Store>, clock: Clock, logins: Vec<Login>, trusted_proxies: Vec<IpNet>) -> Self {
        Self(Arc::new(Inner {
            store,
            clock,
            logins: Logins::new(logins),
            trusted_proxies,
            slow_down: Arc::default(),
            checks: Arc::new(Semaphore::new(CHECKS)),
            waiting: Arc::new(Semaphore::new(CHECKS_WAITING)),
            seen: Mutex::default(),
            seldom: Arc::default(),
        }))
    }

    /// The same with other logins: who guesses goes on being slowed down. Tokens are looked up again, since their login may
    /// be gone.
    #[must_use]
    pub fn with(&self, logins: Vec<Login>, trusted_proxies: Vec<IpNet>) -> Self {
        let this = &*self.0;
        Self(Arc::new(Inner {
            store: Arc::clone(&this.store),
            clock: this.clock.clone(),
            logins: Logins::new(logins),
            trusted_proxies,
            slow_down: Arc::clone(&this.slow_down),
            checks: Arc::clone(&this.checks),
            waiting: Arc::clone(&this.waiting),
            seen: Mutex::default(),
            seldom: Arc::clone(&this.seldom),
        }))
    }

    pub(in crate::http) fn trusted_proxies(&self) -> &[IpNet] {
        &self.0.trusted_proxies
    }

    pub(super) fn seldom(&self) -> &Seldom {
        &self.0.seldom
    }

    pub(super) async fn log_in(
        &self,
        from: IpAddr,
        username: &str,
        password: SecretString,
        client: &SecretString,
    ) -> TokenAnswer {
        let this = &*self.0;
        let Ok(_room) = this.waiting.try_acquire() else {
            return TokenAnswer::Unavailable;
        };
        if let Err(away) = this.slow_down.enter(from, this.clock.now()) {
            return TokenAnswer::SlowDown(away);
        }
        let user = sha256(username.as_bytes());
        let wait = this.slow_down.wait(&user, this.clock.now());
        if !wait.is_zero() {
            this.clock.sleep(wait).await;
        }
        let login = this.logins.find(username, client);
        match this.is_right(login, password).await {
            None => {
                this.slow_down.let_off(from);
                TokenAnswer::Unavailable
            }
            Some(false) => {
                this.slow_down.failed(user, this.clock.now());
                TokenAnswer::Refused
            }
            Some(true) => {
                this.slow_down.let_off(from);
                match login {
                    Some(login) => this.issue(login).await,
                    None => TokenAnswer::Refused,
                }
            }
        }
    }

    pub(super) async fn refresh(&self, from: IpAddr, given: &SecretString, client: &SecretString) -> TokenAnswer {
        let this = &*self.0;
        if let Err(away) = this.slow_down.enter(from, this.clock.now()) {
            return TokenAnswer::SlowDown(away);
        }
        let answer = match this.exchange(given, client).await {
            Ok(answer) => answer,
            Err(error) => {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "a token could not be exchanged"
                );
                TokenAnswer::Unavailable
            }
        };
        if !matches!(answer, TokenAnswer::Refused | TokenAnswer::Reused) {
            this.slow_down.let_off(from);
        }
        answer
    }

    /// Whether a bearer token was issued here, for this tenant, and is good now.
    pub(in crate::http) async fn admit(&self, tenant: &TenantName, token: &str) -> Result<bool, StoreError> {
        let this = &*self.0;
        let Some(presented) = Kind::Access.parse(token) else {
            return Ok(false);
        };
        let now = this.clock.now();
        if let Some(seen) = this.seen().get(&presented.sha256)
            && now < seen.until
        {
            return Ok(seen.tenant == *tenant);
        }
        let Some(grant) = this.store.grant(presented.family).await? else {
            return Ok(false);
        };
        let is_it = |access: &&Access| {
            constant_time::verify_slices_are_equal(&access.sha256, &presented.sha256).is_ok() && now < access.until
        };
        let accesses = [Some(&grant.access), grant.previous.as_ref()];
        let Some(access) = accesses.into_iter().flatten().find(is_it) else {
            return Ok(false);
        };
        if now >= grant.expires_at || this.logins.of_holder(&grant.holder).is_none() {
            return Ok(false);
        }
        let until = access.until.min(grant.expires_at).min(now.plus(BELIEVED));
        this.remember(presented.sha256, &grant.tenant, until);
        Ok(grant.tenant == *tenant)
    }
}

impl Inner {
    /// Takes as long for nobody as for somebody. `None` when it could not be checked now.
    async fn is_right(&self, login: Option<&Login>, password: SecretString) -> Option<bool> {
        let Some(hash) = login.map(Login::password).or_else(|| self.logins.decoy()).cloned() else {
            return Some(false);
        };
        let turn = tokio::time::timeout(CHECK_WAIT, Arc::clone(&self.checks).acquire_owned()).await;
        let turn = turn.ok()?.ok()?;
        // The turn ends with the check, also when nobody waits for its result any more.
        let check = tokio::task::spawn_blocking(move || {
            let right = hash.admits(&password);
            drop(turn);
            right
        });
        Some(check.await.ok()? && login.is_some())
    }

    async fn issue(&self, login: &Login) -> TokenAnswer {
        let now = self.clock.now();
        let key = match self.store.link_key(rand::random()).await {
            Ok(key) => key,
            Err(error) => return unavailable(&error),
        };
        let made = token::new_family().and_then(|family| Some((Pair::new(&family, &key, now)?, family)));
        let Some((pair, family)) = made else {
            return TokenAnswer::Unavailable;
        };
        let grant = Grant {
            family,
            tenant: login.tenant().clone(),
            holder: login.holder(),
            refresh: pair.refresh.sha256,
            access: pair.access(),
            previous: None,
            expires_at: now.plus(GRANT),
        };
        match self.store.keep_grant(grant, GRANTS).await {
            Ok(()) => {
                tracing::info!(tenant = %login.tenant(), "a token was issued for a password");
                TokenAnswer::Issued(pair.issued())
            }
            Err(error) => unavailable(&error),
        }
    }

    async fn exchange(&self, given: &SecretString, client: &SecretString) -> Result<TokenAnswer, StoreError> {
        let Some(presented) = Kind::Refresh.parse(given.expose_secret()) else {
            return Ok(TokenAnswer::Refused);
        };
        let now = self.clock.now();
        let grant = self.store.grant(presented.family).await?;
        let good = grant.filter(|grant| now < grant.expires_at && self.logins.is_of(&grant.holder, client));
        let Some(grant) = good else {
            return Ok(TokenAnswer::Refused);
        };
        let key = self.store.link_key(rand::random()).await?;
        // One that was exchanged before ends the log-in; one that somebody made up must not.
        if presented.sha256 != grant.refresh && !token::is_of_ours(given.expose_secret(), &key) {
            return Ok(TokenAnswer::Refused);
        }
        let Some(pair) = Pair::new(&grant.family, &key, now) else {
            return Ok(TokenAnswer::Unavailable);
        };
        let exchange = Exchange {
            family: grant.family,
            given: presented.sha256,
            refresh: pair.refresh.sha256,
            access: pair.access(),
        };
        Ok(match self.store.exchange_grant(exchange).await? {
            Exchanged::Done => TokenAnswer::Refreshed(pair.issued()),
            Exchanged::Unknown => TokenAnswer::Refused,
            Exchanged::Revoked => {
                self.seen().clear();
                tracing::warn!(tenant = %grant.tenant,
                    "a refresh token came a second time, everything issued for its log-in was revoked");
                TokenAnswer::Reused
            }
        })
    }

    fn remember(&self, sha256: [u8; 32], tenant: &TenantName, until: Timestamp) {
        let mut seen = self.seen();
        if seen.len() >= REMEMBERED {
            seen.clear();
        }
        let tenant = tenant.clone();
        seen.insert(sha256, Seen { tenant, until });
    }

    fn seen(&self) -> std::sync::MutexGuard<'_, HashMap<[u8; 32], Seen>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn unavailable(error: &StoreError) -> TokenAnswer {
    tracing::error!(error = error as &dyn std::error::Error, "a token could not be kept");
    TokenAnswer::Unavailable
}

impl Pair {
    fn new(family: &str, key: &[u8], now: Timestamp) -> Option<Self> {
        Some(Self {
            access: Kind::Access.generate(family, key)?,
            refresh: Kind::Refresh.generate(family, key)?,
            until: now.plus(ACCESS),
        })
    }

    const fn access(&self) -> Access {
        Access {
            sha256: self.access.sha256,
            until: self.until,
        }
    }

    fn issued(self) -> Issued {
        Issued {
            access: self.access.text,
            refresh: self.refresh.text,
            expires_in: ACCESS.as_secs(),
        }
    }
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tokens")
    }
}
