//! Uploads as a bot makes them: the multipart body byte for byte, so that a test shows what goes over the wire.

use http::Method;

use super::client::Client;
use super::client::Request;

const BOUNDARY: &str = "----test-boundary";

/// One part of an upload.
pub(crate) struct Part<'a> {
    /// What follows `form-data; `.
    pub(crate) disposition: &'a str,
    pub(crate) content_type: Option<&'a str>,
    pub(crate) bytes: &'a [u8],
}

pub(crate) fn file<'a>(disposition: &'a str, bytes: &'a [u8]) -> Part<'a> {
    Part {
        disposition,
        content_type: None,
        bytes,
    }
}

pub(crate) fn multipart(parts: &[Part<'_>]) -> Vec<u8> {
    let mut body = Vec::new();
    for part in parts {
        let disposition = part.disposition;
        body.extend(format!("--{BOUNDARY}\r\ncontent-disposition: form-data; {disposition}\r\n").into_bytes());
        if let Some(content_type) = part.content_type {
            body.extend(format!("content-type: {content_type}\r\n").into_bytes());
        }
        body.extend(b"\r\n");
        body.extend(part.bytes);
        body.extend(b"\r\n");
    }
    body.extend(format!("--{BOUNDARY}--\r\n").into_bytes());
    body
}

impl Client {
    pub(crate) fn upload(&self, handover: &str, body: impl Into<reqwest::Body>) -> Request {
        self.call(Method::POST, &format!("/v1/handovers/{handover}/attachments"))
            .header("content-type", &format!("multipart/form-data; boundary={BOUNDARY}"))
            .raw(body)
    }

    /// Uploads one file.
    pub(crate) fn upload_file(&self, handover: &str, name: &str, bytes: &[u8]) -> Request {
        let disposition = format!("name=\"attachment\"; filename=\"{name}\"");
        self.upload(handover, multipart(&[file(&disposition, bytes)]))
    }
}
