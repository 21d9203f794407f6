//! What is to be done, from what is wanted and what was found. Pure.

use crate::chat_gateway::ChannelView;
use crate::chat_gateway::ChannelWrite;
use crate::chat_gateway::EVENT_VERSION;
use crate::chat_gateway::WebhookView;
use crate::chat_gateway::WebhookWrite;
use crate::provisioning::Found;
use crate::provisioning::Wanted;
use crate::provisioning::find::on_webhook;
use crate::provisioning::masked;
use crate::store::Registration;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// In order; nothing when all is as it is to be.
    pub steps: Vec<Step>,
    /// Differences that the steps mend.
    pub drift: Vec<String>,
    /// What stands in the way and no step mends.
    pub problems: Vec<String>,
    /// Worth knowing.
    pub notes: Vec<String>,
    /// The webhook and the channel as they are now, where they are there.
    pub webhook: Option<WebhookView>,
    pub channel: Option<ChannelView>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Has 8x8 call the wanted address. With `must_pass` nothing goes on when nobody answers there.
    Verify {
        must_pass: bool,
    },
    CreateWebhook(WebhookWrite),
    ReplaceWebhook {
        id: String,
        write: WebhookWrite,
    },
    /// Its webhook's id may not be known before the step that creates that.
    CreateChannel(ChannelWrite),
    ReplaceChannel {
        id: String,
        write: ChannelWrite,
    },
    DeleteChannel {
        id: String,
    },
    DeleteWebhook {
        id: String,
    },
}

/// Stands for the webhook that an earlier step creates.
pub(super) const CREATED: &str = "";

impl Step {
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Verify { .. } => "verify-webhook",
            Self::CreateWebhook(_) => "create-webhook",
            Self::ReplaceWebhook { .. } => "replace-webhook",
            Self::CreateChannel(_) => "create-channel",
            Self::ReplaceChannel { .. } => "replace-channel",
            Self::DeleteChannel { .. } => "delete-channel",
            Self::DeleteWebhook { .. } => "delete-webhook",
        }
    }

    /// For an operator to read; no secret is in it.
    pub fn describe(&self, wanted: &Wanted) -> String {
        let uri = masked(&wanted.uri());
        match self {
            Self::Verify { .. } => format!("have 8x8 call {uri}"),
            Self::CreateWebhook(write) => format!("create webhook \"{}\" to {uri}", write.name),
            Self::ReplaceWebhook { id, .. } => format!("point webhook {id} to {uri}, version {EVENT_VERSION}"),
            Self::CreateChannel(write) => format!("create channel \"{}\" for queue {}", write.name, write.queue_id),
            Self::ReplaceChannel { id, write } => {
                format!("set channel {id}: {}, queue {}", named(write), write.queue_id)
            }
            Self::DeleteChannel { id } => format!("delete channel {id}"),
            Self::DeleteWebhook { id } => format!("delete webhook {id}"),
        }
    }

    /// Whether it changes anything at 8x8.
    pub const fn is_change(&self) -> bool {
        !matches!(self, Self::Verify { .. })
    }
}

fn named(write: &ChannelWrite) -> String {
    if write.webhook_id == CREATED {
        "the new webhook".to_owned()
    } else {
        format!("webhook {}", write.webhook_id)
    }
}

impl Plan {
    pub fn has_changes(&self) -> bool {
        self.steps.iter().any(Step::is_change)
    }

    /// What is registered when there is nothing to do.
    pub fn registration(&self) -> Option<Registration> {
        Some(Registration {
            webhook_id: self.webhook.as_ref()?.id.clone(),
            channel_id: self.channel.as_ref()?.id.clone(),
        })
    }
}

/// With `repoint` a webhook that points to another host is taken to this one.
pub fn plan(found: &Found, wanted: &Wanted, repoint: bool) -> Plan {
    let mut plan = Plan {
        webhook: found.webhook.clone(),
        channel: found.channel.clone(),
        ..Plan::default()
    };
    for double in &found.doubles {
        plan.notes
            .push(format!("{double} has our name too and is not used; delete it in 8x8"));
    }
    if found.is_configured && found.channel.is_none() {
        plan.problems
            .push("channel_id names a channel that does not exist at 8x8: correct it, or take it out".to_owned());
        return plan;
    }
    if !found.is_all && (found.webhook.is_none() || found.channel.is_none()) {
        plan.problems
            .push("the account has too many webhooks or channels to tell whether ours exist".to_owned());
        return plan;
    }
    let mut moves = false;
    if plan.webhook.is_none() {
        moves = adopt(&mut plan, found, repoint);
    }
    if !plan.problems.is_empty() || !webhook(&mut plan, found, wanted, repoint || moves) {
        return plan;
    }
    channel(&mut plan, found, wanted);
    plan
}

/// The store was lost, or is another: with `repoint` the one webhook of this tenant's name elsewhere is taken.
fn adopt(plan: &mut Plan, found: &Found, repoint: bool) -> bool {
    match (repoint, found.elsewhere.as_slice()) {
        (_, []) => false,
        (true, [one]) => {
            plan.channel = plan.channel.take().or_else(|| on_webhook(&found.channels, &one.id));
            plan.webhook = Some(one.clone());
            true
        }
        (true, several) => {
            let ids: Vec<_> = several.iter().map(|webhook| webhook.id.as_str()).collect();
            let ids = ids.join(", ");
            plan.problems.push(format!(
                "several webhooks have this tenant's name ({ids}): which to move is not clear"
            ));
            false
        }
        (false, others) => {
            for other in others {
                let (id, uri) = (&other.id, masked(other.uri.as_deref().unwrap_or_default()));
                plan.notes.push(format!(
                    "webhook {id} of another environment, at {uri}, is left alone; --repoint would move it here"
                ));
            }
            false
        }
    }
}

/// `false` when the webhook is not ours to touch, nor then its channel.
fn webhook(plan: &mut Plan, found: &Found, wanted: &Wanted, repoint: bool) -> bool {
    let Some(webhook) = plan.webhook.clone() else {
        plan.steps.push(Step::CreateWebhook(write(wanted, None)));
        plan.steps.push(Step::Verify { must_pass: false });
        return true;
    };
    let (id, uri) = (&webhook.id, webhook.uri.as_deref());
    let is_here = wanted.is_here(uri);
    if !is_here && !repoint {
        let uri = masked(uri.unwrap_or_default());
        plan.problems.push(format!(
            "webhook {id} points to {uri} and is left alone: --repoint moves it here"
        ));
        return false;
    }
    let before = plan.drift.len();
    if !wanted.is_address(uri) {
        let (is, wants) = (masked(uri.unwrap_or_default()), masked(&wanted.uri()));
        let detail = if is == wants {
            "with another secret".to_owned()
        } else {
            format!("not {wants}")
        };
        plan.drift.push(format!("webhook {id} points to {is}, {detail}"));
    }
    if let Some(version) = webhook.version.as_deref().filter(|version| *version != EVENT_VERSION) {
        plan.drift
            .push(format!("webhook {id} has version {version}, not {EVENT_VERSION}"));
    }
    if plan.drift.len() > before {
        // A webhook that comes from elsewhere gets this environment's name, or it would not be found again.
        let name = webhook.name.clone().filter(|_| is_here || found.is_configured);
        plan.steps.push(Step::Verify { must_pass: !is_here });
        plan.steps.push(Step::ReplaceWebhook {
            id: id.clone(),
            write: write(wanted, name),
        });
    }
    true
}

fn write(wanted: &Wanted, name: Option<String>) -> WebhookWrite {
    WebhookWrite {
        name: name.unwrap_or_else(|| wanted.name.clone()),
        uri: wanted.uri(),
    }
}

fn channel(plan: &mut Plan, found: &Found, wanted: &Wanted) {
    let webhook_id = plan
        .webhook
        .as_ref()
        .map_or(CREATED, |webhook| webhook.id.as_str())
        .to_owned();
    let is_moved = plan
        .steps
        .iter()
        .any(|step| matches!(step, Step::Verify { must_pass: true }));
    let Some(channel) = plan.channel.clone() else {
        create_channel(plan, wanted, webhook_id);
        return;
    };
    let id = &channel.id;
    if !channel.is_chat_api() {
        let kind = channel.kind.unwrap_or_default();
        plan.problems.push(format!(
            "channel {id} is of type {kind}: conversations need a Chat API channel"
        ));
        return;
    }
    let before = plan.drift.len();
    if channel.webhook_id.as_deref() != Some(webhook_id.as_str()) {
        let is = channel.webhook_id.as_deref().unwrap_or("none");
        plan.drift.push(format!("channel {id} has webhook {is}, not ours"));
    }
    let queue_id = wanted.queue_id.clone().or_else(|| channel.queue_id.clone());
    if channel.queue_id != queue_id {
        let (is, wants) = (channel.queue_id.as_deref(), queue_id.as_deref());
        let (is, wants) = (is.unwrap_or("none"), wants.unwrap_or("none"));
        plan.drift.push(format!("channel {id} has queue {is}, not {wants}"));
    }
    let is_renamed = is_moved && !found.is_configured && channel.name.as_ref() != Some(&wanted.name);
    if plan.drift.len() == before && !is_renamed {
        return;
    }
    let name = channel
        .name
        .clone()
        .filter(|_| !is_renamed)
        .unwrap_or_else(|| wanted.name.clone());
    match queue_id {
        Some(queue_id) => plan.steps.push(Step::ReplaceChannel {
            id: id.clone(),
            write: ChannelWrite {
                name,
                webhook_id,
                queue_id,
            },
        }),
        None => plan
            .problems
            .push(format!("channel {id} has no queue, and queue_id is missing")),
    }
}

fn create_channel(plan: &mut Plan, wanted: &Wanted, webhook_id: String) {
    let Some(queue_id) = wanted.queue_id.clone() else {
        plan.problems
            .push("queue_id is missing: a channel needs the queue its conversations go to".to_owned());
        plan.steps.clear();
        return;
    };
    plan.steps.push(Step::CreateChannel(ChannelWrite {
        name: wanted.name.clone(),
        webhook_id,
        queue_id,
    }));
}

/// Deletes what is ours and nobody else uses.
pub fn plan_removal(found: &Found, wanted: &Wanted) -> Plan {
    let mut plan = Plan {
        webhook: found.webhook.clone(),
        channel: found.channel.clone(),
        ..Plan::default()
    };
    if found.is_configured {
        plan.problems
            .push("channel_id is set by hand: that channel is not ours to delete".to_owned());
        return plan;
    }
    if let Some(webhook) = &found.webhook
        && !wanted.is_here(webhook.uri.as_deref())
    {
        let uri = masked(webhook.uri.as_deref().unwrap_or_default());
        plan.problems
            .push(format!("webhook {} points to {uri}: nothing is removed", webhook.id));
        return plan;
    }
    let mut users = found.other_channels.clone();
    if let Some(channel) = &found.channel {
        if found.is_channel_ours {
            plan.steps.push(Step::DeleteChannel { id: channel.id.clone() });
        } else {
            users.push(channel.id.clone());
        }
    }
    if let Some(webhook) = &found.webhook {
        if users.is_empty() {
            plan.steps.push(Step::DeleteWebhook { id: webhook.id.clone() });
        } else {
            let users = users.join(", ");
            plan.problems
                .push(format!("webhook {} is kept: channel {users} uses it", webhook.id));
        }
    }
    plan
}

#[cfg(test)]
mod tests {
    use crate::chat_gateway::Listed;
    use crate::domain::TenantName;
    use crate::provisioning::Known;
    use crate::provisioning::find::select;

    use super::*;

    fn wanted() -> Wanted {
        let url = "https://h.example.com".parse().unwrap();
        Wanted::new(&TenantName::new("acme"), &url, None, Some("101"))
    }

    fn webhook(id: &str, name: &str, uri: &str) -> WebhookView {
        WebhookView {
            id: id.to_owned(),
            name: Some(name.to_owned()),
            uri: Some(uri.to_owned()),
            version: Some(EVENT_VERSION.to_owned()),
        }
    }

    fn channel(id: &str, name: &str, webhook: &str, queue: &str) -> ChannelView {
        ChannelView {
            id: id.to_owned(),
            name: Some(name.to_owned()),
            kind: Some("ChatAPI".to_owned()),
            webhook_id: Some(webhook.to_owned()),
            queue_id: Some(queue.to_owned()),
        }
    }

    const OURS: &str = "handover-gateway acme (h.example.com)";
    const OLD: &str = "handover-gateway acme (old.example.com)";
    const HERE: &str = "https://h.example.com/webhooks/8x8/acme";
    const ELSEWHERE: &str = "https://old.example.com/webhooks/8x8/acme";

    fn found(webhooks: &[WebhookView], channels: &[ChannelView], known: &Known) -> Found {
        let (webhooks, channels) = (webhooks.to_vec(), channels.to_vec());
        select(
            &Listed {
                items: webhooks,
                is_all: true,
            },
            Listed {
                items: channels,
                is_all: true,
            },
            &wanted(),
            known,
        )
    }

    fn registered() -> Known {
        Known {
            registration: Some(Registration {
                webhook_id: "w1".to_owned(),
                channel_id: "c1".to_owned(),
            }),
            ..Known::default()
        }
    }

    fn steps(plan: &Plan) -> Vec<&'static str> {
        plan.steps.iter().map(Step::name).collect()
    }

    #[test]
    fn an_empty_account_gets_both_and_a_complete_one_nothing() {
        let made = plan(&found(&[], &[], &Known::default()), &wanted(), false);
        assert_eq!(steps(&made), ["create-webhook", "verify-webhook", "create-channel"]);
        let (webhooks, channels) = ([webhook("w1", OURS, HERE)], [channel("c1", OURS, "w1", "101")]);
        let whole = plan(&found(&webhooks, &channels, &Known::default()), &wanted(), false);
        assert!(
            !whole.has_changes() && whole.drift.is_empty() && whole.problems.is_empty(),
            "{whole:?}"
        );
        assert_eq!(whole.registration().unwrap().channel_id, "c1");
    }

    #[test]
    fn every_difference_is_told_and_mended_by_one_replacement_each() {
        let mut one = webhook("w1", "renamed by hand", &format!("{HERE}/old"));
        one.version = Some("v2.0".to_owned());
        let channels = [channel("c1", "renamed too", "w9", "102")];
        let made = plan(&found(&[one], &channels, &registered()), &wanted(), false);
        assert_eq!(steps(&made), ["verify-webhook", "replace-webhook", "replace-channel"]);
        assert_eq!(made.drift.len(), 4, "{:?}", made.drift);
        let Step::ReplaceChannel { write, .. } = &made.steps[2] else {
            panic!()
        };
        assert_eq!((write.name.as_str(), write.queue_id.as_str()), ("renamed too", "101"));
    }

    #[test]
    fn a_webhook_elsewhere_is_moved_only_when_asked_and_keeps_its_ids() {
        let (webhooks, channels) = ([webhook("w1", OLD, ELSEWHERE)], [channel("c1", OLD, "w1", "101")]);
        let found = found(&webhooks, &channels, &registered());
        let left = plan(&found, &wanted(), false);
        assert!(left.steps.is_empty() && left.problems.len() == 1, "{left:?}");
        let moved = plan(&found, &wanted(), true);
        assert_eq!(moved.steps[0], Step::Verify { must_pass: true });
        let Step::ReplaceWebhook { id, write } = &moved.steps[1] else {
            panic!()
        };
        assert_eq!(
            (id.as_str(), write.name.as_str(), write.uri.as_str()),
            ("w1", OURS, HERE)
        );
        let Step::ReplaceChannel { id, write } = &moved.steps[2] else {
            panic!()
        };
        assert_eq!((id.as_str(), write.name.as_str()), ("c1", OURS));
    }

    #[test]
    fn another_environments_webhook_is_left_alone_and_adopted_only_by_repoint_and_when_it_is_one() {
        let (webhooks, channels) = ([webhook("w1", OLD, ELSEWHERE)], [channel("c1", OLD, "w1", "101")]);
        let beside = found(&webhooks, &channels, &Known::default());
        let made = plan(&beside, &wanted(), false);
        assert_eq!(steps(&made), ["create-webhook", "verify-webhook", "create-channel"]);
        assert_eq!(made.notes.len(), 1);
        let moved = plan(&beside, &wanted(), true);
        assert_eq!(steps(&moved), ["verify-webhook", "replace-webhook", "replace-channel"]);
        let two = [
            webhooks[0].clone(),
            webhook("w2", "handover-gateway acme (x)", "https://x/"),
        ];
        let unclear = plan(&found(&two, &channels, &Known::default()), &wanted(), true);
        assert!(unclear.steps.is_empty() && unclear.problems.len() == 1, "{unclear:?}");
    }

    #[test]
    fn of_two_with_our_name_the_one_in_use_is_taken_and_the_other_told() {
        let webhooks = [webhook("w1", OURS, HERE), webhook("w2", OURS, HERE)];
        let channels = [channel("c2", OURS, "w2", "101")];
        let made = plan(&found(&webhooks, &channels, &Known::default()), &wanted(), false);
        assert!(!made.has_changes(), "{made:?}");
        assert_eq!(made.registration().unwrap().webhook_id, "w2");
        assert_eq!(made.notes.len(), 1);
    }

    #[test]
    fn a_channel_of_the_configuration_must_exist_and_is_never_removed() {
        let known = Known {
            configured_channel: Some("c1".to_owned()),
            ..Known::default()
        };
        assert_eq!(plan(&found(&[], &[], &known), &wanted(), false).problems.len(), 1);
        let (webhooks, channels) = (
            [webhook("w1", "by hand", HERE)],
            [channel("c1", "by hand", "w1", "101")],
        );
        let found = found(&webhooks, &channels, &known);
        assert!(!plan(&found, &wanted(), false).has_changes());
        let kept = plan_removal(&found, &wanted());
        assert!(kept.steps.is_empty() && kept.problems.len() == 1);
    }

    #[test]
    fn removal_keeps_a_webhook_that_others_use_or_that_points_elsewhere() {
        let channels = [channel("c1", OURS, "w1", "101"), channel("c2", "other", "w1", "101")];
        let used = found(&[webhook("w1", OURS, HERE)], &channels, &registered());
        let made = plan_removal(&used, &wanted());
        assert_eq!(steps(&made), ["delete-channel"]);
        assert_eq!(made.problems.len(), 1);
        let alone = found(&[webhook("w1", OURS, HERE)], &channels[..1], &registered());
        assert_eq!(
            steps(&plan_removal(&alone, &wanted())),
            ["delete-channel", "delete-webhook"]
        );
        let moved = found(&[webhook("w1", OURS, ELSEWHERE)], &channels[..1], &registered());
        assert!(plan_removal(&moved, &wanted()).steps.is_empty());
    }

    #[test]
    fn without_a_queue_nothing_is_begun() {
        let url = "https://h.example.com".parse().unwrap();
        let wanted = Wanted::new(&TenantName::new("acme"), &url, None, None);
        let made = plan(&found(&[], &[], &Known::default()), &wanted, false);
        assert!(made.steps.is_empty() && made.problems.len() == 1, "{made:?}");
    }
}
