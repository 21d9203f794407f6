//! The customer of the demo: asks for a human, answers what the agent says, is transferred, says goodbye.

use std::time::Duration;

use serde_json::Value;
use serde_json::json;
use tokio::sync::mpsc;

use crate::demo::Bot;
use crate::demo::Screen;

/// What the customer says when an agent has spoken, in this order.
const LINES: [&str; 3] = [
    "My account is 12345678, and I was charged twice.",
    "Could you transfer me to someone in billing?",
    "That answers it. Thank you and bye!",
];
/// Longer than any step of the story takes.
const PATIENCE: Duration = Duration::from_mins(1);

/// Plays one handover to its end. The error says at which step it stopped.
pub async fn play(bot: &Bot, events: &mut mpsc::Receiver<Value>, screen: &Screen) -> Result<(), String> {
    screen.step("customer", "“I would like to talk to a person, please.”", "");
    let asked = bot.ask_for_human(&request()).await?;
    let id = text(&asked.body, "/id");
    screen.step("bot", "asks the gateway for a human", &format!("{} {id}", asked.call));
    let mut lines = LINES.into_iter();
    loop {
        let event = tokio::time::timeout(PATIENCE, events.recv())
            .await
            .map_err(|_late| "no event came for a minute")?;
        let event = event.ok_or("the bot stopped")?;
        show(screen, &event);
        match event.get("type").and_then(Value::as_str) {
            Some("message.created") => {
                // An agent who transfers says so first: the customer waits for the next one.
                if text(&event, "/data/message/text").starts_with("One moment") {
                    continue;
                }
                if let Some(line) = lines.next() {
                    let posted = bot.say(&id, line).await?;
                    screen.step(
                        "customer",
                        &format!("“{line}”"),
                        &format!("{} {}", posted.call, text(&posted.body, "/status")),
                    );
                }
            }
            Some("handover.ended") => return Ok(()),
            _ => {}
        }
    }
}

/// One line for any event, also of handovers that somebody does by hand.
pub fn show(screen: &Screen, event: &Value) {
    let kind = text(event, "/type");
    let (who, what) = match kind.as_str() {
        "handover.accepted" => ("8x8", "has the conversation".to_owned()),
        "handover.queued" => ("8x8", format!("waiting in queue {}", text(event, "/data/queue/name"))),
        "agent.joined" => ("8x8", format!("agent {} joined", text(event, "/data/agent/id"))),
        "agent.left" => ("8x8", format!("agent {} left", text(event, "/data/agent/id"))),
        "handover.transferred" => ("8x8", "the conversation is being transferred".to_owned()),
        "agent.typing" if event.pointer("/data/typing/active") == Some(&Value::Bool(true)) => {
            ("agent", "is typing …".to_owned())
        }
        "agent.typing" => return,
        "message.created" => ("agent", format!("“{}”", text(event, "/data/message/text"))),
        "handover.ended" => (
            "gateway",
            format!("the handover ended: {}", text(event, "/data/reason")),
        ),
        _ => ("gateway", kind.clone()),
    };
    let carried = if event.pointer("/data/ephemeral").is_some() {
        format!("callback {kind}, not logged")
    } else {
        format!("callback {kind}, number {}", text(event, "/data/sequence"))
    };
    screen.step(who, &what, &carried);
}

fn request() -> Value {
    json!({
        "user": {
            "name": "James Jones", "email": "james@example.com", "language": "en",
            "additionalProperties": [{"key": "Intent", "value": "billing"}]
        },
        "history": {"messages": [
            {"authorType": "bot", "text": "Hello, I am the bot. What can I do for you?"},
            {"authorType": "user", "text": "I would like to talk to a person, please."}
        ]},
        "botSessionId": "demo-session-1",
        "metadata": {"from": "demo"}
    })
}

/// A string or number at a pointer, as text.
fn text(value: &Value, pointer: &str) -> String {
    match value.pointer(pointer) {
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
        None => String::new(),
    }
}
