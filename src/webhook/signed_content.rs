//! What 8x8 signs: its headers and a checksum of the body, as one line of JSON. Pure.

use http::HeaderMap;

use crate::domain::AccountId;
use crate::domain::Timestamp;
use crate::domain::WebhookHeaders;
use crate::webhook::error::VerifyError;

const SIGNATURE: &str = "x-8x8-signature";
const TRANSMISSION_TIME: &str = "x-8x8-transmission-time";
const RETRY: &str = "x-8x8-retry";
const EVENT_ID: &str = "x-8x8-event-id";
const TENANT_ID: &str = "x-8x8-tenant-id";
const CUSTOMER_ID: &str = "x-8x8-customer-id";

const LONGEST_SIGNATURE: usize = 2048;
const LONGEST_ID: usize = 255;
/// Digits of a number: well beyond today's milliseconds, well within 64 bits.
const LONGEST_NUMBER: usize = 15;

/// 8x8's headers, each there once and of a sensible form. Nothing is proven yet.
#[derive(Debug)]
pub(super) struct Claims<'a> {
    pub(super) signature: &'a str,
    pub(super) transmission_time: i64,
    pub(super) retry: u64,
    pub(super) event_id: &'a str,
    pub(super) account: &'a str,
    pub(super) customer: &'a str,
}

impl<'a> Claims<'a> {
    pub(super) fn read(headers: &'a HeaderMap) -> Result<Self, VerifyError> {
        let signature = single(headers, SIGNATURE)?;
        if signature.len() > LONGEST_SIGNATURE {
            return Err(VerifyError::MALFORMED_SIGNATURE);
        }
        Ok(Self {
            signature,
            transmission_time: number(single(headers, TRANSMISSION_TIME)?)?
                .try_into()
                .map_err(|_too_large| VerifyError::MALFORMED_HEADER)?,
            retry: number(single(headers, RETRY)?)?,
            event_id: id(single(headers, EVENT_ID)?)?,
            account: id(single(headers, TENANT_ID)?)?,
            customer: id(single(headers, CUSTOMER_ID)?)?,
        })
    }

    /// The signed text. The members stand in this order and without spaces.
    pub(super) fn signed_text(&self, body: &[u8]) -> String {
        let Self {
            signature: _,
            transmission_time,
            retry,
            event_id,
            account,
            customer,
        } = self;
        let checksum = crc32fast::hash(body);
        format!(
            r#"{{"checksum":{checksum},"cid":"{customer}","eid":"{event_id}","retry":{retry},"tid":"{account}","tt":{transmission_time}}}"#
        )
    }

    pub(super) const fn sent_at(&self) -> Timestamp {
        Timestamp::from_millis(self.transmission_time)
    }
}

/// The account a webhook says it is for, so that the one to verify it can be found. Proves nothing.
pub fn claimed_account(headers: &HeaderMap) -> Option<AccountId> {
    single(headers, TENANT_ID).and_then(id).ok().map(AccountId::new)
}

/// The headers that 8x8 sends with a webhook and signs, as they came: what another receiver proves it by.
pub fn passed_headers(headers: &HeaderMap) -> WebhookHeaders {
    let names = [SIGNATURE, TRANSMISSION_TIME, RETRY, EVENT_ID, TENANT_ID, CUSTOMER_ID];
    let passed = names.into_iter().filter_map(|name| {
        let value = single(headers, name)
            .ok()
            .filter(|value| value.len() <= LONGEST_SIGNATURE)?;
        Some((name.to_owned(), value.to_owned()))
    });
    WebhookHeaders(passed.collect())
}

/// The event's id where the headers carry a usable one.
pub(super) fn claimed_event_id(headers: &HeaderMap) -> Option<&str> {
    single(headers, EVENT_ID).and_then(id).ok()
}

fn single<'a>(headers: &'a HeaderMap, name: &str) -> Result<&'a str, VerifyError> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (Some(value), None) => value.to_str().map_err(|_not_ascii| VerifyError::MALFORMED_HEADER),
        (Some(_), Some(_)) => Err(VerifyError::MALFORMED_HEADER),
        (None, _) => Err(VerifyError::MISSING_HEADER),
    }
}

/// Exactly as it would be written again, so that no two headers give one signed text.
fn number(text: &str) -> Result<u64, VerifyError> {
    let canonical = text == "0" || !text.starts_with('0');
    if !canonical || text.len() > LONGEST_NUMBER || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(VerifyError::MALFORMED_HEADER);
    }
    text.parse().map_err(|_empty| VerifyError::MALFORMED_HEADER)
}

/// Visible ASCII that stands in JSON as it is.
fn id(text: &str) -> Result<&str, VerifyError> {
    let plain = |byte: u8| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\';
    if (1..=LONGEST_ID).contains(&text.len()) && text.bytes().all(plain) {
        Ok(text)
    } else {
        Err(VerifyError::MALFORMED_HEADER)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(changes: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            (SIGNATURE, "h..s"),
            (TRANSMISSION_TIME, "1617353093000"),
            (RETRY, "0"),
            (EVENT_ID, "vXg39aMTRlq4xCBFaUCTlA"),
            (TENANT_ID, "acme01"),
            (CUSTOMER_ID, "0012J"),
        ]
        .into_iter()
        .chain(changes.iter().copied())
        {
            headers.insert(name, value.parse().unwrap());
        }
        headers
    }

    #[test]
    fn the_signed_text_is_compact_and_in_order() {
        let headers = headers(&[]);
        let text = Claims::read(&headers).unwrap().signed_text(b"{}");
        assert_eq!(
            text,
            r#"{"checksum":2745614147,"cid":"0012J","eid":"vXg39aMTRlq4xCBFaUCTlA","retry":0,"tid":"acme01","tt":1617353093000}"#
        );
    }

    #[test]
    fn each_header_stands_there_once_and_in_its_form() {
        for name in [SIGNATURE, TRANSMISSION_TIME, RETRY, EVENT_ID, TENANT_ID, CUSTOMER_ID] {
            let mut missing = headers(&[]);
            missing.remove(name);
            assert_eq!(
                Claims::read(&missing).unwrap_err(),
                VerifyError::MISSING_HEADER,
                "{name}"
            );
            let mut double = headers(&[]);
            double.append(name, headers(&[])[name].clone());
            assert_eq!(
                Claims::read(&double).unwrap_err(),
                VerifyError::MALFORMED_HEADER,
                "{name}"
            );
        }
        for (name, value) in [
            (TRANSMISSION_TIME, ""),
            (TRANSMISSION_TIME, "-1"),
            (TRANSMISSION_TIME, "01617353093000"),
            (TRANSMISSION_TIME, "1617353093000000"),
            (RETRY, "+1"),
            (RETRY, "00"),
            (RETRY, "1.0"),
            (EVENT_ID, ""),
            (EVENT_ID, "a\"b"),
            (TENANT_ID, "a b"),
            (CUSTOMER_ID, "a\\b"),
            (CUSTOMER_ID, "é"),
        ] {
            let headers = headers(&[(name, value)]);
            assert_eq!(
                Claims::read(&headers).unwrap_err(),
                VerifyError::MALFORMED_HEADER,
                "{name} {value}"
            );
        }
    }
}
