//! What a tenant's `redact` fits is taken out of everything that is said, both ways, before it is stored.

use crate::chat_gateway::SaidView;
use crate::domain::AccountId;
use crate::domain::User;
use crate::domain::WebhookEvent;
use crate::domain::WebhookKind;
use crate::domain::WebhookReceipt;
use crate::handovers::Handovers;
use crate::handovers::OpenHandover;
use crate::handovers::PostMessage;
use crate::redaction::Redactor;

impl Handovers {
    /// Tenants of one account get each other's webhooks: the rules of all of them hold.
    pub(super) fn redact_webhook(&self, receipt: &mut WebhookReceipt, event: Option<&mut WebhookEvent>) {
        let mut event = event;
        for redactor in self.redactors(&receipt.account) {
            redactor.body(&mut receipt.body);
            if let Some(event) = &mut event {
                redact_event(event, &redactor);
            }
        }
    }

    /// What 8x8 keeps it keeps as it was said: to be the same as its webhooks told, it goes by the same rules.
    pub(super) fn redact_read<'a>(&self, account: &AccountId, said: impl IntoIterator<Item = &'a mut SaidView>) {
        let redactors = self.redactors(account);
        for said in said {
            for redactor in &redactors {
                redactor.text(&mut said.text);
                said.cards.iter_mut().for_each(|card| redactor.json(card));
            }
        }
    }

    /// In the order of the tenants' names.
    fn redactors(&self, account: &AccountId) -> Vec<Redactor> {
        let current = self.parts.tenants.current();
        let of_account = current.tenants().filter(|tenant| tenant.account == *account);
        let redactors = of_account.map(|tenant| &tenant.redactor);
        redactors.filter(|redactor| !redactor.is_empty()).cloned().collect()
    }
}

fn redact_event(event: &mut WebhookEvent, redactor: &Redactor) {
    match &mut event.kind {
        WebhookKind::Message(message) => {
            redactor.text(&mut message.text);
            message.cards.iter_mut().for_each(|card| redactor.json(card));
            let names = message.attachments.iter_mut().filter_map(|file| file.filename.as_mut());
            names.for_each(|name| redactor.text(name));
        }
        WebhookKind::Action { name: _, value } => redactor.json(value),
        WebhookKind::Unrecognized { raw } => redactor.json(raw),
        WebhookKind::ConversationUpdate(update) => redactor.json(&mut update.raw),
        WebhookKind::Queued(_)
        | WebhookKind::AgentJoined(_)
        | WebhookKind::AgentLeft(_)
        | WebhookKind::UserJoined
        | WebhookKind::UserLeft
        | WebhookKind::Transfer
        | WebhookKind::Typing { .. }
        | WebhookKind::OwnTyping => {}
    }
}

impl OpenHandover {
    pub(super) fn redact(&mut self) {
        let redactor = &self.bot.tenant.redactor;
        redact_user(&mut self.user, redactor);
        for said in &mut self.history {
            redact_option(&mut said.text, redactor);
            said.cards.iter_mut().for_each(|card| redactor.json(card));
        }
    }
}

impl PostMessage {
    pub(super) fn redact(&mut self, redactor: &Redactor) {
        redact_option(&mut self.text, redactor);
        self.cards.iter_mut().for_each(|card| redactor.json(card));
    }
}

/// What a bot has to tell an agent of the user in its own words; names and addresses stay.
pub(super) fn redact_user(user: &mut User, redactor: &Redactor) {
    for property in &mut user.additional_properties {
        redactor.text(&mut property.value);
    }
}

pub(super) fn redact_option(text: &mut Option<String>, redactor: &Redactor) {
    if let Some(text) = text {
        redactor.text(text);
    }
}
