//! What came back from one attempt, and the words for it.

use std::time::Duration;

use crate::delivery::breaker::Sign;
use crate::domain::Timestamp;

/// A bot that asks for less than the first is called after it, one that asks for more than the second also.
const RETRY_AFTER: (Duration, Duration) = (Duration::from_secs(1), Duration::from_mins(10));

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    /// `None` when the bot did not get as far as one.
    pub(crate) status: Option<u16>,
    /// Why the answer counts as none, whatever its status.
    pub(crate) fault: Option<Fault>,
    /// When the bot wants to be called again, within bounds.
    pub(crate) retry_after: Option<Duration>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The whole answer was not there in time.
    Timeout,
    Dns,
    Connect,
    Tls,
    /// The connection ended before the answer did.
    Cut,
    /// The address, or what its name resolves to, may not be called.
    RefusedAddress,
    BadUrl,
    /// The bearer token for the bot could not be fetched.
    Token,
    /// Our own fault: the event could not be put into a request.
    Unsendable,
    /// What is to be passed on could not be read now.
    Store,
}

impl Answer {
    pub(crate) fn fault(fault: Fault) -> Self {
        Self {
            status: None,
            fault: Some(fault),
            retry_after: None,
        }
    }

    pub(crate) fn accepted(self) -> bool {
        self.fault.is_none() && self.status.is_some_and(|status| (200..300).contains(&status))
    }

    /// The bot wants to hear no more of this handover.
    pub(crate) fn gone(self) -> bool {
        self.fault.is_none() && self.status == Some(410)
    }

    /// Whether the bot is in trouble, rather than at odds with this event.
    pub(crate) fn overloaded(self) -> bool {
        match self.fault {
            Some(Fault::Timeout | Fault::Dns | Fault::Connect | Fault::Tls | Fault::Cut | Fault::Token) => true,
            Some(Fault::RefusedAddress | Fault::BadUrl | Fault::Unsendable | Fault::Store) => false,
            None => matches!(self.status, Some(429 | 502..=504)),
        }
    }

    /// What it says about the bot.
    pub(crate) fn sign(self) -> Sign {
        match self.fault {
            Some(Fault::Dns | Fault::Connect | Fault::Tls | Fault::Token) => Sign::Trouble,
            // A bot may hang or break off over one event.
            Some(Fault::Timeout | Fault::Cut | Fault::RefusedAddress | Fault::BadUrl) => Sign::Doubt,
            Some(Fault::Unsendable | Fault::Store) => Sign::Nothing,
            None if self.accepted() => Sign::Health,
            None if self.gone() => Sign::Nothing,
            None if self.overloaded() => Sign::Trouble,
            None => Sign::Doubt,
        }
    }
}

impl Fault {
    /// Published in attempts; only ever added to.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Timeout => "timeout",
            Self::Dns => "dns",
            Self::Connect => "connect",
            Self::Tls => "tls",
            Self::Cut => "cut",
            Self::RefusedAddress => "refused-address",
            Self::BadUrl => "bad-url",
            Self::Token => "token",
            Self::Unsendable => "unsendable",
            Self::Store => "store",
        }
    }
}

/// Reads `Retry-After`, seconds or a date; anything else is as if it were not there.
pub(crate) fn retry_after(value: &str, now: Timestamp) -> Option<Duration> {
    let value = value.trim();
    let (least, most) = RETRY_AFTER;
    let asked = if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        // More digits than fit are more seconds than we wait.
        value.parse().map_or(most, Duration::from_secs)
    } else {
        let date = jiff::fmt::rfc2822::parse(value).ok()?;
        Timestamp::from_millis(date.timestamp().as_millisecond()).since(now)
    };
    Some(asked.clamp(least, most))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_read_in_both_forms_and_bounded() {
        let now = Timestamp::parse_rfc3339("2026-11-20T12:00:00Z").unwrap();
        for (value, seconds) in [
            ("30", Some(30)),
            (" 7 ", Some(7)),
            ("0", Some(1)),
            ("99999", Some(600)),
            ("99999999999999999999999999", Some(600)),
            ("Fri, 20 Nov 2026 12:01:30 GMT", Some(90)),
            ("Fri, 20 Nov 2026 11:00:00 GMT", Some(1)),
            ("Fri, 20 Nov 2099 11:00:00 GMT", Some(600)),
            ("-1", None),
            ("1.5", None),
            ("+3", None),
            ("soon", None),
            ("", None),
        ] {
            assert_eq!(retry_after(value, now), seconds.map(Duration::from_secs), "{value}");
        }
    }

    #[test]
    fn a_good_status_counts_only_when_the_whole_answer_came() {
        let answer = |status, fault| Answer {
            status: Some(status),
            fault,
            retry_after: None,
        };
        assert!(answer(204, None).accepted());
        assert!(!answer(200, Some(Fault::Timeout)).accepted());
        assert!(!answer(302, None).accepted());
        assert!(answer(410, None).gone());
        assert!(answer(503, None).overloaded() && !answer(500, None).overloaded());
    }

    #[test]
    fn an_answer_tells_a_bot_in_trouble_from_one_at_odds_with_an_event() {
        let status = |status| Answer {
            status: Some(status),
            fault: None,
            retry_after: None,
        };
        for (code, sign) in [
            (200, Sign::Health),
            (204, Sign::Health),
            (410, Sign::Nothing),
            (302, Sign::Doubt),
            (400, Sign::Doubt),
            (404, Sign::Doubt),
            (500, Sign::Doubt),
            (429, Sign::Trouble),
            (502, Sign::Trouble),
            (503, Sign::Trouble),
            (504, Sign::Trouble),
        ] {
            assert_eq!(status(code).sign(), sign, "{code}");
        }
        for (fault, sign) in [
            (Fault::Connect, Sign::Trouble),
            (Fault::Dns, Sign::Trouble),
            (Fault::Tls, Sign::Trouble),
            (Fault::Token, Sign::Trouble),
            (Fault::Timeout, Sign::Doubt),
            (Fault::Cut, Sign::Doubt),
            (Fault::RefusedAddress, Sign::Doubt),
            (Fault::BadUrl, Sign::Doubt),
            (Fault::Unsendable, Sign::Nothing),
            (Fault::Store, Sign::Nothing),
        ] {
            assert_eq!(Answer::fault(fault).sign(), sign, "{fault:?}");
        }
    }
}
