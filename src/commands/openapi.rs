//! `handover-gateway openapi`: prints the OpenAPI document of the bot API.

use std::io::Write;

pub(super) fn run(out: &mut dyn Write) -> std::io::Result<()> {
    let document = crate::http::openapi().to_pretty_json().map_err(std::io::Error::other)?;
    writeln!(out, "{document}")
}
