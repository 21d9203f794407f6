//! The command line, and which command it means. Exit codes: 0 fine, 1 a check failed or the run broke, 2 wrong usage or
//! configuration.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use clap::Subcommand;

use crate::commands::demo;
use crate::commands::doctor;
use crate::commands::healthcheck;
use crate::commands::keys;
use crate::commands::openapi;
use crate::commands::provision;
use crate::commands::recover;
use crate::commands::sandbox;
use crate::commands::serve;
use crate::commands::store;
use crate::settings;
use crate::settings::Settings;
use crate::telemetry;

const WRONG_CONFIGURATION: u8 = 2;

/// Hands a chat bot's conversation over to a human agent in 8x8 Contact Center and brings every answer back.
#[derive(Debug, Parser)]
#[command(name = "handover-gateway", version)]
pub struct Cli {
    /// A TOML file with settings; repeatable, a later one wins. The environment (`HANDOVER__SECTION__KEY`) wins over all.
    #[arg(long, global = true, value_name = "FILE")]
    config: Vec<PathBuf>,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the gateway (the default).
    Serve,
    /// Show a whole handover on this machine: a stand-in 8x8, the gateway and a small bot, with no configuration.
    Demo(demo::DemoArgs),
    Sandbox(Box<sandbox::SandboxArgs>),
    Provision(provision::ProvisionArgs),
    Doctor(doctor::DoctorArgs),
    Recover(recover::RecoverArgs),
    Keys(keys::KeysArgs),
    Store(store::StoreArgs),
    Healthcheck(healthcheck::HealthcheckArgs),
    /// Print the OpenAPI document of the bot API.
    Openapi,
}

impl Cli {
    pub fn run(self) -> ExitCode {
        match self.command.unwrap_or(Command::Serve) {
            Command::Serve => with_settings(&self.config, |settings| block_on(serve::run(settings, &self.config))),
            Command::Demo(args) => block_on(demo::run(args)),
            Command::Sandbox(args) => block_on(sandbox::run(*args)),
            Command::Provision(args) => {
                with_settings(&self.config, |settings| block_on(provision::run(args, settings)))
            }
            Command::Recover(args) => with_settings(&self.config, |settings| block_on(recover::run(args, settings))),
            Command::Doctor(args) => with_settings(&self.config, |settings| block_on(doctor::run(args, settings))),
            Command::Store(args) => with_settings(&self.config, |settings| store::run(&args, &settings)),
            Command::Keys(args) => printed(keys::run(&args, &mut std::io::stdout()).map_err(std::io::Error::from)),
            Command::Healthcheck(args) => match args.address {
                Some(address) => healthcheck::run(address),
                None => with_settings(&self.config, |settings| healthcheck::run(settings.admin.listen)),
            },
            Command::Openapi => printed(openapi::run(&mut std::io::stdout())),
        }
    }
}

fn with_settings(files: &[PathBuf], command: impl FnOnce(Settings) -> ExitCode) -> ExitCode {
    match settings::from_process(files) {
        Ok(settings) => {
            telemetry::install(&settings.telemetry);
            command(settings)
        }
        Err(faults) => {
            complain(&faults.to_string());
            ExitCode::from(WRONG_CONFIGURATION)
        }
    }
}

fn block_on(command: impl Future<Output = ExitCode>) -> ExitCode {
    match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime.block_on(command),
        Err(error) => {
            complain(&format!("the runtime cannot start: {error}"));
            ExitCode::FAILURE
        }
    }
}

fn printed(outcome: std::io::Result<()>) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever read the output has seen enough.
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            complain(&error.to_string());
            ExitCode::FAILURE
        }
    }
}

/// To standard error; with that gone, the exit code says it.
pub(super) fn complain(text: &str) {
    drop(writeln!(std::io::stderr(), "handover-gateway: {text}"));
}
