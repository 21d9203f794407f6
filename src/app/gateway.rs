//! One running gateway: started whole or not at all, stopped in order.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use prometheus_client::registry::Registry;
use thiserror::Error;
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::sync::mpsc;

use crate::app::BuildError;
use crate::app::build;
use crate::app::in_force::InForce;
use crate::app::reload;
use crate::app::reload::Replaceable;
use crate::app::reload::Running;
use crate::app::surface::Means;
use crate::app::surface::Surface;
use crate::attachment_links::AttachmentLinks;
use crate::bus::Bus;
use crate::clock::Clock;
use crate::delivery::BacklogKeeper;
use crate::delivery::DeliveryMetrics;
use crate::delivery::Dispatcher;
use crate::delivery::DispatcherParts;
use crate::delivery::Ephemerals;
use crate::delivery::Roster;
use crate::delivery::Wake;
use crate::handovers::HandoverMetrics;
use crate::handovers::Handovers;
use crate::handovers::Parts;
use crate::handovers::RestartError;
use crate::handovers::Tenants;
use crate::http;
use crate::http::Listener;
use crate::http::Readiness;
use crate::http::ReloadWish;
use crate::http::ReloadWishes;
use crate::http::ServerLimits;
use crate::provisioning::Watch;
use crate::settings::Settings;
use crate::store::Store as _;
use crate::store::StoreError;
use crate::store::sqlite::OpenError;
use crate::store::sqlite::SqliteStore;
use crate::supervisor::Supervisor;

/// Probes and a scraper or two.
const ADMIN_CONNECTIONS: usize = 64;

/// With the store broken nothing in flight can be recorded any more: what is left is to answer, and to be started again.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Why the gateway did not start; nothing is left running.
#[derive(Debug, Error)]
pub enum StartError {
    #[error("{port} cannot listen on {address}")]
    Listen {
        port: &'static str,
        address: SocketAddr,
        #[source]
        error: std::io::Error,
    },
    #[error("the store cannot be opened")]
    Store(#[from] OpenError),
    #[error("the store cannot be used")]
    Keys(#[from] StoreError),
    #[error(transparent)]
    Build(#[from] BuildError),
    #[error("the live handovers cannot be loaded")]
    Restart(#[from] RestartError),
}

pub struct Gateway {
    public: SocketAddr,
    admin: SocketAddr,
    supervisor: Supervisor,
    readiness: Readiness,
    store: Arc<SqliteStore>,
    pub(super) running: Running,
    wishes: Option<mpsc::Receiver<ReloadWish>>,
}

impl Gateway {
    /// Binds first, so that a port that is taken is told before anything happens; listens last, when all is loaded.
    pub async fn start(settings: Settings) -> Result<Self, StartError> {
        let public = bind("server.listen", settings.server.listen).await?;
        let admin = bind("admin.listen", settings.admin.listen).await?;
        let tls = reload::tls(&settings)?;
        let (clock, supervisor, readiness) = (Clock::system(), Supervisor::new(), Readiness::default());
        let (store, mut registry) = open_store(&settings, &clock)?;
        let in_force = InForce::first(&settings, &clock)?;
        let bus = Bus::new(in_force.bots.keys().cloned());
        let (wake, look, (reload, wishes)) = (Wake::new(), Arc::new(Notify::new()), ReloadWishes::new());
        let ephemerals = Ephemerals::new(wake.clone());
        let (dispatcher, backlog, roster) = delivery(&settings, &store, &clock, &ephemerals, &mut registry)?;
        let handovers = Handovers::new(Parts {
            store: store.clone(),
            tenants: Tenants::new(in_force.tenants.values().cloned(), in_force.bots.values().cloned()),
            clock: clock.clone(),
            supervisor: supervisor.clone(),
            links: links(&store, &settings).await?,
            bus: bus.clone(),
            wake,
            ephemerals,
            metrics: HandoverMetrics::new(&mut registry),
        });
        let means = Means {
            bus,
            clock: clock.clone(),
            supervisor: supervisor.clone(),
            readiness: readiness.clone(),
            look: Arc::clone(&look),
            reload,
        };
        let surface = Surface::new(&handovers, means, &settings.server, registry);
        // From here on calls to 8x8 are made.
        let live = handovers.restart().await?;
        let watched = reload::watched(&settings, &in_force, &*store).await?;
        let watch = Watch::new(watched.subscribe(), store.clone(), clock, look);
        let gateway = Self {
            public: public.local_addr().unwrap_or(settings.server.listen),
            admin: admin.local_addr().unwrap_or(settings.admin.listen),
            supervisor,
            readiness,
            store,
            running: Running::new(settings, in_force, surface, Replaceable { roster, watched, tls }),
            wishes: Some(wishes),
        };
        let stop = gateway.supervisor.stop_token();
        gateway.supervisor.start("backlog", backlog.run(stop));
        gateway.run(&handovers, dispatcher, watch);
        gateway.listen(public, admin);
        gateway.readiness.started();
        gateway.announce(live);
        Ok(gateway)
    }

    fn announce(&self, live: usize) {
        failpoint!("start.listening");
        self.running.warn();
        tracing::info!(public = %self.public, admin = %self.admin, live, "listening");
    }

    /// What the operator's port is asked to have reloaded; for one to serve, who drops it before the stop.
    pub fn reload_wishes(&mut self) -> Option<mpsc::Receiver<ReloadWish>> {
        self.wishes.take()
    }

    pub fn public_addr(&self) -> SocketAddr {
        self.public
    }

    pub fn admin_addr(&self) -> SocketAddr {
        self.admin
    }

    /// Resolves when a task ended that should not have, or the store broke: the process is to stop and start anew.
    pub async fn failed(&self) {
        self.supervisor.stop_token().cancelled().await;
    }

    /// Withdraws readiness, goes on serving while that is noticed, then stops. `false` when something had to be cut off
    /// or had failed before; nothing is lost even then, since all that was accepted is in the store.
    pub async fn stop(self) -> bool {
        self.readiness.drain();
        if !self.supervisor.has_failed() {
            let delay = self.running.settings.server.drain_delay;
            tracing::info!("stopping: serving goes on for {delay:?}");
            tokio::time::sleep(delay).await;
        }
        let failed = self.supervisor.has_failed();
        self.supervisor.stop();
        let most = self.running.settings.server.shutdown_grace;
        let grace = if self.store.broken().is_cancelled() {
            LAST_WORDS.min(most)
        } else {
            most
        };
        let all_ended = self.supervisor.stopped(grace).await;
        if !all_ended {
            tracing::warn!("some work did not end within {grace:?} and was cut off");
        }
        self.store.close();
        tracing::info!("stopped");
        all_ended && !failed
    }

    fn run(&self, handovers: &Arc<Handovers>, dispatcher: Dispatcher, watch: Watch) {
        let settings = &self.running.settings;
        let stop = || self.supervisor.stop_token();
        self.supervisor.start("tenants", watch.run(stop()));
        self.supervisor.start("dispatcher", dispatcher.run(stop()));
        self.supervisor
            .start("timers", Arc::clone(handovers).run_timers(stop()));
        self.supervisor
            .start("reconcile", Arc::clone(handovers).run_reconcile(stop()));
        self.supervisor
            .start("queue news", Arc::clone(handovers).run_queue_news(stop()));
        self.supervisor
            .start("agent names", Arc::clone(handovers).run_agent_names(stop()));
        self.supervisor.start(
            "retention",
            Arc::clone(handovers).run_retention(settings.store.retention, stop()),
        );
        let notices = build::notices(&settings.delivery);
        self.supervisor
            .start("agent notices", Arc::clone(handovers).run_notices(notices, stop()));
        self.supervisor.start(
            "erasure",
            Arc::clone(handovers).run_erasure(settings.store.content_retention, stop()),
        );
        let (broken, stop) = (self.store.broken(), stop());
        self.supervisor.start("store", async move {
            tokio::select! {
                () = broken.cancelled() => tracing::error!("the store failed while writing; what was acknowledged is safe"),
                () = stop.cancelled() => {}
            }
        });
    }

    /// The admin port is not counted against the public one's connections: it answers when that is full.
    fn listen(&self, public: TcpListener, admin: TcpListener) {
        let server = &self.running.settings.server;
        // A little less than all tasks have, so that what is cut off is cut off in order.
        let limits = |connections| ServerLimits {
            connections,
            grace: server.shutdown_grace * 9 / 10,
            headers: ServerLimits::HEADERS,
            trusted_proxies: self.running.proxies.clone(),
        };
        let stop = || self.supervisor.stop_token();
        let metrics = || self.running.surface.metrics.clone();
        let public = Listener {
            tcp: public,
            tls: self.running.replaceable.tls.clone(),
        };
        let (public_router, admin_router) = (self.running.public.served(), self.running.admin.served());
        self.supervisor.start(
            "public port",
            http::serve(public, public_router, limits(server.max_connections), metrics(), stop()),
        );
        self.supervisor.start(
            "admin port",
            http::serve(admin, admin_router, limits(ADMIN_CONNECTIONS), metrics(), stop()),
        );
    }
}

/// The store, with its figures shown.
fn open_store(settings: &Settings, clock: &Clock) -> Result<(Arc<SqliteStore>, Registry), OpenError> {
    let store = SqliteStore::open(&settings.store, clock.clone())?;
    let mut registry = Registry::default();
    store.register(&mut registry);
    Ok((Arc::new(store), registry))
}

async fn links(store: &SqliteStore, settings: &Settings) -> Result<AttachmentLinks, StoreError> {
    let key = store.link_key(rand::random()).await?;
    Ok(AttachmentLinks::new(&key, settings.server.public_url.as_ref()))
}

/// What delivers, and what keeps that which waits for it within bounds.
fn delivery(
    settings: &Settings,
    store: &Arc<SqliteStore>,
    clock: &Clock,
    ephemerals: &Ephemerals,
    registry: &mut Registry,
) -> Result<(Dispatcher, BacklogKeeper, Roster), BuildError> {
    let (store, clock, metrics) = (store.clone(), clock.clone(), DeliveryMetrics::new(registry));
    let backlog = BacklogKeeper::new(store.clone(), clock.clone(), &settings.delivery, metrics.clone());
    let roster = Roster::new(build::deliveries(settings)?, settings.outbound.clone())?;
    let dispatcher = Dispatcher::new(DispatcherParts {
        store,
        clock,
        settings: settings.delivery.clone(),
        roster: roster.clone(),
        ephemerals: ephemerals.clone(),
        metrics,
    });
    Ok((dispatcher, backlog, roster))
}

async fn bind(port: &'static str, address: SocketAddr) -> Result<TcpListener, StartError> {
    TcpListener::bind(address)
        .await
        .map_err(|error| StartError::Listen { port, address, error })
}
