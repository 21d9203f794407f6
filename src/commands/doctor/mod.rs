//! `handover-gateway doctor`: looks at everything a handover needs and says of each thing whether it is right, and what to
//! do when it is not. One file a subject.

mod availability;
mod bot;
mod check;
mod figures;
mod gateway;
mod live;
mod tenant;

use std::io::Write as _;
use std::process::ExitCode;

use clap::Args;

use crate::app;
use crate::clock::Clock;
use crate::commands::cli::complain;
use crate::commands::hide::Hide;
use crate::commands::kept;
use crate::commands::kept::Seen;
use crate::commands::running::AdminPort;
use crate::commands::running::NotHeard;
use crate::commands::running::Status;
use crate::commands::serve::with_causes;
use crate::delivery::Probe;
use crate::domain::TenantName;
use crate::outbound;
use crate::settings::Settings;
use crate::store::TenantState;

use check::Check;

const WRONG_CONFIGURATION: u8 = 2;

/// Check everything a handover needs, and say what to do about what is wrong.
#[derive(Args, Clone, Debug)]
pub(super) struct DoctorArgs {
    /// Only this tenant and its bots; all of them when left out.
    #[arg(long, value_name = "NAME")]
    tenant: Option<String>,
    /// Play one marked conversation through 8x8 and the running gateway.
    #[arg(long, requires = "queue")]
    live: bool,
    /// The queue of the marked conversation; its agents will see it.
    #[arg(long, value_name = "ID", requires = "live")]
    queue: Option<String>,
    /// Print one JSON object instead of a table.
    #[arg(long)]
    json: bool,
}

/// What the checks are made with.
struct Doctor<'a> {
    settings: &'a Settings,
    only: Option<TenantName>,
    clock: Clock,
    client: reqwest::Client,
    admin: AdminPort,
    /// Of the gateway that runs here, if one does.
    status: Result<Status, NotHeard>,
    store: Seen,
}

pub(super) async fn run(args: DoctorArgs, settings: Settings) -> ExitCode {
    if let Some(why) = unusable(&args, &settings) {
        complain(&why);
        return ExitCode::from(WRONG_CONFIGURATION);
    }
    let doctor = match Doctor::begin(&args, &settings).await {
        Ok(doctor) => doctor,
        Err(why) => {
            complain(&why);
            return ExitCode::from(WRONG_CONFIGURATION);
        }
    };
    let hide = Hide::new(&settings);
    let checks = match &args.queue {
        Some(queue) if args.live => live::play(&doctor, queue).await,
        Some(_) | None => doctor.examine().await,
    };
    let text = hide.text(&check::print(&checks, args.json));
    if let Err(error) = std::io::stdout().lock().write_all(text.as_bytes()) {
        complain(&error.to_string());
    }
    if check::has_failed(&checks) {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    }
}

fn unusable(args: &DoctorArgs, settings: &Settings) -> Option<String> {
    if settings.tenants.is_empty() {
        return Some("no tenant is configured: give a file with [tenants.NAME] by --config".to_owned());
    }
    if let Some(name) = &args.tenant
        && !settings.tenants.contains_key(&TenantName::new(name))
    {
        return Some(format!("there is no section [tenants.{name}]"));
    }
    let unclear = args.live && args.tenant.is_none() && settings.tenants.len() > 1;
    unclear.then(|| "several tenants are configured: say with --tenant NAME which one to play through".to_owned())
}

impl<'a> Doctor<'a> {
    async fn begin(args: &DoctorArgs, settings: &'a Settings) -> Result<Self, String> {
        let clock = Clock::system();
        let admin = AdminPort::new(settings).map_err(|error| with_causes(&error))?;
        let status = admin.status().await;
        let is_running = !matches!(status, Err(NotHeard::NotRunning(_)));
        let store = kept::look(settings, &clock, is_running).await;
        Ok(Self {
            settings,
            only: args.tenant.as_deref().map(TenantName::new),
            client: outbound::for_chat_gateway(&settings.outbound).map_err(|error| with_causes(&error))?,
            admin,
            status,
            store,
            clock,
        })
    }

    async fn examine(&self) -> Vec<Check> {
        let mut checks = gateway::checks(self).await;
        checks.extend(figures::checks(self).await);
        for (name, tenant) in self.settings.tenants.iter().filter(|(name, _)| self.is_chosen(name)) {
            let found = tenant::checks(self, name, tenant).await;
            checks.extend(found.into_iter().map(|check| check.of_tenant(name)));
        }
        let deliveries = app::deliveries(self.settings).map_err(|error| with_causes(&error));
        let probe = deliveries.and_then(|deliveries| {
            let (outbound, patience) = (self.settings.outbound.clone(), self.settings.delivery.timeout);
            Probe::new(deliveries, outbound, self.clock.clone(), patience).map_err(|error| with_causes(&error))
        });
        match probe {
            Ok(probe) => {
                for (name, bot) in self.settings.bots.iter().filter(|(_, bot)| self.is_chosen(&bot.tenant)) {
                    let found = bot::checks(self, &probe, name, bot).await;
                    checks.extend(found.into_iter().map(|check| check.of_bot(name)));
                }
            }
            Err(why) => checks.push(Check::fail("callbacks", why, "mend the bot's section")),
        }
        checks
    }

    fn is_chosen(&self, tenant: &TenantName) -> bool {
        self.only.as_ref().is_none_or(|only| only == tenant)
    }

    /// What is kept of a tenant, where it can be read.
    fn state(&self, tenant: &TenantName) -> TenantState {
        match &self.store {
            Seen::Free(_, states) => states.get(tenant).cloned().unwrap_or_default(),
            Seen::Held | Seen::Missing | Seen::Unusable(_) => TenantState::default(),
        }
    }
}
