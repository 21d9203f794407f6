//! `handover-gateway provision`: makes, checks, mends, moves or removes the webhook and the channel of each tenant at 8x8.

use std::io::Write as _;
use std::process::ExitCode;

use clap::Args;

use crate::app;
use crate::app::BuildError;
use crate::clock::Clock;
use crate::commands::cli::complain;
use crate::commands::hide::Hide;
use crate::commands::kept;
use crate::commands::kept::Kept;
use crate::commands::provision_report::Report;
use crate::commands::provision_report::print;
use crate::commands::running::AdminPort;
use crate::commands::running::NotHeard;
use crate::commands::running::Status;
use crate::commands::serve::with_causes;
use crate::domain::TenantName;
use crate::outbound;
use crate::provisioning::CarryOut;
use crate::provisioning::Explained;
use crate::provisioning::Known;
use crate::provisioning::Wanted;
use crate::provisioning::explain;
use crate::provisioning::find;
use crate::provisioning::plan;
use crate::provisioning::plan_removal;
use crate::settings::Settings;
use crate::settings::TenantSettings;
use crate::store::Registration;
use crate::store::Store as _;

const WRONG_CONFIGURATION: u8 = 2;

/// Show what webhook and channel each tenant needs at 8x8, and with --apply make or mend them.
#[derive(Args, Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the command line")]
pub(super) struct ProvisionArgs {
    /// Only this tenant; all of them when left out.
    #[arg(long, value_name = "NAME")]
    tenant: Option<String>,
    /// Do it; without this nothing is changed.
    #[arg(long)]
    apply: bool,
    /// Move a webhook that points to another host to `server.public_url`.
    #[arg(long, conflicts_with = "remove")]
    repoint: bool,
    /// Delete what was provisioned.
    #[arg(long)]
    remove: bool,
    /// Print one JSON object instead of text.
    #[arg(long)]
    json: bool,
}

/// Why nothing could be begun.
#[derive(Debug, thiserror::Error)]
enum Unusable {
    #[error("no tenant is configured: give a file with [tenants.NAME] by --config")]
    NoTenants,
    #[error("there is no section [tenants.{0}]")]
    NoSuchTenant(String),
    #[error("server.public_url is not set: 8x8 has to be told where this gateway is reached")]
    NoPublicUrl,
    #[error(transparent)]
    Build(#[from] BuildError),
}

struct Session<'a> {
    args: &'a ProvisionArgs,
    settings: &'a Settings,
    clock: Clock,
    admin: AdminPort,
    /// Of the gateway that runs here, if one does.
    status: Result<Status, NotHeard>,
    kept: Kept,
}

pub(super) async fn run(args: ProvisionArgs, settings: Settings) -> ExitCode {
    let tenants = match chosen(args.tenant.as_deref(), &settings) {
        Ok(tenants) => tenants,
        Err(error) => return unusable(&error),
    };
    let session = match Session::begin(&args, &settings).await {
        Ok(session) => session,
        Err(code) => return code,
    };
    let mut reports = Vec::new();
    for (name, tenant, wanted) in tenants {
        match session.provision(name, tenant, &wanted).await {
            Ok(report) => reports.push(report),
            Err(error) => return unusable(&Unusable::Build(error)),
        }
    }
    let text = Hide::new(&settings).text(&print(&reports, args.json));
    if let Err(error) = std::io::stdout().lock().write_all(text.as_bytes()) {
        complain(&error.to_string());
    }
    if reports.iter().all(|report| report.problems.is_empty()) {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

type Chosen<'a> = Vec<(&'a TenantName, &'a TenantSettings, Wanted)>;

fn chosen<'a>(only: Option<&str>, settings: &'a Settings) -> Result<Chosen<'a>, Unusable> {
    if settings.tenants.is_empty() {
        return Err(Unusable::NoTenants);
    }
    if let Some(name) = only.filter(|name| !settings.tenants.contains_key(&TenantName::new(name))) {
        return Err(Unusable::NoSuchTenant(name.to_owned()));
    }
    let is_chosen = |name: &TenantName| only.is_none_or(|only| only == name.as_str());
    let tenants = settings.tenants.iter().filter(|(name, _)| is_chosen(name));
    tenants
        .map(|(name, tenant)| {
            let wanted = app::wanted(settings, name, tenant).ok_or(Unusable::NoPublicUrl)?;
            Ok((name, tenant, wanted))
        })
        .collect()
}

fn unusable(error: &Unusable) -> ExitCode {
    complain(&with_causes(error));
    ExitCode::from(WRONG_CONFIGURATION)
}

impl<'a> Session<'a> {
    async fn begin(args: &'a ProvisionArgs, settings: &'a Settings) -> Result<Self, ExitCode> {
        let clock = Clock::system();
        let admin = AdminPort::new(settings).map_err(|error| unusable(&Unusable::Build(error.into())))?;
        let status = admin.status().await;
        let is_running = !matches!(status, Err(NotHeard::NotRunning(_)));
        let kept = kept::open(settings, &clock, args.apply, is_running)
            .await
            .map_err(|error| {
                complain(&with_causes(&error));
                ExitCode::FAILURE
            })?;
        Ok(Self {
            args,
            settings,
            clock,
            admin,
            status,
            kept,
        })
    }

    async fn provision(
        &self,
        name: &TenantName,
        tenant: &TenantSettings,
        wanted: &Wanted,
    ) -> Result<Report, BuildError> {
        let client = outbound::for_chat_gateway(&self.settings.outbound)?;
        let gateway = app::chat_gateway(&client, name, tenant)?;
        let mut report = Report::new(name, wanted, self.args.apply);
        if self.args.remove && self.args.apply && self.is_held() {
            report.problem(Explained {
                what: "a gateway runs with this store and would go on using the channel".to_owned(),
                next: "stop it first".to_owned(),
            });
            return Ok(report);
        }
        let known = match self.known(name, tenant).await {
            Ok(known) => known,
            Err(problem) => {
                report.problem(problem);
                return Ok(report);
            }
        };
        let found = match find(&gateway, wanted, &known).await {
            Ok(found) => found,
            Err(error) => {
                report.problem(explain(&error, name));
                return Ok(report);
            }
        };
        let plan = if self.args.remove {
            plan_removal(&found, wanted)
        } else {
            plan(&found, wanted, self.args.repoint)
        };
        report.planned(&plan, wanted);
        if self.args.apply {
            let carry_out = CarryOut {
                gateway: &gateway,
                wanted,
                tenant: name,
                clock: &self.clock,
                is_running: self.status.is_ok(),
            };
            let (carried, registration) = carry_out.run(&plan).await;
            report.carried(carried, wanted);
            // What is left alone is not ours, and so not kept.
            let registration = registration.filter(|_| plan.problems.is_empty());
            if !self.args.remove {
                report.registered(registration.as_ref(), wanted);
            }
            self.settle(name, &known, registration, &mut report).await;
        }
        Ok(report)
    }

    /// From the store, or from the gateway that has it open.
    async fn known(&self, name: &TenantName, tenant: &TenantSettings) -> Result<Known, Explained> {
        let registration = match &self.kept {
            Kept::Open(store) => {
                store
                    .tenant_state(name)
                    .await
                    .map_err(|error| unkept(&error))?
                    .registration
            }
            Kept::Held => self.told(name),
            Kept::Missing => None,
        };
        Ok(Known {
            configured_channel: tenant.channel_id.clone(),
            registration,
        })
    }

    fn told(&self, name: &TenantName) -> Option<Registration> {
        let told = self.status.as_ref().ok()?.tenant(name)?;
        Some(Registration {
            webhook_id: told.webhook_id.clone()?,
            channel_id: told.channel_id.clone()?,
        })
    }

    /// Keeps what is registered now, or has the running gateway find it.
    async fn settle(&self, name: &TenantName, known: &Known, registration: Option<Registration>, report: &mut Report) {
        if self.args.remove {
            // Forgotten only when it is gone: what was left is found again by its id.
            if report.problems.is_empty()
                && let Kept::Open(store) = &self.kept
            {
                let forgotten = store.keep_registration(name, None).await;
                report.kept(forgotten.map_err(|error| unkept(&error)));
            }
            return;
        }
        if known.configured_channel.is_some() || registration.is_none() || registration == known.registration {
            return;
        }
        match &self.kept {
            Kept::Open(store) => {
                let kept = store.keep_registration(name, registration).await;
                report.kept(kept.map_err(|error| unkept(&error)));
            }
            Kept::Missing => {}
            Kept::Held => {
                if self.admin.look().await {
                    report.note("the running gateway was told, and uses the channel from now on".to_owned());
                } else {
                    report.note(
                        "the store is in use by a running gateway: it finds the channel within a minute".to_owned(),
                    );
                }
            }
        }
    }

    const fn is_held(&self) -> bool {
        matches!(self.kept, Kept::Held)
    }
}

fn unkept(error: &dyn std::error::Error) -> Explained {
    Explained {
        what: format!("the store cannot be used: {}", with_causes(error)),
        next: "nothing is lost: what is at 8x8 is found by its name; mend the store and run this again".to_owned(),
    }
}
