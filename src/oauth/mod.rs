//! Bearer tokens that are fetched from somebody else's token endpoint, kept in memory and renewed before they expire.

mod answer;
mod grant;
mod source;

pub use grant::ClientCredentials;
pub use grant::Grant;
pub use grant::PasswordGrant;
pub use source::TokenFault;
pub use source::TokenSource;
