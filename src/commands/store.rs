//! `store migrate|backup|restore|copy`: what an operator does with the store's file.

use std::io;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use bytesize::ByteSize;
use serde_json::Value;
use serde_json::json;

use crate::clock::Clock;
use crate::commands::cli::complain;
use crate::commands::serve::with_causes;
use crate::settings::Settings;
use crate::store::sqlite;
use crate::store::sqlite::MaintenanceError;
use crate::store::sqlite::Replace;

const WRONG_USAGE: u8 = 2;

/// Migrate, back up, restore or copy the store.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct StoreArgs {
    #[command(subcommand)]
    command: StoreCommand,
    /// Print one JSON object instead of text
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Clone, Debug, clap::Subcommand)]
enum StoreCommand {
    /// Bring the file to the schema of this program, as `serve` does at its start; the gateway must be stopped
    Migrate,
    /// Copy the store to a file that is not there yet; the gateway may run
    Backup {
        /// The copy
        file: PathBuf,
    },
    /// Put a backup in the place of the store; the gateway must be stopped
    Restore {
        /// The backup; it is left as it is
        file: PathBuf,
        /// Put aside the store that is there
        #[arg(long)]
        force: bool,
    },
    /// Copy the store to another URL where there is none yet; the gateway must be stopped
    Copy {
        /// Such as `sqlite:///srv/handover.db`
        #[arg(long, value_name = "URL")]
        to: String,
    },
}

/// What was done: for a person, and for a program.
struct Report {
    text: String,
    facts: Value,
}

pub(super) fn run(args: &StoreArgs, settings: &Settings) -> ExitCode {
    let outcome = carry_out(&args.command, &settings.store.url);
    if let Err(error) = print(args.json, &outcome, &mut io::stdout()) {
        complain(&format!("the outcome cannot be printed: {error}"));
    }
    match outcome {
        Ok(_done) => ExitCode::SUCCESS,
        Err(error) if error.is_wrong_usage() => ExitCode::from(WRONG_USAGE),
        Err(_failed) => ExitCode::FAILURE,
    }
}

fn carry_out(command: &StoreCommand, url: &str) -> Result<Report, MaintenanceError> {
    match command {
        StoreCommand::Migrate => migrate(url),
        StoreCommand::Backup { file } => sqlite::backup(url, file).map(|done| Report {
            text: format!(
                "backed up `{}` (schema {}) to `{}`, {}",
                done.from.display(),
                done.schema,
                done.to.display(),
                ByteSize(done.bytes)
            ),
            facts: json!({"from": done.from, "to": done.to, "schema": done.schema, "bytes": done.bytes}),
        }),
        StoreCommand::Restore { file, force } => {
            let replace = if *force { Replace::Yes } else { Replace::No };
            sqlite::restore(url, file, replace, Clock::system().now()).map(|done| restored(&done))
        }
        StoreCommand::Copy { to } => sqlite::copy(url, to).map(|done| Report {
            text: format!(
                "copied `{}` (schema {}) to `{}`, {}; set store.url to it before the next start",
                done.from.display(),
                done.schema,
                done.to.display(),
                ByteSize(done.bytes)
            ),
            facts: json!({"from": done.from, "to": done.to, "schema": done.schema, "bytes": done.bytes}),
        }),
    }
}

fn migrate(url: &str) -> Result<Report, MaintenanceError> {
    let done = sqlite::migrate(url)?;
    let file = done.file.display();
    let text = if done.from == done.to {
        format!("`{file}` has schema {} already", done.to)
    } else {
        format!("`{file}` went from schema {} to {}", done.from, done.to)
    };
    Ok(Report {
        text,
        facts: json!({"file": done.file, "from": done.from, "to": done.to}),
    })
}

fn restored(done: &sqlite::Restored) -> Report {
    let aside = match &done.aside {
        Some(aside) => format!("\nthe store before it is `{}`", aside.display()),
        None => String::new(),
    };
    let text = format!(
        "restored `{}` (schema {}) as `{}`, {}{aside}",
        done.from.display(),
        done.schema,
        done.to.display(),
        ByteSize(done.bytes)
    );
    Report {
        text,
        facts: json!({"from": done.from, "to": done.to, "schema": done.schema, "bytes": done.bytes, "aside": done.aside}),
    }
}

fn print(json: bool, outcome: &Result<Report, MaintenanceError>, out: &mut dyn Write) -> io::Result<()> {
    match (outcome, json) {
        (Ok(report), false) => writeln!(out, "{}", report.text)?,
        (Ok(report), true) => {
            let mut object = report.facts.clone();
            if let Some(fields) = object.as_object_mut() {
                fields.insert("ok".to_owned(), json!(true));
            }
            writeln!(out, "{object}")?;
        }
        (Err(error), false) => complain(&with_causes(error)),
        (Err(error), true) => writeln!(out, "{}", json!({"ok": false, "error": with_causes(error)}))?,
    }
    out.flush()
}
