//! A gateway between a stand-in 8x8 and bots, all of them real servers; and what must hold when a test is over.

use std::time::Duration;

use handover_gateway::sandbox::Options;

use super::bot::Bots;
use super::client::Client;
use super::config::Config;
use super::config::SUPPORT;
use super::eightx8::EightX8;
use super::gateway::Gateway;
use super::log::Log;

pub(crate) struct World {
    pub(crate) eight: EightX8,
    pub(crate) bots: Bots,
    pub(crate) gateway: Gateway,
    /// The bot `support`.
    pub(crate) api: Client,
    tolerated: Vec<String>,
    checked: bool,
}

/// Stands in the configuration until 8x8 has an address.
pub(crate) const EIGHT: &str = "http://eight.invalid";

/// What a test wants otherwise than usual.
pub(crate) struct Setup {
    pub(crate) options: Options,
    pub(crate) config: Config,
    /// The path 8x8's webhooks go to.
    pub(crate) webhook_path: String,
    /// Of the gateway's process.
    pub(crate) environment: Vec<(String, String)>,
}

impl World {
    pub(crate) async fn start() -> Self {
        Self::with(|_| ()).await
    }

    pub(crate) async fn with(change: impl FnOnce(&mut Setup)) -> Self {
        // A refused event comes again soon, for as long as a test may last.
        let options = Options {
            retry_schedule: vec![Duration::from_millis(100); 3000],
            ..Options::default()
        };
        let bots = Bots::start().await;
        let mut setup = Setup {
            options,
            config: Config::default(),
            webhook_path: "/webhooks/8x8/acme".to_owned(),
            environment: Vec::new(),
        };
        setup.config = Config::new(EIGHT, &bots.url());
        change(&mut setup);
        let eight = EightX8::start(setup.options).await;
        setup.config.replace(EIGHT, &eight.url());
        let gateway = Gateway::start(setup.config, setup.environment).await;
        let api = Client::new(&gateway.public(), SUPPORT);
        let world = Self {
            eight,
            bots,
            gateway,
            api,
            tolerated: Vec::new(),
            checked: false,
        };
        world.connect(&setup.webhook_path).await;
        world
    }

    /// Points 8x8 and the client at the gateway as it runs now.
    pub(crate) async fn connect(&self, webhook_path: &str) {
        self.api.move_to(&self.gateway.public());
        self.eight
            .point_at(&format!("{}{webhook_path}", self.gateway.public()))
            .await;
    }

    /// The gateway dies without warning and is started again.
    pub(crate) async fn kill_and_restart(&mut self) {
        self.gateway.kill();
        self.gateway.run_again().await;
        self.connect("/webhooks/8x8/acme").await;
    }

    /// The gateway is stopped as an operator would, and started again.
    pub(crate) async fn restart(&mut self) {
        let status = self.gateway.stop().await;
        assert!(status.success(), "{status}\n{}", self.gateway.log.tail(30));
        self.gateway.run_again().await;
        self.connect("/webhooks/8x8/acme").await;
    }

    /// A test that breaks something expects lines at level ERROR and answers of 500 and above that have this in them.
    pub(crate) fn tolerate(&mut self, part: &str) {
        self.tolerated.push(part.to_owned());
    }

    /// The last line of a test: everything still stands, nothing went wrong unnoticed, and it stops cleanly.
    /// Gives back the whole log.
    pub(crate) async fn finish(mut self) -> Log {
        self.checked = true;
        assert!(self.gateway.is_alive(), "the gateway died");
        let status = self.gateway.stop().await;
        assert!(status.success(), "{status}");
        let expected = |text: &String| self.tolerated.iter().any(|part| text.contains(part.as_str()));
        let log = &self.gateway.log;
        let mut errors: Vec<_> = log.of_level("ERROR").iter().map(ToString::to_string).collect();
        errors.extend(log.lines().into_iter().filter(|line| line.contains("panicked")));
        errors.extend(self.api.failures());
        errors.retain(|error| !expected(error));
        assert!(errors.is_empty(), "unexpected:\n{}", errors.join("\n"));
        assert!(self.bots.faults().is_empty(), "{:?}", self.bots.faults());
        self.gateway.log.clone()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if std::thread::panicking() {
            show(&format!("the end of the gateway's log:\n{}", self.gateway.log.tail(60)));
        } else {
            assert!(self.checked, "a test ends with World::finish()");
        }
    }
}

#[expect(clippy::print_stderr, reason = "a failing test shows what it knows")]
pub(crate) fn show(text: &str) {
    eprintln!("{text}");
}
