//! Section `[telemetry]` and the log it describes. Installed by `main` only; everybody else just writes to `tracing`.

use std::io::IsTerminal as _;
use std::str::FromStr;

use serde::Deserialize;
use serde::Deserializer;
use serde::de::Error as _;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::util::SubscriberInitExt as _;

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct TelemetrySettings {
    /// A level, or directives such as `info,handover_gateway::delivery=debug`.
    pub level: String,
    pub format: LogFormat,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// Text on a terminal, JSON otherwise.
    Auto,
    Text,
    Json,
}

impl LogFormat {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Text => "text",
            Self::Json => "json",
        }
    }
}

impl FromStr for LogFormat {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        [Self::Auto, Self::Text, Self::Json]
            .into_iter()
            .find(|format| format.as_str() == word)
            .ok_or_else(|| format!("`{word}` is not one of `auto`, `text`, `json`"))
    }
}

impl<'de> Deserialize<'de> for LogFormat {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

/// Writes the log to standard error, so that what a command prints stays clean. A second call changes nothing.
pub fn install(settings: &TelemetrySettings) {
    let filter = filter(&settings.level).unwrap_or_else(|_wrong| EnvFilter::new("info"));
    let is_terminal = std::io::stderr().is_terminal();
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    let text = match settings.format {
        LogFormat::Auto => is_terminal,
        LogFormat::Text => true,
        LogFormat::Json => false,
    };
    let installed = match (text, is_terminal) {
        (true, true) => log.finish().try_init(),
        (true, false) => log.with_ansi(false).finish().try_init(),
        (false, _) => log.json().flatten_event(true).finish().try_init(),
    };
    if installed.is_err() {
        tracing::debug!("a log is already installed");
    }
}

/// Reads [`TelemetrySettings::level`]. The filter itself takes any bare word for a module's name; here it is a level.
pub fn filter(level: &str) -> Result<EnvFilter, String> {
    let directives: Vec<&str> = level.split(',').map(str::trim).collect();
    for directive in &directives {
        let is_bare = !directive.contains(['=', '[']);
        let is_level = ["off", "error", "warn", "info", "debug", "trace"]
            .iter()
            .any(|level| directive.eq_ignore_ascii_case(level));
        if is_bare && !is_level {
            return Err(format!(
                "`{directive}` is not one of off, error, warn, info, debug, trace"
            ));
        }
    }
    EnvFilter::builder()
        .parse(directives.join(","))
        .map_err(|why| why.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_is_a_level_or_directives() {
        for right in [
            "info",
            "WARN",
            "info,handover_gateway::delivery=debug",
            "warn, hyper=info",
        ] {
            assert!(filter(right).is_ok(), "{right}");
        }
        for wrong in ["", "verbose", "info,verbose", "handover_gateway=loud"] {
            assert!(filter(wrong).is_err(), "{wrong}");
        }
    }
}
