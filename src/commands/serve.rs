//! `handover-gateway serve`: runs the gateway until it is told to stop.

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;

use tokio::signal::unix::Signal;
use tokio::signal::unix::SignalKind;
use tokio::signal::unix::signal;

use crate::app::Gateway;
use crate::app::ReloadError;
use crate::app::StartError;
use crate::commands::cli::complain;
use crate::http::ReloadOutcome;
use crate::http::TakenUp;
use crate::settings;
use crate::settings::Settings;
use crate::store::Actor;

const WRONG_CONFIGURATION: u8 = 2;

pub(super) async fn run(settings: Settings, files: &[PathBuf]) -> ExitCode {
    if settings.tenants.is_empty() {
        complain(
            "no tenant is configured: give a file with [tenants.NAME] by --config, or try `handover-gateway demo`",
        );
        return ExitCode::from(WRONG_CONFIGURATION);
    }
    // Heard from here on: a start may take long, and a signal nobody listens for would end the process where it stands.
    let (stop, mut hang_up) = match terminated().and_then(|stop| Ok((stop, signal(SignalKind::hangup())?))) {
        Ok(signals) => signals,
        Err(error) => {
            complain(&format!("signals cannot be heard: {error}"));
            return ExitCode::FAILURE;
        }
    };
    tokio::pin!(stop);
    let mut gateway = match unless_stopped(Gateway::start(settings), &mut stop).await {
        Some(Ok(gateway)) => gateway,
        Some(Err(error)) => {
            complain(&with_causes(&error));
            return exit_code(&error);
        }
        None => {
            tracing::info!("stopped before it had started");
            return ExitCode::SUCCESS;
        }
    };
    serve(&mut gateway, files, (&mut stop, &mut hang_up)).await;
    if gateway.stop().await {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// What the start came to; `None` when the signal came first.
async fn unless_stopped<T>(start: impl Future<Output = T>, stop: impl Future<Output = ()>) -> Option<T> {
    tokio::select! {
        biased;
        () = stop => None,
        started = start => Some(started),
    }
}

fn exit_code(error: &StartError) -> ExitCode {
    match error {
        StartError::Build(_) => ExitCode::from(WRONG_CONFIGURATION),
        StartError::Listen { .. } | StartError::Store(_) | StartError::Keys(_) | StartError::Restart(_) => {
            ExitCode::FAILURE
        }
    }
}

/// Until it is to stop. Reloads are done one after the other; a signal that comes during one is heard after it.
async fn serve(
    gateway: &mut Gateway,
    files: &[PathBuf],
    (mut stop, hang_up): (impl Future<Output = ()> + Unpin, &mut Signal),
) {
    let Some(mut wishes) = gateway.reload_wishes() else {
        return;
    };
    loop {
        let wish = tokio::select! {
            () = &mut stop => return,
            () = gateway.failed() => return,
            _ = hang_up.recv() => None,
            Some(wish) = wishes.recv() => Some(wish),
        };
        let actor = if wish.is_some() { Actor::Operator } else { Actor::Signal };
        let Some(outcome) = unless_stopped(reload(gateway, files, actor), &mut stop).await else {
            return;
        };
        if let Some(wish) = wish {
            wish.answer(outcome);
        }
    }
}

/// Reads the same layers again. With a fault in them nothing changes.
async fn reload(gateway: &mut Gateway, files: &[PathBuf], actor: Actor) -> ReloadOutcome {
    let faults: Vec<String> = match gateway.reload(settings::from_process(files), actor).await {
        Ok(changes) => {
            return Ok(TakenUp {
                changed: changes.taken_up.into_iter().collect(),
                need_restart: changes.need_restart.into_iter().collect(),
            });
        }
        Err(ReloadError::Settings(faults)) => faults.list().iter().map(ToString::to_string).collect(),
        Err(error) => vec![with_causes(&error)],
    };
    for fault in &faults {
        tracing::error!(fault, "the new settings cannot be used, nothing changes");
    }
    Err(faults)
}

/// Resolves at SIGTERM or Ctrl-C.
fn terminated() -> std::io::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

/// As [`terminated`], for commands that have nothing to reload: a SIGHUP, which would otherwise end the process where it
/// stands, changes nothing.
pub(super) fn stop_signal() -> std::io::Result<impl Future<Output = ()>> {
    let stop = terminated()?;
    let hang_up = signal(SignalKind::hangup())?;
    Ok(async move {
        stop.await;
        drop(hang_up);
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

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::future::ready;

    use super::*;

    #[tokio::test]
    async fn a_setting_that_reads_well_and_cannot_be_used_is_wrong_configuration() {
        let not_pem = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(
            not_pem.path(),
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        )
        .unwrap();
        let pairs = [
            ("SERVER__LISTEN", "127.0.0.1:0"),
            ("ADMIN__LISTEN", "127.0.0.1:0"),
            ("STORE__URL", "sqlite::memory:"),
            ("OUTBOUND__CA_FILE", not_pem.path().to_str().unwrap()),
            ("TENANTS__ACME__TENANT_ID", "1"),
            ("TENANTS__ACME__API_KEY", "key"),
        ];
        let env = pairs.map(|(name, value)| (format!("HANDOVER__{name}"), value.to_owned()));
        let settings = settings::load(&[], env.into_iter()).unwrap();
        assert_eq!(Box::pin(run(settings, &[])).await, ExitCode::from(WRONG_CONFIGURATION));
    }

    #[tokio::test]
    async fn a_signal_ends_a_start_that_hangs() {
        assert_eq!(unless_stopped(pending::<()>(), ready(())).await, None);
        assert_eq!(unless_stopped(ready(1), pending()).await, Some(1));
    }
}
