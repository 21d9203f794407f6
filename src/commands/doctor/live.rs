//! `doctor --live`: one marked conversation through 8x8 and the running gateway. Whatever happens, the user leaves it again,
//! so that no agent is held. Its user carries our property with the id of a handover that does not exist: the gateway keeps
//! its webhooks aside and opens nothing.

use std::time::Duration;
use std::time::Instant;

use crate::app;
use crate::chat_gateway::ChatGateway;
use crate::chat_gateway::ChatGatewayError;
use crate::chat_gateway::CreateBody;
use crate::chat_gateway::CreateConversation;
use crate::clock::Clock;
use crate::commands::doctor::Doctor;
use crate::commands::doctor::check::Check;
use crate::commands::serve::stop_signal;
use crate::commands::serve::with_causes;
use crate::domain::AuthorType;
use crate::domain::ConversationId;
use crate::domain::HandoverId;
use crate::domain::TenantName;
use crate::domain::User;
use crate::provisioning::explain;

const USER: &str = "handover-gateway doctor";
const TEXT: &str = "handover-gateway doctor: this is a test, please ignore it";
/// How long 8x8's webhooks may take.
const WEBHOOKS: Duration = Duration::from_secs(20);
/// How long a message may take to be seen in the list.
const MESSAGE: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_millis(300);
/// How often leaving is tried, and a lost conversation is looked for.
const TRIES: u32 = 6;
const PAUSE: Duration = Duration::from_secs(1);
/// Conversations looked at for a lost one.
const NEWEST: u32 = 50;

struct Play<'a> {
    gateway: ChatGateway,
    tenant: &'a TenantName,
    clock: &'a Clock,
    checks: Vec<Check>,
    begun: Instant,
}

pub(super) async fn play(doctor: &Doctor<'_>, queue: &str) -> Vec<Check> {
    let is_chosen = |name: &&TenantName| doctor.is_chosen(name);
    let Some(name) = doctor.settings.tenants.keys().find(is_chosen) else {
        return Vec::new();
    };
    match prepare(doctor, name) {
        Ok((gateway, channel_id)) => {
            let mut play = Play {
                gateway,
                tenant: name,
                clock: &doctor.clock,
                checks: vec![Check::ok(
                    "running",
                    format!("a gateway runs, conversations go to channel {channel_id}"),
                )],
                begun: Instant::now(),
            };
            play.all(doctor, queue, channel_id).await;
            play.checks.into_iter().map(|check| check.of_tenant(name)).collect()
        }
        Err(check) => vec![check.of_tenant(name)],
    }
}

/// Nothing is begun that could not be seen through.
fn prepare(doctor: &Doctor<'_>, name: &TenantName) -> Result<(ChatGateway, String), Check> {
    let status = doctor.status.as_ref().map_err(|error| {
        let next = "start it with `handover-gateway serve`: the webhooks of the conversation go through it";
        Check::fail("running", with_causes(error), next)
    })?;
    let channel = status
        .tenant(name)
        .and_then(|told| told.channel_id.clone())
        .ok_or_else(|| {
            let next = "run `handover-gateway provision --apply`";
            Check::fail("channel", "the running gateway knows no channel for this tenant", next)
        })?;
    let tenant = doctor.settings.tenants.get(name);
    let gateway = tenant
        .map(|tenant| app::chat_gateway(&doctor.client, name, tenant))
        .transpose();
    match gateway {
        Ok(Some(gateway)) => Ok((gateway, channel)),
        Ok(None) => Err(Check::skipped("8x8-access", "the tenant is not configured")),
        Err(error) => Err(Check::fail(
            "8x8-access",
            with_causes(&error),
            "mend the tenant's section",
        )),
    }
}

impl Play<'_> {
    async fn all(&mut self, doctor: &Doctor<'_>, queue: &str, channel_id: String) {
        // Heard from here on, so that Ctrl-C does not leave a conversation behind.
        let stop = match stop_signal() {
            Ok(stop) => stop,
            Err(error) => return self.fail("create", &format!("signals cannot be heard: {error}"), "try again"),
        };
        tokio::pin!(stop);
        let marker = HandoverId::generate(self.clock.now());
        let Some(conversation) = self.create(&marker, queue, channel_id).await else {
            return;
        };
        let is_stopped = tokio::select! {
            biased;
            () = &mut stop => true,
            () = self.talk(doctor, &conversation) => false,
        };
        if is_stopped {
            self.fail("interrupted", "it was told to stop", "run it again to see the rest");
        }
        self.leave(&conversation).await;
    }

    async fn create(&mut self, marker: &HandoverId, queue: &str, channel_id: String) -> Option<ConversationId> {
        let create = CreateConversation {
            handover: marker.clone(),
            channel_id,
            user: User {
                name: Some(USER.to_owned()),
                ..User::default()
            },
            queue_id: Some(queue.to_owned()),
            history: Vec::new(),
            properties: None,
        };
        let Ok(body) = CreateBody::try_from(&create) else {
            self.fail("create", "the conversation cannot be described", "report this");
            return None;
        };
        match self.gateway.create(&body).await {
            Ok(created) => {
                self.ok(
                    "create",
                    &format!("8x8 opened conversation {} in queue {queue}", created.id),
                );
                Some(created.id)
            }
            Err(error @ ChatGatewayError::Unanswered(_)) => self.find_again(marker, &error).await,
            Err(error) => {
                self.refused("create", &error);
                None
            }
        }
    }

    /// 8x8 may have opened it: it is found by its mark, or nobody would leave it.
    async fn find_again(&mut self, marker: &HandoverId, error: &ChatGatewayError) -> Option<ConversationId> {
        self.refused("create", error);
        for _ in 0..TRIES {
            self.clock.sleep(PAUSE).await;
            if let Ok(newest) = self.gateway.newest(NEWEST).await {
                let ours = newest
                    .conversations
                    .into_iter()
                    .find(|one| one.handover.as_ref() == Some(marker));
                if let Some(conversation) = ours {
                    return Some(conversation.id);
                }
            }
        }
        let next = format!("if 8x8 shows a chat of \"{USER}\", end it there");
        self.fail("leave", "no conversation with this mark was found", &next);
        None
    }

    async fn talk(&mut self, doctor: &Doctor<'_>, conversation: &ConversationId) {
        let heard = self.within(WEBHOOKS, async || {
            let waiting = doctor.admin.webhooks_of(conversation).await;
            waiting.ok().filter(|count| *count > 0)
        });
        match heard.await {
            Some(count) => self.ok("webhooks", &format!("the running gateway took {count} of its webhooks")),
            None => self.fail(
                "webhooks",
                &format!(
                    "no webhook of it reached the running gateway in {} s",
                    WEBHOOKS.as_secs()
                ),
                "run `handover-gateway doctor`; see 8x8's Event Log and the gateway's log",
            ),
        }
        if let Err(error) = self.gateway.post(conversation, AuthorType::User, Some(TEXT), &[]).await {
            self.refused("message", &error);
            self.checks.push(Check::skipped("read-back", "no message was posted"));
            return;
        }
        self.ok("message", "8x8 took a message of the user");
        let read = self.within(MESSAGE, async || {
            let newest = self.gateway.list_newest(conversation, NEWEST).await.ok()?;
            newest.messages.iter().any(|message| message.text == TEXT).then_some(())
        });
        match read.await {
            Some(()) => self.ok("read-back", "the message is in the conversation"),
            None => self.fail("read-back", "8x8 does not show the message", "see 8x8's Event Log"),
        }
    }

    /// Repeated until 8x8 confirms it; a conversation that is gone holds nobody.
    async fn leave(&mut self, conversation: &ConversationId) {
        let mut last = None;
        for attempt in 1..=TRIES {
            match self.gateway.user_leaves(conversation, None).await {
                Ok(()) => return self.ok("leave", "the user left, no agent is held"),
                Err(error) if error.is_not_found() => return self.ok("leave", "8x8 has ended it already"),
                Err(error) => last = Some(error),
            }
            if attempt < TRIES {
                self.clock.sleep(PAUSE).await;
            }
        }
        let why = last.map(|error| explain(&error, self.tenant).what).unwrap_or_default();
        let next = format!("end conversation {conversation} of \"{USER}\" in 8x8: an agent may be held");
        self.fail("leave", &why, &next);
    }

    async fn within<T>(&self, limit: Duration, look: impl AsyncFn() -> Option<T>) -> Option<T> {
        let looking = async {
            loop {
                if let Some(found) = look().await {
                    return found;
                }
                self.clock.sleep(POLL).await;
            }
        };
        tokio::time::timeout(limit, looking).await.ok()
    }

    fn ok(&mut self, check: &'static str, detail: &str) {
        let detail = self.timed(detail);
        self.checks.push(Check::ok(check, detail));
    }

    fn fail(&mut self, check: &'static str, detail: &str, next: &str) {
        let detail = self.timed(detail);
        self.checks.push(Check::fail(check, detail, next));
    }

    fn refused(&mut self, check: &'static str, error: &ChatGatewayError) {
        let explained = explain(error, self.tenant);
        self.fail(check, &explained.what, &explained.next);
    }

    /// With the time since the last step.
    fn timed(&mut self, detail: &str) -> String {
        let took = self.begun.elapsed();
        self.begun = Instant::now();
        format!("{detail} ({} ms)", took.as_millis())
    }
}
