//! What does not get through, as the store's callers ask for it.

use async_trait::async_trait;
use rusqlite::Connection;

use crate::domain::BotName;
use crate::domain::EventId;
use crate::domain::HandoverId;
use crate::domain::Timestamp;
use crate::store::FailedPage;
use crate::store::HeldUp;
use crate::store::Recover;
use crate::store::Recovered;
use crate::store::Redelivery;
use crate::store::Resent;
use crate::store::StoreError;
use crate::store::sqlite::SqliteStore;
use crate::store::sqlite::held;
use crate::store::sqlite::redelivery;
use crate::store::sqlite::writer::Wrote;

#[async_trait]
impl Redelivery for SqliteStore {
    async fn failed_deliveries(
        &self,
        bot: &BotName,
        before: Option<&EventId>,
        limit: usize,
    ) -> Result<FailedPage, StoreError> {
        let (bot, before) = (bot.clone(), before.cloned());
        self.read(move |db| redelivery::failed_deliveries(db, &bot, before.as_ref(), limit))
            .await
    }

    async fn resend(&self, bot: &BotName, event: &EventId, now: Timestamp) -> Result<Option<Resent>, StoreError> {
        let (bot, event) = (bot.clone(), event.clone());
        let resend = move |db: &Connection| redelivery::resend(db, &bot, &event, now).map(Wrote::Keep);
        self.writer.write(resend).await
    }

    async fn recover(&self, recover: Recover) -> Result<Recovered, StoreError> {
        let put_back = move |db: &Connection| redelivery::recover(db, &recover).map(Wrote::Keep);
        self.writer.write(put_back).await
    }

    async fn held_up(&self, before: Timestamp, after: Option<HeldUp>, limit: usize) -> Result<Vec<HeldUp>, StoreError> {
        self.read(move |db| held::held_up(db, before, after.as_ref(), limit))
            .await
    }

    async fn caught_up(
        &self,
        before: Timestamp,
        after: Option<HandoverId>,
        limit: usize,
    ) -> Result<Vec<HandoverId>, StoreError> {
        self.read(move |db| held::caught_up(db, before, after.as_ref(), limit))
            .await
    }
}
