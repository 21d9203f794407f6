//! Who may fetch tokens: each user of a tenant with each of its app tokens as `clientid`.

use std::fmt;

use aws_lc_rs::constant_time;
use secrecy::ExposeSecret;
use secrecy::SecretString;

use crate::domain::TenantName;
use crate::http::extract::sha256;
use crate::webhook::PasswordHash;

/// One user with one of the tenant's app tokens.
#[derive(Clone)]
pub struct Login {
    tenant: TenantName,
    username: String,
    password: PasswordHash,
    client: [u8; 32],
    holder: [u8; 32],
}

#[derive(Debug)]
pub(super) struct Logins(Vec<Login>);

impl Login {
    pub fn new(tenant: &TenantName, username: &str, password: &PasswordHash, app_token: &SecretString) -> Self {
        let client = sha256(app_token.expose_secret().as_bytes());
        // Fields that may hold anything stand here as hashes, so that no two logins read alike.
        let mut whole = Vec::new();
        for part in [tenant.as_str(), username, &password.to_string()] {
            whole.extend(sha256(part.as_bytes()));
        }
        whole.extend(client);
        Self {
            tenant: tenant.clone(),
            username: username.to_owned(),
            password: password.clone(),
            client,
            holder: sha256(&whole),
        }
    }

    pub(super) const fn tenant(&self) -> &TenantName {
        &self.tenant
    }

    /// Another password or app token makes another holder, so that changing either ends what was issued before.
    pub(super) const fn holder(&self) -> [u8; 32] {
        self.holder
    }

    pub(super) const fn password(&self) -> &PasswordHash {
        &self.password
    }

    fn is_client(&self, client: &[u8; 32]) -> bool {
        constant_time::verify_slices_are_equal(&self.client, client).is_ok()
    }
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a login of {}", self.tenant)
    }
}

impl Logins {
    pub(super) const fn new(logins: Vec<Login>) -> Self {
        Self(logins)
    }

    pub(super) fn find(&self, username: &str, client: &SecretString) -> Option<&Login> {
        let client = sha256(client.expose_secret().as_bytes());
        self.0
            .iter()
            .find(|login| login.username == username && login.is_client(&client))
    }

    /// A password to check when nobody is meant, so that an answer takes as long as for somebody.
    pub(super) fn decoy(&self) -> Option<&PasswordHash> {
        self.0.first().map(Login::password)
    }

    /// The one a grant was given to, if the settings still have it.
    pub(super) fn of_holder(&self, holder: &[u8; 32]) -> Option<&Login> {
        self.0.iter().find(|login| login.holder == *holder)
    }

    /// Whether a refresh token comes from the client that its grant was given to.
    pub(super) fn is_of(&self, holder: &[u8; 32], client: &SecretString) -> bool {
        let client = sha256(client.expose_secret().as_bytes());
        self.of_holder(holder).is_some_and(|login| login.is_client(&client))
    }
}
