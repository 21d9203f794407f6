//! One running gateway: started whole or not at all, stopped in order.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use prometheus_client::registry::Registry;
use thiserror::Error;
use tokio::net::TcpListener;
use tokio::sync::Notify;

use crate::app::BuildError;
use crate::app::build;
use crate::app::surface::Routers;
use crate::app::surface::Surface;
use crate::attachment_links::AttachmentLinks;
use crate::bus::Bus;
use crate::clock::Clock;
use crate::delivery::DeliveryMetrics;
use crate::delivery::Dispatcher;
use crate::delivery::DispatcherParts;
use crate::delivery::Ephemerals;
use crate::delivery::Roster;
use crate::delivery::Wake;
use crate::handovers::Handovers;
use crate::handovers::Parts;
use crate::handovers::RestartError;
use crate::handovers::Tenants;
use crate::http;
use crate::http::Readiness;
use crate::http::ServerLimits;
use crate::provisioning::Watch;
use crate::settings::ServerSettings;
use crate::settings::Settings;
use crate::store::Store as _;
use crate::store::StoreError;
use crate::store::sqlite::OpenError;
use crate::store::sqlite::SqliteStore;
use crate::supervisor::Supervisor;

/// Probes and a scraper or two.
const ADMIN_CONNECTIONS: usize = 64;

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
    drain_delay: Duration,
    grace: Duration,
}

impl Gateway {
    /// Binds first, so that a port that is taken is told before anything happens; listens last, when all is loaded.
    pub async fn start(settings: Settings) -> Result<Self, StartError> {
        let public = bind("server.listen", settings.server.listen).await?;
        let admin = bind("admin.listen", settings.admin.listen).await?;
        let (clock, supervisor, readiness) = (Clock::system(), Supervisor::new(), Readiness::default());
        let store = Arc::new(SqliteStore::open(&settings.store, clock.clone())?);
        let mut registry = Registry::default();
        let tenants = build::tenants(&settings, &clock)?;
        let bots = build::bots(&settings, &tenants)?;
        let bus = Bus::new(bots.keys().cloned());
        let (wake, look) = (Wake::new(), Arc::new(Notify::new()));
        let ephemerals = Ephemerals::new(wake.clone());
        let dispatcher = Dispatcher::new(DispatcherParts {
            store: store.clone(),
            clock: clock.clone(),
            settings: settings.delivery.clone(),
            roster: Roster::new(build::deliveries(&settings)?, settings.outbound.clone()).map_err(BuildError::from)?,
            ephemerals: ephemerals.clone(),
            metrics: DeliveryMetrics::new(&mut registry),
        });
        let key = store.link_key(rand::random()).await?;
        let links = AttachmentLinks::new(&key, settings.server.public_url.as_ref());
        let handovers = Handovers::new(Parts {
            store: store.clone(),
            tenants: Tenants::new(tenants.values().cloned(), bots.values().cloned()),
            clock: clock.clone(),
            supervisor: supervisor.clone(),
            links,
            bus: bus.clone(),
            wake,
            ephemerals,
        });
        let watch = build::watch(&settings, &tenants, (store.clone(), clock.clone()), &look);
        let surface = Surface {
            settings: &settings,
            handovers: &handovers,
            tenants: &tenants,
            bots: &bots,
            bus,
            clock,
            supervisor: &supervisor,
            look,
        };
        let routers = surface.routers(registry, &readiness)?;
        // From here on calls to 8x8 are made.
        let live = handovers.restart().await?;
        watch.restore().await.map_err(RestartError::from)?;
        let gateway = Self {
            public: public.local_addr().unwrap_or(settings.server.listen),
            admin: admin.local_addr().unwrap_or(settings.admin.listen),
            supervisor,
            readiness,
            store,
            drain_delay: settings.server.drain_delay,
            grace: settings.server.shutdown_grace,
        };
        gateway.run(&handovers, dispatcher, watch, settings.store.retention);
        gateway.listen(public, admin, routers, &settings.server);
        gateway.readiness.started();
        gateway.announce(&settings, live);
        Ok(gateway)
    }

    fn announce(&self, settings: &Settings, live: usize) {
        for warning in &settings.warnings {
            tracing::warn!(%warning, "this setting is legal and probably not meant");
        }
        tracing::info!(public = %self.public, admin = %self.admin, live, "listening");
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
            tracing::info!("stopping: serving goes on for {:?}", self.drain_delay);
            tokio::time::sleep(self.drain_delay).await;
        }
        let failed = self.supervisor.has_failed();
        self.supervisor.stop();
        let all_ended = self.supervisor.stopped(self.grace).await;
        if !all_ended {
            tracing::warn!("some work did not end within {:?} and was cut off", self.grace);
        }
        self.store.close();
        tracing::info!("stopped");
        all_ended && !failed
    }

    fn run(&self, handovers: &Arc<Handovers>, dispatcher: Dispatcher, watch: Watch, retention: Duration) {
        let stop = || self.supervisor.stop_token();
        self.supervisor.start("tenants", watch.run(stop()));
        self.supervisor.start("dispatcher", dispatcher.run(stop()));
        self.supervisor
            .start("timers", Arc::clone(handovers).run_timers(stop()));
        self.supervisor
            .start("queue news", Arc::clone(handovers).run_queue_news(stop()));
        self.supervisor
            .start("agent names", Arc::clone(handovers).run_agent_names(stop()));
        self.supervisor
            .start("retention", Arc::clone(handovers).run_retention(retention, stop()));
        let (broken, stop) = (self.store.broken(), stop());
        self.supervisor.start("store", async move {
            tokio::select! {
                () = broken.cancelled() => tracing::error!("the store failed while writing; what was acknowledged is safe"),
                () = stop.cancelled() => {}
            }
        });
    }

    /// The admin port is not counted against the public one's connections: it answers when that is full.
    fn listen(&self, public: TcpListener, admin: TcpListener, routers: Routers, server: &ServerSettings) {
        // A little less than all tasks have, so that what is cut off is cut off in order.
        let limits = |connections| ServerLimits {
            connections,
            grace: self.grace * 9 / 10,
            headers: ServerLimits::HEADERS,
            trusted_proxies: server.trusted_proxies.clone(),
        };
        let stop = || self.supervisor.stop_token();
        let Routers {
            public: public_router,
            admin: admin_router,
            metrics,
        } = routers;
        self.supervisor.start(
            "public port",
            http::serve(
                public,
                public_router,
                limits(server.max_connections),
                metrics.clone(),
                stop(),
            ),
        );
        self.supervisor.start(
            "admin port",
            http::serve(admin, admin_router, limits(ADMIN_CONNECTIONS), metrics, stop()),
        );
    }
}

async fn bind(port: &'static str, address: SocketAddr) -> Result<TcpListener, StartError> {
    TcpListener::bind(address)
        .await
        .map_err(|error| StartError::Listen { port, address, error })
}
