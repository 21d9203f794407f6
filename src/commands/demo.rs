//! `handover-gateway demo`: a whole handover on this machine, with no configuration and no other program.

use std::net::SocketAddr;
use std::process::ExitCode;

use clap::Args;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use crate::app::Gateway;
use crate::commands::cli::complain;
use crate::commands::keys;
use crate::commands::serve::stop_signal;
use crate::commands::serve::with_causes;
use crate::demo;
use crate::demo::Bot;
use crate::demo::Connection;
use crate::demo::Screen;
use crate::sandbox::Options;
use crate::sandbox::Pace;
use crate::sandbox::Sandbox;
use crate::sandbox::Script;
use crate::settings;
use crate::settings::Settings;
use crate::telemetry;

#[derive(Args, Clone, Debug)]
pub(super) struct DemoArgs {
    /// End after the scripted handover instead of staying up.
    #[arg(long)]
    once: bool,
    /// Show the gateway's log as well.
    #[arg(long)]
    log: bool,
}

pub(super) async fn run(args: DemoArgs) -> ExitCode {
    match play(&args).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&format!("demo: {error}"));
            ExitCode::FAILURE
        }
    }
}

async fn play(args: &DemoArgs) -> Result<(), String> {
    let screen = Screen::new(Box::new(std::io::stdout()));
    let keys = Keys::new().map_err(|error| error.to_string())?;
    let listen = free_or_any(8080).await.map_err(|error| error.to_string())?;
    let sandbox = start_sandbox(listen)
        .await
        .map_err(|error| format!("the sandbox cannot start: {error}"))?;
    let listener = TcpListener::bind(("127.0.0.1", 0))
        .await
        .map_err(|error| error.to_string())?;
    let callback_url = format!(
        "http://{}/handover",
        listener.local_addr().map_err(|error| error.to_string())?
    );
    let settings = settings_for(&sandbox, listen, &callback_url, &keys).await?;
    if args.log {
        telemetry::install(&settings.telemetry);
    }
    let gateway = Gateway::start(settings).await.map_err(|error| with_causes(&error))?;
    let url = format!("http://{}", gateway.public_addr());
    let connection = Connection {
        gateway: url.clone(),
        api_key: keys.api_key.clone(),
        callback_secret: keys.callback_secret.clone(),
    };
    let (bot, mut events) =
        Bot::start(listener, connection).map_err(|error| format!("the bot cannot start: {error}"))?;
    screen.line(&format!(
        "sandbox 8x8  {}\ngateway      {url}\nbot          {}\n",
        sandbox.url(),
        bot.callback_url()
    ));
    demo::play(&bot, &mut events, &screen).await?;
    if !args.once {
        screen.line(&instructions(&url, &keys.api_key));
        stay(&mut events, &screen, &gateway).await?;
    }
    gateway.stop().await;
    sandbox.stop().await;
    Ok(())
}

/// Keeps showing what the bot is told, until the program is told to stop.
async fn stay(events: &mut mpsc::Receiver<Value>, screen: &Screen, gateway: &Gateway) -> Result<(), String> {
    let stop = stop_signal().map_err(|error| error.to_string())?;
    tokio::pin!(stop);
    loop {
        tokio::select! {
            () = &mut stop => return Ok(()),
            () = gateway.failed() => return Err("the gateway stopped by itself; run it with --log to see why".to_owned()),
            event = events.recv() => match event {
                Some(event) => demo::show(screen, &event),
                None => return Ok(()),
            },
        }
    }
}

struct Keys {
    api_key: String,
    api_key_hash: String,
    callback_secret: String,
}

impl Keys {
    fn new() -> Result<Self, keys::KeysError> {
        let (api_key, api_key_hash) = keys::new_bot_key()?;
        Ok(Self {
            api_key,
            api_key_hash,
            callback_secret: keys::new_callback_secret()?,
        })
    }
}

async fn start_sandbox(gateway: SocketAddr) -> std::io::Result<Sandbox> {
    let script = Script::Helpful(Pace::default());
    let listen = free_or_any(8088).await?;
    let webhook_url = format!("http://{gateway}/webhooks/8x8/demo").parse().ok();
    Sandbox::start(Options {
        listen,
        webhook_url,
        script,
        ..Options::default()
    })
    .await
}

/// The same settings an operator would write, given as environment variables are.
async fn settings_for(
    sandbox: &Sandbox,
    listen: SocketAddr,
    callback_url: &str,
    keys: &Keys,
) -> Result<Settings, String> {
    let sandbox_is = Options::default();
    let admin = free_or_any(9090).await.map_err(|error| error.to_string())?;
    let (listen, admin) = (listen.to_string(), admin.to_string());
    let pairs = [
        ("SERVER__LISTEN", listen.as_str()),
        ("SERVER__DRAIN_DELAY", "0s"),
        ("ADMIN__LISTEN", &admin),
        ("STORE__URL", "sqlite::memory:"),
        ("DELIVERY__ALLOW_HTTP", "true"),
        ("DELIVERY__ALLOW_NETWORKS", "127.0.0.0/8"),
        ("TENANTS__DEMO__BASE_URL", &sandbox.url()),
        ("TENANTS__DEMO__TENANT_ID", &sandbox_is.tenant_id),
        ("TENANTS__DEMO__API_KEY", &sandbox_is.api_key),
        ("TENANTS__DEMO__CHANNEL_ID", &sandbox_is.channel_id),
        ("TENANTS__DEMO__QUEUE_ID", "101"),
        ("TENANTS__DEMO__TRANSFER_GRACE", "3s"),
        ("BOTS__DEMO__TENANT", "demo"),
        ("BOTS__DEMO__API_KEY_HASHES", &keys.api_key_hash),
        ("BOTS__DEMO__CALLBACK_URL", callback_url),
        ("BOTS__DEMO__CALLBACK_SECRETS", &keys.callback_secret),
    ];
    let env = pairs
        .into_iter()
        .map(|(key, value)| (format!("HANDOVER__{key}"), value.to_owned()));
    settings::load(&[], env).map_err(|faults| faults.to_string())
}

/// The usual port, or any when somebody has that.
async fn free_or_any(port: u16) -> std::io::Result<SocketAddr> {
    let listener = match TcpListener::bind(("127.0.0.1", port)).await {
        Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => TcpListener::bind(("127.0.0.1", 0)).await?,
        bound => bound?,
    };
    listener.local_addr()
}

fn instructions(url: &str, key: &str) -> String {
    format!(
        r#"
The handover is over; everything stays up. Now by hand, in another terminal:

1. Ask for a human (the answer has the id):

   curl -s {url}/v1/handovers -H "Authorization: Bearer {key}" -H "Content-Type: application/json" \
     -d '{{"user": {{"name": "Jane"}}, "history": {{"messages": [{{"authorType": "user", "text": "Where is my parcel?"}}]}}}}'

2. Watch what the bot is told, with ID from step 1:

   curl -N {url}/v1/handovers/ID/events -H "Authorization: Bearer {key}" -H "Accept: text/event-stream"

3. Answer the agent ("transfer" gets you another one, "bye" ends it):

   curl -s {url}/v1/handovers/ID/messages -H "Authorization: Bearer {key}" -H "Content-Type: application/json" \
     -d '{{"text": "My order is 4711-22"}}'

The API is described at {url}/docs. Ctrl-C stops everything."#
    )
}
