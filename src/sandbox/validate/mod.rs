//! Request bodies of the Chat Gateway, read as strictly as its documentation describes them.

mod bodies;
mod rules;

pub(crate) use bodies::{
    Assignment, ChannelWrite, ConversationCreate, ConversationPatch, ConversationWrite, MessageWrite,
    PostAgentAssignment, ReadReceipt, Thinking, Typing, User, UserLeave, WebhookVerify, WebhookWrite,
};
pub(crate) use rules::{Invalid, read};
