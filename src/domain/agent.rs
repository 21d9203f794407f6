//! The agents of one handover: a set, because conferences happen and the next agent may join before the last has left.

use serde::Deserialize;
use serde::Serialize;

use crate::domain::AgentRef;

/// Everyone who was ever in. 8x8 tells each join and leave up to three times (two dialects and CONVERSATION_UPDATE),
/// in no promised order, so each agent keeps 8x8's own time of the last change.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Agents(Vec<Agent>);

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Agent {
    pub id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    present: bool,
    /// 8x8's time of the newest join and leave told so far, in epoch milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    joined: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    left: Option<i64>,
}

impl Agent {
    pub fn is_present(&self) -> bool {
        self.present
    }

    /// 8x8's time of the newest leave told so far, in epoch milliseconds.
    pub fn left_at(&self) -> Option<i64> {
        self.left
    }
}

/// What a join or leave meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// It changes who is in.
    News,
    /// It is older than what is known already, and was not told before: worth telling, changes nothing.
    Late,
    /// It was told before.
    Again,
}

impl Agents {
    pub fn present(&self) -> impl Iterator<Item = &Agent> {
        self.0.iter().filter(|agent| agent.present)
    }

    pub fn nobody_present(&self) -> bool {
        self.present().next().is_none()
    }

    pub fn nobody_ever(&self) -> bool {
        self.0.is_empty()
    }

    pub fn get(&self, id: &str) -> Option<&Agent> {
        self.0.iter().find(|agent| agent.id == id)
    }

    pub(super) fn forget_names(&mut self) {
        for agent in &mut self.0 {
            agent.name = None;
        }
    }

    /// 8x8's time of the newest join.
    pub(super) fn newest_join(&self) -> Option<i64> {
        self.0.iter().filter_map(|agent| agent.joined).max()
    }

    pub(super) fn join(&mut self, who: &AgentRef, at: i64) -> Told {
        let agent = self.entry(who);
        if agent.present {
            agent.joined = agent.joined.max(Some(at));
            return Told::Again;
        }
        match (agent.left, agent.joined) {
            (Some(left), None) if at < left => {
                agent.joined = Some(at);
                Told::Late
            }
            (Some(left), Some(_)) if at < left => Told::Again,
            _ => {
                agent.present = true;
                agent.joined = agent.joined.max(Some(at));
                Told::News
            }
        }
    }

    pub(super) fn leave(&mut self, who: &AgentRef, at: i64) -> Told {
        let agent = self.entry(who);
        if !agent.present {
            let told = if agent.left.is_some() { Told::Again } else { Told::Late };
            agent.left = agent.left.max(Some(at));
            return told;
        }
        if agent.joined.is_some_and(|joined| at < joined) {
            let told = if agent.left.is_some_and(|left| at <= left) {
                Told::Again
            } else {
                Told::Late
            };
            agent.left = agent.left.max(Some(at));
            return told;
        }
        agent.present = false;
        agent.left = agent.left.max(Some(at));
        Told::News
    }

    fn entry(&mut self, who: &AgentRef) -> &mut Agent {
        let found = self.0.iter().position(|agent| agent.id == who.id);
        let at = found.unwrap_or_else(|| {
            self.0.push(Agent {
                id: who.id.clone(),
                name: None,
                present: false,
                joined: None,
                left: None,
            });
            self.0.len() - 1
        });
        #[expect(clippy::indexing_slicing, reason = "the position was found or pushed one line above")]
        let agent = &mut self.0[at];
        if who.name.is_some() {
            agent.name.clone_from(&who.name);
        }
        agent
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ada() -> AgentRef {
        AgentRef {
            id: "ada".to_owned(),
            name: None,
        }
    }

    #[test]
    fn a_join_told_twice_counts_once() {
        let mut agents = Agents::default();
        assert_eq!(agents.join(&ada(), 10), Told::News);
        assert_eq!(agents.join(&ada(), 10), Told::Again);
        assert_eq!(agents.leave(&ada(), 20), Told::News);
        assert_eq!(agents.join(&ada(), 10), Told::Again);
        assert_eq!(agents.leave(&ada(), 20), Told::Again);
        assert!(agents.nobody_present());
    }

    #[test]
    fn a_leave_that_overtook_its_join_wins() {
        let mut agents = Agents::default();
        assert_eq!(agents.leave(&ada(), 20), Told::Late);
        assert_eq!(agents.join(&ada(), 10), Told::Late);
        assert!(agents.nobody_present());
    }

    #[test]
    fn an_agent_may_come_back() {
        let mut agents = Agents::default();
        agents.join(&ada(), 10);
        agents.leave(&ada(), 20);
        assert_eq!(agents.join(&ada(), 30), Told::News);
        assert_eq!(agents.leave(&ada(), 20), Told::Again);
        assert_eq!(agents.present().count(), 1);
        assert_eq!(agents.leave(&ada(), 40), Told::News);
    }
}
