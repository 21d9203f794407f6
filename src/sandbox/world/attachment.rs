//! A file in a conversation.

use bytes::Bytes;
use serde_json::{Value, json};

use crate::sandbox::{clock, ids};

#[derive(Clone, Debug)]
pub(crate) struct Attachment {
    pub(crate) id: String,
    pub(crate) filename: String,
    pub(crate) author_type: String,
    pub(crate) bytes: Bytes,
    pub(crate) created_at: i64,
}

impl Attachment {
    pub(crate) fn new(filename: String, author_type: String, bytes: Bytes) -> Self {
        Self {
            id: ids::token(),
            filename,
            author_type,
            bytes,
            created_at: clock::now_ms(),
        }
    }

    /// As `GET …/attachments/{id}` shows it.
    pub(crate) fn resource(&self) -> Value {
        json!({
            "id": self.id,
            "filename": self.filename,
            "sizeInBytes": self.bytes.len(),
            "createdAt": clock::iso(self.created_at),
        })
    }

    /// As a `MESSAGE` event shows it. The link is as short-lived as 8x8's: nobody may use it.
    pub(crate) fn in_event(&self) -> Value {
        json!({
            "id": self.id,
            "type": self.kind(),
            "preSignedUrl": format!("https://files.8x8.invalid/{}?X-Amz-Signature=presigned", self.id),
            "fileName": self.filename,
        })
    }

    /// As the control API shows it.
    pub(super) fn full_view(&self) -> Value {
        json!({
            "id": self.id,
            "filename": self.filename,
            "authorType": self.author_type,
            "sizeInBytes": self.bytes.len(),
            "crc32": crc32fast::hash(&self.bytes),
            "createdAt": clock::iso(self.created_at),
        })
    }

    fn kind(&self) -> &'static str {
        let extension = self
            .filename
            .rsplit_once('.')
            .map(|(_, extension)| extension.to_lowercase());
        match extension.as_deref() {
            Some("png" | "jpg" | "jpeg" | "gif" | "webp") => "image",
            Some("mp4" | "webm" | "mov") => "video",
            Some("mp3" | "ogg" | "wav") => "audio",
            _ => "file",
        }
    }
}
