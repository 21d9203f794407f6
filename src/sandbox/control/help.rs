//! The control API in words: one text for `GET /sandbox` and for the module's documentation.

pub(super) const HELP: &str = include_str!("help.txt");
