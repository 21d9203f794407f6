//! Files named in a message or in the history: by what 8x8 calls them, or by where they are fetched.

use serde::Deserialize;
use url::Url;
use url::form_urlencoded;
use utoipa::ToSchema;

use crate::domain::Attached;
use crate::domain::AuthorType;
use crate::domain::FileName;
use crate::domain::HistoryFile;
use crate::http::api::faults::Faults;
use crate::outbound::Fetcher;

/// Of one message.
const MOST: usize = 10;

/// Either `id`, of an upload or an event of this handover, or `url`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = MessageAttachment)]
pub(in crate::http) struct AttachmentBody {
    id: Option<String>,
    /// Fetched once, under the rules for callback addresses, and given to 8x8.
    #[schema(example = "https://bot.example.com/files/bill.pdf")]
    url: Option<String>,
    /// What the agent sees; the last part of the address when not given.
    filename: Option<String>,
    /// What the answer to the fetching says when not given.
    content_type: Option<String>,
}

/// A message's files.
pub(super) fn attached(at: &str, bodies: Vec<AttachmentBody>, fetcher: &Fetcher, faults: &mut Faults) -> Vec<Attached> {
    too_many(at, &bodies, faults);
    let mut attached = Vec::new();
    for (n, body) in bodies.into_iter().enumerate() {
        let at = format!("{at}/attachments/{n}");
        match (&body.id, &body.url) {
            (Some(_), None) => {
                if body.content_type.is_some() {
                    faults.add(format!("{at}/contentType"), "is for a file with `url` only");
                }
                let filename = body.filename.as_deref().and_then(FileName::of);
                let id = faults.id(&format!("{at}/id"), body.id);
                attached.extend(id.map(|id| Attached::There { id, filename }));
            }
            (None, Some(url)) => {
                attached.extend(
                    to_fetch(&at, url, &body, fetcher, faults).map(|(url, filename)| Attached::ToFetch {
                        url,
                        filename,
                        content_type: body.content_type.clone(),
                        sent: None,
                    }),
                );
            }
            (Some(_), Some(_)) | (None, None) => faults.add(&at, "must have either `id` or `url`"),
        }
    }
    attached
}

/// Files of a message of the history: 8x8 can have none of them yet.
pub(super) fn of_history(
    at: &str,
    author: AuthorType,
    bodies: Vec<AttachmentBody>,
    fetcher: &Fetcher,
    faults: &mut Faults,
) -> Vec<HistoryFile> {
    too_many(at, &bodies, faults);
    let mut files = Vec::new();
    for (n, body) in bodies.into_iter().enumerate() {
        let at = format!("{at}/attachments/{n}");
        if body.id.is_some() {
            let why = "names a file of a conversation that does not exist yet; use `url`";
            faults.add(format!("{at}/id"), why);
            continue;
        }
        let Some(url) = &body.url else {
            faults.add(&at, "must have `url`");
            continue;
        };
        files.extend(
            to_fetch(&at, url, &body, fetcher, faults).map(|(url, filename)| HistoryFile {
                author,
                url,
                filename,
                content_type: body.content_type.clone(),
            }),
        );
    }
    files
}

fn too_many(at: &str, bodies: &[AttachmentBody], faults: &mut Faults) {
    if bodies.len() > MOST {
        faults.add(format!("{at}/attachments"), format!("must be at most {MOST} files"));
    }
}

fn to_fetch(
    at: &str,
    url: &str,
    body: &AttachmentBody,
    fetcher: &Fetcher,
    faults: &mut Faults,
) -> Option<(String, FileName)> {
    let url = match fetcher.check(url) {
        Ok(url) => url,
        Err(fault) => {
            faults.add(format!("{at}/url"), fault.to_string());
            return None;
        }
    };
    let Some(filename) = body
        .filename
        .as_deref()
        .map_or_else(|| Some(name_in(&url)), FileName::of)
    else {
        faults.add(format!("{at}/filename"), "must be a file name");
        return None;
    };
    Some((url.into(), filename))
}

/// The last part of the path, decoded.
fn name_in(url: &Url) -> FileName {
    let last = url
        .path_segments()
        .and_then(|mut parts| parts.next_back())
        .unwrap_or_default();
    let literal = last.replace('+', "%2B").replace('=', "%3D").replace('&', "%26");
    let decoded = form_urlencoded::parse(literal.as_bytes()).next();
    let name = decoded.and_then(|(name, _)| FileName::of(&name));
    name.unwrap_or_else(FileName::unnamed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_called_as_its_address_ends() {
        let name = |url: &str| name_in(&Url::parse(url).unwrap()).to_string();
        assert_eq!(name("https://x.example/a/M%C3%A4rz+1=2.pdf?sig=x"), "März+1=2.pdf");
        assert_eq!(name("https://x.example/a/..%2F..%2Fetc%2Fpasswd"), "passwd");
        assert_eq!(name("https://x.example/"), "attachment");
    }
}
