//! A call's failure in words for an operator: what happened, and what to do next.

use std::error::Error;

use crate::chat_gateway::ChatGatewayError;
use crate::chat_gateway::Refusal;
use crate::domain::TenantName;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explained {
    pub what: String,
    pub next: String,
}

/// 8x8's own words are quoted: they may hold what was sent, so whoever prints them hides what must not be seen.
pub fn explain(error: &ChatGatewayError, tenant: &TenantName) -> Explained {
    let (what, next) = match error {
        ChatGatewayError::NotSent(cause) => (
            format!("8x8 cannot be reached: {}", innermost(cause)),
            format!("check tenants.{tenant}.base_url, [outbound], DNS and the firewall"),
        ),
        ChatGatewayError::Unanswered(cause) => (
            format!("8x8 gave no usable answer: {cause}"),
            format!("check tenants.{tenant}.base_url, and try again"),
        ),
        ChatGatewayError::Throttled { .. } => (
            "8x8 asks to slow down (429), or rate_limit left no turn".to_owned(),
            "try again in a minute".to_owned(),
        ),
        ChatGatewayError::Refused(refusal) => of_refusal(refusal, tenant),
    };
    Explained { what, next }
}

fn of_refusal(refusal: &Refusal, tenant: &TenantName) -> (String, String) {
    let said = said(refusal);
    match refusal.status {
        401 => (
            format!("8x8 does not take the API key (401){said}"),
            format!("check tenants.{tenant}.api_key: a key of the product Chat Gateway; a new one takes a few minutes"),
        ),
        403 => (
            format!("8x8 says that the tenant does not belong to the API key (403){said}"),
            format!(
                "check tenants.{tenant}.tenant_id (Configuration Manager > Home > Profile) and whose key api_key is"
            ),
        ),
        404 => (
            format!("8x8 does not have it (404){said}"),
            format!("check tenants.{tenant}.base_url, and run `handover-gateway provision`"),
        ),
        status => (
            format!("8x8 refused with status {status}{said}"),
            "see what 8x8 says, and its Event Log".to_owned(),
        ),
    }
}

fn said(refusal: &Refusal) -> String {
    let message = refusal.message.as_ref().map(|message| format!(": {message}"));
    let reference = refusal
        .reference_id
        .as_ref()
        .map(|reference| format!(" (reference {reference})"));
    message.into_iter().chain(reference).collect()
}

fn innermost(error: &dyn Error) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}
