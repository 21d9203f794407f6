//! The post-agent assignment: which webhook leads when the agents are done.

use std::time::Duration;

use axum::extract::{Path, State};
use axum::response::IntoResponse as _;
use bytes::Bytes;
use http::StatusCode;
use serde_json::Value;

use super::answer::Answer;
use crate::sandbox::problem::Problem;
use crate::sandbox::state::Shared;
use crate::sandbox::validate::{Invalid, PostAgentAssignment, read};
use crate::sandbox::world::PostAgent;

const DEFAULT_MINUTES: u64 = 300;

/// Once a conversation, and only while it runs.
pub(super) async fn create(State(shared): State<Shared>, Path(id): Path<String>, body: Bytes) -> Answer {
    let asked: PostAgentAssignment = read(&body).map_err(Problem::invalid_parameter)?;
    let refuse = |message: String| {
        Err(Problem::invalid_parameter(Invalid {
            code: "invalid_parameter",
            message,
        }))
    };
    let has_webhook = shared.world().webhooks.contains_key(&asked.id);
    let minutes = asked.minutes().unwrap_or(DEFAULT_MINUTES);
    let tenant = shared.options.tenant_id.clone();
    let shown: Value = serde_json::from_slice(&body).unwrap_or_default();
    let taken = shared.change(&id, |conversation, _| {
        let outcome = if conversation.post_agent.is_some() {
            Some(format!(
                "A post agent assignment already exists for conversation {id} and tenant {tenant}."
            ))
        } else if !has_webhook {
            Some(format!("Webhook ID {} is invalid.", asked.id))
        } else if conversation.is_idle() {
            Some(format!("Conversation {id} is not active."))
        } else {
            let tell_channel = asked.tells_channel();
            conversation.post_agent = Some(PostAgent::new(asked.id, tell_channel, shown));
            None
        };
        (outcome, Vec::new())
    });
    match taken {
        None => Err(Problem::not_found_exception("conversation", &id)),
        Some(Some(message)) => refuse(message),
        Some(None) => {
            let ended = std::sync::Arc::clone(&shared);
            drop(shared.start(async move {
                tokio::time::sleep(Duration::from_mins(minutes)).await;
                ended.change(&id, |conversation, _| {
                    let over = conversation.is_after_agents();
                    ((), if over { conversation.finish() } else { Vec::new() })
                });
            }));
            Ok(StatusCode::CREATED.into_response())
        }
    }
}
