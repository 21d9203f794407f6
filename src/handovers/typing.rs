//! Who types at 8x8, and for how long that is believed: 8x8 may never say that somebody stopped.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use serde::Deserialize;
use tokio::sync::MutexGuard;

use crate::domain::Handover;
use crate::domain::RawJson;
use crate::domain::Timestamp;
use crate::domain::WebhookKind;
use crate::domain::transition::Input;
use crate::handovers::Handovers;
use crate::handovers::service::Along;
use crate::handovers::session_map::Slot;

/// Without another word of 8x8's nobody types any more.
const BELIEVED: Duration = Duration::from_secs(10);

/// Those who type in one handover. In memory only, at most what one event of 8x8's named.
#[derive(Debug, Default)]
pub(super) struct Typists(Mutex<Seen>);

#[derive(Debug, Default)]
struct Seen {
    users: Vec<RawJson>,
    until: Timestamp,
    /// Somebody waits for `until`.
    watched: bool,
}

/// What an event says of them.
pub(super) enum Heard {
    Types(Vec<RawJson>),
    Stopped,
    /// This agent wrote or left; nobody's id when 8x8 does not say whose.
    NoLonger(String),
    Nothing,
}

/// How it stands when the time has come.
#[derive(Debug, PartialEq, Eq)]
enum Due {
    Later(Timestamp),
    Over,
    Nobody,
}

impl Heard {
    pub(super) fn of(kind: &WebhookKind) -> Self {
        match kind {
            WebhookKind::Typing { users, active: true } => {
                let mut users: Vec<RawJson> = serde_json::from_str(users.as_str()).unwrap_or_default();
                users.retain(|user| !matches!(read(user).kind.as_str(), "user" | "bot"));
                Self::Types(users)
            }
            WebhookKind::Typing { active: false, .. } => Self::Stopped,
            WebhookKind::Message(message) if message.sender_type == "agent" => {
                Self::NoLonger(message.sender.id.clone())
            }
            WebhookKind::AgentLeft(agent) => Self::NoLonger(agent.id.clone()),
            WebhookKind::Message(_)
            | WebhookKind::ConversationUpdate(_)
            | WebhookKind::Queued(_)
            | WebhookKind::AgentJoined(_)
            | WebhookKind::UserJoined
            | WebhookKind::UserLeft
            | WebhookKind::Transfer
            | WebhookKind::OwnTyping
            | WebhookKind::Action { .. }
            | WebhookKind::Unrecognized { .. } => Self::Nothing,
        }
    }
}

impl Handovers {
    /// Keeps in mind what an event that was applied says of who types, and tells the bot where an agent stopped without
    /// 8x8's saying so.
    pub(super) async fn heard(
        self: &Arc<Self>,
        slot: &Arc<Slot>,
        handover: &mut MutexGuard<'_, Handover>,
        heard: Heard,
    ) {
        if !handover.state().is_live() {
            return slot.typists.stopped();
        }
        match heard {
            Heard::Nothing => {}
            Heard::Stopped => slot.typists.stopped(),
            Heard::Types(users) => {
                if slot.typists.type_until(users, self.parts.clock.now().plus(BELIEVED)) {
                    let (this, slot) = (Arc::clone(self), Arc::clone(slot));
                    self.parts
                        .supervisor
                        .run(async move { this.watch_typists(&slot).await });
                }
            }
            Heard::NoLonger(agent) => {
                if let Some(left) = slot.typists.without(&agent) {
                    self.tell_typists(slot, handover, &left).await;
                }
            }
        }
    }

    async fn watch_typists(self: &Arc<Self>, slot: &Arc<Slot>) {
        let stop = self.parts.supervisor.stop_token();
        loop {
            // Under the lock, so that nobody begins to type between the look and the telling.
            let mut handover = slot.handover.lock().await;
            let until = match slot.typists.due(self.parts.clock.now()) {
                Due::Nobody => return,
                Due::Over => return self.tell_typists(slot, &mut handover, &[]).await,
                Due::Later(until) => until,
            };
            drop(handover);
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.parts.clock.sleep_until(until) => {}
            }
        }
    }

    async fn tell_typists(
        self: &Arc<Self>,
        slot: &Arc<Slot>,
        handover: &mut MutexGuard<'_, Handover>,
        users: &[RawJson],
    ) {
        let Ok(listed) = RawJson::of(&users) else { return };
        let typing = Input::Typing {
            users: listed,
            active: !users.is_empty(),
        };
        // Nothing is written for it, so nothing can fail; and it is worth nothing later.
        drop(self.change_locked(slot, handover, typing, Along::default()).await);
    }
}

impl Typists {
    /// Whether somebody must start watching.
    fn type_until(&self, users: Vec<RawJson>, until: Timestamp) -> bool {
        self.with(|seen| {
            seen.users = users;
            seen.until = until;
            !std::mem::replace(&mut seen.watched, true)
        })
    }

    pub(super) fn stopped(&self) {
        self.with(|seen| seen.users.clear());
    }

    /// Those who still type without this agent; `None` when the agent was not known to.
    fn without(&self, agent: &str) -> Option<Vec<RawJson>> {
        self.with(|seen| {
            let before = seen.users.len();
            seen.users.retain(|user| !agent.is_empty() && !is(user, agent));
            // A list without ids: it was this one, or nobody can tell.
            if seen.users.iter().all(|user| is(user, "")) {
                seen.users.clear();
            }
            (seen.users.len() < before).then(|| seen.users.clone())
        })
    }

    fn due(&self, now: Timestamp) -> Due {
        self.with(|seen| {
            if seen.users.is_empty() {
                seen.watched = false;
                Due::Nobody
            } else if seen.until > now {
                Due::Later(seen.until)
            } else {
                seen.users.clear();
                seen.watched = false;
                Due::Over
            }
        })
    }

    fn with<T>(&self, change: impl FnOnce(&mut Seen) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct User {
    id: String,
    #[serde(rename = "type")]
    kind: String,
}

fn read(user: &RawJson) -> User {
    serde_json::from_str(user.as_str()).unwrap_or_default()
}

fn is(user: &RawJson, id: &str) -> bool {
    read(user).id.trim() == id
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1000)
    }

    fn users(ids: &[&str]) -> Vec<RawJson> {
        let user = |id: &&str| RawJson::of(&serde_json::json!({"id": id, "type": "agent"})).unwrap();
        ids.iter().map(user).collect()
    }

    #[test]
    fn typing_is_over_when_it_is_not_renewed() {
        let typists = Typists::default();
        assert!(typists.type_until(users(&["ada"]), at(10)), "the first is watched");
        assert_eq!(typists.due(at(9)), Due::Later(at(10)));
        assert!(!typists.type_until(users(&["ada"]), at(15)), "by the same watcher");
        assert_eq!(typists.due(at(10)), Due::Later(at(15)));
        assert_eq!(typists.due(at(15)), Due::Over);
        assert_eq!(typists.due(at(15)), Due::Nobody);
        assert!(typists.type_until(users(&["ada"]), at(25)));
    }

    #[test]
    fn who_wrote_or_left_types_no_more_and_the_others_do() {
        let typists = Typists::default();
        typists.type_until(users(&["ada", "grace"]), at(10));
        assert_eq!(typists.without("eve"), None);
        assert_eq!(typists.without("ada"), Some(users(&["grace"])));
        assert_eq!(typists.without("grace"), Some(Vec::new()));
        assert_eq!(typists.without("grace"), None, "that was told");
        assert_eq!(typists.due(at(5)), Due::Nobody);
    }

    #[test]
    fn an_agent_without_an_id_may_be_any() {
        let typists = Typists::default();
        typists.type_until(users(&["ada"]), at(10));
        assert_eq!(typists.without(""), Some(Vec::new()));
        typists.type_until(users(&[""]), at(10));
        assert_eq!(typists.without("ada"), Some(Vec::new()));
    }

    #[test]
    fn a_user_who_types_too_is_no_agent() {
        let both = WebhookKind::Typing {
            users: RawJson::parse(r#"[{"id":"ada","type":"agent"},{"id":"user","type":"user"}]"#).unwrap(),
            active: true,
        };
        let Heard::Types(types) = Heard::of(&both) else {
            panic!("somebody types");
        };
        let typists = Typists::default();
        typists.type_until(types, at(10));
        assert_eq!(typists.without("ada"), Some(Vec::new()));
    }
}
