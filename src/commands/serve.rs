//! `handover-gateway serve`: runs the gateway until it is told to stop.

use std::error::Error;
use std::pin::pin;
use std::process::ExitCode;

use tokio::signal::unix::SignalKind;
use tokio::signal::unix::signal;

use crate::app::Gateway;
use crate::commands::cli::complain;
use crate::settings::Settings;

const WRONG_CONFIGURATION: u8 = 2;

pub(super) async fn run(settings: Settings) -> ExitCode {
    if settings.tenants.is_empty() {
        complain(
            "no tenant is configured: give a file with [tenants.NAME] by --config, or try `handover-gateway demo`",
        );
        return ExitCode::from(WRONG_CONFIGURATION);
    }
    // Heard from the beginning: a stop that comes while it starts is a stop, too.
    let stopped = match stop_signal() {
        Ok(signalled) => signalled,
        Err(error) => {
            complain(&format!("signals cannot be heard: {error}"));
            return ExitCode::FAILURE;
        }
    };
    let mut stopped = pin!(stopped);
    let gateway = tokio::select! {
        started = Gateway::start(settings) => match started {
            Ok(gateway) => gateway,
            Err(error) => {
                complain(&with_causes(&error));
                return ExitCode::FAILURE;
            }
        },
        () = &mut stopped => return ExitCode::SUCCESS,
    };
    tokio::select! {
        () = &mut stopped => {}
        () = gateway.failed() => {}
    }
    if gateway.stop().await {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// Resolves at SIGTERM or Ctrl-C.
pub(super) fn stop_signal() -> std::io::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

pub(super) fn with_causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
