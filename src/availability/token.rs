//! The analytics' bearer tokens: where they come from, and why there is none.

use secrecy::SecretString;
use url::Url;

use crate::availability::SourceError;
use crate::oauth::ClientCredentials;
use crate::oauth::Grant;
use crate::oauth::TokenFault;

/// First parts of the analytics' path, which the token's address does not have.
const REGIONS: [&str; 4] = ["us", "eu", "au", "ca"];

pub(super) fn grant(base: &Url, client_id: &str, client_secret: &SecretString) -> Grant {
    Grant::ClientCredentials(ClientCredentials {
        token_url: token_url(base),
        client_id: client_id.to_owned(),
        client_secret: client_secret.clone(),
    })
}

impl From<TokenFault> for SourceError {
    fn from(fault: TokenFault) -> Self {
        match fault {
            TokenFault::Silent => Self::Unreachable,
            // 400 is how 8x8's token endpoint answers wrong credentials too.
            TokenFault::Refused(400 | 401) => Self::Credentials,
            TokenFault::Refused(403) => Self::Forbidden,
            TokenFault::Refused(status) => Self::Status(status),
            TokenFault::Unreadable => Self::Unreadable,
        }
    }
}

fn token_url(base: &Url) -> Url {
    let mut url = base.clone();
    if let Ok(mut path) = url.path_segments_mut() {
        path.pop_if_empty();
        let last = base
            .path_segments()
            .into_iter()
            .flatten()
            .rfind(|part| !part.is_empty());
        if last.is_some_and(|last| REGIONS.contains(&last)) {
            path.pop();
        }
        path.extend(["oauth", "v2", "token"]);
    }
    url
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_come_from_where_the_region_is_not_in_the_path() {
        for (base, root) in [
            ("https://api.8x8.com", "https://api.8x8.com"),
            ("https://api.8x8.com/eu", "https://api.8x8.com"),
            ("https://api.8x8.com/au/", "https://api.8x8.com"),
            ("https://proxy.example/8x8/ca", "https://proxy.example/8x8"),
            ("https://proxy.example/8x8", "https://proxy.example/8x8"),
        ] {
            assert_eq!(
                token_url(&base.parse().unwrap()).as_str(),
                format!("{root}/oauth/v2/token")
            );
        }
    }

    #[test]
    fn why_there_is_no_token_is_told_as_of_any_other_call() {
        for (fault, problem) in [
            (TokenFault::Silent, SourceError::Unreachable),
            (TokenFault::Refused(400), SourceError::Credentials),
            (TokenFault::Refused(401), SourceError::Credentials),
            (TokenFault::Refused(403), SourceError::Forbidden),
            (TokenFault::Refused(404), SourceError::Status(404)),
            (TokenFault::Unreadable, SourceError::Unreadable),
        ] {
            assert_eq!(SourceError::from(fault), problem);
        }
    }
}
