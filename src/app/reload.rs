//! Settings that change while the gateway runs. All that can fail is done before anything is replaced; what is under way
//! ends with what it began with.

use std::collections::BTreeSet;
use std::sync::Arc;

use thiserror::Error;
use tokio::sync::watch;

use crate::app::BuildError;
use crate::app::Gateway;
use crate::app::build;
use crate::app::in_force::InForce;
use crate::app::in_force::Made;
use crate::app::in_force::Making;
use crate::app::surface::Routers;
use crate::app::surface::Surface;
use crate::delivery::Roster;
use crate::domain::BotName;
use crate::handovers::RestartError;
use crate::http::Certificate;
use crate::http::CurrentRouter;
use crate::http::Tls;
use crate::http::TrustedProxies;
use crate::provisioning::Watched;
use crate::settings::BotSettings;
use crate::settings::Changes;
use crate::settings::Settings;
use crate::settings::SettingsFaults;
use crate::store::Actor;
use crate::store::AuditEntry;
use crate::store::Store;
use crate::store::StoreError;
use crate::store::audit;

/// Why everything stays as it was.
#[derive(Debug, Error)]
pub enum ReloadError {
    #[error(transparent)]
    Settings(#[from] SettingsFaults),
    #[error("no tenant is configured")]
    NoTenant,
    #[error(transparent)]
    Build(#[from] BuildError),
    #[error("what is kept of the tenants cannot be read")]
    Store(#[from] StoreError),
}

/// What the settings in force made.
pub(super) struct Running {
    pub(super) settings: Settings,
    pub(super) surface: Surface,
    pub(super) public: CurrentRouter,
    pub(super) admin: CurrentRouter,
    pub(super) replaceable: Replaceable,
    /// Who may have more than one address's share of the connections.
    pub(super) proxies: TrustedProxies,
    in_force: InForce,
}

/// Who takes new bots, tenants and certificates.
pub(super) struct Replaceable {
    pub(super) roster: Roster,
    pub(super) watched: watch::Sender<Arc<Vec<Watched>>>,
    pub(super) tls: Option<Tls>,
}

impl Running {
    pub(super) fn new(settings: Settings, in_force: InForce, surface: Surface, replaceable: Replaceable) -> Self {
        let Routers { public, admin } = surface.routers(&settings, &in_force);
        let proxies = TrustedProxies::new(settings.server.trusted_proxies.clone());
        Self {
            settings,
            surface,
            public: CurrentRouter::new(public),
            admin: CurrentRouter::new(admin),
            replaceable,
            proxies,
            in_force,
        }
    }

    pub(super) fn warn(&self) {
        for warning in &self.settings.warnings {
            tracing::warn!(%warning, "this setting is legal and probably not meant");
        }
        if self.settings.server.is_plain_to_others() {
            tracing::warn!(
                "the public port speaks plain HTTP to other machines: set server.tls, or name the proxy that does TLS in server.trusted_proxies"
            );
        }
    }

    fn tell(&self, changes: &Changes) {
        self.warn();
        if !changes.need_restart.is_empty() {
            let keys = listed(&changes.need_restart);
            tracing::warn!(keys, "these settings changed and need a restart");
        }
        tracing::info!(changed = listed(&changes.taken_up), "settings reloaded");
    }

    async fn take_up(&mut self, new: Settings) -> Result<Changes, ReloadError> {
        if new.tenants.is_empty() {
            return Err(ReloadError::NoTenant);
        }
        let (next, mut changes) = self.settings.taking_up(new);
        let making = Making {
            settings: &next,
            clock: &self.surface.clock,
            before: &self.in_force,
            changes: &changes,
        };
        let made = making.made()?;
        let same: BTreeSet<_> = next.bots.keys().filter(|bot| making.is_same(bot)).cloned().collect();
        let deliveries = build::deliveries(&next)?;
        let certificate = certificate(&next)?;
        let watched = self.restored(&next, &made.next).await?;
        self.replaceable
            .roster
            .replace_changed(deliveries, &same)
            .map_err(BuildError::from)?;
        // Nothing fails or waits from here on.
        if let (Some(tls), Some(certificate)) = (&self.replaceable.tls, certificate)
            && tls.replace(certificate)
        {
            // The same file with another content.
            changes.taken_up.insert("server.tls.cert_file".to_owned());
        }
        drop(self.replaceable.watched.send_replace(Arc::new(watched)));
        self.replace(next, made);
        Ok(changes)
    }

    fn replace(&mut self, next: Settings, made: Made) {
        let Made {
            next: in_force,
            moved,
            limits,
        } = made;
        for (pace, limit) in limits {
            pace.limit(limit);
        }
        for (way, newer) in moved {
            way.follow(&newer);
        }
        let (tenants, bots) = (in_force.tenants.values().cloned(), in_force.bots.values().cloned());
        self.surface.handovers.replace_tenants(tenants, bots);
        self.surface.bus = self.surface.bus.renewed();
        self.proxies.replace(next.server.trusted_proxies.clone());
        let routers = self.surface.routers(&next, &in_force);
        self.public.replace(routers.public);
        self.admin.replace(routers.admin);
        // After the routers: whoever is let go here comes back by the new ones.
        let revoked = revoked(&self.settings, &next);
        self.surface.bus.replace(in_force.bots.keys().cloned(), &revoked);
        (self.settings, self.in_force) = (next, in_force);
    }

    /// What the watch looks after. Tenants that are new here take up what was kept of them.
    async fn restored(&self, next: &Settings, in_force: &InForce) -> Result<Vec<Watched>, StoreError> {
        let watched = build::watched(next, &in_force.tenants);
        for watched in &watched {
            let before = self.in_force.tenants.get(watched.standing.tenant());
            if !before.is_some_and(|before| before.standing.is(&watched.standing)) {
                watched.restore(&**self.surface.handovers.store()).await?;
            }
        }
        Ok(watched)
    }
}

impl Gateway {
    /// Takes up what was read anew, or says why all stays as it was. What needs a restart is left as it is, and named.
    pub async fn reload(
        &mut self,
        read: Result<Settings, SettingsFaults>,
        actor: Actor,
    ) -> Result<Changes, ReloadError> {
        let taken_up = match read {
            Ok(new) => self.running.take_up(new).await,
            Err(faults) => Err(ReloadError::Settings(faults)),
        };
        let entry = AuditEntry::new(self.running.surface.clock.now(), &actor, "settings.reload");
        let entry = match &taken_up {
            Ok(changes) => entry
                .count("changed", changes.taken_up.len())
                .count("need_restart", changes.need_restart.len()),
            Err(_) => entry.outcome("refused"),
        };
        if let Ok(changes) = &taken_up {
            self.running.tell(changes);
        }
        if let Err(error) = audit(&**self.running.surface.handovers.store(), entry).await {
            tracing::warn!(%error, "a reload is in the log, it could not be kept in the store");
        }
        taken_up
    }
}

/// What the watch looks after at the start.
pub(super) async fn watched(
    settings: &Settings,
    in_force: &InForce,
    store: &dyn Store,
) -> Result<watch::Sender<Arc<Vec<Watched>>>, RestartError> {
    let watched = build::watched(settings, &in_force.tenants);
    for watched in &watched {
        watched.restore(store).await?;
    }
    Ok(watch::Sender::new(Arc::new(watched)))
}

/// TLS as the settings say it.
pub(super) fn tls(settings: &Settings) -> Result<Option<Tls>, BuildError> {
    let certificate = certificate(settings)?;
    Ok(certificate.map(Tls::new).transpose()?)
}

fn certificate(settings: &Settings) -> Result<Option<Certificate>, BuildError> {
    let files = settings.server.tls.as_ref();
    let read = files.map(|files| Certificate::read(&files.cert_file, &files.key_file));
    Ok(read.transpose()?)
}

/// Bots that a key was taken from.
fn revoked(before: &Settings, next: &Settings) -> BTreeSet<BotName> {
    let has_lost_one = |(name, bot): &(&BotName, &BotSettings)| {
        let kept = next.bots.get(*name).map(|bot| bot.api_key_hashes.as_slice());
        let kept = kept.unwrap_or_default();
        bot.api_key_hashes
            .iter()
            .any(|hash| !kept.iter().any(|known| known.as_bytes() == hash.as_bytes()))
    };
    let revoked = before.bots.iter().filter(has_lost_one);
    revoked.map(|(name, _)| name.clone()).collect()
}

fn listed(keys: &BTreeSet<String>) -> String {
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    keys.join(" ")
}
