//! Takes secrets out of what a command prints, since 8x8 and others repeat what they were sent.

use secrecy::ExposeSecret as _;
use secrecy::SecretString;

use crate::settings::Settings;

const HIDDEN: &str = "****";
/// Shorter ones would hide parts of ordinary words.
const SHORTEST: usize = 6;

pub(super) struct Hide(Vec<SecretString>);

impl Hide {
    pub(super) fn new(settings: &Settings) -> Self {
        let mut secrets = settings.admin.tokens.clone();
        for tenant in settings.tenants.values() {
            secrets.push(tenant.api_key.clone());
            let of_8x8 = [
                &tenant.client_secret,
                &tenant.schedule.api_key,
                &tenant.schedule.token,
                &tenant.statistics.api_key,
                &tenant.statistics.token,
                &tenant.statistics.client_secret,
            ];
            secrets.extend(of_8x8.into_iter().flatten().cloned());
            secrets.extend(tenant.webhook.path_secrets.iter().cloned());
            secrets.extend(tenant.webhook.app_tokens.iter().cloned());
        }
        for bot in settings.bots.values() {
            secrets.extend(bot.callback_secrets.iter().cloned());
            let auth = &bot.auth;
            let of_bot = [&auth.token, &auth.app_token, &auth.password, &auth.client_id];
            secrets.extend(of_bot.into_iter().flatten().cloned());
        }
        Self(secrets)
    }

    pub(super) fn text(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for secret in &self.0 {
            let secret = secret.expose_secret().trim();
            if secret.len() >= SHORTEST {
                text = text.replace(secret, HIDDEN);
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_hidden_wherever_it_stands() {
        let hide = Hide(vec!["0123456789abcdef".to_owned().into(), "a".to_owned().into()]);
        let text = hide.text("at https://h/0123456789abcdef: refused (0123456789abcdef)");
        assert_eq!(text, "at https://h/****: refused (****)");
    }
}
