//! A file's name that is safe to show, to send on and to save under: names come from users and from 8x8.

use std::fmt;

use serde::Deserialize;
use serde::Serialize;

/// Characters.
const LONGEST: usize = 150;
/// With the dot.
const LONGEST_EXTENSION: usize = 16;

/// Never empty, without path, control characters and leading dots.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FileName(String);

impl FileName {
    /// What is left of a name once everything harmful is gone; `None` when that is nothing.
    pub fn of(text: &str) -> Option<Self> {
        let last = text.rsplit(['/', '\\']).next().unwrap_or_default();
        let harmless = last.chars().filter(|c| !c.is_control() && !turns_around(*c));
        let replaced = harmless.map(|c| if "\"<>|:*?".contains(c) { '_' } else { c });
        let name: String = replaced.collect();
        let name = name.trim().trim_start_matches('.').trim_end_matches(['.', ' ']).trim();
        (!name.is_empty()).then(|| Self(shortened(name)))
    }

    /// What a file without a name is called.
    pub fn unnamed() -> Self {
        Self("attachment".to_owned())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The header that has a browser save the file instead of showing it, with the name in ASCII and as it is (RFC 6266).
    pub fn content_disposition(&self) -> String {
        let ascii = |c: char| if c.is_ascii_graphic() || c == ' ' { c } else { '_' };
        let plain: String = self.0.chars().map(ascii).filter(|c| *c != '%').collect();
        let whole = percent_encoded(&self.0);
        format!("attachment; filename=\"{plain}\"; filename*=UTF-8''{whole}")
    }
}

impl fmt::Display for FileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// All but letters, digits and `-._~`.
pub fn percent_encoded(text: &str) -> String {
    let encoded = |byte: u8| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            char::from(byte).to_string()
        } else {
            format!("%{byte:02X}")
        }
    };
    text.bytes().map(encoded).collect()
}

/// A media type without its parameters, as it may stand in a header; what is none says nothing of the bytes.
pub fn media_type(text: &str) -> String {
    let essence = text.split(';').next().unwrap_or_default().trim();
    let is_word = |word: &str| {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&byte);
        !word.is_empty() && word.bytes().all(fits)
    };
    match essence.split_once('/') {
        Some((group, name)) if is_word(group) && is_word(name) => essence.to_ascii_lowercase(),
        Some(_) | None => "application/octet-stream".to_owned(),
    }
}

/// Marks that make `exe.png` of `gnp.exe`, and others that cannot be seen.
fn turns_around(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

/// The extension stays.
fn shortened(name: &str) -> String {
    let count = name.chars().count();
    if count <= LONGEST {
        return name.to_owned();
    }
    let extension = name
        .rsplit_once('.')
        .map(|(_stem, extension)| format!(".{extension}"))
        .filter(|extension| extension.chars().count() <= LONGEST_EXTENSION)
        .unwrap_or_default();
    let stem = LONGEST - extension.chars().count();
    name.chars().take(stem).chain(extension.chars()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_harmful_in_a_name_goes_and_the_rest_stays() {
        for (given, expected) in [
            ("bill.png", Some("bill.png")),
            ("../../etc/passwd", Some("passwd")),
            ("C:\\Users\\me\\Rechnung März.pdf", Some("Rechnung März.pdf")),
            ("..hidden", Some("hidden")),
            (".env", Some("env")),
            ("a\r\nSet-Cookie: x=1.txt", Some("aSet-Cookie_ x=1.txt")),
            ("photo\u{202e}gnp.exe", Some("photognp.exe")),
            ("a\"b<c>.png. .", Some("a_b_c_.png")),
            ("写真.jpg", Some("写真.jpg")),
            ("", None),
            ("..", None),
            ("/", None),
            (" \u{0}\t", None),
        ] {
            assert_eq!(
                FileName::of(given).as_ref().map(FileName::as_str),
                expected,
                "{given:?}"
            );
        }
    }

    #[test]
    fn a_long_name_is_cut_before_its_extension() {
        let name = FileName::of(&format!("{}.jpeg", "é".repeat(400))).unwrap();
        assert_eq!(name.as_str().chars().count(), LONGEST);
        assert!(name.as_str().ends_with("é.jpeg"));
        let no_extension = FileName::of(&format!("a.{}", "b".repeat(400))).unwrap();
        assert_eq!(no_extension.as_str().chars().count(), LONGEST);
    }

    #[test]
    fn the_header_has_the_name_in_ascii_and_as_it_is() {
        let header = |name: &str| FileName::of(name).unwrap().content_disposition();
        assert_eq!(
            header("Rechnung März 100%.pdf"),
            "attachment; filename=\"Rechnung M_rz 100.pdf\"; filename*=UTF-8''Rechnung%20M%C3%A4rz%20100%25.pdf"
        );
    }
}
