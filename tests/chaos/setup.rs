//! How 8x8 and the gateway are set up: limits short enough for a test to see them pass.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use handover_gateway::sandbox::Options;

use crate::plays::WHATSAPP;
use crate::secrets::CALLBACK_SECRET;
use crate::secrets::EIGHT_KEY;
use crate::secrets::key_hash;
use crate::traffic::BOTS;

pub(crate) fn eight() -> Options {
    Options {
        api_key: EIGHT_KEY.to_owned(),
        // A refused event comes again soon, for as long as a test may last.
        retry_schedule: vec![Duration::from_millis(100); 20_000],
        answer_limit: Duration::from_secs(3),
        hang_limit: Duration::from_secs(2),
        ..Options::default()
    }
}

pub(crate) fn config(store: &Path, eight: &str, bots: &str) -> String {
    let mut text = format!(
        r#"
server.listen = "127.0.0.1:0"
server.drain_delay = "0s"
server.shutdown_grace = "10s"
server.bot_rate_limit = 100000
admin.listen = "127.0.0.1:0"
telemetry.format = "json"
telemetry.level = "info,handover_gateway=debug"
store.url = "sqlite://{}"
delivery.timeout = "2s"
tenants.acme.base_url = "{eight}"
tenants.acme.tenant_id = "sandbox-tenant"
tenants.acme.api_key = "{EIGHT_KEY}"
tenants.acme.channel_id = "sandbox-channel"
tenants.acme.queue_id = "101"
tenants.acme.transfer_grace = "300ms"
tenants.acme.send_wait = "1s"
tenants.acme.message_deadline = "15s"
bots.support.inbound_channels = ["{WHATSAPP}"]
"#,
        store.display()
    );
    for bot in BOTS {
        let hash = key_hash(bot);
        write!(
            text,
            r#"
bots.{bot}.tenant = "acme"
bots.{bot}.api_key_hashes = ["{hash}"]
bots.{bot}.callback_url = "{bots}/{bot}"
bots.{bot}.callback_secrets = ["{CALLBACK_SECRET}"]
bots.{bot}.allow_http = true
bots.{bot}.allow_networks = ["127.0.0.0/8"]
"#
        )
        .unwrap();
    }
    text
}
