//! `handover-gateway recover --from-8x8`: after the store was lost, live handovers are rebuilt from the conversations that
//! 8x8 has open. Each carries the id of its handover; whatever else was known only here is gone, and that is said.

use std::collections::HashSet;
use std::io::Write as _;
use std::process::ExitCode;

use clap::Args;

use crate::app;
use crate::app::BuildError;
use crate::chat_gateway::ChatGateway;
use crate::chat_gateway::ChatGatewayError;
use crate::chat_gateway::ConversationView;
use crate::clock::Clock;
use crate::commands::cli::complain;
use crate::commands::kept;
use crate::commands::kept::Kept;
use crate::commands::recover_report::Outcome;
use crate::commands::recover_report::Report;
use crate::commands::recover_report::print;
use crate::commands::serve::with_causes;
use crate::domain::BotName;
use crate::domain::ConversationState;
use crate::domain::Facts;
use crate::domain::HandoverId;
use crate::domain::Origin;
use crate::domain::TenantName;
use crate::domain::Timers;
use crate::handovers::Orphan;
use crate::handovers::Rebuild;
use crate::outbound;
use crate::settings::BotSettings;
use crate::settings::Settings;
use crate::settings::TenantSettings;
use crate::store::Actor;
use crate::store::AuditEntry;
use crate::store::Store as _;
use crate::store::StoreError;
use crate::store::audit;
use crate::store::sqlite::SqliteStore;

const WRONG_USAGE: u8 = 2;
/// Of a hundred conversations each.
const PAGES: u32 = 50;

/// After the store was lost: rebuild live handovers from 8x8's open conversations, with --apply; the gateway must be stopped.
#[derive(Args, Clone, Debug)]
pub(super) struct RecoverArgs {
    /// Read what 8x8 has. There is no other source: a backup is put back by `store restore`.
    #[arg(long = "from-8x8", required = true)]
    from_8x8: bool,
    /// Only this tenant; all of them when left out.
    #[arg(long, value_name = "NAME")]
    tenant: Option<String>,
    /// Whose handovers they are, where neither the channel nor the configuration tells.
    #[arg(long, value_name = "NAME")]
    bot: Option<String>,
    /// Do it; without this nothing is changed.
    #[arg(long)]
    apply: bool,
    /// Print one JSON object instead of text.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, thiserror::Error)]
enum Halted {
    #[error(transparent)]
    Build(#[from] BuildError),
    #[error("8x8 does not tell its conversations")]
    ChatGateway(#[from] ChatGatewayError),
    #[error("the store cannot be used")]
    Store(#[from] StoreError),
}

struct Session<'a> {
    args: &'a RecoverArgs,
    settings: &'a Settings,
    clock: Clock,
    /// `None` where there is no file yet and nothing is to be changed.
    store: Option<Box<SqliteStore>>,
}

pub(super) async fn run(args: RecoverArgs, settings: Settings) -> ExitCode {
    if let Err(why) = check(&args, &settings) {
        complain(&why);
        return ExitCode::from(WRONG_USAGE);
    }
    let clock = Clock::system();
    let store = match kept::open(&settings, &clock, args.apply, true).await {
        Ok(Kept::Open(store)) => Some(store),
        Ok(Kept::Missing) => None,
        Ok(Kept::Held) => {
            complain("a gateway runs with this store: stop it first");
            return ExitCode::FAILURE;
        }
        Err(error) => {
            complain(&with_causes(&error));
            return ExitCode::FAILURE;
        }
    };
    let session = Session {
        args: &args,
        settings: &settings,
        clock,
        store,
    };
    let mut reports = Vec::new();
    for (name, tenant) in &settings.tenants {
        if args.tenant.as_deref().is_some_and(|only| only != name.as_str()) {
            continue;
        }
        let mut report = Report::new(name);
        if let Err(error) = session.recover(name, tenant, &mut report).await {
            report.problem(with_causes(&error));
        }
        reports.push(report);
    }
    if let Err(error) = session.tell_audit(&reports).await {
        complain(&with_causes(&error));
        return ExitCode::FAILURE;
    }
    if let Some(store) = &session.store {
        store.close();
    }
    let text = print(&reports, args.apply, args.json);
    if let Err(error) = std::io::stdout().lock().write_all(text.as_bytes()) {
        complain(&error.to_string());
    }
    if reports.iter().all(Report::is_whole) {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn check(args: &RecoverArgs, settings: &Settings) -> Result<(), String> {
    if settings.tenants.is_empty() {
        return Err("no tenant is configured: give a file with [tenants.NAME] by --config".to_owned());
    }
    if let Some(name) = &args.tenant
        && !settings.tenants.contains_key(&TenantName::new(name))
    {
        return Err(format!("there is no section [tenants.{name}]"));
    }
    if let Some(name) = &args.bot
        && !settings.bots.contains_key(&BotName::new(name))
    {
        return Err(format!("there is no section [bots.{name}]"));
    }
    Ok(())
}

impl Session<'_> {
    async fn recover(&self, name: &TenantName, tenant: &TenantSettings, report: &mut Report) -> Result<(), Halted> {
        let client = outbound::for_chat_gateway(&self.settings.outbound).map_err(BuildError::from)?;
        let gateway = app::chat_gateway(&client, name, tenant)?;
        let (conversations, is_all) = gateway.every(PAGES).await?;
        report.listed(conversations.len(), is_all);
        let mut seen = HashSet::new();
        for view in conversations {
            let Some(id) = view.handover.clone() else { continue };
            // The newest comes first: an older one of the same id was created twice.
            if view.state == Some(ConversationState::Idle) || !seen.insert(id.clone()) {
                continue;
            }
            let (conversation, bot) = (view.id.clone(), self.bot_of(name, tenant, &view));
            let outcome = match &bot {
                Some((bot, section)) => {
                    let facts = self.facts(&id, &view, (name, tenant), (bot, section));
                    self.rebuild(&gateway, facts, view, section.callback_url.is_some())
                        .await?
                }
                None => Outcome::UnknownBot,
            };
            report.found(&id, &conversation, bot.map(|(bot, _)| bot), outcome);
        }
        Ok(())
    }

    async fn rebuild(
        &self,
        gateway: &ChatGateway,
        facts: Facts,
        view: ConversationView,
        deliver: bool,
    ) -> Result<Outcome, Halted> {
        if let Some(store) = &self.store
            && let Some(known) = store.handover(&facts.id).await?
        {
            return Ok(Outcome::Known(known.state()));
        }
        let participants = gateway.participants(&view.id).await?;
        let orphan = Orphan { view, participants };
        let (Some(store), true) = (&self.store, self.args.apply) else {
            return Ok(Outcome::WouldRecover);
        };
        let rebuild = Rebuild {
            store: store.as_ref(),
            deliver,
            now: self.clock.now(),
        };
        let written = rebuild.write(facts, orphan).await?;
        Ok(written.map_or(Outcome::Taken, |handover| Outcome::Recovered(handover.state())))
    }

    /// By `--bot`, by the channel, or because there is no other.
    fn bot_of(
        &self,
        name: &TenantName,
        tenant: &TenantSettings,
        view: &ConversationView,
    ) -> Option<(BotName, &BotSettings)> {
        let mut bots: Vec<_> = self
            .settings
            .bots
            .iter()
            .filter(|(_, bot)| bot.tenant == *name)
            .collect();
        if let Some(wanted) = &self.args.bot {
            bots.retain(|(bot, _)| bot.as_str() == wanted);
        }
        let channel = view.channel_id.as_deref();
        let leads = |bot: &BotSettings| bot.inbound_channels.iter().any(|known| Some(known.as_str()) == channel);
        let own = |bot: &BotSettings| bot.channel_id.clone().or_else(|| tenant.channel_id.clone());
        let of_channel = |bot: &BotSettings| leads(bot) || own(bot).as_deref() == channel;
        let fitting: Vec<_> = bots.iter().filter(|(_, bot)| of_channel(bot)).collect();
        let open: Vec<_> = bots.iter().filter(|(_, bot)| own(bot).is_none()).collect();
        let found = match (fitting.as_slice(), open.as_slice(), bots.as_slice()) {
            ([one], _, _) | ([], [one], _) => Some(**one),
            ([], [], [one]) if self.args.bot.is_some() => Some(*one),
            _ => None,
        };
        found.map(|(bot, section)| (bot.clone(), section))
    }

    fn facts(
        &self,
        id: &HandoverId,
        view: &ConversationView,
        (name, tenant): (&TenantName, &TenantSettings),
        (bot, section): (&BotName, &BotSettings),
    ) -> Facts {
        let now = self.clock.now();
        let channel = view.channel_id.clone().or_else(|| section.channel_id.clone());
        let channel = channel.or_else(|| tenant.channel_id.clone()).unwrap_or_default();
        let is_led = section.inbound_channels.contains(&channel);
        let queue = view.assignment.as_ref().filter(|assigned| assigned.kind == "queue");
        Facts {
            id: id.clone(),
            tenant: name.clone(),
            account: tenant.tenant_id.clone(),
            bot: bot.clone(),
            origin: if is_led { Origin::Channel } else { Origin::Bot },
            channel_id: channel,
            queue_id: queue.and_then(|queue| queue.id.clone()),
            bot_session_id: None,
            one_per_session: false,
            metadata: None,
            callback_url: None,
            reopened_from: None,
            arrival: None,
            timers: Timers {
                queue: section.queue_timeout,
                idle: section.idle_timeout,
                max_age: section.max_age,
                transfer_grace: tenant.transfer_grace,
            },
            created_at: id.made_at().map_or(now, |at| at.min(now)),
            recovered_at: Some(now),
        }
    }

    async fn tell_audit(&self, reports: &[Report]) -> Result<(), StoreError> {
        let (Some(store), true) = (&self.store, self.args.apply) else {
            return Ok(());
        };
        for report in reports {
            let entry = AuditEntry::new(self.clock.now(), &Actor::Cli, "handovers.recover")
                .target(report.tenant().as_str())
                .count("recovered", report.recovered())
                .count("skipped", report.skipped());
            audit(store.as_ref(), entry).await?;
        }
        Ok(())
    }
}
