//! When bots were away.

use rusqlite::Connection;
use rusqlite::params;

use crate::domain::BotName;
use crate::domain::Timestamp;
use crate::store::OUTAGES_KEPT;
use crate::store::Outage;
use crate::store::StoreError;
use crate::store::rows;
use crate::store::rows::Place;
use crate::store::sqlite::error::failed;
use crate::store::sqlite::log::limit;

const KEEP: &str = "INSERT INTO bot_outage (bot, since, until, usual_per_minute) VALUES (?1, ?2, ?3, ?4)
 ON CONFLICT (bot, since) DO UPDATE SET until = excluded.until, usual_per_minute = excluded.usual_per_minute";

const FORGET: &str = "DELETE FROM bot_outage WHERE bot = ?1 AND since NOT IN
 (SELECT since FROM bot_outage WHERE bot = ?1 ORDER BY since DESC LIMIT ?2)";

const ALL: &str = "SELECT bot, since, until, usual_per_minute FROM bot_outage ORDER BY since, bot";

pub(super) fn keep(db: &Connection, outage: &Outage) -> Result<(), StoreError> {
    let bot = outage.bot.as_str();
    let (since, until) = (outage.since.as_millis(), outage.until.map(Timestamp::as_millis));
    db.prepare_cached(KEEP)
        .and_then(|mut statement| statement.execute(params![bot, since, until, outage.usual_per_minute]))
        .map_err(failed)?;
    db.prepare_cached(FORGET)
        .and_then(|mut statement| statement.execute(params![bot, limit(OUTAGES_KEPT)]))
        .map_err(failed)?;
    Ok(())
}

pub(super) fn all(db: &Connection) -> Result<Vec<Outage>, StoreError> {
    let mut statement = db.prepare_cached(ALL).map_err(failed)?;
    let found = statement
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))
        .map_err(failed)?;
    let outages = found.map(|row| {
        let (bot, since, until, usual): (String, i64, Option<i64>, i64) = row.map_err(failed)?;
        Ok(Outage {
            usual_per_minute: rows::number(usual, Place("bot_outage", "usual_per_minute"), &bot)?,
            bot: BotName::new(&bot),
            since: Timestamp::from_millis(since),
            until: until.map(Timestamp::from_millis),
        })
    });
    outages.collect()
}
