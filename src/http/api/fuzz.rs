//! Bodies of the bot API as no bot should send them: taken whole, or refused with a problem that says where and why.

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::domain::HandoverId;
use crate::fuzzing::fuzz;
use crate::http::api::CheckCallbackUrl;
use crate::http::api::create_body::CreateBody;
use crate::http::api::messages::MessageBody;
use crate::http::api::update_body::UpdateBody;
use crate::http::api::user_body::Own;
use crate::http::extract::parse;
use crate::http::problem::Refusal;
use crate::http::tests::fixture;

const SEEDS: &[&str] = &[
    r#"{"user":{"name":"James Jones","email":"user@example.com","phone":"07917846011","language":"en","userId":"u-1","company":"c","caseId":"7","additionalProperties":[{"key":"Intent","value":"balance"}]},"history":{"messages":[{"authorType":"user","text":"I would like my balance please"},{"authorType":"bot","text":"…","cards":[{"content":{"a":1.0}}],"attachments":[{"url":"https://files.example.com/a.png","filename":"a.png","contentType":"image/png"}]}]},"queueId":"123","channelId":"f5odm43","callbackUrl":"https://bot.example.com/handover","botSessionId":"session-17738489","metadata":{"ticket":42},"properties":{"any":"JSON"},"availability":"ignore","timers":{"queue":"10m","idle":"30m","maxAge":"24h"},"queues":[{"id":"124","maxWait":"3m"}],"handBack":false}"#,
    r#"{"user":{"name":"J","customerId":"x","ipaddress":"192.0.2.1","timezoneOffset":-60},"assignment":{"type":"queue","id":"101"},"availability":"require"}"#,
    r#"{"user":{}}"#,
    r#"{"text":"hello","authorType":"user","clientMessageId":"m-1"}"#,
    r#"{"cards":[{"type":"AdaptiveCard","content":{"body":[]}}],"attachments":[{"id":"a-1"},{"url":"https://files.example.com/x"}],"authorType":"bot"}"#,
    r#"{"queueId":"102","user":{"name":"Other","additionalProperties":[{"key":"k","value":"v"}]}}"#,
    "{}",
];

#[test]
fn a_body_of_the_api_is_taken_or_refused_with_its_place_and_never_a_fault_of_ours() {
    let tenant = fixture::tenant(&"http://127.0.0.1:9/".parse().unwrap());
    let bot = fixture::bot("support", &tenant);
    let urls = CheckCallbackUrl::new(|_, url| Ok(url.to_owned()));
    let id = HandoverId::parse("ho_0192f7a0b1c27d3e8f4a5b6c7d8e9f00").unwrap();
    let seeds: Vec<Vec<u8>> = SEEDS.iter().map(|seed| seed.as_bytes().to_vec()).collect();
    let world = std::panic::AssertUnwindSafe((tenant, bot, urls, id));
    fuzz("api json", &seeds, move |input| {
        let (tenant, bot, urls, id) = &*world;
        if let Some(create) = read::<CreateBody>(input)
            && let Some(open) = sound(create.check(bot.clone(), urls))
        {
            let is_blank = |id: &Option<String>| id.as_ref().is_some_and(|id| id.trim().is_empty() || id.trim() != id);
            assert!(!is_blank(&open.queue_id) && !is_blank(&open.channel_id) && !is_blank(&open.bot_session_id));
            assert!(open.history.len() <= 200 && open.queues.len() <= 10);
            assert!(open.metadata.is_none_or(|metadata| metadata.as_str().len() <= 4096));
        }
        if let Some(message) = read::<MessageBody>(input)
            && let Some(message) = sound(message.check(id.clone(), [0; 32], &bot.fetcher))
        {
            assert!(message.text.as_deref().is_none_or(|text| !text.trim().is_empty()));
            assert!(message.text.is_some() || !message.cards.is_empty() || !message.attachments.is_empty());
        }
        if let Some(update) = read::<UpdateBody>(input) {
            sound(update.check(Own::of(bot), tenant));
        }
    });
}

fn read<T: DeserializeOwned>(input: &[u8]) -> Option<T> {
    let body = sound(parse::<T>(input))?;
    assert!(serde_json::from_slice::<Value>(input).is_ok() || std::str::from_utf8(input).is_ok());
    Some(body.value)
}

/// A refusal is the caller's fault, says what is wrong, and is JSON.
fn sound<T>(result: Result<T, Refusal>) -> Option<T> {
    let refusal = match result {
        Ok(taken) => return Some(taken),
        Err(refusal) => refusal,
    };
    assert!(matches!(refusal.status, 400 | 422), "{refusal:?}");
    assert!(!refusal.detail.is_empty());
    for fault in &refusal.errors {
        assert!(
            fault.pointer.is_empty() || fault.pointer.starts_with('/'),
            "{refusal:?}"
        );
        assert!(!fault.message.is_empty());
    }
    serde_json::to_string(&*refusal).unwrap();
    None
}
