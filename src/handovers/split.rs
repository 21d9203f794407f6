//! Cuts a text that is longer than 8x8 takes at once.

/// Splits on word boundaries into texts of at most `limit` characters. Nothing is dropped but the white space at a cut.
pub(crate) fn split(text: &str, limit: usize) -> Vec<String> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some((over, _)) = rest.char_indices().nth(limit) {
        let (head, _) = rest.split_at(over);
        // A word longer than the limit is cut where it stands.
        let cut = match head.rfind(char::is_whitespace) {
            _ if rest.split_at(over).1.starts_with(char::is_whitespace) => over,
            Some(at) if !head.split_at(at).0.trim().is_empty() => at,
            Some(_) | None => over,
        };
        let (part, after) = rest.split_at(cut);
        parts.push(part.to_owned());
        rest = after.trim_start();
    }
    if !rest.is_empty() {
        parts.push(rest.to_owned());
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_within_the_limit_stays_whole_whatever_its_spaces() {
        assert_eq!(split("  hello  ", 20), ["  hello  "]);
        assert_eq!(split("åäö", 3), ["åäö"]);
    }

    #[test]
    fn a_long_text_is_cut_between_words() {
        assert_eq!(split("one two three", 7), ["one two", "three"]);
        assert_eq!(split("one two three", 9), ["one two", "three"]);
        assert_eq!(split("abcdefgh", 3), ["abc", "def", "gh"]);
        assert_eq!(split("ab cdefgh", 3), ["ab", "cde", "fgh"]);
    }

    #[test]
    fn no_word_is_lost_at_any_limit() {
        let text = "Grüße an alle, die hier warten: wir sind gleich für Sie da. 你好";
        for limit in 1..40 {
            let parts = split(text, limit);
            assert!(
                parts.iter().all(|part| part.chars().count() <= limit),
                "{limit}: {parts:?}"
            );
            let squeeze = |text: &str| text.split_whitespace().collect::<String>();
            assert_eq!(squeeze(&parts.concat()), squeeze(text), "{limit}");
        }
    }
}
