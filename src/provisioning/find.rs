//! Finds the webhook and the channel that are ours among all there are at the account.

use crate::chat_gateway::ChannelView;
use crate::chat_gateway::ChatGateway;
use crate::chat_gateway::ChatGatewayError;
use crate::chat_gateway::Listed;
use crate::chat_gateway::WebhookView;
use crate::provisioning::Wanted;
use crate::store::Registration;

/// What is known before 8x8 is asked.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// The channel the configuration names: the operator's own.
    pub configured_channel: Option<String>,
    pub registration: Option<Registration>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    pub webhook: Option<WebhookView>,
    pub channel: Option<ChannelView>,
    /// The channel is the one the configuration names.
    pub is_configured: bool,
    /// The channel is known by its id or its name, and not only by its webhook.
    pub is_channel_ours: bool,
    /// Webhooks of this tenant's name in other environments.
    pub elsewhere: Vec<WebhookView>,
    /// Other channels on the webhook.
    pub other_channels: Vec<String>,
    /// Others of our name: left over from two runs at once.
    pub doubles: Vec<String>,
    pub(super) channels: Vec<ChannelView>,
    /// Whether what was not found does not exist.
    pub is_all: bool,
}

pub async fn find(gateway: &ChatGateway, wanted: &Wanted, known: &Known) -> Result<Found, ChatGatewayError> {
    let webhooks = gateway.webhooks().await?;
    let channels = gateway.channels().await?;
    Ok(select(&webhooks, channels, wanted, known))
}

/// By id before name; of several with our name the one that a channel uses, then the one with the lowest id, so that two
/// runs at once come to the same.
pub(super) fn select(
    webhooks: &Listed<WebhookView>,
    channels: Listed<ChannelView>,
    wanted: &Wanted,
    known: &Known,
) -> Found {
    let mut found = Found {
        is_all: webhooks.is_all && channels.is_all,
        is_configured: known.configured_channel.is_some(),
        ..Found::default()
    };
    let by_id = |id: &str| webhooks.items.iter().find(|webhook| webhook.id == id).cloned();
    let is_used = |webhook: &WebhookView| {
        channels
            .items
            .iter()
            .any(|one| one.webhook_id.as_ref() == Some(&webhook.id))
    };
    if let Some(id) = &known.configured_channel {
        found.channel = channels.items.iter().find(|channel| channel.id == *id).cloned();
        found.webhook = found.channel.as_ref().and_then(|one| by_id(one.webhook_id.as_ref()?));
    } else {
        let registered = known.registration.as_ref();
        let mut named: Vec<_> = webhooks
            .items
            .iter()
            .filter(|one| one.name.as_ref() == Some(&wanted.name))
            .collect();
        named.sort_by_key(|webhook| (!is_used(webhook), webhook.id.clone()));
        let stored = registered.and_then(|registered| by_id(&registered.webhook_id));
        found.webhook = stored.or_else(|| named.first().map(|webhook| (*webhook).clone()));
        found.channel = channel(&channels.items, wanted, known, &mut found);
        if found.webhook.is_none() {
            // Somebody gave our channel another webhook, and that is at our address.
            let of_channel = found.channel.as_ref().and_then(|one| by_id(one.webhook_id.as_ref()?));
            found.webhook =
                of_channel.filter(|webhook| webhook.uri.is_some() && wanted.is_here(webhook.uri.as_deref()));
        }
        let chosen = found.webhook.as_ref().map(|webhook| &webhook.id);
        let doubles = named.iter().filter(|one| Some(&one.id) != chosen);
        found.doubles.extend(doubles.map(|one| format!("webhook {}", one.id)));
        let family = |name: &str| name.starts_with(&wanted.family) && name != wanted.name;
        let others = webhooks
            .items
            .iter()
            .filter(|one| one.name.as_deref().is_some_and(family));
        found.elsewhere = others.filter(|one| Some(&one.id) != chosen).cloned().collect();
    }
    found.other_channels = others_on(&channels.items, &found);
    found.channels = channels.items;
    found
}

fn channel(channels: &[ChannelView], wanted: &Wanted, known: &Known, found: &mut Found) -> Option<ChannelView> {
    let stored = known.registration.as_ref().map(|registration| &registration.channel_id);
    let by_id = channels.iter().find(|channel| Some(&channel.id) == stored);
    let is_named = |channel: &&ChannelView| channel.name.as_ref() == Some(&wanted.name) && channel.is_chat_api();
    let mut named: Vec<_> = channels.iter().filter(is_named).collect();
    let webhook = found.webhook.as_ref().map(|webhook| &webhook.id);
    named.sort_by_key(|channel| {
        (
            webhook.is_some() && channel.webhook_id.as_ref() != webhook,
            channel.id.clone(),
        )
    });
    let ours = by_id.or_else(|| named.first().copied());
    found.is_channel_ours = ours.is_some();
    let doubles = named.iter().filter(|one| ours.is_some_and(|ours| ours.id != one.id));
    found.doubles.extend(doubles.map(|one| format!("channel {}", one.id)));
    ours.cloned().or_else(|| on_webhook(channels, webhook?))
}

/// The first Chat API channel on a webhook.
pub(super) fn on_webhook(channels: &[ChannelView], webhook: &str) -> Option<ChannelView> {
    let on_it = channels
        .iter()
        .filter(|channel| channel.webhook_id.as_deref() == Some(webhook) && channel.is_chat_api());
    on_it.min_by_key(|channel| &channel.id).cloned()
}

fn others_on(channels: &[ChannelView], found: &Found) -> Vec<String> {
    let Some(webhook) = &found.webhook else {
        return Vec::new();
    };
    let ours = found.channel.as_ref().map(|channel| &channel.id);
    channels
        .iter()
        .filter(|channel| channel.webhook_id.as_ref() == Some(&webhook.id) && Some(&channel.id) != ours)
        .map(|channel| channel.id.clone())
        .collect()
}
