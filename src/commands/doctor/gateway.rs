//! The gateway itself: its configuration, its address, its store, whether it runs.

use crate::commands::doctor::Doctor;
use crate::commands::doctor::check::Check;
use crate::commands::kept::Seen;
use crate::commands::running::NotHeard;
use crate::commands::serve::with_causes;

pub(super) async fn checks(doctor: &Doctor<'_>) -> Vec<Check> {
    vec![
        configuration(doctor),
        public_url(doctor),
        running(doctor).await,
        store(doctor).await,
    ]
}

fn configuration(doctor: &Doctor<'_>) -> Check {
    let warnings: Vec<_> = doctor.settings.warnings.iter().map(ToString::to_string).collect();
    if warnings.is_empty() {
        return Check::ok("configuration", "it has no faults");
    }
    Check::warn("configuration", warnings.join("; "), "see that this is meant")
}

fn public_url(doctor: &Doctor<'_>) -> Check {
    const CHECK: &str = "public-url";
    match &doctor.settings.server.public_url {
        None => Check::fail(
            CHECK,
            "server.public_url is not set",
            "set it to the address that 8x8 reaches this gateway at",
        ),
        Some(url) if url.scheme() == "https" => Check::ok(CHECK, url.as_str()),
        Some(url) => Check::warn(
            CHECK,
            format!("{url} is not https"),
            "let 8x8 come by https: webhooks say what people wrote",
        ),
    }
}

async fn running(doctor: &Doctor<'_>) -> Check {
    const CHECK: &str = "running";
    let base = doctor.admin.base();
    match (&doctor.status, doctor.admin.readiness().await) {
        (Err(error @ NotHeard::NotRunning(_)), _) | (Err(error), None) => Check::warn(
            CHECK,
            with_causes(error),
            "start it with `handover-gateway serve`; run doctor on its machine",
        ),
        (Err(error), Some(_)) => Check::fail(
            CHECK,
            with_causes(error),
            "run doctor with the gateway's own configuration and version",
        ),
        (Ok(status), Some((true, _))) => Check::ok(CHECK, format!("version {} at {base} is ready", status.version)),
        (Ok(_), Some((false, text))) => Check::fail(CHECK, format!("it is not ready: {text}"), "see its log"),
        (Ok(_), None) => Check::fail(CHECK, "it stopped answering", "see its log"),
    }
}

async fn store(doctor: &Doctor<'_>) -> Check {
    const CHECK: &str = "store";
    match &doctor.store {
        Seen::Free(Ok(()), _) => Check::ok(CHECK, "it opens and takes writes"),
        Seen::Free(Err(why), _) | Seen::Unusable(why) => {
            Check::fail(CHECK, why.as_str(), "see store.url, the disk, and who may write there")
        }
        Seen::Missing => Check::ok(CHECK, "there is none yet, it is made at the start"),
        Seen::Held => match doctor.admin.readiness().await {
            Some((true, _)) => Check::ok(CHECK, "the running gateway has it and writes to it"),
            Some((false, text)) => Check::fail(
                CHECK,
                format!("the running gateway is not ready: {text}"),
                "see its log",
            ),
            None => Check::fail(
                CHECK,
                "a process has it that does not answer on the admin port",
                "see which, and admin.listen",
            ),
        },
    }
}
