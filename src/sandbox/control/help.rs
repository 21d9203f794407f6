//! The control API in words, as `GET /sandbox` answers it.

pub(super) const HELP: &str = r#"A stand-in 8x8 Chat Gateway. The API is under /chat-gateway/v1; this is the control API.

POST /sandbox/conversations/{id}/agent       act as an agent -> 204
  {"do": "join" | "type" | "stop-typing" | "say" | "leave" | "transfer" | "end",
   "agentId"?: "agent-1", "agentName"?: "Ada Agent", "text"?, "cards"?: [], "queueId"?}
  say needs text or cards; transfer needs queueId; end makes every agent leave and the conversation idle

POST /sandbox/conversations/{id}/events      send any event -> 200 {eventId, status?, body?}
  {"body": {...} | "raw": "exact bytes", "eventId"?, "wait"?: true,
   "headers"?: {"x-8x8-signature": "value" | null}, "sign"?: {alg, kid, b64, crit, tid, cid, tt, retry}}
  body gets conversationId and timestamp when it has none; sign is signed as it stands; headers are changed after
  signing, null removes one. It goes through the conversation's lane with repeats; with wait it is sent once, at once,
  and the receiver's status and body are answered. The conversation need not exist.

POST   /sandbox/faults                       add a rule -> 204
  {"on": "api" | "webhook" | "jwk", "operation"?, "conversationId"?, "times"?: 1, "delay"?: "500ms",
   "status"?: 500, "taken"?: false, "retryAfter"?: "2", "body"?: "...",
   "drop"?: "before" | "after", "hang"?: "before" | "after",
   "duplicate"?: 2, "reorder"?: true, "event-before-202"?: true}
  operation: create message typing thinking read-receipt patch put get list leave messages message-get participants
  interactions, webhook-* and channel-* with list create get replace delete, webhook-verify;
  for webhooks an event type such as MESSAGE.
  api, jwk: status answers without carrying the call out (with taken: after carrying it out); drop closes the
  connection without an answer and hang never answers, before or after carrying the call out; event-before-202 (on
  create) has the first events acknowledged before the answer is sent.
  webhook: status stands for the receiver's answer; drop before skips the attempt, after ignores the answer; hang
  before sends nothing for a while, after lets the attempt time out; duplicate sends it that many more times at the
  same moment; reorder swaps it with the next event of its conversation.
GET    /sandbox/faults                       rules not used up
DELETE /sandbox/faults                       forget them -> 204

GET  /sandbox/conversations                  every conversation in full, oldest first -> {"data": [...]}
GET  /sandbox/conversations/{id}             one
GET  /sandbox/calls?operation=&conversationId=   API calls received -> {"data": [...]}
GET  /sandbox/events?operation=&conversationId=  webhook events and attempts (operation: event type)

POST /sandbox/webhook {"url", "version"?}    where the first webhook points -> 204
POST /sandbox/keys/rotate                    sign with a new key; old ones stay published -> 200 {"kid"}
POST /sandbox/load                           post MESSAGE events as fast as the receiver takes them -> 200
  {"conversationIds": [...], "eventsPerConversation": 100, "concurrency": 64, "rate"?: per second, "repeatShare"?: 0.1}
  -> {sent, acked, repeated, failures, seconds, signSeconds, latencyMs: {p50, p90, p99, max}}
"#;
