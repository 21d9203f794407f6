//! `keys new`: makes a random secret and says where each half of it belongs. Nothing is stored.

use std::io;
use std::io::Write;

use aws_lc_rs::rand;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::SecretString;
use serde_json::json;

use crate::settings::KeyHash;
use crate::webhook::PasswordHash;

/// Make keys and secrets.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct KeysArgs {
    #[command(subcommand)]
    command: KeysCommand,
}

#[derive(Clone, Debug, clap::Subcommand)]
enum KeysCommand {
    /// Print a new random key or secret, once, and the setting it goes with
    New {
        /// What it is for
        kind: KeyKind,
        /// Print one JSON object instead of text
        #[arg(long)]
        json: bool,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum KeyKind {
    /// The key a bot calls this gateway with
    Bot,
    /// The value of the x-app-token header that webhooks must carry
    AppToken,
    /// The secret that callbacks to a bot are signed with
    CallbackSecret,
    /// The last part of the webhook's address
    PathSecret,
    /// The password that an intermediary fetches bearer tokens with
    Password,
}

#[derive(Debug, thiserror::Error)]
pub(super) enum KeysError {
    #[error("the machine gives no random bytes")]
    NoRandomness,
    #[error("the password cannot be hashed")]
    NoHash,
    #[error("the key cannot be printed")]
    Output(#[from] io::Error),
}

impl From<KeysError> for io::Error {
    fn from(error: KeysError) -> Self {
        match error {
            KeysError::Output(error) => error,
            KeysError::NoRandomness | KeysError::NoHash => Self::other(error),
        }
    }
}

pub(super) fn run(args: &KeysArgs, out: &mut dyn Write) -> Result<(), KeysError> {
    match args.command {
        KeysCommand::New { kind, json } => {
            let key = NewKey::generate(kind)?;
            if json {
                key.print_json(out)?;
            } else {
                key.print_text(out)?;
            }
            Ok(out.flush()?)
        }
    }
}

/// A bot's key, and its hash as the settings take it.
pub(super) fn new_bot_key() -> Result<(String, String), KeysError> {
    let key = NewKey::generate(KeyKind::Bot)?;
    let hash = KeyHash::of(&key.secret).to_string();
    Ok((key.secret, hash))
}

pub(super) fn new_callback_secret() -> Result<String, KeysError> {
    NewKey::generate(KeyKind::CallbackSecret).map(|key| key.secret)
}

struct NewKey {
    kind: KeyKind,
    secret: String,
}

impl NewKey {
    fn generate(kind: KeyKind) -> Result<Self, KeysError> {
        let mut bytes = [0; 32];
        rand::fill(&mut bytes).map_err(|_unspecified| KeysError::NoRandomness)?;
        let secret = match kind {
            KeyKind::Bot => bot_key(&bytes),
            KeyKind::AppToken | KeyKind::PathSecret | KeyKind::Password => URL_SAFE_NO_PAD.encode(bytes),
            KeyKind::CallbackSecret => format!("whsec_{}", STANDARD.encode(bytes)),
        };
        Ok(Self { kind, secret })
    }

    /// What is held by its owner alone; the other secrets are needed here to compare or to sign.
    fn hash(&self) -> Result<Option<String>, KeysError> {
        match self.kind {
            KeyKind::Bot => Ok(Some(KeyHash::of(&self.secret).to_string())),
            KeyKind::Password => {
                let mut salt = [0; 16];
                rand::fill(&mut salt).map_err(|_unspecified| KeysError::NoRandomness)?;
                let password = SecretString::from(self.secret.as_str());
                let hash = PasswordHash::of(&password, &salt).ok_or(KeysError::NoHash)?;
                Ok(Some(hash.to_string()))
            }
            KeyKind::AppToken | KeyKind::CallbackSecret | KeyKind::PathSecret => Ok(None),
        }
    }

    fn setting(&self) -> &'static str {
        match self.kind {
            KeyKind::Bot => "bots.NAME.api_key_hashes",
            KeyKind::AppToken => "tenants.NAME.webhook.app_tokens",
            KeyKind::CallbackSecret => "bots.NAME.callback_secrets",
            KeyKind::PathSecret => "tenants.NAME.webhook.path_secrets",
            KeyKind::Password => "tenants.NAME.webhook.clients",
        }
    }

    fn print_json(&self, out: &mut dyn Write) -> Result<(), KeysError> {
        let mut object = json!({"secret": self.secret, "setting": self.setting()});
        if let (Some(hash), Some(fields)) = (self.hash()?, object.as_object_mut()) {
            fields.insert("hash".to_owned(), json!(hash));
        }
        Ok(writeln!(out, "{object}")?)
    }

    fn print_text(&self, out: &mut dyn Write) -> Result<(), KeysError> {
        let Self { kind, secret } = self;
        let setting = self.setting();
        let hash = self.hash()?.unwrap_or_default();
        match kind {
            KeyKind::Bot => {
                writeln!(out, "key, for the bot; it is shown only now:\n  {secret}\n")?;
                writeln!(out, "hash, for `{setting}`:\n  {hash}")?;
            }
            KeyKind::AppToken => {
                writeln!(
                    out,
                    "token, for `{setting}` and the sender's x-app-token header:\n  {secret}"
                )?;
            }
            KeyKind::CallbackSecret => writeln!(out, "secret, for `{setting}` and for the bot:\n  {secret}")?,
            KeyKind::PathSecret => {
                writeln!(out, "secret, for `{setting}`:\n  {secret}\n")?;
                writeln!(
                    out,
                    "webhook address, for 8x8:\n  https://YOUR-HOST/webhooks/8x8/TENANT/{secret}"
                )?;
            }
            KeyKind::Password => {
                writeln!(
                    out,
                    "password, for who fetches tokens; it is shown only now:\n  {secret}\n"
                )?;
                writeln!(
                    out,
                    "for `{setting}`:\n  {{ username = \"NAME\", password_hash = \"{hash}\" }}"
                )?;
            }
        }
        Ok(())
    }
}

/// A prefix and a checksum let scanners of source code tell a leaked key from any other text.
fn bot_key(bytes: &[u8; 32]) -> String {
    let random = URL_SAFE_NO_PAD.encode(bytes);
    let checksum = URL_SAFE_NO_PAD.encode(crc32fast::hash(random.as_bytes()).to_be_bytes());
    format!("hgk_{random}{checksum}")
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    #[derive(clap::Parser)]
    struct Cli {
        #[command(flatten)]
        keys: KeysArgs,
    }

    fn keys(args: &[&str]) -> String {
        let cli = Cli::try_parse_from(["keys"].iter().chain(args)).unwrap();
        let mut out = Vec::new();
        run(&cli.keys, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_bot_key_is_printed_with_the_hash_that_the_settings_take() {
        let printed: serde_json::Value = serde_json::from_str(&keys(&["new", "bot", "--json"])).unwrap();
        let key = printed["secret"].as_str().unwrap();
        assert_eq!(key.len(), "hgk_".len() + 43 + 6);
        assert_eq!(printed["hash"].as_str().unwrap().parse(), Ok(KeyHash::of(key)));
        assert!(keys(&["new", "bot"]).contains("sha256:"));
    }

    #[test]
    fn a_password_is_printed_with_its_hash() {
        let printed: serde_json::Value = serde_json::from_str(&keys(&["new", "password", "--json"])).unwrap();
        let hash: PasswordHash = printed["hash"].as_str().unwrap().parse().unwrap();
        assert!(hash.admits(&SecretString::from(printed["secret"].as_str().unwrap())));
        assert!(keys(&["new", "password"]).contains("password_hash = \"$argon2id$"));
    }

    #[test]
    fn every_kind_is_new_each_time() {
        for kind in ["bot", "app-token", "callback-secret", "path-secret", "password"] {
            assert_ne!(keys(&["new", kind, "--json"]), keys(&["new", kind, "--json"]));
            assert!(keys(&["new", kind]).ends_with('\n'));
        }
    }

    #[test]
    fn a_callback_secret_is_one_of_standard_webhooks() {
        let printed: serde_json::Value = serde_json::from_str(&keys(&["new", "callback-secret", "--json"])).unwrap();
        assert!(standardwebhooks::Webhook::new(printed["secret"].as_str().unwrap()).is_ok());
    }
}
