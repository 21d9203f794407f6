//! `handover-gateway sandbox`: runs the stand-in 8x8 until it is told to stop.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use url::Url;

use crate::sandbox::{Options, Pace, Sandbox, Script};

/// Run a stand-in 8x8 Chat Gateway with scripted agents and faults.
#[derive(Args, Clone, Debug)]
pub(super) struct SandboxArgs {
    /// Address to listen on.
    #[arg(long, default_value = "127.0.0.1:8088")]
    listen: SocketAddr,
    /// The key callers must send as x-api-key.
    #[arg(long, default_value = "eght_sandbox")]
    api_key: String,
    /// The tenant that webhook events are signed for.
    #[arg(long, default_value = "sandbox-tenant")]
    tenant_id: String,
    /// The customer that webhook events are signed for.
    #[arg(long, default_value = "sandbox-customer")]
    customer_id: String,
    /// Where webhook events go; POST /sandbox/webhook sets it later.
    #[arg(long, value_name = "URL")]
    webhook_url: Option<Url>,
    /// A header for every webhook event, as a load balancer on the way would add it; repeatable.
    #[arg(long = "webhook-header", value_name = "NAME=VALUE", value_parser = parse_header)]
    webhook_headers: Vec<(String, String)>,
    /// Dialect of the webhook events.
    #[arg(long, value_enum, default_value_t = Dialect::Gateway)]
    dialect: Dialect,
    /// Id of the Chat API channel.
    #[arg(long, default_value = "sandbox-channel")]
    channel_id: String,
    /// A queue as ID=NAME; repeatable. Without any: 101=Support and 102=Billing.
    #[arg(long = "queue", value_name = "ID=NAME", value_parser = parse_named)]
    queues: Vec<(String, String)>,
    /// A schedule as ID=NAME; repeatable. Without any: 122=Default Schedule.
    #[arg(long = "schedule", value_name = "ID=NAME", value_parser = parse_named)]
    schedules: Vec<(String, String)>,
    /// The token for the clusters' schedules and statistics.
    #[arg(long, default_value = "sandbox-data-token")]
    data_token: String,
    /// The key of the app that may ask for analytics.
    #[arg(long, default_value = "eght_sandbox_analytics")]
    analytics_key: String,
    /// That app's secret.
    #[arg(long, default_value = "sandbox-secret")]
    analytics_secret: String,
    /// Where analytics are served: us, eu, au or ca.
    #[arg(long, default_value = "us")]
    region: String,
    /// Refuse webhooks that are written without `notificationVersion`.
    #[arg(long)]
    require_notification_version: bool,
    /// What agents do by themselves.
    #[arg(long, value_enum, default_value_t = Agents::Helpful)]
    agents: Agents,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Dialect {
    /// Nested events, Chat Gateway v1.0.
    Gateway,
    /// Flat events, Chat API v2.0.
    V2,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Agents {
    /// They join, answer, transfer on "transfer" and leave on "bye".
    Helpful,
    /// They do what the control API tells them.
    Manual,
}

/// Exit code 0 after an orderly stop, 1 when it could not start.
pub(super) async fn run(args: SandboxArgs) -> ExitCode {
    match serve(args.into()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nothing is left to do when standard error is gone too.
            drop(writeln!(io::stderr(), "sandbox: {error}"));
            ExitCode::FAILURE
        }
    }
}

async fn serve(options: Options) -> io::Result<()> {
    let sandbox = Sandbox::start(options.clone()).await?;
    announce(&mut io::stdout(), &sandbox, &options)?;
    stop_signal().await?;
    sandbox.stop().await;
    Ok(())
}

fn announce(out: &mut impl Write, sandbox: &Sandbox, options: &Options) -> io::Result<()> {
    writeln!(out, "8x8 sandbox on {}", sandbox.url())?;
    writeln!(out, "  api key    {}", options.api_key)?;
    writeln!(out, "  tenant     {}", options.tenant_id)?;
    writeln!(out, "  customer   {}", options.customer_id)?;
    writeln!(out, "  channel    {}", options.channel_id)?;
    for (id, name) in &options.queues {
        writeln!(out, "  queue      {id} {name}")?;
    }
    for (id, name) in &options.schedules {
        writeln!(out, "  schedule   {id} {name}")?;
    }
    writeln!(
        out,
        "  data token {} (clusters: user {})",
        options.data_token, options.tenant_id
    )?;
    writeln!(
        out,
        "  analytics  {} / {} in {}",
        options.analytics_key, options.analytics_secret, options.region
    )?;
    match &options.webhook_url {
        Some(url) => writeln!(out, "  webhook    {url}")?,
        None => writeln!(out, "  webhook    not set: POST {}/sandbox/webhook", sandbox.url())?,
    }
    writeln!(out, "  control    {}/sandbox", sandbox.url())?;
    out.flush()
}

async fn stop_signal() -> io::Result<()> {
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted,
        _ = terminate.recv() => Ok(()),
    }
}

impl From<SandboxArgs> for Options {
    fn from(args: SandboxArgs) -> Self {
        let defaults = Self::default();
        Self {
            listen: args.listen,
            api_key: args.api_key,
            tenant_id: args.tenant_id,
            customer_id: args.customer_id,
            webhook_url: args.webhook_url,
            webhook_headers: args.webhook_headers,
            webhook_version: match args.dialect {
                Dialect::Gateway => "Chat Gateway v1.0".to_owned(),
                Dialect::V2 => "v2.0".to_owned(),
            },
            channel_id: args.channel_id,
            queues: if args.queues.is_empty() {
                defaults.queues
            } else {
                args.queues
            },
            schedules: if args.schedules.is_empty() {
                defaults.schedules
            } else {
                args.schedules
            },
            data_token: args.data_token,
            analytics_key: args.analytics_key,
            analytics_secret: args.analytics_secret,
            region: args.region,
            script: match args.agents {
                Agents::Helpful => Script::Helpful(Pace::default()),
                Agents::Manual => Script::Manual,
            },
            require_notification_version: args.require_notification_version,
            ..defaults
        }
    }
}

fn parse_named(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((id, name)) if !id.trim().is_empty() && !name.trim().is_empty() => {
            Ok((id.trim().to_owned(), name.trim().to_owned()))
        }
        _ => Err(format!("`{text}` is not ID=NAME")),
    }
}

fn parse_header(text: &str) -> Result<(String, String), String> {
    let wrong = || format!("`{text}` is not NAME=VALUE");
    let (name, value) = text.split_once('=').ok_or_else(wrong)?;
    let name = http::HeaderName::try_from(name.trim()).map_err(|_not_a_name| wrong())?;
    let value = http::HeaderValue::try_from(value.trim()).map_err(|_not_a_value| wrong())?;
    let value = value.to_str().map_err(|_not_ascii| wrong())?;
    Ok((name.as_str().to_owned(), value.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::parse_header;
    use super::parse_named;

    #[test]
    fn a_header_is_a_name_and_a_value() {
        let header = ("authorization".to_owned(), "Bearer a=b".to_owned());
        assert_eq!(parse_header("Authorization=Bearer a=b"), Ok(header));
        assert!(parse_header("x-app-token").is_err());
        assert!(parse_header("x y=1").is_err());
    }

    #[test]
    fn a_queue_is_an_id_and_a_name() {
        assert_eq!(parse_named("101=Support"), Ok(("101".to_owned(), "Support".to_owned())));
        assert!(parse_named("101").is_err());
        assert!(parse_named("=Support").is_err());
    }
}
