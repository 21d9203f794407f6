//! Carries a plan out, step by step, and stops at the first that fails. A create that 8x8 may have taken is looked for by
//! its name and never made again blindly.

use std::time::Duration;

use crate::chat_gateway::ChannelWrite;
use crate::chat_gateway::ChatGateway;
use crate::chat_gateway::ChatGatewayError;
use crate::chat_gateway::WebhookWrite;
use crate::clock::Clock;
use crate::domain::TenantName;
use crate::provisioning::Explained;
use crate::provisioning::Plan;
use crate::provisioning::Step;
use crate::provisioning::Wanted;
use crate::provisioning::explain;
use crate::provisioning::plan::CREATED;
use crate::store::Registration;

/// How often a call is made that provably did nothing, or a list is read that may not show what is new yet.
const TRIES: u32 = 3;
const PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StepState {
    Planned,
    Done,
    /// It did not work, and nothing depended on it.
    Warned,
    Failed,
}

/// What became of one step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Carried {
    pub step: Step,
    pub state: StepState,
    pub why: Option<Explained>,
}

pub struct CarryOut<'a> {
    pub gateway: &'a ChatGateway,
    pub wanted: &'a Wanted,
    pub tenant: &'a TenantName,
    pub clock: &'a Clock,
    /// Whether somebody is expected to answer at the address now.
    pub is_running: bool,
}

impl CarryOut<'_> {
    /// What became of each step that was begun, and what is registered when all went well.
    pub async fn run(&self, plan: &Plan) -> (Vec<Carried>, Option<Registration>) {
        let mut webhook_id = plan.webhook.as_ref().map(|webhook| webhook.id.clone());
        let mut channel_id = plan.channel.as_ref().map(|channel| channel.id.clone());
        let mut carried = Vec::new();
        for step in &plan.steps {
            let outcome = self.carry(step, &mut webhook_id, &mut channel_id).await;
            let state = self.state(step, outcome.is_ok());
            let why = outcome.err().map(|error| self.explain(step, &error));
            carried.push(Carried {
                step: step.clone(),
                state,
                why,
            });
            if state == StepState::Failed && !matches!(step, Step::Verify { must_pass: false }) {
                return (carried, None);
            }
        }
        let registration = webhook_id.zip(channel_id);
        let registration = registration.map(|(webhook_id, channel_id)| Registration { webhook_id, channel_id });
        (carried, registration)
    }

    async fn carry(
        &self,
        step: &Step,
        webhook_id: &mut Option<String>,
        channel_id: &mut Option<String>,
    ) -> Result<(), ChatGatewayError> {
        let gateway = self.gateway;
        let on_webhook = |write: &ChannelWrite| {
            let mut write = write.clone();
            if let (CREATED, Some(created)) = (write.webhook_id.as_str(), &*webhook_id) {
                write.webhook_id.clone_from(created);
            }
            write
        };
        match step {
            Step::Verify { .. } => {
                let uri = self.wanted.uri();
                self.patiently(async || gateway.verify_webhook(&uri).await).await?;
            }
            Step::CreateWebhook(write) => *webhook_id = Some(self.create_webhook(write).await?),
            Step::CreateChannel(write) => *channel_id = Some(self.create_channel(&on_webhook(write)).await?),
            Step::ReplaceWebhook { id, write } => {
                self.until_answered(async || gateway.replace_webhook(id, write).await)
                    .await?;
                // What 8x8 shows now is what counts.
                let shown = self.patiently(async || gateway.webhook(id).await).await?;
                if shown.uri.as_ref() != Some(&write.uri) {
                    return Err(ChatGatewayError::unreadable());
                }
            }
            Step::ReplaceChannel { id, write } => {
                let write = on_webhook(write);
                self.until_answered(async || gateway.replace_channel(id, &write).await)
                    .await?;
            }
            Step::DeleteChannel { id } => self.until_answered(async || gateway.delete_channel(id).await).await?,
            Step::DeleteWebhook { id } => self.until_answered(async || gateway.delete_webhook(id).await).await?,
        }
        Ok(())
    }

    fn state(&self, step: &Step, worked: bool) -> StepState {
        match step {
            _ if worked => StepState::Done,
            Step::Verify { must_pass: false } if !self.is_running => StepState::Warned,
            _ => StepState::Failed,
        }
    }

    fn explain(&self, step: &Step, error: &ChatGatewayError) -> Explained {
        let explained = explain(error, self.tenant);
        if !matches!((step, error), (Step::Verify { .. }, ChatGatewayError::Refused(refusal)) if refusal.status == 400)
        {
            return explained;
        }
        Explained {
            what: format!("8x8 called the webhook's address and got no 2xx; {}", explained.what),
            next: "start the gateway, see that server.public_url leads to it from the internet, and run `handover-gateway doctor`"
                .to_owned(),
        }
    }

    async fn create_webhook(&self, write: &WebhookWrite) -> Result<String, ChatGatewayError> {
        let created = self.patiently(async || self.gateway.create_webhook(write).await).await;
        let (created, error) = match created {
            Ok(webhook) => (Some(webhook.id), None),
            Err(error @ ChatGatewayError::Unanswered(_)) => (None, Some(error)),
            Err(error) => return Err(error),
        };
        let named = async || {
            let all = self.gateway.webhooks().await?;
            let named = all
                .items
                .into_iter()
                .filter(|one| one.name.as_ref() == Some(&write.name));
            Ok(named.map(|webhook| webhook.id).collect())
        };
        let winner = self.first_of(created.as_ref(), named).await?;
        if let Some(own) = created.filter(|own| *own != winner) {
            self.gateway.delete_webhook(&own).await?;
        }
        found(winner, error)
    }

    async fn create_channel(&self, write: &ChannelWrite) -> Result<String, ChatGatewayError> {
        let created = self.patiently(async || self.gateway.create_channel(write).await).await;
        let (created, error) = match created {
            Ok(channel) => (Some(channel.id), None),
            Err(error @ ChatGatewayError::Unanswered(_)) => (None, Some(error)),
            Err(error) => return Err(error),
        };
        let named = async || {
            let all = self.gateway.channels().await?;
            let named = all
                .items
                .into_iter()
                .filter(|one| one.name.as_ref() == Some(&write.name));
            let on_it = named.filter(|one| one.webhook_id.as_ref() == Some(&write.webhook_id));
            Ok(on_it.map(|channel| channel.id).collect())
        };
        let winner = self.first_of(created.as_ref(), named).await?;
        if let Some(own) = created.filter(|own| *own != winner) {
            self.gateway.delete_channel(&own).await?;
        }
        found(winner, error)
    }

    /// The one of our name with the lowest id: of two runs at once both come to the same, and the other's is deleted by
    /// whoever made it. Empty when 8x8 shows none.
    async fn first_of(
        &self,
        created: Option<&String>,
        named: impl AsyncFn() -> Result<Vec<String>, ChatGatewayError>,
    ) -> Result<String, ChatGatewayError> {
        for attempt in 1..=TRIES {
            let mut all = match (self.patiently(&named).await, created) {
                (Ok(all), _) => all,
                // What was made is known, whether or not it is the only one.
                (Err(_), Some(created)) => return Ok(created.clone()),
                (Err(error), None) => return Err(error),
            };
            all.extend(created.cloned());
            if let Some(first) = all.into_iter().min() {
                return Ok(first);
            }
            if attempt < TRIES {
                self.clock.sleep(PAUSE).await;
            }
        }
        Ok(String::new())
    }

    /// For what is repeatable: without an answer it is made again.
    async fn until_answered(
        &self,
        call: impl AsyncFn() -> Result<(), ChatGatewayError>,
    ) -> Result<(), ChatGatewayError> {
        match self.patiently(&call).await {
            Err(ChatGatewayError::Unanswered(_)) => self.patiently(&call).await,
            answer => answer,
        }
    }

    /// Repeats what 8x8 provably did not take.
    async fn patiently<T>(&self, call: impl AsyncFn() -> Result<T, ChatGatewayError>) -> Result<T, ChatGatewayError> {
        let mut tries = 1;
        loop {
            match call().await {
                Err(error) if error.is_provably_unsent() && tries < TRIES => {
                    let wait = error.retry_after().unwrap_or(PAUSE).clamp(PAUSE, LONGEST_PAUSE);
                    self.clock.sleep(wait).await;
                }
                answer => return answer,
            }
            tries += 1;
        }
    }
}

fn found(id: String, error: Option<ChatGatewayError>) -> Result<String, ChatGatewayError> {
    match error {
        Some(error) if id.is_empty() => Err(error),
        Some(_) | None => Ok(id),
    }
}
