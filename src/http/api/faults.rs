//! Gathers what is wrong with a body, so that its sender is told all of it at once.

use std::time::Duration;

use crate::http::problem::Refusal;
use crate::http::problem::invalid;
use crate::problem::FieldError;
use crate::setting::parse_duration;

/// Characters an id or a key may have.
const LONGEST_ID: usize = 255;
/// Characters a text may have; it is split before 8x8 is sent it.
const LONGEST_TEXT: usize = 100_000;

#[derive(Debug, Default)]
pub(super) struct Faults(Vec<FieldError>);

impl Faults {
    pub(super) fn add(&mut self, pointer: impl Into<String>, message: impl Into<String>) {
        self.0.push(FieldError {
            pointer: pointer.into(),
            message: message.into(),
        });
    }

    /// `value`, unless something was wrong.
    pub(super) fn or<T>(self, value: T) -> Result<T, Refusal> {
        if self.0.is_empty() {
            Ok(value)
        } else {
            Err(invalid(self.0))
        }
    }

    /// An id or a key: trimmed, not blank.
    pub(super) fn id(&mut self, pointer: &str, id: Option<String>) -> Option<String> {
        let id = id?.trim().to_owned();
        if id.is_empty() {
            self.add(pointer, "must not be blank");
        } else if id.chars().count() > LONGEST_ID {
            self.add(pointer, format!("must have at most {LONGEST_ID} characters"));
        }
        Some(id)
    }

    /// A text: kept as it is, not blank.
    pub(super) fn text(&mut self, pointer: &str, text: Option<&str>) {
        let Some(text) = text else { return };
        if text.trim().is_empty() {
            self.add(pointer, "must not be blank");
        } else if text.chars().count() > LONGEST_TEXT {
            self.add(pointer, format!("must have at most {LONGEST_TEXT} characters"));
        }
    }

    pub(super) fn duration(&mut self, pointer: &str, text: Option<&str>) -> Option<Duration> {
        match parse_duration(text?) {
            Ok(duration) if duration.is_zero() => self.add(pointer, "must be longer than zero"),
            Ok(duration) => return Some(duration),
            Err(message) => self.add(pointer, message),
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pointers(faults: Faults) -> Vec<String> {
        let refusal = faults.or(()).unwrap_err();
        refusal.errors.iter().map(|fault| fault.pointer.clone()).collect()
    }

    #[test]
    fn ids_are_trimmed_and_texts_are_not() {
        let mut faults = Faults::default();
        assert_eq!(faults.id("/queueId", Some(" 123 ".to_owned())).as_deref(), Some("123"));
        assert_eq!(faults.id("/queueId", None), None);
        faults.text("/text", Some("  hi "));
        assert_eq!(
            faults.duration("/timers/queue", Some("10m")),
            Some(Duration::from_mins(10))
        );
        assert!(faults.or(()).is_ok());
    }

    #[test]
    fn all_faults_are_told_at_once() {
        let mut faults = Faults::default();
        faults.id("/a", Some("  ".to_owned()));
        faults.id("/b", Some("x".repeat(256)));
        faults.text("/c", Some("\n"));
        faults.text("/d", Some(&"x".repeat(100_001)));
        faults.duration("/e", Some("10"));
        faults.duration("/f", Some("0s"));
        assert_eq!(pointers(faults), ["/a", "/b", "/c", "/d", "/e", "/f"]);
    }
}
