//! Files of a handover: given to 8x8 piece by piece, fetched from it, and looked for after an upload that was not answered.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde::Deserialize;
use serde::Serialize;
use tokio::sync::oneshot;

use crate::attachment_links::LinkFault;
use crate::attachment_links::LinkProof;
use crate::chat_gateway::AttachmentContent;
use crate::chat_gateway::AttachmentList;
use crate::chat_gateway::AttachmentView;
use crate::chat_gateway::ChatGatewayError;
use crate::chat_gateway::FileHead;
use crate::chat_gateway::FileSender;
use crate::chat_gateway::NobodyReads;
use crate::chat_gateway::Silence;
use crate::chat_gateway::file_pipe;
use crate::domain::AuthorType;
use crate::domain::ConversationId;
use crate::domain::HandoverId;
use crate::domain::SentFile;
use crate::domain::State;
use crate::domain::Timestamp;
use crate::domain::transition;
use crate::handovers::Bot;
use crate::handovers::CommandError;
use crate::handovers::Handovers;
use crate::handovers::Tenant;
use crate::handovers::session_map::Slot;

/// No file takes longer, up or down.
pub(crate) const LONGEST_TRANSFER: Duration = Duration::from_mins(15);
/// What 8x8 took may show only after a while: an absence counts when it still holds this long after the call.
const SETTLE: Duration = Duration::from_secs(5);
/// 8x8's clock may be this far from ours without making a file look older than its sending.
const SKEW: Duration = Duration::from_secs(2);
/// Beyond this no clock is that wrong.
const WIDE: Duration = Duration::from_mins(1);

/// Where a handover's files are.
#[derive(Clone, Debug)]
pub struct Files {
    pub handover: HandoverId,
    pub tenant: Arc<Tenant>,
    conversation: ConversationId,
    /// Who sends a file when nobody is named.
    pub author: AuthorType,
}

/// An upload whose outcome is not known: what to look for at 8x8.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sought {
    pub file: SentFile,
    /// From here on nothing more of it went out.
    pub over_at: Timestamp,
    /// Ids of other files of the same call, which may be of the same name and size.
    #[serde(default)]
    pub others: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    There(AttachmentView),
    Absent,
    CouldNotTell,
}

/// A file on its way to 8x8.
#[derive(Debug)]
pub struct Outgoing {
    sender: FileSender,
    answer: oneshot::Receiver<Result<AttachmentView, ChatGatewayError>>,
    answer_within: Duration,
}

impl Handovers {
    /// For giving 8x8 a file; refused where a message would be.
    pub async fn files_to_send(&self, bot: &Bot, id: &HandoverId) -> Result<Files, CommandError> {
        let slot = self.slot_of(&bot.name, id).await?;
        transition::allowed(slot.handover.lock().await.state())?;
        self.files_of(&slot).await
    }

    /// For fetching a file; also of a handover that is over.
    pub async fn files_to_fetch(&self, bot: &Bot, id: &HandoverId) -> Result<Files, CommandError> {
        let slot = self.slot_of(&bot.name, id).await?;
        self.files_not_erased(&slot).await
    }

    /// For whoever has a link to one file.
    pub async fn files_by_link(
        &self,
        id: &HandoverId,
        attachment: &str,
        proof: LinkProof<'_>,
    ) -> Result<Result<Files, LinkFault>, CommandError> {
        let checked = self.parts.links.check(id, attachment, proof, self.parts.clock.now());
        if let Err(fault) = checked {
            return Ok(Err(fault));
        }
        let slot = self.slot(id).await?.ok_or(CommandError::NotFound)?;
        self.files_not_erased(&slot).await.map(Ok)
    }

    /// 8x8 may still have them.
    async fn files_not_erased(&self, slot: &Slot) -> Result<Files, CommandError> {
        if slot.handover.lock().await.is_erased() {
            return Err(CommandError::NotFound);
        }
        self.files_of(slot).await
    }

    /// Starts giving 8x8 a file. Broken off when the file ends early, or takes longer than any may.
    pub(super) fn start_upload(&self, tenant: &Tenant, conversation: &ConversationId, head: FileHead) -> Outgoing {
        let (sender, body) = file_pipe();
        let (tell, answer) = oneshot::channel();
        let (gateway, conversation) = (tenant.chat_gateway.clone(), conversation.clone());
        let answer_within = gateway.call_timeout();
        self.parts.supervisor.run(async move {
            let uploaded = gateway.upload(&conversation, head, body);
            let answer = tokio::time::timeout(LONGEST_TRANSFER, uploaded).await;
            // Nobody waits for the answer of an upload that was broken off.
            drop(tell.send(answer.unwrap_or(Err(ChatGatewayError::Unanswered(Silence::TimedOut)))));
        });
        Outgoing {
            sender,
            answer,
            answer_within,
        }
    }

    /// As for a message's file, for one that comes in by itself.
    pub fn start_upload_to(&self, files: &Files, head: FileHead) -> Outgoing {
        self.start_upload(&files.tenant, &files.conversation, head)
    }

    async fn files_of(&self, slot: &Slot) -> Result<Files, CommandError> {
        let tenant = self.tenant_of(slot).await.ok_or(CommandError::NotFound)?;
        let handover = slot.handover.lock().await;
        let conversation = handover.progress.conversation.clone();
        Ok(Files {
            handover: slot.id.clone(),
            tenant,
            conversation: conversation.ok_or(CommandError::NotFound)?,
            author: match handover.state() {
                State::Bot => AuthorType::Bot,
                State::Creating
                | State::Queued
                | State::Active
                | State::Transferring
                | State::Ended
                | State::Failed => AuthorType::User,
            },
        })
    }
}

impl Files {
    pub async fn show(&self, attachment: &str) -> Result<AttachmentView, CommandError> {
        let shown = self
            .tenant
            .chat_gateway
            .attachment(&self.conversation, attachment)
            .await;
        shown.map_err(|error| self.failed(error))
    }

    pub async fn fetch(&self, attachment: &str) -> Result<AttachmentContent, CommandError> {
        let gateway = &self.tenant.chat_gateway;
        let content = gateway.attachment_content(&self.conversation, attachment).await;
        content.map_err(|error| self.failed(error))
    }

    /// Looks for a file whose upload was not answered.
    pub async fn find(&self, sought: &Sought, now: Timestamp) -> Found {
        find(&self.tenant, &self.conversation, sought, now).await
    }

    pub fn failed(&self, error: ChatGatewayError) -> CommandError {
        if error.is_not_found() {
            return CommandError::NotFound;
        }
        CommandError::ChatGateway {
            error,
            handover: Some(self.handover.clone()),
        }
    }
}

impl Sought {
    /// What is written before the last of the file goes out: the call may go on for as long as 8x8 may take to answer.
    pub fn before_the_end(file: SentFile, answer_within: Duration) -> Self {
        let over_at = file.at.plus(answer_within);
        Self {
            file,
            over_at,
            others: Vec::new(),
        }
    }
}

impl Outgoing {
    /// Passes on a piece, once 8x8 has taken enough of those before it.
    pub async fn pass(&self, piece: Bytes, pause: Duration) -> Result<(), NobodyReads> {
        tokio::time::timeout(pause, self.sender.send(piece))
            .await
            .unwrap_or(Err(NobodyReads))
    }

    /// Sends the end of the file, and waits for 8x8's answer.
    pub async fn end(self) -> Result<AttachmentView, ChatGatewayError> {
        let unanswered = || ChatGatewayError::Unanswered(Silence::TimedOut);
        let ended = tokio::time::timeout(self.answer_within, self.sender.end()).await;
        if !matches!(ended, Ok(Ok(()))) {
            // The sender is gone with that: the call breaks off.
            return match tokio::time::timeout(self.answer_within, self.answer).await {
                Ok(Ok(Err(error))) => Err(error.before_the_end()),
                Ok(Ok(Ok(_)) | Err(_)) | Err(_) => Err(unanswered()),
            };
        }
        match tokio::time::timeout(self.answer_within, self.answer).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) | Err(_) => Err(unanswered()),
        }
    }

    /// What 8x8 said instead of taking the file.
    pub async fn refused(self) -> ChatGatewayError {
        drop(self.sender);
        match tokio::time::timeout(self.answer_within, self.answer).await {
            Ok(Ok(Err(error))) => error.before_the_end(),
            Ok(Ok(Ok(_)) | Err(_)) | Err(_) => ChatGatewayError::Unanswered(Silence::TimedOut),
        }
    }
}

/// Looks for a file whose upload was not answered.
pub(super) async fn find(tenant: &Tenant, conversation: &ConversationId, sought: &Sought, now: Timestamp) -> Found {
    match tenant.chat_gateway.attachments(conversation).await {
        Ok(list) => match judge(&list, sought) {
            Found::Absent if now < sought.over_at.plus(SETTLE) => Found::CouldNotTell,
            found => found,
        },
        Err(_) => Found::CouldNotTell,
    }
}

/// One of this name and size since then is the file. It is absent only when nothing there could be it under another name,
/// or cut, and the list holds all.
fn judge(list: &AttachmentList, sought: &Sought) -> Found {
    let Sought { file, others, .. } = sought;
    let since = |earliest: Timestamp| {
        let in_time = move |view: &&AttachmentView| view.created_at.is_none_or(|at| at >= earliest);
        let unknown = |view: &&AttachmentView| !others.contains(&view.id);
        list.attachments.iter().filter(unknown).filter(in_time)
    };
    let has_name = |view: &AttachmentView| view.filename.as_deref() == Some(file.filename.as_str());
    let has_size = |view: &AttachmentView| view.size == Some(file.size);
    let mut same = since(file.at.minus(SKEW)).filter(|view| has_name(view) && has_size(view));
    if let Some(view) = same.next() {
        return Found::There(view.clone());
    }
    let is_like = since(file.at.minus(WIDE)).any(|view| has_name(view) || has_size(view));
    if list.is_all && !is_like {
        Found::Absent
    } else {
        Found::CouldNotTell
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::FileName;

    const SENT_AT: i64 = 1_763_640_000_000;

    fn view(filename: &str, size: u64, after: i64) -> AttachmentView {
        AttachmentView {
            id: format!("{filename}-{size}-{after}"),
            filename: Some(filename.to_owned()),
            size: Some(size),
            created_at: Some(Timestamp::from_millis(SENT_AT + after)),
        }
    }

    fn judged(attachments: Vec<AttachmentView>, is_all: bool) -> Found {
        let file = SentFile {
            filename: FileName::of("a.png").unwrap(),
            size: 10,
            at: Timestamp::from_millis(SENT_AT),
        };
        let sought = Sought {
            others: vec!["a.png-10-7".to_owned()],
            ..Sought::before_the_end(file, Duration::ZERO)
        };
        judge(&AttachmentList { attachments, is_all }, &sought)
    }

    #[test]
    fn a_file_is_found_by_name_size_and_time() {
        let found = judged(vec![view("b.png", 10, 5), view("a.png", 10, 500)], true);
        assert_eq!(found, Found::There(view("a.png", 10, 500)));
        assert_eq!(
            judged(vec![view("a.png", 10, -1_999)], true),
            Found::There(view("a.png", 10, -1_999))
        );
    }

    #[test]
    fn a_file_is_absent_only_when_nothing_could_be_it() {
        assert_eq!(judged(Vec::new(), true), Found::Absent);
        assert_eq!(judged(vec![view("b.png", 11, 5)], true), Found::Absent);
        assert_eq!(judged(vec![view("a.png", 10, -600_000)], true), Found::Absent);
        assert_eq!(judged(Vec::new(), false), Found::CouldNotTell);
        // Another file of the same message.
        assert_eq!(judged(vec![view("a.png", 10, 7)], true), Found::Absent);
        // Renamed, or cut, or by a clock that is off.
        assert_eq!(judged(vec![view("b.png", 10, 5)], true), Found::CouldNotTell);
        assert_eq!(judged(vec![view("a.png", 9, 5)], true), Found::CouldNotTell);
        assert_eq!(judged(vec![view("a.png", 10, -30_000)], true), Found::CouldNotTell);
    }
}
