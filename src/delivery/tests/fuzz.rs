//! `Retry-After` as bots and 8x8 might send it.

use std::time::Duration;

use http::HeaderMap;
use http::HeaderValue;
use http::header;

use crate::chat_gateway;
use crate::delivery::answer::retry_after;
use crate::domain::Timestamp;
use crate::fuzzing::fuzz;

const SEEDS: &[&str] = &[
    "30",
    " 7 ",
    "0",
    "-1",
    "99999999999999999999999999",
    "Fri, 20 Nov 2026 12:01:30 GMT",
    "Fri, 20 Nov 2099 11:00:00 GMT",
    "Thu, 01 Jan 1970 00:00:00 GMT",
    "Fri, 31 Dec 9999 23:59:60 +2359",
    "soon",
];

#[test]
fn whatever_retry_after_says_the_wait_is_between_a_second_and_ten_minutes() {
    let seeds: Vec<Vec<u8>> = SEEDS.iter().map(|seed| seed.as_bytes().to_vec()).collect();
    let bounds = Duration::from_secs(1)..=Duration::from_mins(10);
    fuzz("retry-after", &seeds, move |input| {
        for now in [0, 1_795_176_000_000, i64::MAX / 2] {
            let asked = retry_after(&String::from_utf8_lossy(input), Timestamp::from_millis(now));
            assert!(asked.is_none_or(|asked| bounds.contains(&asked)), "{asked:?}");
        }
        let Ok(value) = HeaderValue::from_bytes(input) else {
            return;
        };
        for date in [value.clone(), HeaderValue::from_static("Fri, 20 Nov 2026 12:00:00 GMT")] {
            let headers = HeaderMap::from_iter([(header::RETRY_AFTER, value.clone()), (header::DATE, date)]);
            let asked = chat_gateway::retry_after(&headers);
            assert!(asked.is_none_or(|asked| bounds.contains(&asked)), "{asked:?}");
        }
    });
}
