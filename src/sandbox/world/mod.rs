//! What the stand-in knows: webhooks, channels, queues, and the life of each conversation.

mod attachment;
mod conversation;
mod directory;
mod event;
mod life;

pub(crate) use attachment::Attachment;
pub(crate) use conversation::{Agent, Conversation, Queue, Saying};
pub(crate) use directory::{Channel, Webhook, World};
pub(crate) use event::{Event, Rendered};
