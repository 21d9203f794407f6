//! What 8x8 says of a schedule: `{"schedule-status": {"status": …}}`. 0 is open, -1 closed; the administrator's choices
//! were seen as numbers 1 to 6 and as `Choice #1` to `Choice #6`.

use serde_json::Value;

use crate::availability::Verdict;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ScheduleStatus {
    Open,
    Closed,
    Choice(u8),
}

impl ScheduleStatus {
    /// `None` for anything else: what is not understood is not guessed at.
    pub(super) fn read(answer: &Value) -> Option<Self> {
        let holder = inner(answer.get("schedule-status").unwrap_or(answer));
        match inner(holder.get("status").unwrap_or(holder)) {
            Value::Number(number) => Self::of_text(&number.to_string()),
            Value::String(text) => Self::of_text(text),
            Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
        }
    }

    pub(super) fn judge(self, open_choices: &[u8]) -> Verdict {
        match self {
            Self::Open => Verdict::Yes,
            Self::Closed => Verdict::No,
            Self::Choice(choice) if open_choices.contains(&choice) => Verdict::Yes,
            Self::Choice(_) => Verdict::No,
        }
    }

    fn of_text(text: &str) -> Option<Self> {
        let text = text.trim().to_ascii_lowercase();
        let number = text.strip_prefix("choice").map_or(text.as_str(), |rest| {
            rest.trim_start().trim_start_matches('#').trim_start()
        });
        let is_choice = number.len() < text.len();
        match (number.parse().ok()?, is_choice) {
            (0, false) => Some(Self::Open),
            (-1, false) => Some(Self::Closed),
            (choice @ 1..=6, _) => u8::try_from(choice).ok().map(Self::Choice),
            (_, _) => None::<Self>,
        }
    }
}

/// A list of one may stand where its element should.
fn inner(value: &Value) -> &Value {
    match value {
        Value::Array(elements) => elements.first().unwrap_or(value),
        _ => value,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_form_that_was_seen_is_read() {
        use ScheduleStatus::Choice;
        use ScheduleStatus::Closed;
        use ScheduleStatus::Open;
        for (status, read) in [
            (json!(0), Some(Open)),
            (json!("0"), Some(Open)),
            (json!(-1), Some(Closed)),
            (json!(" -1 "), Some(Closed)),
            (json!(1), Some(Choice(1))),
            (json!("6"), Some(Choice(6))),
            (json!("Choice #2"), Some(Choice(2))),
            (json!("choice 3"), Some(Choice(3))),
            (json!("Choice#4"), Some(Choice(4))),
            (json!(7), None),
            (json!("Choice #0"), None),
            (json!("Choice #7"), None),
            (json!("Choice -1"), None),
            (json!(-2), None),
            (json!("maybe"), None),
            (json!(null), None),
            (json!(true), None),
            (json!([]), None),
        ] {
            let answer = json!({"schedule-status": {"status": status}});
            assert_eq!(ScheduleStatus::read(&answer), read, "{answer}");
        }
    }

    #[test]
    fn the_envelope_may_be_missing_or_a_list() {
        for answer in [
            json!({"status": -1}),
            json!({"schedule-status": [{"status": "-1"}]}),
            json!({"schedule-status": -1}),
        ] {
            assert_eq!(ScheduleStatus::read(&answer), Some(ScheduleStatus::Closed), "{answer}");
        }
        for answer in [json!({}), json!([]), json!("<html>"), json!({"schedule-status": null})] {
            assert_eq!(ScheduleStatus::read(&answer), None, "{answer}");
        }
    }

    #[test]
    fn a_choice_is_open_only_where_the_settings_say_so() {
        assert_eq!(ScheduleStatus::Choice(2).judge(&[2, 3]), Verdict::Yes);
        assert_eq!(ScheduleStatus::Choice(1).judge(&[2, 3]), Verdict::No);
        assert_eq!(ScheduleStatus::Open.judge(&[]), Verdict::Yes);
        assert_eq!(ScheduleStatus::Closed.judge(&[1]), Verdict::No);
    }
}
