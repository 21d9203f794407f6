//! Reads what bots ask for in pages: handovers, a handover's events, all of a bot's events.

use rusqlite::Connection;
use rusqlite::OptionalExtension;
use rusqlite::Row;
use rusqlite::named_params;
use rusqlite::params;

use crate::domain::BotName;
use crate::domain::ConversationId;
use crate::domain::HandoverId;
use crate::domain::State;
use crate::store::BotEvent;
use crate::store::BotEvents;
use crate::store::EventPage;
use crate::store::HandoverFilter;
use crate::store::HandoverPage;
use crate::store::PAGE_BYTES;
use crate::store::StoreError;
use crate::store::rows;
use crate::store::rows::ContextRow;
use crate::store::rows::EventRow;
use crate::store::rows::Place;
use crate::store::sqlite::error::failed;
use crate::store::sqlite::handovers;

// One statement for each index that can answer; the conditions after the first line only sift.

const OF_BOT: &str = "SELECT id, version, facts, metadata, progress FROM handover
 WHERE bot = :bot
  AND (:conversation IS NULL OR conversation = :conversation) AND (:session IS NULL OR bot_session_id = :session)
  AND (:states = '' OR instr(:states, ',' || state || ',') > 0) AND (:before IS NULL OR id < :before)
 ORDER BY id DESC LIMIT :limit";

const LIVE_OF_BOT: &str = "SELECT id, version, facts, metadata, progress FROM handover
 WHERE bot = :bot AND live = 1
  AND (:conversation IS NULL OR conversation = :conversation) AND (:session IS NULL OR bot_session_id = :session)
  AND (:states = '' OR instr(:states, ',' || state || ',') > 0) AND (:before IS NULL OR id < :before)
 ORDER BY id DESC LIMIT :limit";

const OF_CONVERSATION: &str = "SELECT id, version, facts, metadata, progress FROM handover
 WHERE conversation = :conversation AND +bot = :bot
  AND (:session IS NULL OR bot_session_id = :session)
  AND (:states = '' OR instr(:states, ',' || state || ',') > 0) AND (:before IS NULL OR id < :before)
 ORDER BY id DESC LIMIT :limit";

const OF_SESSION: &str = "SELECT id, version, facts, metadata, progress FROM handover
 WHERE bot = :bot AND bot_session_id = :session
  AND (:conversation IS NULL OR conversation = :conversation)
  AND (:states = '' OR instr(:states, ',' || state || ',') > 0) AND (:before IS NULL OR id < :before)
 ORDER BY id DESC LIMIT :limit";

const CONTEXT: &str = "SELECT id, bot, conversation, bot_session_id, metadata, state FROM handover WHERE id = ?1";

const EVENTS: &str = "SELECT id, type, sequence, at, state, late, extra FROM event
 WHERE handover = ?1 AND sequence > ?2 ORDER BY sequence LIMIT ?3";

const BOT_EVENTS: &str = "SELECT e.id, e.type, e.sequence, e.at, e.state, e.late, e.extra,
  h.id, h.bot, h.conversation, h.bot_session_id, h.metadata, e.position
 FROM event e JOIN handover h ON h.id = e.handover
 WHERE e.bot = ?1 AND e.position > ?2 ORDER BY e.position LIMIT ?3";

const BOT_POSITION: &str = "SELECT coalesce(max(position), 0) FROM event WHERE bot = ?1";

/// About what an event takes beside what is its own: ids, names, times.
const FRAME: usize = 512;

pub(super) fn handovers(db: &Connection, filter: &HandoverFilter) -> Result<HandoverPage, StoreError> {
    let mut statement = db.prepare_cached(statement(filter)).map_err(failed)?;
    let parameters = named_params! {
        ":bot": filter.bot.as_str(),
        ":conversation": filter.conversation.as_ref().map(ConversationId::as_str),
        ":session": filter.bot_session_id,
        ":states": list(&filter.states),
        ":before": filter.before.as_ref().map(HandoverId::as_str),
        ":limit": limit(filter.limit).saturating_add(1),
    };
    let found = statement.query_map(parameters, handovers::columns).map_err(failed)?;
    let mut handovers = found
        .map(|row| rows::handover(&row.map_err(failed)?))
        .collect::<Result<Vec<_>, _>>()?;
    let more = handovers.len() > filter.limit;
    handovers.truncate(filter.limit);
    Ok(HandoverPage { handovers, more })
}

pub(super) fn events(
    db: &Connection,
    id: &HandoverId,
    after: u64,
    at_most: usize,
) -> Result<Option<EventPage>, StoreError> {
    let found: Option<(ContextRow, String)> = db
        .prepare_cached(CONTEXT)
        .and_then(|mut statement| {
            let columns = |row: &Row<'_>| Ok((context(row, 0)?, row.get(5)?));
            statement.query_row([id.as_str()], columns).optional()
        })
        .map_err(failed)?;
    let Some((context, state)) = found else {
        return Ok(None);
    };
    let after = i64::try_from(after).unwrap_or(i64::MAX);
    let mut statement = db.prepare_cached(EVENTS).map_err(failed)?;
    let found = statement
        .query_map(params![id.as_str(), after, limit(at_most)], event)
        .map_err(failed)?;
    let (mut events, mut room) = (Vec::new(), Room::default());
    for row in found {
        let row = row.map_err(failed)?;
        if !room.takes(&row, &context) {
            break;
        }
        events.push(rows::event(&row)?);
    }
    Ok(Some(EventPage {
        context: rows::context(context)?,
        state: rows::state(&state, Place("handover", "state"), id.as_str())?,
        events,
    }))
}

pub(super) fn bot_events(db: &Connection, bot: &BotName, after: i64, at_most: usize) -> Result<BotEvents, StoreError> {
    let mut statement = db.prepare_cached(BOT_EVENTS).map_err(failed)?;
    let found = statement
        .query_map(params![bot.as_str(), after, limit(at_most)], |row| {
            Ok((event(row)?, context(row, 7)?, row.get(12)?))
        })
        .map_err(failed)?;
    let (mut events, mut room) = (Vec::new(), Room::default());
    for row in found {
        let (event, context, position) = row.map_err(failed)?;
        if !room.takes(&event, &context) {
            break;
        }
        events.push(BotEvent {
            position,
            context: rows::context(context)?,
            event: rows::event(&event)?,
        });
    }
    Ok(BotEvents { events })
}

/// What a page has taken up of its [`PAGE_BYTES`].
#[derive(Default)]
struct Room {
    bytes: usize,
}

impl Room {
    /// The first is taken whatever its size, or nothing would ever come after it.
    fn takes(&mut self, event: &EventRow, context: &ContextRow) -> bool {
        let is_first = self.bytes == 0;
        self.bytes += FRAME + event.extra.len() + context.metadata.as_deref().map_or(0, str::len);
        is_first || self.bytes <= PAGE_BYTES
    }
}

pub(super) fn bot_position(db: &Connection, bot: &BotName) -> Result<i64, StoreError> {
    db.prepare_cached(BOT_POSITION)
        .and_then(|mut statement| statement.query_row([bot.as_str()], |row| row.get(0)))
        .map_err(failed)
}

/// The first seven columns of a statement that reads events.
pub(super) fn event(row: &Row<'_>) -> rusqlite::Result<EventRow> {
    Ok(EventRow {
        id: row.get(0)?,
        kind: row.get(1)?,
        sequence: row.get(2)?,
        at: row.get(3)?,
        state: row.get(4)?,
        late: row.get(5)?,
        extra: row.get(6)?,
    })
}

/// Five columns from `first` on.
pub(super) fn context(row: &Row<'_>, first: usize) -> rusqlite::Result<ContextRow> {
    Ok(ContextRow {
        handover: row.get(first)?,
        bot: row.get(first + 1)?,
        conversation: row.get(first + 2)?,
        bot_session_id: row.get(first + 3)?,
        metadata: row.get(first + 4)?,
    })
}

pub(super) fn limit(rows: usize) -> i64 {
    i64::try_from(rows).unwrap_or(i64::MAX)
}

fn statement(filter: &HandoverFilter) -> &'static str {
    let live_only = !filter.states.is_empty() && filter.states.iter().all(|state| state.is_live());
    if filter.conversation.is_some() {
        OF_CONVERSATION
    } else if filter.bot_session_id.is_some() {
        OF_SESSION
    } else if live_only {
        LIVE_OF_BOT
    } else {
        OF_BOT
    }
}

/// `,queued,active,`, or nothing for all.
fn list(states: &[State]) -> String {
    let mut list = String::new();
    for state in states {
        list.push_str(if list.is_empty() { "," } else { "" });
        list.push_str(state.as_str());
        list.push(',');
    }
    list
}
