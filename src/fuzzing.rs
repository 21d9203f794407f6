//! Drives the fuzz targets, which stand beside what they try: for so long, from seeds that are real, and says how much it
//! tried. bolero runs them on the stable toolchain, shrinks what fails, and can hand them to libFuzzer.

use std::env;
use std::panic::RefUnwindSafe;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::time::Duration;
use std::time::Instant;

/// Seconds a target runs.
const SECONDS: &str = "HANDOVER_FUZZ_SECONDS";
const SHORT: u64 = 8;
/// What parsers stumble over.
const TOKENS: &[&[u8]] = &[
    b"null",
    b"true",
    b"{",
    b"}",
    b"[",
    b"]",
    b"[[[[[[[[",
    b"\"",
    b"\\\"",
    b"\\u0000",
    b"\\ud800",
    b",",
    b":",
    b" ",
    b".",
    b"..",
    b"-1",
    b"0",
    b"1e999",
    b"9007199254740993",
    b"99999999999999999999",
    b"\xff",
    b"\xc3",
    b"\0",
    b"{}",
    b"[]",
    b"\"\"",
    "\u{202e}".as_bytes(),
    "\u{10ffff}".as_bytes(),
    b"data",
    b"id",
    b"text",
    b"%00",
    b"=",
    b"/",
    b"\r\n",
];

/// Tries `check` with changed seeds until the time is up. `name` is what the count is printed under.
#[expect(clippy::print_stdout, reason = "what was tried is part of the result")]
pub(crate) fn fuzz(name: &str, seeds: &[Vec<u8>], check: impl Fn(&[u8]) + RefUnwindSafe) {
    let (executions, started) = (AtomicU64::new(0), Instant::now());
    bolero::check!()
        .with_test_time(time())
        .with_iterations(usize::MAX)
        .for_each(|script: &[u8]| {
            executions.fetch_add(1, Ordering::Relaxed);
            check(&changed(seeds, script));
        });
    let (count, took) = (executions.into_inner(), started.elapsed());
    println!(
        "fuzz {name}: {count} executions in {:.1} s, {} seeds",
        took.as_secs_f64(),
        seeds.len()
    );
    assert!(count > 1000, "{name}: {count} executions try nothing");
}

fn time() -> Duration {
    let seconds = env::var_os(SECONDS).and_then(|text| text.to_str()?.parse().ok());
    Duration::from_secs(seconds.unwrap_or(SHORT))
}

/// A seed, changed as the script says; now and then the script itself.
fn changed(seeds: &[Vec<u8>], script: &[u8]) -> Vec<u8> {
    let Some(([first, second], mut edits)) = script.split_first_chunk() else {
        return script.to_vec();
    };
    if first % 16 == 0 || seeds.is_empty() {
        return edits.to_vec();
    }
    let seed = |number: u8| seeds[usize::from(number) % seeds.len()].clone();
    let mut text = seed(*second);
    while let Some(([what, a, b, c], rest)) = edits.split_first_chunk() {
        edits = rest;
        let place = usize::from(u16::from_le_bytes([*a, *b])) % (text.len() + 1);
        let end = (place + usize::from(c % 24)).min(text.len());
        match what % 8 {
            0 if place < text.len() => text[place] ^= 1 << (c % 8),
            1 => text.insert(place, *c),
            2 => drop(text.drain(place..end)),
            3 => {
                let piece = text[place..end].to_vec();
                text.splice(place..place, piece);
            }
            4 => {
                let other = seed(*c);
                let from = usize::from(*a) % (other.len() + 1);
                text.splice(place.., other[from..].to_vec());
            }
            5 => text.truncate(place),
            _ => {
                let token = TOKENS[usize::from(*c) % TOKENS.len()];
                text.splice(place..place, token.to_vec());
            }
        }
        if text.len() > 16 * 1024 {
            break;
        }
    }
    text
}
