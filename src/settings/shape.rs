//! Which keys there are, taken from the structs themselves, and which of them are secrets, tables or must be there.

use serde::Deserialize;
use serde::de::Deserializer;
use serde::de::Visitor;
use serde::de::value::Error;
use serde::forward_to_deserialize_any;

use crate::settings::AdminSettings;
use crate::settings::BotAuthSettings;
use crate::settings::BotSettings;
use crate::settings::ClientSettings;
use crate::settings::DeliverySettings;
use crate::settings::OutboundSettings;
use crate::settings::QueueSettings;
use crate::settings::RedactSettings;
use crate::settings::ServerSettings;
use crate::settings::Settings;
use crate::settings::TenantScheduleSettings;
use crate::settings::TenantSettings;
use crate::settings::TenantStatisticsSettings;
use crate::settings::TenantWebhookSettings;
use crate::settings::TlsSettings;
use crate::store::StoreSettings;
use crate::telemetry::TelemetrySettings;

/// One table. Lists that may come from a file count as secret even when they hold hashes only.
pub(super) struct Shape {
    pub(super) fields: fn() -> &'static [&'static str],
    pub(super) required: &'static [&'static str],
    pub(super) secrets: &'static [&'static str],
    pub(super) secret_lists: &'static [&'static str],
    pub(super) tables: &'static [(&'static str, Shape)],
    /// Lists of tables.
    pub(super) lists: &'static [(&'static str, Shape)],
    /// Tables whose keys are names the operator chooses.
    pub(super) named: &'static [(&'static str, Naming, Shape)],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Naming {
    /// Ours: `[a-z][a-z0-9_]*` without `__`, so that an environment variable can spell it.
    Ours,
    /// 8x8's ids, as they are.
    Foreign,
}

impl Shape {
    const fn plain(fields: fn() -> &'static [&'static str]) -> Self {
        Self {
            fields,
            required: &[],
            secrets: &[],
            secret_lists: &[],
            tables: &[],
            lists: &[],
            named: &[],
        }
    }

    pub(super) fn is_secret(&self, key: &str) -> bool {
        let holds_some = |(list, entry): &(&str, Shape)| *list == key && !entry.secrets.is_empty();
        self.secrets.contains(&key) || self.secret_lists.contains(&key) || self.lists.iter().any(holds_some)
    }
}

pub(super) const ROOT: Shape = Shape {
    tables: &[
        (
            "server",
            Shape {
                tables: &[(
                    "tls",
                    Shape {
                        required: &["cert_file", "key_file"],
                        ..Shape::plain(fields::<TlsSettings>)
                    },
                )],
                ..Shape::plain(fields::<ServerSettings>)
            },
        ),
        (
            "admin",
            Shape {
                secret_lists: &["tokens"],
                ..Shape::plain(fields::<AdminSettings>)
            },
        ),
        (
            "store",
            Shape {
                secrets: &["url"],
                ..Shape::plain(fields::<StoreSettings>)
            },
        ),
        ("delivery", Shape::plain(fields::<DeliverySettings>)),
        (
            "outbound",
            Shape {
                secrets: &["proxy"],
                ..Shape::plain(fields::<OutboundSettings>)
            },
        ),
        ("telemetry", Shape::plain(fields::<TelemetrySettings>)),
    ],
    named: &[("tenants", Naming::Ours, TENANT), ("bots", Naming::Ours, BOT)],
    ..Shape::plain(fields::<Settings>)
};

const TENANT: Shape = Shape {
    required: &["tenant_id"],
    secrets: &["api_key", "client_secret"],
    tables: &[
        (
            "webhook",
            Shape {
                secret_lists: &["path_secrets", "app_tokens", "bearer_hashes"],
                lists: &[(
                    "clients",
                    Shape {
                        required: &["username", "password_hash"],
                        secrets: &["password_hash"],
                        ..Shape::plain(fields::<ClientSettings>)
                    },
                )],
                ..Shape::plain(fields::<TenantWebhookSettings>)
            },
        ),
        (
            "schedule",
            Shape {
                secrets: &["api_key", "token"],
                ..Shape::plain(fields::<TenantScheduleSettings>)
            },
        ),
        (
            "statistics",
            Shape {
                secrets: &["api_key", "token", "client_secret"],
                ..Shape::plain(fields::<TenantStatisticsSettings>)
            },
        ),
    ],
    lists: &[(
        "redact",
        Shape {
            required: &["pattern"],
            ..Shape::plain(fields::<RedactSettings>)
        },
    )],
    named: &[("queues", Naming::Foreign, Shape::plain(fields::<QueueSettings>))],
    ..Shape::plain(fields::<TenantSettings>)
};

const BOT: Shape = Shape {
    required: &["tenant"],
    secrets: &["copilot_url"],
    secret_lists: &["api_key_hashes", "callback_secrets"],
    tables: &[(
        "auth",
        Shape {
            secrets: &["token", "app_token", "password", "client_id"],
            ..Shape::plain(fields::<BotAuthSettings>)
        },
    )],
    ..Shape::plain(fields::<BotSettings>)
};

/// The names serde would accept for `T`.
fn fields<T: for<'de> Deserialize<'de>>() -> &'static [&'static str] {
    let mut names: &'static [&'static str] = &[];
    drop(T::deserialize(Names(&mut names)));
    names
}

/// Gives no value; it only listens to what the struct asks for.
struct Names<'a>(&'a mut &'static [&'static str]);

impl<'de> Deserializer<'de> for Names<'_> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, _visitor: V) -> Result<V::Value, Error> {
        Err(serde::de::Error::custom("only the names are asked for"))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        *self.0 = fields;
        self.deserialize_any(visitor)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}
