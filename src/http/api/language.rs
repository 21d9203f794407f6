//! 8x8 knows 21 languages by codes of its own; bots say BCP 47.

const CODES: [&str; 21] = [
    "en", "ru", "de", "ja", "es", "fr", "pt", "it", "pl", "hr", "nl", "ar", "da", "ko", "no", "sv", "vi", "cy", "th",
    "zh-CN", "zh-TW",
];

/// 8x8's code for a language tag; `None` for a language 8x8 does not know.
pub(super) fn code_of(tag: &str) -> Option<&'static str> {
    let tag = tag.trim().replace('_', "-").to_ascii_lowercase();
    let mut subtags = tag.split('-');
    let language = match subtags.next()? {
        "zh" => chinese(subtags),
        "nb" | "nn" => "no",
        other => other,
    };
    CODES.into_iter().find(|code| *code == language)
}

/// Traditional characters where the script says so, or else the region.
fn chinese<'a>(subtags: impl Iterator<Item = &'a str>) -> &'static str {
    let mut code = "zh-CN";
    for subtag in subtags {
        match subtag {
            "hans" => return "zh-CN",
            "hant" => return "zh-TW",
            "tw" | "hk" | "mo" => code = "zh-TW",
            _ => {}
        }
    }
    code
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_of_8x8_is_itself() {
        for code in CODES {
            assert_eq!(code_of(code), Some(code));
        }
    }

    #[test]
    fn tags_are_mapped_by_language_script_and_region() {
        for (tag, code) in [
            ("en-US", "en"),
            (" EN_gb ", "en"),
            ("pt-BR", "pt"),
            ("nb", "no"),
            ("nn-NO", "no"),
            ("zh", "zh-CN"),
            ("zh-Hans", "zh-CN"),
            ("zh-Hans-HK", "zh-CN"),
            ("zh-SG", "zh-CN"),
            ("zh-Hant", "zh-TW"),
            ("zh-HK", "zh-TW"),
            ("zh-hant-cn", "zh-TW"),
        ] {
            assert_eq!(code_of(tag), Some(code), "{tag}");
        }
    }

    #[test]
    fn other_languages_have_no_code() {
        for tag in ["fi", "", "-", "english", "zhx", "e"] {
            assert_eq!(code_of(tag), None, "{tag}");
        }
    }
}
