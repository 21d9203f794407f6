//! The files of a message that 8x8 does not have yet: fetched from the bot and given to 8x8, before the message is posted.

use std::sync::Arc;
use std::time::Duration;

use crate::chat_gateway::ChatGatewayError;
use crate::chat_gateway::FileHead;
use crate::domain::Attached;
use crate::domain::AuthorType;
use crate::domain::Call;
use crate::domain::FileName;
use crate::domain::MessagePart;
use crate::domain::SentFile;
use crate::domain::media_type;
use crate::handovers::Bot;
use crate::handovers::Handovers;
use crate::handovers::attachments::Found;
use crate::handovers::attachments::Outgoing;
use crate::handovers::attachments::Sought;
use crate::handovers::attachments::find;
use crate::handovers::carry_out::Pause;
use crate::handovers::carry_out::Stopped;
use crate::handovers::carry_out::Target;
use crate::handovers::send_lane::Item;
use crate::handovers::ticket::Fate;
use crate::outbound::FetchFault;
use crate::store::StoreError;

/// How long a line in place of a file is tried.
const LINE_FOR: Duration = Duration::from_secs(30);

/// A file to be fetched, as its call names it.
#[derive(Clone)]
struct Wanted {
    place: usize,
    url: String,
    filename: FileName,
    content_type: Option<String>,
    sent: Option<SentFile>,
}

/// Why a file did not get to 8x8 this time.
enum Missed {
    /// It cannot be had.
    Lost(String),
    /// 8x8 does not have it.
    NotTaken(ChatGatewayError),
    /// 8x8 may have it.
    Unknown(SentFile),
    /// The store is away: nothing was ended.
    Unrecorded,
}

impl Handovers {
    /// Posts a message once 8x8 has its files. For a file of the history that cannot be had a line is said.
    pub(super) async fn post_with_files(
        self: &Arc<Self>,
        target: &Target<'_>,
        item: &mut Item,
        part: MessagePart,
    ) -> Result<Fate, Stopped> {
        let instead = part.instead.clone().filter(|_| !part.attachments.is_empty());
        let posted = match self.hand_over_files(target, item, part.clone()).await? {
            Ok(ready) => self.post(target, item, &ready).await?,
            Err(fate) => fate,
        };
        let Some(line) = instead.filter(|_| matches!(posted, Fate::Failed(_) | Fate::Unfetched { .. })) else {
            return Ok(posted);
        };
        let why = match &posted {
            Fate::Unfetched { why, .. } => why.as_str(),
            Fate::Failed(_) | Fate::Open(_) | Fate::Done | Fate::Unconfirmed => "8x8 did not take it",
        };
        tracing::warn!(handover.id = %target.slot.id, why, "a file of the history cannot be shown, the agent is told");
        let part = MessagePart {
            text: Some(line),
            attachments: Vec::new(),
            ..part
        };
        item.record.deadline = self.parts.clock.now().plus(LINE_FOR);
        if let Err(error) = self.rewrite(item, &part).await {
            tracing::warn!(handover.id = %target.slot.id, error = %error, "what is said instead could not be recorded");
        }
        self.post(target, item, &part).await
    }

    /// The part with every file at 8x8. What is known by then is written into the call, so that no file is given twice.
    async fn hand_over_files(
        self: &Arc<Self>,
        target: &Target<'_>,
        item: &mut Item,
        mut part: MessagePart,
    ) -> Result<Result<MessagePart, Fate>, Stopped> {
        for place in 0..part.attachments.len() {
            let Some(wanted) = wanted(&part, place) else { continue };
            // While a file is missing the message was not posted.
            item.may_be_sent = false;
            match self.hand_over(target, item, &mut part, wanted).await? {
                Ok(()) => {}
                Err(fate) => return Ok(Err(fate)),
            }
        }
        Ok(Ok(part))
    }

    async fn hand_over(
        self: &Arc<Self>,
        target: &Target<'_>,
        item: &mut Item,
        part: &mut MessagePart,
        mut wanted: Wanted,
    ) -> Result<Result<(), Fate>, Stopped> {
        let mut pause = Pause::new();
        let others: Vec<String> = part
            .attachments
            .iter()
            .filter_map(|file| file.id().map(str::to_owned))
            .collect();
        let sought = |file| Sought {
            over_at: self.parts.clock.now(),
            file,
            others: others.clone(),
        };
        let mut in_doubt = wanted.sent.take().map(sought);
        loop {
            if let Some(sought) = &in_doubt {
                match find(target.tenant, target.conversation, sought, self.parts.clock.now()).await {
                    Found::There(view) => {
                        self.is_there(item, part, &wanted, view.id).await;
                        return Ok(Ok(()));
                    }
                    Found::Absent => in_doubt = None,
                    Found::CouldNotTell if self.is_past(&item.record) => return Ok(Err(Fate::Failed(None))),
                    Found::CouldNotTell => {
                        self.pause(&mut pause, None).await?;
                        continue;
                    }
                }
            }
            if self.is_over_there(target.slot).await || self.is_past(&item.record) {
                return Ok(Err(Fate::Failed(None)));
            }
            let wait = match self.pass_on(target, item, part, &wanted).await {
                Ok(id) => {
                    self.is_there(item, part, &wanted, id).await;
                    return Ok(Ok(()));
                }
                Err(Missed::Lost(why)) => {
                    let place = wanted.place;
                    return Ok(Err(Fate::Unfetched { place, why }));
                }
                Err(Missed::NotTaken(error @ ChatGatewayError::Refused(_))) => {
                    return Ok(Err(Fate::Failed(Some(error))));
                }
                Err(Missed::NotTaken(error)) => error.retry_after(),
                Err(Missed::Unknown(file)) => {
                    in_doubt = Some(sought(file));
                    continue;
                }
                Err(Missed::Unrecorded) => None,
            };
            self.pause(&mut pause, wait).await?;
        }
    }

    /// Fetches the file and gives it to 8x8 while it comes in. What it is, is written down before its last bytes go out.
    async fn pass_on(
        &self,
        target: &Target<'_>,
        item: &mut Item,
        part: &mut MessagePart,
        wanted: &Wanted,
    ) -> Result<String, Missed> {
        let bot = self
            .bot_of(target)
            .await
            .ok_or_else(|| Missed::Lost("cannot be fetched any more".to_owned()))?;
        let (size, outgoing) = self.fetch(target, &bot, part.author, wanted).await?;
        let sent = SentFile {
            filename: wanted.filename.clone(),
            size,
            at: self.parts.clock.now(),
        };
        set(part, wanted, Some(sent.clone()));
        if self.rewrite(item, part).await.is_err() {
            return Err(Missed::Unrecorded);
        }
        match outgoing.end().await {
            Ok(view) => Ok(view.id),
            Err(ChatGatewayError::Unanswered(_)) => Err(Missed::Unknown(sent)),
            Err(error) => Err(Missed::NotTaken(error)),
        }
    }

    /// All of the file but its end.
    async fn fetch(
        &self,
        target: &Target<'_>,
        bot: &Bot,
        author: AuthorType,
        wanted: &Wanted,
    ) -> Result<(u64, Outgoing), Missed> {
        let rules = &target.tenant.attachments;
        let mut fetched = bot.fetcher.open(&wanted.url, rules.limit).await?;
        let said = wanted.content_type.as_deref().or(fetched.content_type());
        let content_type = media_type(said.unwrap_or_default());
        if !rules.takes(&content_type) {
            return Err(Missed::Lost(format!(
                "is {content_type}; taken are {}",
                rules.types.join(", ")
            )));
        }
        let head = FileHead {
            filename: wanted.filename.clone(),
            content_type,
            author,
        };
        let outgoing = self.start_upload(target.tenant, target.conversation, head);
        let mut size = 0;
        while let Some(piece) = fetched.piece(rules.limit).await? {
            size += u64::try_from(piece.len()).unwrap_or(u64::MAX);
            let pause = target.tenant.chat_gateway.call_timeout();
            if outgoing.pass(piece, pause).await.is_err() {
                return Err(match outgoing.refused().await {
                    // The end was never sent.
                    ChatGatewayError::Unanswered(_) => Missed::NotTaken(ChatGatewayError::Throttled { after: None }),
                    error => Missed::NotTaken(error),
                });
            }
        }
        if size == 0 {
            return Err(Missed::Lost("is empty".to_owned()));
        }
        Ok((size, outgoing))
    }

    async fn is_there(&self, item: &mut Item, part: &mut MessagePart, wanted: &Wanted, id: String) {
        if let Some(attached) = part.attachments.get_mut(wanted.place) {
            *attached = Attached::There {
                id,
                filename: Some(wanted.filename.clone()),
            };
        }
        // Where this is lost, the file is looked for at the next start.
        if let Err(error) = self.rewrite(item, part).await {
            tracing::warn!(handover.id = %item.record.handover, error = %error, "a file's id could not be recorded");
        }
    }

    async fn rewrite(&self, item: &mut Item, part: &MessagePart) -> Result<(), StoreError> {
        item.record.call = Call::PostMessage(part.clone());
        self.parts.store.rewrite_call(item.record.clone()).await
    }

    async fn bot_of(&self, target: &Target<'_>) -> Option<Arc<Bot>> {
        let name = target.slot.handover.lock().await.facts.bot.clone();
        self.parts.tenants.bot(&name)
    }
}

fn wanted(part: &MessagePart, place: usize) -> Option<Wanted> {
    match part.attachments.get(place)? {
        Attached::There { .. } => None,
        Attached::ToFetch {
            url,
            filename,
            content_type,
            sent,
        } => Some(Wanted {
            place,
            url: url.clone(),
            filename: filename.clone(),
            content_type: content_type.clone(),
            sent: sent.clone(),
        }),
    }
}

fn set(part: &mut MessagePart, wanted: &Wanted, file: Option<SentFile>) {
    if let Some(Attached::ToFetch { sent, .. }) = part.attachments.get_mut(wanted.place) {
        *sent = file;
    }
}

impl From<FetchFault> for Missed {
    fn from(fault: FetchFault) -> Self {
        Self::Lost(fault.to_string())
    }
}
