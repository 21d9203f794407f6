//! One tenant at 8x8: key, clock, channel, webhook, queue, and whether 8x8 reaches us.

use std::sync::Arc;
use std::time::Duration;

use crate::app;
use crate::chat_gateway::ChatGateway;
use crate::chat_gateway::EVENT_VERSION;
use crate::chat_gateway::KeyError;
use crate::chat_gateway::KeyId;
use crate::chat_gateway::KeySource;
use crate::chat_gateway::KeySourceSettings;
use crate::commands::doctor::Doctor;
use crate::commands::doctor::availability;
use crate::commands::doctor::check::Check;
use crate::commands::serve::with_causes;
use crate::domain::TenantName;
use crate::provisioning::Found;
use crate::provisioning::Known;
use crate::provisioning::Wanted;
use crate::provisioning::explain;
use crate::provisioning::find;
use crate::provisioning::masked;
use crate::settings::TenantSettings;
use crate::settings::WebhookProof;
use crate::store::Registration;
use crate::store::TenantState;

/// So much earlier than 8x8's a webhook's time may not be by our clock: it would come from the future.
const AHEAD: i64 = 60;
/// A signature is not asked for by a key of this name.
const NO_KEY: &str = "handover-gateway-doctor";
const PROVISION: &str = "run `handover-gateway provision`, and with --apply when it shows what you want";

pub(super) async fn checks(doctor: &Doctor<'_>, name: &TenantName, tenant: &TenantSettings) -> Vec<Check> {
    let gateway = match app::chat_gateway(&doctor.client, name, tenant) {
        Ok(gateway) => gateway,
        Err(error) => {
            return vec![Check::fail(
                "8x8-access",
                with_causes(&error),
                "mend the tenant's section",
            )];
        }
    };
    let mut checks = Vec::new();
    match gateway.clock_ahead(|| doctor.clock.wall()).await {
        Ok(ahead) => {
            checks.push(Check::ok("8x8-access", "8x8 takes the API key for this tenant"));
            checks.push(clock(ahead, tenant.webhook.max_age));
        }
        Err(error) => {
            let explained = explain(&error, name);
            checks.push(Check::fail("8x8-access", explained.what, explained.next));
            for check in ["clock", "channel", "webhook", "queue", "reachability"] {
                checks.push(Check::skipped(check, "8x8 has to be reached first"));
            }
            // Other APIs, often with other credentials.
            checks.extend(availability::checks(doctor, name, tenant).await);
            checks.push(keys(doctor, tenant).await);
            return checks;
        }
    }
    let state = doctor.state(name);
    let wanted = app::wanted(doctor.settings, name, tenant);
    match &wanted {
        Some(wanted) => checks.extend(registration(doctor, &gateway, wanted, name, &state).await),
        None => {
            for check in ["channel", "webhook", "queue", "reachability"] {
                checks.push(Check::skipped(check, "server.public_url has to be set first"));
            }
        }
    }
    checks.extend(availability::checks(doctor, name, tenant).await);
    checks.push(keys(doctor, tenant).await);
    checks.extend(heard(doctor, name, &state).await);
    checks
}

/// 8x8's date is in whole seconds and the answer was on its way for a moment: what matters is minutes.
fn clock(ahead: Option<i64>, max_age: Duration) -> Check {
    const CHECK: &str = "clock";
    const NEXT: &str = "set this machine's clock, by NTP";
    let Some(ahead) = ahead else {
        return Check::skipped(CHECK, "8x8's answer has no date");
    };
    let longest = i64::try_from(max_age.as_secs()).unwrap_or(i64::MAX);
    if ahead > AHEAD {
        return Check::fail(
            CHECK,
            format!("it is {ahead} s behind 8x8's: webhooks would come from the future and be refused"),
            NEXT,
        );
    }
    let behind = -ahead;
    match behind {
        _ if behind > longest => Check::fail(
            CHECK,
            format!("it is {behind} s ahead of 8x8's: webhooks would be too old"),
            NEXT,
        ),
        _ if behind > AHEAD => Check::warn(CHECK, format!("it is {behind} s ahead of 8x8's"), NEXT),
        _ => Check::ok(CHECK, format!("within {} s of 8x8's", ahead.abs().max(1))),
    }
}

async fn registration(
    doctor: &Doctor<'_>,
    gateway: &ChatGateway,
    wanted: &Wanted,
    name: &TenantName,
    state: &TenantState,
) -> Vec<Check> {
    let tenant = doctor.settings.tenants.get(name);
    let told = doctor.status.as_ref().ok().and_then(|status| status.tenant(name));
    let told = told.and_then(|told| {
        Some(Registration {
            webhook_id: told.webhook_id.clone()?,
            channel_id: told.channel_id.clone()?,
        })
    });
    let known = Known {
        configured_channel: tenant.and_then(|tenant| tenant.channel_id.clone()),
        registration: state.registration.clone().or(told),
    };
    let mut checks = match find(gateway, wanted, &known).await {
        Ok(found) => vec![
            channel(&found, doctor, name),
            webhook(&found, wanted),
            queue(&found, wanted),
        ],
        Err(error) => {
            let explained = explain(&error, name);
            vec![Check::fail("channel", explained.what, explained.next)]
        }
    };
    checks.push(match gateway.verify_webhook(&wanted.uri()).await {
        Ok(()) => Check::ok("reachability", format!("8x8 reaches {}", masked(&wanted.uri()))),
        Err(error) => Check::fail(
            "reachability",
            format!(
                "8x8 does not reach {}: {}",
                masked(&wanted.uri()),
                explain(&error, name).what
            ),
            "start the gateway; see that public_url leads to it from the internet: DNS, firewall, proxy, certificate",
        ),
    });
    checks
}

fn channel(found: &Found, doctor: &Doctor<'_>, name: &TenantName) -> Check {
    const CHECK: &str = "channel";
    let Some(channel) = &found.channel else {
        return if found.is_configured {
            Check::fail(
                CHECK,
                "channel_id names none that exists at 8x8",
                "correct tenants.*.channel_id, or take it out",
            )
        } else {
            Check::fail(CHECK, "there is none", PROVISION)
        };
    };
    if !channel.is_chat_api() {
        let kind = channel.kind.as_deref().unwrap_or("unknown");
        return Check::fail(
            CHECK,
            format!("{} is of type {kind}, not Chat API", channel.id),
            "name a Chat API channel",
        );
    }
    let told = doctor.status.as_ref().ok().and_then(|status| status.tenant(name));
    match told {
        Some(told) if told.channel_id.as_ref() != Some(&channel.id) => {
            let used = told.channel_id.as_deref().unwrap_or("none");
            let detail = format!("it is {}, and the running gateway uses {used}", channel.id);
            Check::warn(
                CHECK,
                detail,
                "wait a minute, or start the gateway anew with this configuration",
            )
        }
        _ => Check::ok(CHECK, channel.id.clone()),
    }
}

fn webhook(found: &Found, wanted: &Wanted) -> Check {
    const CHECK: &str = "webhook";
    let Some(webhook) = &found.webhook else {
        return Check::fail(CHECK, "there is none, or the channel's does not exist", PROVISION);
    };
    let uri = webhook.uri.as_deref();
    let (id, shown) = (&webhook.id, masked(uri.unwrap_or_default()));
    let other = found
        .channel
        .as_ref()
        .and_then(|channel| channel.webhook_id.as_ref())
        .filter(|of| *of != id);
    if let Some(other) = other {
        return Check::fail(CHECK, format!("the channel has webhook {other}, not {id}"), PROVISION);
    }
    if !wanted.is_here(uri) {
        let next = "run `handover-gateway provision --repoint` to move it here, if it is not another environment's";
        return Check::fail(CHECK, format!("{id} points to {shown}, not to this gateway"), next);
    }
    if !wanted.is_address(uri) {
        return Check::fail(
            CHECK,
            format!("{id} points to {shown}, which is not its address now"),
            PROVISION,
        );
    }
    match webhook.version.as_deref() {
        Some(version) if version != EVENT_VERSION => Check::warn(
            CHECK,
            format!("{id} has version {version}, not {EVENT_VERSION}"),
            PROVISION,
        ),
        Some(_) | None => Check::ok(CHECK, format!("{id} at {shown}")),
    }
}

fn queue(found: &Found, wanted: &Wanted) -> Check {
    const CHECK: &str = "queue";
    let of_channel = found.channel.as_ref().and_then(|channel| channel.queue_id.as_deref());
    match (wanted.queue_id.as_deref(), of_channel) {
        (Some(ours), Some(theirs)) if ours == theirs => Check::ok(CHECK, ours),
        (Some(ours), Some(theirs)) => Check::warn(
            CHECK,
            format!("the channel has queue {theirs}, queue_id is {ours}"),
            PROVISION,
        ),
        (Some(ours), None) => Check::ok(CHECK, ours),
        (None, Some(theirs)) => Check::ok(CHECK, format!("the channel's own, {theirs}")),
        (None, None) => Check::fail(
            CHECK,
            "neither queue_id nor the channel names one",
            "set tenants.*.queue_id",
        ),
    }
}

/// Asked without a key, as at each webhook: that it knows no key of ours is the right answer.
async fn keys(doctor: &Doctor<'_>, tenant: &TenantSettings) -> Check {
    const CHECK: &str = "signature-keys";
    if !tenant.webhook.require.contains(&WebhookProof::Signature) {
        return Check::skipped(CHECK, "signatures are not asked for");
    }
    let settings = KeySourceSettings {
        base_url: tenant.base_url.clone(),
        tenant_id: Some(tenant.tenant_id.as_str().to_owned()),
        jwk_fallback_url: tenant.webhook.jwk_fallback_url.clone(),
    };
    let next = "check base_url, [outbound] and the firewall: without keys every webhook is answered with 503";
    let source = match KeySource::new(doctor.client.clone(), &settings, doctor.clock.clone()) {
        Ok(source) => Arc::new(source),
        Err(error) => return Check::fail(CHECK, with_causes(&error), next),
    };
    let Some(id) = KeyId::parse(NO_KEY) else {
        return Check::skipped(CHECK, "no key can be asked for");
    };
    match source.key(&id).await {
        Ok(_) | Err(KeyError::Unknown) => Check::ok(CHECK, "8x8 answers for its public keys"),
        Err(KeyError::Unavailable) => Check::fail(CHECK, "8x8 does not answer for its public keys", next),
    }
}

/// By the running gateway, which knows it to the second, or by the store.
async fn heard(doctor: &Doctor<'_>, name: &TenantName, state: &TenantState) -> Vec<Check> {
    // Asked anew: 8x8 has just been here.
    let status = doctor.admin.status().await.ok();
    let told = status.as_ref().and_then(|status| status.tenant(name));
    let verify = told.and_then(|told| told.last_verify_at.clone());
    let webhook = told.and_then(|told| told.last_webhook_at.clone());
    let verify = verify.or_else(|| Some(state.last_verify_at?.to_string()));
    let webhook = webhook.or_else(|| Some(state.last_webhook_at?.to_string()));
    let verify = match verify {
        Some(at) => Check::ok("last-verify", at),
        None => Check::warn(
            "last-verify",
            "8x8 never tried the address",
            "press Test Connection in 8x8, or run doctor while the gateway runs",
        ),
    };
    let missed = told.map_or((0, 0), |told| (told.handovers_without_webhooks, told.webhooks_refused));
    vec![verify, last_webhook(webhook, missed)]
}

/// With how many live handovers no webhook came for, and how many webhooks were refused since the last good one.
fn last_webhook(at: Option<String>, (without, refused): (usize, u64)) -> Check {
    const CHECK: &str = "last-webhook";
    let last = at.as_ref().map_or_else(
        || "no webhook has come yet".to_owned(),
        |at| format!("the last came at {at}"),
    );
    if refused > 0 {
        let detail = format!("{last}, {refused} were refused since; {without} live handovers had none");
        let next = "see the log for why: a signature, this machine's clock, a proxy that changes bodies, or an address \
                    without its secret";
        return if without > 0 {
            Check::fail(CHECK, detail, next)
        } else {
            Check::warn(CHECK, detail, next)
        };
    }
    if without > 0 {
        let next = "see `webhook` and `reachability` above, and 8x8's Event Log: until webhooks come 8x8 is polled";
        return Check::fail(CHECK, format!("{last}, {without} live handovers had none"), next);
    }
    match at {
        Some(at) => Check::ok(CHECK, at),
        None => Check::warn(
            CHECK,
            last,
            "run `handover-gateway doctor --live --queue ID`; see 8x8's Event Log (Configuration Manager > Integration > Webhooks)",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::doctor::check::Verdict;

    #[test]
    fn webhooks_that_are_refused_or_do_not_come_are_told_apart() {
        let told = |at: Option<&str>, missed| last_webhook(at.map(ToOwned::to_owned), missed);
        let at = Some("2026-11-25T22:10:48.731Z");
        for (check, expected) in [
            (told(at, (0, 0)), Verdict::Ok),
            (told(None, (0, 0)), Verdict::Warn),
            (told(at, (0, 3)), Verdict::Warn),
            (told(at, (2, 0)), Verdict::Fail),
            (told(None, (1, 3)), Verdict::Fail),
        ] {
            assert_eq!(check.verdict, expected, "{check:?}");
        }
    }

    #[test]
    fn a_clock_is_judged_by_what_it_does_to_webhooks() {
        let verdict = |ahead| clock(ahead, Duration::from_mins(5)).verdict;
        assert_eq!(verdict(None), Verdict::Skipped);
        for (ahead, expected) in [
            (0, Verdict::Ok),
            (60, Verdict::Ok),
            (-60, Verdict::Ok),
            (61, Verdict::Fail),
            (-61, Verdict::Warn),
            (-300, Verdict::Warn),
            (-301, Verdict::Fail),
        ] {
            assert_eq!(verdict(Some(ahead)), expected, "{ahead}");
        }
    }
}
