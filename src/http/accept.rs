//! Reads the `Accept` header: whether a type is named in it. What is only covered by a wildcard is not asked for.

use axum::http::HeaderMap;
use axum::http::header;

pub(super) fn accepts(headers: &HeaderMap, wanted: &str) -> bool {
    let accepts = headers
        .get_all(header::ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok());
    let mut types = accepts.flat_map(|accept| accept.split(','));
    types.any(|kind| {
        kind.split(';')
            .next()
            .is_some_and(|kind| kind.trim().eq_ignore_ascii_case(wanted))
    })
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn a_type_is_asked_for_when_it_is_named() {
        let accept = |text: &'static str| HeaderMap::from_iter([(header::ACCEPT, HeaderValue::from_static(text))]);
        let stream = |headers: &HeaderMap| accepts(headers, "text/event-stream");
        assert!(stream(&accept("text/event-stream")));
        assert!(stream(&accept("application/json, Text/Event-Stream;q=0.9")));
        assert!(!stream(&accept("application/json, */*")));
        assert!(!stream(&HeaderMap::new()));
    }
}
