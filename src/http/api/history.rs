//! What was said before the handover, shown to the agent.

use serde::Deserialize;
use serde::de::IgnoredAny;
use utoipa::ToSchema;

use crate::chat_gateway::HistoryMessage;
use crate::domain::AuthorType;
use crate::domain::HistoryFile;
use crate::domain::RawJson;
use crate::handovers::split;
use crate::http::api::attachment_body::AttachmentBody;
use crate::http::api::attachment_body::of_history;
use crate::http::api::faults::Faults;
use crate::outbound::Fetcher;

/// 8x8 takes so many.
const MOST: usize = 200;
/// Files are shown one after the other, before anything else that is said.
const MOST_FILES: usize = 10;

#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = History)]
pub(in crate::http) struct HistoryBody {
    /// Oldest first. A text longer than 8x8 takes at once becomes several messages. Of more than 200 the newest are kept,
    /// under a line that says how many were left out.
    messages: Vec<HistoryMessageBody>,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = HistoryMessage)]
pub(in crate::http) struct HistoryMessageBody {
    #[schema(value_type = Author)]
    author_type: AuthorType,
    #[schema(example = "I would like my balance please")]
    text: Option<String>,
    #[serde(default)]
    #[schema(value_type = Vec<CardBody>)]
    cards: Vec<RawJson>,
    /// Files with a `url`: named in the text, and shown right after 8x8 has the conversation. At most 10 in all.
    #[serde(default)]
    attachments: Vec<AttachmentBody>,
}

/// Who a message is from.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
#[expect(dead_code, reason = "describes `AuthorType` in the OpenAPI document")]
pub(in crate::http) enum Author {
    User,
    Bot,
}

/// An adaptive card or what else 8x8 shows; passed on byte for byte.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Card)]
pub(in crate::http) struct CardBody {
    #[schema(example = "application/vnd.microsoft.card.adaptive")]
    #[expect(dead_code, reason = "only its type is checked: the card is passed on as it came")]
    content_type: Option<String>,
    #[schema(value_type = Object)]
    #[expect(dead_code, reason = "only its presence is checked: the card is passed on as it came")]
    content: IgnoredAny,
}

impl HistoryBody {
    /// `limit`: the characters 8x8 takes in one message.
    pub(super) fn check(
        self,
        limit: usize,
        fetcher: &Fetcher,
        faults: &mut Faults,
    ) -> (Vec<HistoryMessage>, Vec<HistoryFile>) {
        let (mut history, mut files) = (Vec::new(), Vec::new());
        for (n, mut message) in self.messages.into_iter().enumerate() {
            let at = format!("/history/messages/{n}");
            faults.text(&format!("{at}/text"), message.text.as_deref());
            check_cards(&at, &message.cards, faults);
            if message.text.is_none() && message.cards.is_empty() && message.attachments.is_empty() {
                faults.add(&at, "must have text, cards or attachments");
            }
            let attachments = std::mem::take(&mut message.attachments);
            let shown_later = of_history(&at, message.author_type, attachments, fetcher, faults);
            message.text = named(message.text, &shown_later);
            files.extend(shown_later);
            history.extend(in_parts(message, limit));
        }
        if files.len() > MOST_FILES {
            faults.add(
                "/history/messages",
                format!("must have at most {MOST_FILES} attachments in all"),
            );
        }
        (newest(history), files)
    }
}

/// Each file has a line where it belongs: 8x8 takes the file itself only once it has the conversation.
fn named(text: Option<String>, files: &[HistoryFile]) -> Option<String> {
    let lines = files.iter().map(|file| format!("[File: {}]", file.filename));
    let text: Vec<String> = text.into_iter().chain(lines).collect();
    (!text.is_empty()).then(|| text.join("\n"))
}

/// Cards stand below the whole text.
fn in_parts(message: HistoryMessageBody, limit: usize) -> impl Iterator<Item = HistoryMessage> {
    let author_type = message.author_type;
    let mut texts = message.text.map(|text| split(&text, limit)).unwrap_or_default();
    texts.retain(|text| !text.trim().is_empty());
    let last = HistoryMessage {
        author_type,
        text: texts.pop(),
        cards: message.cards,
    };
    let before = move |text| HistoryMessage {
        author_type,
        text: Some(text),
        cards: Vec::new(),
    };
    texts.into_iter().map(before).chain([last])
}

pub(super) fn check_cards(at: &str, cards: &[RawJson], faults: &mut Faults) {
    for (n, card) in cards.iter().enumerate() {
        if serde_json::from_str::<CardBody>(card.as_str()).is_err() {
            faults.add(
                format!("{at}/cards/{n}"),
                "must be an object with `content`, and `contentType` as a string if given",
            );
        }
    }
}

fn newest(mut history: Vec<HistoryMessage>) -> Vec<HistoryMessage> {
    if history.len() <= MOST {
        return history;
    }
    let left_out = history.len() - (MOST - 1);
    history.drain(..left_out);
    let text = Some(format!("{left_out} earlier messages were left out."));
    history.insert(
        0,
        HistoryMessage {
            author_type: AuthorType::Bot,
            text,
            cards: Vec::new(),
        },
    );
    history
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outbound::AddressPolicy;
    use crate::outbound::OutboundSettings;

    const LIMIT: usize = 4000;

    fn checked(json: &str) -> (Vec<HistoryMessage>, Vec<String>) {
        let mut faults = Faults::default();
        let body = serde_json::from_str::<HistoryBody>(json).unwrap();
        let fetcher = Fetcher::new(&OutboundSettings::default(), AddressPolicy::default()).unwrap();
        let (history, _files) = body.check(LIMIT, &fetcher, &mut faults);
        let errors = faults.or(()).err().map(|refusal| refusal.errors).unwrap_or_default();
        (history, errors.into_iter().map(|error| error.pointer).collect())
    }

    fn said(count: usize) -> String {
        let messages: Vec<_> = (0..count)
            .map(|n| serde_json::json!({"authorType": "user", "text": n.to_string()}))
            .collect();
        serde_json::json!({ "messages": messages }).to_string()
    }

    #[test]
    fn two_hundred_messages_are_taken_as_they_are() {
        let (history, faults) = checked(&said(200));
        assert!(faults.is_empty());
        assert_eq!((history.len(), history[0].text.as_deref()), (200, Some("0")));
    }

    #[test]
    fn of_more_the_newest_are_kept_under_a_line_that_says_so() {
        let (history, _) = checked(&said(201));
        assert_eq!(history.len(), 200);
        assert_eq!(history[0].text.as_deref(), Some("2 earlier messages were left out."));
        assert_eq!(history[0].author_type, AuthorType::Bot);
        assert_eq!(
            (history[1].text.as_deref(), history[199].text.as_deref()),
            (Some("2"), Some("200"))
        );
    }

    #[test]
    fn a_long_text_becomes_several_messages_of_its_author_with_the_cards_below() {
        let long = format!("{} {}", "a".repeat(3000), "b".repeat(3000));
        let message = serde_json::json!({"authorType": "bot", "text": long, "cards": [{"content": 1}]});
        let (history, faults) = checked(&serde_json::json!({ "messages": [message] }).to_string());
        assert!(faults.is_empty());
        let shown: Vec<_> = history
            .iter()
            .map(|part| (part.author_type, part.text.clone().unwrap(), part.cards.len()))
            .collect();
        assert_eq!(
            shown,
            [
                (AuthorType::Bot, "a".repeat(3000), 0),
                (AuthorType::Bot, "b".repeat(3000), 1)
            ]
        );
    }

    #[test]
    fn parts_count_as_messages() {
        let said = |text: &str| serde_json::json!({"authorType": "user", "text": text});
        let mut messages = vec![said(&"x".repeat(LIMIT * 25)); 8];
        messages.push(said("last"));
        let (history, faults) = checked(&serde_json::json!({ "messages": messages }).to_string());
        assert!(faults.is_empty());
        assert_eq!((history.len(), history[199].text.as_deref()), (200, Some("last")));
        assert_eq!(history[0].text.as_deref(), Some("2 earlier messages were left out."));
    }

    #[test]
    fn cards_keep_their_bytes_and_faults_name_their_place() {
        let card = r#"{"content": {"b":1.0,  "a":2}}"#;
        let (history, faults) = checked(&format!(
            r#"{{"messages":[{{"authorType":"bot","cards":[{card}],"attachments":[]}}]}}"#
        ));
        assert!(faults.is_empty());
        assert_eq!(history[0].cards[0].as_str(), card);
        let (_, faults) = checked(
            r#"{"messages":[{"authorType":"user"},{"authorType":"user","text":" "},
                {"authorType":"bot","cards":[{"contentType":"x"}]},{"authorType":"bot","text":"x","attachments":[{"id":"1"}]}]}"#,
        );
        assert_eq!(
            faults,
            [
                "/history/messages/0",
                "/history/messages/1/text",
                "/history/messages/2/cards/0",
                "/history/messages/3/attachments/0/id"
            ]
        );
    }
}
