//! `keys new`: makes a random secret and says where each half of it belongs. Nothing is stored.

use std::io;
use std::io::Write;

use aws_lc_rs::rand;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;

use crate::settings::KeyHash;

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
}

#[derive(Debug, thiserror::Error)]
pub(super) enum KeysError {
    #[error("the machine gives no random bytes")]
    NoRandomness,
    #[error("the key cannot be printed")]
    Output(#[from] io::Error),
}

impl From<KeysError> for io::Error {
    fn from(error: KeysError) -> Self {
        match error {
            KeysError::Output(error) => error,
            KeysError::NoRandomness => Self::other(error),
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
            KeyKind::AppToken | KeyKind::PathSecret => URL_SAFE_NO_PAD.encode(bytes),
            KeyKind::CallbackSecret => format!("whsec_{}", STANDARD.encode(bytes)),
        };
        Ok(Self { kind, secret })
    }

    /// Only a bot's key is held by its owner alone; the other secrets are needed here to compare or to sign.
    fn hash(&self) -> Option<KeyHash> {
        (self.kind == KeyKind::Bot).then(|| KeyHash::of(&self.secret))
    }

    fn setting(&self) -> &'static str {
        match self.kind {
            KeyKind::Bot => "bots.NAME.api_key_hashes",
            KeyKind::AppToken => "tenants.NAME.webhook.app_tokens",
            KeyKind::CallbackSecret => "bots.NAME.callback_secrets",
            KeyKind::PathSecret => "tenants.NAME.webhook.path_secrets",
        }
    }

    fn print_json(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut object = json!({"secret": self.secret, "setting": self.setting()});
        if let (Some(hash), Some(fields)) = (self.hash(), object.as_object_mut()) {
            fields.insert("hash".to_owned(), json!(hash.to_string()));
        }
        writeln!(out, "{object}")
    }

    fn print_text(&self, out: &mut dyn Write) -> io::Result<()> {
        let Self { kind, secret } = self;
        let setting = self.setting();
        match kind {
            KeyKind::Bot => {
                writeln!(out, "key, for the bot; it is shown only now:\n  {secret}\n")?;
                writeln!(out, "hash, for `{setting}`:\n  {}", KeyHash::of(secret))
            }
            KeyKind::AppToken => {
                writeln!(
                    out,
                    "token, for `{setting}` and the sender's x-app-token header:\n  {secret}"
                )
            }
            KeyKind::CallbackSecret => writeln!(out, "secret, for `{setting}` and for the bot:\n  {secret}"),
            KeyKind::PathSecret => {
                writeln!(out, "secret, for `{setting}`:\n  {secret}\n")?;
                writeln!(
                    out,
                    "webhook address, for 8x8:\n  https://YOUR-HOST/webhooks/8x8/TENANT/{secret}"
                )
            }
        }
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
    fn every_kind_is_new_each_time() {
        for kind in ["bot", "app-token", "callback-secret", "path-secret"] {
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
