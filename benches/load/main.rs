//! `cargo bench --bench load [-- --quick | --only NAME | --json FILE]`: runs the gateway's release binary under load on
//! this machine and prints its figures beside those it has to reach. See docs/benchmarks.md.
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a benchmark that cannot go on ends, and its table is its output"
)]

mod bots;
mod drive;
mod events;
mod gateway;
mod machine;
mod report;
mod scenarios;
mod seed;
mod wire;

use std::path::PathBuf;
use std::time::Duration;
use std::time::Instant;

use clap::Parser;
use clap::ValueEnum;
use handover_gateway::clock::Clock;
use machine::Meter;
use report::Report;
use scenarios::Bench;
use scenarios::bare;
use serde_json::json;

#[derive(Parser)]
struct Args {
    /// A quarter of the events and a tenth of the backlog: for a look, not for publishing.
    #[arg(long)]
    quick: bool,
    /// How long a bot is away in the part `outage`, instead of a minute or, in a quick run, 20 seconds.
    #[arg(long, value_name = "SECONDS")]
    outage: Option<u64>,
    /// Only these parts; repeatable.
    #[arg(long, value_name = "NAME")]
    only: Vec<Part>,
    /// Also write the figures to this file.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Where databases are made; must be on a real disk.
    #[arg(long, value_name = "FOLDER", default_value = env!("CARGO_TARGET_TMPDIR"))]
    folder: PathBuf,
    /// Given by `cargo bench`.
    #[arg(long, hide = true)]
    bench: bool,
    /// Be the empty server that the others are compared with.
    #[arg(long, hide = true)]
    empty_server: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Part {
    Bare,
    Ingest,
    Latency,
    EndToEnd,
    Message,
    Memory,
    Restart,
    Hanging,
    SlowBot,
    Outage,
    Flood,
}

/// A machine whose processors are used by others more than this, in percent, is worth a note.
const QUIET: f64 = 5.0;
/// A part that takes longer is broken: nothing of a run waits without end.
const LONGEST_PART: Duration = Duration::from_mins(10);

fn main() {
    let args = Args::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.expect("the runtime starts");
    if args.empty_server {
        runtime.block_on(bare::serve_nothing());
    } else if args.bench {
        runtime.block_on(run(&args));
    } else {
        println!("run it with `cargo bench --bench load`, which also builds what it measures");
    }
}

async fn run(args: &Args) {
    let mut bench = Bench {
        quick: args.quick,
        outage: outage(args),
        folder: args.folder.clone(),
        report: Report::default(),
        bare: None,
    };
    // What waited for a bot takes longer to drain than the bot was away.
    let longest = LONGEST_PART + 3 * bench.outage;
    for part in Part::value_variants() {
        if args.only.is_empty() || args.only.contains(part) {
            let (begun, meter) = (Instant::now(), Meter::start());
            let sections = bench.report.sections();
            println!("{part:?} ...");
            let running = play(*part, &mut bench);
            tokio::time::timeout(longest, running)
                .await
                .expect("a part of the benchmark takes too long");
            let others = meter.taken_by_others();
            println!(
                "{part:?} took {:.0?}, others took {others:.0} % of the processors",
                begun.elapsed()
            );
            if others > QUIET {
                let note = format!("{part:?}: other programs took {others:.0} % of the processors meanwhile");
                bench.report.note(note);
                bench.report.disturbed(sections);
            }
        }
    }
    println!("\n{}", bench.report.table());
    if let Some(file) = &args.json {
        let text = format!("{:#}\n", bench.report.json(&about(args)));
        std::fs::write(file, text).expect("the figures are written");
    }
}

fn outage(args: &Args) -> Duration {
    let usual = if args.quick { 20 } else { 60 };
    Duration::from_secs(args.outage.unwrap_or(usual))
}

async fn play(part: Part, bench: &mut Bench) {
    match part {
        Part::Bare => bare::run(bench).await,
        Part::Ingest => scenarios::ingest::rate(bench).await,
        Part::Latency => scenarios::ingest::latency(bench).await,
        Part::EndToEnd => scenarios::end_to_end::run(bench).await,
        Part::Message => scenarios::message::run(bench).await,
        Part::Memory => scenarios::memory::run(bench).await,
        Part::Restart => scenarios::restart::run(bench).await,
        Part::Hanging => scenarios::sick_bot::hanging(bench).await,
        Part::SlowBot => scenarios::sick_bot::slow(bench).await,
        Part::Outage => scenarios::outage::run(bench).await,
        Part::Flood => scenarios::flood::run(bench).await,
    }
}

fn about(args: &Args) -> serde_json::Value {
    json!({
        "at": Clock::system().now().to_string(),
        "version": env!("CARGO_PKG_VERSION"),
        "quick": args.quick,
        "machine": machine::describe(),
    })
}
