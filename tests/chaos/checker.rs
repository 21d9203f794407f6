//! Holds the ledgers of all sides against each other. Each finding begins with the invariant it breaks.

use std::collections::HashMap;
use std::collections::HashSet;

use crate::ledger::Callback;
use crate::ledger::Fate;
use crate::ledger::Ledgers;
use crate::ledger::Outcome;
use crate::ledger::Webhook;

/// What was counted on the way.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) acked: usize,
    /// Attempts of 8x8's that were answered, and not with 2xx.
    pub(crate) refused: usize,
    pub(crate) delivered: usize,
    pub(crate) lost: usize,
    /// Callbacks that came again, as at-least-once allows.
    pub(crate) repeats: usize,
    pub(crate) disorder: usize,
    pub(crate) doubled: usize,
    pub(crate) posts: usize,
    /// Messages of which nobody knows whether 8x8 has them.
    pub(crate) unknown: usize,
    pub(crate) stuck: usize,
}

#[derive(Debug, Default)]
pub(crate) struct Verdict {
    pub(crate) findings: Vec<String>,
    pub(crate) counts: Counts,
}

pub(crate) fn check(ledgers: &Ledgers) -> Verdict {
    let mut verdict = Verdict::default();
    verdict.acked_is_kept(ledgers);
    verdict.kept_is_delivered(ledgers);
    verdict.told_once(ledgers);
    verdict.order(ledgers);
    verdict.only_what_was_signed(ledgers);
    verdict.only_ones_own(ledgers);
    verdict.posted_once(ledgers);
    verdict.told_the_truth(ledgers);
    verdict.posted_in_order(ledgers);
    verdict.nothing_stuck(ledgers);
    verdict
}

impl Verdict {
    /// I1, from 8x8 to the store.
    fn acked_is_kept(&mut self, ledgers: &Ledgers) {
        let kept: HashSet<&str> = (ledgers.store.placed.iter().chain(&ledgers.store.unplaced))
            .map(String::as_str)
            .collect();
        self.counts.refused = ledgers.webhooks.iter().map(|webhook| webhook.refused).sum();
        for webhook in ledgers.webhooks.iter().filter(|webhook| webhook.acked) {
            self.counts.acked += 1;
            if !is_ephemeral(webhook) && !kept.contains(webhook.id.as_str()) {
                self.counts.lost += 1;
                self.find(format!("I1 acknowledged and not kept: {} {}", webhook.kind, webhook.id));
            }
        }
        // What an agent says is told, and not only kept: as an event of its webhook, or as read from 8x8 before that came.
        let events = ledgers.store.events.iter();
        let told: HashSet<&str> = events
            .flat_map(|event| [event.source.as_deref(), event.text.as_deref()])
            .flatten()
            .collect();
        let placed: HashSet<&str> = ledgers.store.placed.iter().map(String::as_str).collect();
        for webhook in ledgers
            .webhooks
            .iter()
            .filter(|webhook| webhook.acked && webhook.text.is_some())
        {
            let Some(text) = webhook.text.as_deref().filter(|text| is_said_there(text)) else {
                continue;
            };
            let is_told = told.contains(webhook.id.as_str()) || told.contains(text);
            if placed.contains(webhook.id.as_str()) && !is_told {
                self.counts.lost += 1;
                self.find(format!(
                    "I1 words that became no event: {} of {}",
                    webhook.id, webhook.conversation
                ));
            }
        }
    }

    /// I5, towards the bot: what somebody said there is one event, also where it was read from 8x8 and then told by it.
    fn told_once(&mut self, ledgers: &Ledgers) {
        let mut events: HashMap<&str, &str> = HashMap::new();
        for callback in &ledgers.callbacks {
            let Some(text) = callback.text.as_deref().filter(|text| is_said_there(text)) else {
                continue;
            };
            if *events.entry(text).or_insert(&callback.id) != callback.id {
                self.counts.doubled += 1;
                self.find(format!("I5 told as two events: {text}"));
            }
        }
    }

    /// I1, from the store to the bot.
    fn kept_is_delivered(&mut self, ledgers: &Ledgers) {
        let taken: HashSet<&str> = ledgers
            .callbacks
            .iter()
            .filter(|one| one.is_taken())
            .map(|one| one.id.as_str())
            .collect();
        for event in &ledgers.store.events {
            if taken.contains(event.id.as_str()) {
                self.counts.delivered += 1;
                continue;
            }
            match event.fate {
                Fate::Listed => {}
                Fate::Pending => {
                    self.counts.stuck += 1;
                    self.find(format!(
                        "I1 still pending: {} {} of {}",
                        event.kind, event.sequence, event.handover
                    ));
                }
                Fate::Done => {
                    self.counts.lost += 1;
                    self.find(format!(
                        "I1 done and no bot took it: {} {} of {}",
                        event.kind, event.sequence, event.handover
                    ));
                }
            }
        }
    }

    /// I2, and that a repeat is the same event again.
    fn order(&mut self, ledgers: &Ledgers) {
        let listed: HashSet<(&str, u64)> = (ledgers.store.events.iter())
            .filter(|event| event.fate == Fate::Listed)
            .map(|event| (event.handover.as_str(), event.sequence))
            .collect();
        let mut seen: HashMap<&str, &Callback> = HashMap::new();
        let mut last: HashMap<&str, u64> = HashMap::new();
        for callback in ledgers.callbacks.iter().filter(|one| !one.ephemeral) {
            if let Some(first) = seen.get(callback.id.as_str()) {
                self.counts.repeats += 1;
                if first.hash != callback.hash {
                    self.find(format!("I2 another body under the same id: {}", callback.id));
                }
                continue;
            }
            seen.insert(&callback.id, callback);
            let last = last.entry(&callback.handover).or_default();
            let left_out =
                (*last + 1..callback.sequence).any(|gap| !listed.contains(&(callback.handover.as_str(), gap)));
            let is_late = listed.contains(&(callback.handover.as_str(), callback.sequence));
            if (callback.sequence <= *last && !is_late) || left_out {
                self.counts.disorder += 1;
                self.find(format!(
                    "I2 {} came after {} of {}",
                    callback.sequence, last, callback.handover
                ));
            }
            *last = callback.sequence.max(*last);
        }
    }

    /// I3.
    fn only_what_was_signed(&mut self, ledgers: &Ledgers) {
        let signed: HashMap<&str, &Webhook> = ledgers.webhooks.iter().map(|one| (one.id.as_str(), one)).collect();
        let said: HashSet<(&str, &str)> = (ledgers.webhooks.iter())
            .filter_map(|one| Some((one.conversation.as_str(), one.text.as_deref()?)))
            .collect();
        for callback in &ledgers.callbacks {
            if callback.read {
                // No webhook stands behind it, and 8x8's own words still do.
                let words = callback.text.as_deref();
                if words.is_some_and(|words| !said.contains(&(callback.conversation.as_str(), words))) {
                    self.find(format!("I3 read from 8x8, and never said there: {}", callback.id));
                }
                continue;
            }
            let Some(source) = callback.source.as_deref() else {
                continue;
            };
            match signed.get(source) {
                None => self.find(format!("I3 delivered, and 8x8 never signed it: {source}")),
                Some(webhook) => {
                    let same_words = callback.text.is_none() || callback.text == webhook.text;
                    if webhook.conversation != callback.conversation || !same_words {
                        self.find(format!("I3 delivered otherwise than 8x8 signed it: {source}"));
                    }
                }
            }
        }
    }

    /// I4.
    fn only_ones_own(&mut self, ledgers: &Ledgers) {
        let owners: HashMap<&str, &str> = (ledgers.store.handovers.iter())
            .map(|one| (one.id.as_str(), one.bot.as_str()))
            .collect();
        for callback in &ledgers.callbacks {
            if owners.get(callback.handover.as_str()) != Some(&callback.bot.as_str()) {
                self.find(format!("I4 {} was told of {}", callback.bot, callback.handover));
            }
        }
        for intent in ledgers.intents.iter().filter(|intent| !intent.handover.is_empty()) {
            if owners.get(intent.handover.as_str()) != Some(&intent.bot.as_str()) {
                self.find(format!("I4 {} was given {}", intent.bot, intent.handover));
            }
        }
    }

    /// I5: each intent is carried out at most once. Every text is unique, so two that are alike are one too many.
    fn posted_once(&mut self, ledgers: &Ledgers) {
        for (text, times) in taken_texts(ledgers) {
            self.counts.posts += times;
            if times > 1 {
                self.counts.doubled += times - 1;
                self.find(format!("I5 at 8x8 {times} times: {text}"));
            }
        }
    }

    /// I5: what bots were told of their calls is so.
    fn told_the_truth(&mut self, ledgers: &Ledgers) {
        let (there, wanted) = (taken_texts(ledgers), wanted_texts(ledgers));
        for message in (ledgers.store.messages.iter()).filter(|message| wanted.contains(message.text.as_str())) {
            let is_there = there.contains_key(message.text.as_str());
            match message.status.as_str() {
                "accepted" if !is_there => self.find(format!("I5 accepted and not at 8x8: {}", message.text)),
                "failed" if is_there => self.find(format!("I5 failed and yet at 8x8: {}", message.text)),
                "queued" => {
                    self.counts.stuck += 1;
                    self.find(format!("I5 neither posted nor given up: {}", message.text));
                }
                "unconfirmed" => self.counts.unknown += 1,
                _ => {}
            }
        }
        for intent in ledgers.intents.iter().filter(|intent| !intent.text.is_empty()) {
            let is_there = there.contains_key(intent.text.as_str());
            match &intent.outcome {
                Outcome::Done(said) if is_proof(intent.kind, said) && !is_there => {
                    self.find(format!(
                        "I5 a {} was answered {said} and is not at 8x8: {}",
                        intent.kind, intent.text
                    ));
                }
                Outcome::Refused(code) if is_there => {
                    self.find(format!(
                        "I5 a {} was refused ({code}) and is at 8x8: {}",
                        intent.kind, intent.text
                    ));
                }
                Outcome::Done(_) | Outcome::Refused(_) | Outcome::Open => {}
            }
        }
    }

    /// I2, towards 8x8: a bot posts one after the other.
    fn posted_in_order(&mut self, ledgers: &Ledgers) {
        let numbers: HashMap<&str, u64> = (ledgers.intents.iter())
            .map(|intent| (intent.text.as_str(), intent.number))
            .collect();
        let mut last: HashMap<&str, u64> = HashMap::new();
        for call in ledgers
            .calls
            .iter()
            .filter(|call| call.taken && call.operation == "message")
        {
            let Some(&number) = numbers.get(call.text.as_str()) else {
                continue;
            };
            let last = last.entry(&call.conversation).or_default();
            if number < *last {
                self.counts.disorder += 1;
                self.find(format!("I2 posted to 8x8 after a later one: {}", call.text));
            }
            *last = number.max(*last);
        }
    }

    fn nothing_stuck(&mut self, ledgers: &Ledgers) {
        for handover in &ledgers.store.handovers {
            if !["ended", "failed"].contains(&handover.state.as_str()) {
                self.counts.stuck += 1;
                self.find(format!("stuck: {} is {}", handover.id, handover.state));
            }
        }
        for conversation in &ledgers.held {
            self.counts.stuck += 1;
            self.find(format!("stuck: {conversation} is still held at 8x8"));
        }
        if ledgers.store.open_calls > 0 {
            self.counts.stuck += ledgers.store.open_calls;
            self.find(format!("stuck: {} calls to 8x8 are open", ledgers.store.open_calls));
        }
        for webhook in ledgers.webhooks.iter().filter(|webhook| !webhook.acked) {
            self.counts.stuck += 1;
            self.find(format!("stuck: 8x8 could not deliver {} {}", webhook.kind, webhook.id));
        }
    }

    pub(crate) fn find(&mut self, finding: String) {
        self.findings.push(finding);
    }
}

impl Callback {
    fn is_taken(&self) -> bool {
        !self.ephemeral && self.answered.is_some_and(|status| (200..300).contains(&status))
    }
}

/// How often 8x8 took each text that a bot wanted there. What the gateway says by itself may say the same everywhere.
fn taken_texts(ledgers: &Ledgers) -> HashMap<&str, usize> {
    let wanted = wanted_texts(ledgers);
    let mut times = HashMap::new();
    let counts = |text: &str| wanted.contains(text);
    for call in ledgers.calls.iter().filter(|call| call.taken && counts(&call.text)) {
        *times.entry(call.text.as_str()).or_default() += 1;
    }
    times
}

fn wanted_texts(ledgers: &Ledgers) -> HashSet<&str> {
    let texts = ledgers.intents.iter().map(|intent| intent.text.as_str());
    texts.filter(|text| !text.is_empty()).collect()
}

/// A create or a reopening that was answered with a handover is at 8x8; a message when it was called accepted.
fn is_proof(kind: &str, said: &str) -> bool {
    kind != "message" || said == "accepted"
}

/// Agents' and customers' words, which the bot has not said itself.
fn is_said_there(text: &str) -> bool {
    text.contains(" there ")
}

/// Worth nothing later, so not kept.
fn is_ephemeral(webhook: &Webhook) -> bool {
    webhook.kind == "ACTIVITY"
}
