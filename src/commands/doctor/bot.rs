//! One bot: whether it takes callbacks, and looks at their signature.

use crate::app;
use crate::commands::doctor::Doctor;
use crate::commands::doctor::check::Check;
use crate::delivery::Probe;
use crate::delivery::ProbeSignature;
use crate::delivery::Probed;
use crate::domain::BotName;
use crate::provisioning::explain;
use crate::settings::BotSettings;

pub(super) async fn checks(doctor: &Doctor<'_>, probe: &Probe, name: &BotName, bot: &BotSettings) -> Vec<Check> {
    let mut checks = Vec::new();
    if let Some(channel_id) = &bot.channel_id {
        checks.push(channel(doctor, bot, channel_id).await);
    }
    let answer = probe.send(name, ProbeSignature::Right).await;
    let took = matches!(answer, Probed::Answered(200..=299));
    checks.push(callback(&answer));
    if !took {
        return checks;
    }
    checks.push(if bot.callback_secrets.is_empty() {
        Check::warn(
            "callback-signature",
            "callbacks are not signed",
            "set callback_secrets: `handover-gateway keys new callback-secret`",
        )
    } else {
        signature(&probe.send(name, ProbeSignature::Wrong).await)
    });
    checks
}

async fn channel(doctor: &Doctor<'_>, bot: &BotSettings, channel_id: &str) -> Check {
    const CHECK: &str = "channel";
    let name = &bot.tenant;
    let tenant = doctor.settings.tenants.get(name);
    let gateway = tenant.and_then(|tenant| app::chat_gateway(&doctor.client, name, tenant).ok());
    let Some(gateway) = gateway else {
        return Check::skipped(CHECK, "its tenant cannot be asked");
    };
    match gateway.channel(channel_id).await {
        Ok(channel) if channel.is_chat_api() => Check::ok(CHECK, channel.id),
        Ok(channel) => Check::fail(
            CHECK,
            format!("{} is no Chat API channel", channel.id),
            "correct the bot's channel_id",
        ),
        Err(error) if error.is_not_found() => Check::fail(
            CHECK,
            format!("8x8 has no channel {channel_id}"),
            "correct the bot's channel_id, or take it out",
        ),
        Err(error) => {
            let explained = explain(&error, name);
            Check::fail(CHECK, explained.what, explained.next)
        }
    }
}

fn callback(answer: &Probed) -> Check {
    const CHECK: &str = "callback";
    match answer {
        Probed::NoAddress => Check::skipped(CHECK, "it has no callback_url and pulls its events"),
        Probed::OtherFormat => Check::skipped(CHECK, "it is given 8x8's webhooks only, and none is made up"),
        Probed::Answered(status @ 200..=299) => Check::ok(CHECK, format!("it answered {status} to a doctor.ping")),
        Probed::Answered(status) => Check::fail(
            CHECK,
            format!("it answered {status} to a doctor.ping"),
            "see callback_url and the bot's log: a bot answers 2xx to types it does not know",
        ),
        Probed::Failed(why) => Check::fail(CHECK, format!("it gave no answer: {why}"), next_of(why)),
    }
}

fn next_of(why: &str) -> &'static str {
    match why {
        "refused-address" => "the address is not public: see allow_networks and allow_http",
        "tls" => "see the bot's certificate; outbound.ca_file for one of your own",
        _ => "see callback_url, the network, [outbound] and delivery.timeout",
    }
}

fn signature(answer: &Probed) -> Check {
    const CHECK: &str = "callback-signature";
    match answer {
        Probed::Answered(status @ 200..=299) => Check::warn(
            CHECK,
            format!("it answered {status} to a wrong signature, so it does not check them"),
            "have the bot verify webhook-signature: anybody could play this gateway",
        ),
        Probed::Answered(status) => Check::ok(CHECK, format!("it refused a wrong signature with {status}")),
        Probed::Failed(_) | Probed::NoAddress | Probed::OtherFormat => {
            Check::ok(CHECK, "it did not take a wrong signature")
        }
    }
}
