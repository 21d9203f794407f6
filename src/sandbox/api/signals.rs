//! Typing, thinking and read receipts: taken note of, shown by the control API.

use axum::extract::{Path, State};
use bytes::Bytes;
use serde_json::{Value, json};

use super::answer::{Answer, no_content};
use crate::sandbox::clock;
use crate::sandbox::problem::Problem;
use crate::sandbox::state::Shared;
use crate::sandbox::validate::{Invalid, ReadReceipt, Thinking, Typing, read};

pub(super) async fn typing(State(shared): State<Shared>, Path(id): Path<String>, body: Bytes) -> Answer {
    note(&shared, &id, "typing", &body, read::<Typing>(&body).err())
}

/// The whole body may be missing.
pub(super) async fn thinking(State(shared): State<Shared>, Path(id): Path<String>, body: Bytes) -> Answer {
    let fault = if body.is_empty() {
        None
    } else {
        read::<Thinking>(&body).err()
    };
    note(&shared, &id, "thinking", &body, fault)
}

pub(super) async fn read_receipt(State(shared): State<Shared>, Path(id): Path<String>, body: Bytes) -> Answer {
    note(&shared, &id, "read-receipt", &body, read::<ReadReceipt>(&body).err())
}

fn note(shared: &Shared, id: &str, signal: &str, body: &[u8], fault: Option<Invalid>) -> Answer {
    if let Some(fault) = fault {
        return Err(Problem::invalid_parameter(fault));
    }
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let noted = shared.change(id, |conversation, order| {
        conversation
            .signals
            .push(json!({"order": order, "at": clock::now_ms(), "signal": signal, "body": body}));
        ((), Vec::new())
    });
    noted.ok_or_else(|| Problem::not_found_exception("conversation", id))?;
    Ok(no_content())
}
