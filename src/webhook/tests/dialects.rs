//! `tests/fixtures/webhooks`: one file per event and dialect.

use crate::webhook::tests::events::fixture;
use crate::webhook::tests::events::seen;

#[test]
fn a_created_conversation_carries_queue_user_and_our_key() {
    insta::assert_snapshot!(seen(fixture!("gateway_conversation_update_created")), @r#"
    9jIczlQm7mbIVzgpIp-Oxze83Oo ConversationUpdate(ConversationUpdate { state: Some(Created), agent: None, queue_id: Some("123"), handover: Some(HandoverId("ho_0192f7a0b1c27d3e8f4a5b6c7d8e9f00")), fingerprint: 963796213239379083, raw: RawJson(RawValue({
        "state": "created",
        "assignment": {
          "type": "queue",
          "id": "123"
        },
        "user": {
          "name": "James Jones",
          "userId": "17",
          "email": "user@example.com",
          "phone": "07917846011",
          "company": "Example Ltd",
          "caseId": "c-9",
          "language": "en",
          "ipaddress": "192.0.2.7",
          "timezoneOffset": 60,
          "additionalProperties": [
            {
              "key": "Intent",
              "value": "balance",
              "id": "p1"
            },
            {
              "key": "handoverId",
              "value": "ho_0192f7a0b1c27d3e8f4a5b6c7d8e9f00",
              "id": "p2"
            }
          ]
        },
        "channel": "ChatAPI"
      })) })
    "#);
}

#[test]
fn a_conversation_assigned_to_an_agent_has_no_queue() {
    insta::assert_snapshot!(seen(fixture!("gateway_conversation_update_agent")), @r#"
    9jIczlQm7mbIVzgpIp-Oxze83Oo ConversationUpdate(ConversationUpdate { state: Some(Active), agent: Some(AgentRef { id: "agb7CaTIXvQPWmPKmTu1rJjw", name: None }), queue_id: None, handover: Some(HandoverId("ho_0192f7a0b1c27d3e8f4a5b6c7d8e9f00")), fingerprint: 963796213239379083, raw: RawJson(RawValue({
        "state": "active",
        "assignment": {
          "type": "agent",
          "id": "agb7CaTIXvQPWmPKmTu1rJjw",
          "resourceId": "r1"
        },
        "user": {
          "name": "James Jones",
          "userId": "17",
          "email": "user@example.com",
          "phone": "07917846011",
          "company": "Example Ltd",
          "caseId": "c-9",
          "language": "en",
          "ipaddress": "192.0.2.7",
          "timezoneOffset": 60,
          "additionalProperties": [
            {
              "key": "Intent",
              "value": "balance",
              "id": "p1"
            },
            {
              "key": "handoverId",
              "value": "ho_0192f7a0b1c27d3e8f4a5b6c7d8e9f00",
              "id": "p2"
            }
          ]
        },
        "channel": "ChatAPI"
      })) })
    "#);
}

#[test]
fn a_conversation_of_a_digital_channel_may_lack_everything_else() {
    insta::assert_snapshot!(seen(fixture!("gateway_conversation_update_channel")), @r#"
    9jIczlQm7mbIVzgpIp-Oxze83Oo ConversationUpdate(ConversationUpdate { state: Some(Active), agent: None, queue_id: None, handover: None, fingerprint: 3171406696569016356, raw: RawJson(RawValue({
        "state": "active",
        "user": {
          "name": "",
          "language": "en"
        },
        "msisdn": "447911123456",
        "channel": "WhatsApp"
      })) })
    "#);
}

#[test]
fn an_idle_conversation() {
    insta::assert_snapshot!(seen(fixture!("gateway_conversation_update_idle")), @r#"
    9jIczlQm7mbIVzgpIp-Oxze83Oo ConversationUpdate(ConversationUpdate { state: Some(Idle), agent: None, queue_id: None, handover: None, fingerprint: 4556967576575252101, raw: RawJson(RawValue({
        "state": "idle"
      })) })
    "#);
}

#[test]
fn queued() {
    insta::assert_snapshot!(seen(fixture!("gateway_queued")), @r#"9jIczlQm7mbIVzgpIp-Oxze83Oo Queued(Queue { id: "123", name: Some("Support") })"#);
}

#[test]
fn queued_in_the_flat_dialect() {
    insta::assert_snapshot!(seen(fixture!("flat_queued")), @r#"9jIczlQm7mbIVzgpIp-Oxze83Oo Queued(Queue { id: "123", name: Some("Support") })"#);
}

#[test]
fn an_agent_joined() {
    insta::assert_snapshot!(seen(fixture!("gateway_members_changed_agent_joined")), @r#"9jIczlQm7mbIVzgpIp-Oxze83Oo AgentJoined(AgentRef { id: "agb7CaTIXvQPWmPKmTu1rJjw", name: None })"#);
}

#[test]
fn an_agent_left() {
    insta::assert_snapshot!(seen(fixture!("gateway_members_changed_agent_left")), @r#"9jIczlQm7mbIVzgpIp-Oxze83Oo AgentLeft(AgentRef { id: "agb7CaTIXvQPWmPKmTu1rJjw", name: None })"#);
}

#[test]
fn an_agent_joined_in_the_flat_dialect_with_a_name() {
    insta::assert_snapshot!(seen(fixture!("flat_agent_joined")), @r#"9jIczlQm7mbIVzgpIp-Oxze83Oo AgentJoined(AgentRef { id: "cmalutan", name: Some("Cosmin,Malutan") })"#);
}

#[test]
fn an_agent_left_in_the_flat_dialect_with_a_name() {
    insta::assert_snapshot!(seen(fixture!("flat_agent_left")), @r#"9jIczlQm7mbIVzgpIp-Oxze83Oo AgentLeft(AgentRef { id: "cmalutan", name: Some("Cosmin,Malutan") })"#);
}

#[test]
fn the_user_joined() {
    insta::assert_snapshot!(seen(fixture!("gateway_members_changed_user_joined")), @r#"9jIczlQm7mbIVzgpIp-Oxze83Oo UserJoined"#);
}

#[test]
fn the_user_left() {
    insta::assert_snapshot!(seen(fixture!("gateway_members_changed_user_left")), @r#"9jIczlQm7mbIVzgpIp-Oxze83Oo UserLeft"#);
}

#[test]
fn a_member_of_another_kind_is_not_recognized() {
    insta::assert_snapshot!(seen(fixture!("gateway_members_changed_unknown")), @r#"
    9jIczlQm7mbIVzgpIp-Oxze83Oo Unrecognized { raw: RawJson(RawValue({
      "eventType": "MEMBERS_CHANGED",
      "conversationId": "9jIczlQm7mbIVzgpIp-Oxze83Oo",
      "timestamp": 1713100000000,
      "data": {
        "memberType": "supervisor",
        "change": "joined",
        "id": "s1"
      }
    })) }
    "#);
}

#[test]
fn a_transfer() {
    insta::assert_snapshot!(seen(fixture!("gateway_transfer")), @r#"9jIczlQm7mbIVzgpIp-Oxze83Oo Transfer"#);
}

#[test]
fn a_transfer_in_the_flat_dialect() {
    insta::assert_snapshot!(seen(fixture!("flat_transfer")), @r#"9jIczlQm7mbIVzgpIp-Oxze83Oo Transfer"#);
}

#[test]
fn an_agents_message_keeps_its_spaces() {
    insta::assert_snapshot!(seen(fixture!("gateway_message_agent")), @r#"9jIczlQm7mbIVzgpIp-Oxze83Oo Message(MessageSeen { is_echo: false, sender_type: "agent", sender: AgentRef { id: "agb7CaTIXvQPWmPKmTu1rJjw", name: None }, text: " Hello, your balance is £12.34\n", attachments: [], cards: [] })"#);
}

#[test]
fn an_agents_message_in_the_flat_dialect() {
    insta::assert_snapshot!(seen(fixture!("flat_text")), @r#"9jIczlQm7mbIVzgpIp-Oxze83Oo Message(MessageSeen { is_echo: false, sender_type: "agent", sender: AgentRef { id: "cmalutan", name: Some("Cosmin,Malutan") }, text: "How can I help?", attachments: [], cards: [] })"#);
}

#[test]
fn attachments_lose_their_signed_link() {
    insta::assert_snapshot!(seen(fixture!("gateway_message_attachments")), @r#"9jIczlQm7mbIVzgpIp-Oxze83Oo Message(MessageSeen { is_echo: false, sender_type: "agent", sender: AgentRef { id: "agb7CaTIXvQPWmPKmTu1rJjw", name: None }, text: "", attachments: [AttachmentSeen { id: "vXg39aMTRlq4xCBFaUCTlA", filename: Some("bill.png"), content_type: Some("image"), url: None }, AttachmentSeen { id: "25", filename: None, content_type: None, url: None }], cards: [] })"#);
}

#[test]
fn cards_keep_their_bytes() {
    insta::assert_snapshot!(seen(fixture!("gateway_message_cards")), @r#"9jIczlQm7mbIVzgpIp-Oxze83Oo Message(MessageSeen { is_echo: false, sender_type: "system", sender: AgentRef { id: "system", name: None }, text: "", attachments: [], cards: [RawJson(RawValue({"contentType":"application/vnd.microsoft.card.adaptive",  "content":{"version":"1.3","10":1,"2":1.0,"e":1e2,"u":"\u00a3"}}))] })"#);
}

#[test]
fn an_echo() {
    insta::assert_snapshot!(seen(fixture!("gateway_message_echo")), @r#"9jIczlQm7mbIVzgpIp-Oxze83Oo Message(MessageSeen { is_echo: true, sender_type: "", sender: AgentRef { id: "", name: None }, text: "I would like my balance please", attachments: [], cards: [] })"#);
}

#[test]
fn numbers_may_be_strings_and_strings_numbers() {
    insta::assert_snapshot!(seen(fixture!("numbers_and_strings_swapped")), @r#"12 Message(MessageSeen { is_echo: false, sender_type: "agent", sender: AgentRef { id: "25", name: None }, text: "42", attachments: [], cards: [] })"#);
}

#[test]
fn an_agent_types() {
    insta::assert_snapshot!(seen(fixture!("gateway_activity_typing")), @r#"
    9jIczlQm7mbIVzgpIp-Oxze83Oo Typing { users: RawJson(RawValue([
            {
              "id": "agb7CaTIXvQPWmPKmTu1rJjw",
              "type": "agent"
            }
          ])), active: true }
    "#);
}

#[test]
fn nobody_types() {
    insta::assert_snapshot!(seen(fixture!("gateway_activity_typing_stopped")), @r#"9jIczlQm7mbIVzgpIp-Oxze83Oo Typing { users: RawJson(RawValue([])), active: false }"#);
}

#[test]
fn only_the_user_or_the_bot_types() {
    insta::assert_snapshot!(seen(fixture!("gateway_activity_typing_user")), @r#"9jIczlQm7mbIVzgpIp-Oxze83Oo OwnTyping"#);
}

#[test]
fn a_submitted_card_keeps_its_bytes() {
    insta::assert_snapshot!(seen(fixture!("gateway_activity_adaptive_card")), @r#"9jIczlQm7mbIVzgpIp-Oxze83Oo Action { name: "adaptiveCard/action", value: RawJson(RawValue({"type":"Action.Submit",  "data":{"z":1.0,"a":"\u00a3"}})) }"#);
}

#[test]
fn a_quick_reply() {
    insta::assert_snapshot!(seen(fixture!("gateway_activity_quick_reply")), @r#"
    9jIczlQm7mbIVzgpIp-Oxze83Oo Action { name: "quickReply/action", value: RawJson(RawValue({
          "type": "postback",
          "data": {
            "title": "Yes",
            "payload": "yes"
          }
        })) }
    "#);
}

#[test]
fn an_activity_of_a_channels_provider() {
    insta::assert_snapshot!(seen(fixture!("gateway_activity_provider")), @r#"
    9jIczlQm7mbIVzgpIp-Oxze83Oo Action { name: "interactive/reply", value: RawJson(RawValue({
          "type": "button_reply",
          "button_reply": {
            "id": "b1",
            "title": "Yes"
          }
        })) }
    "#);
}

#[test]
fn an_activity_without_a_slash_is_not_recognized() {
    insta::assert_snapshot!(seen(fixture!("gateway_activity_read_receipts")), @r#"
    9jIczlQm7mbIVzgpIp-Oxze83Oo Unrecognized { raw: RawJson(RawValue({
      "eventType": "ACTIVITY",
      "conversationId": "9jIczlQm7mbIVzgpIp-Oxze83Oo",
      "timestamp": 1713100000000,
      "data": {
        "name": "read-receipts",
        "value": [
          {
            "timestamp": 1713100000000,
            "users": [
              {
                "id": "user",
                "type": "user"
              }
            ]
          }
        ]
      }
    })) }
    "#);
}

#[test]
fn an_event_of_another_type_is_not_recognized() {
    insta::assert_snapshot!(seen(fixture!("unknown_event")), @r#"
    9jIczlQm7mbIVzgpIp-Oxze83Oo Unrecognized { raw: RawJson(RawValue({
      "eventType": "CONVERSATION_RATED",
      "conversationId": "9jIczlQm7mbIVzgpIp-Oxze83Oo",
      "timestamp": 1713100000000,
      "data": {
        "stars": 5
      }
    })) }
    "#);
}

#[test]
fn the_hello() {
    insta::assert_snapshot!(seen(fixture!("gateway_web_hook_verify")), @r#"Verify"#);
}

#[test]
fn the_hello_of_the_flat_dialect() {
    insta::assert_snapshot!(seen(fixture!("flat_web_hook_verify")), @r#"Verify"#);
}

#[test]
fn an_event_without_a_conversation_is_unreadable() {
    insta::assert_snapshot!(seen(fixture!("without_conversation")), @r#"Unreadable("no conversationId")"#);
}
