//! `varve-bench-native COMMAND key=value …`: one round of one floor or peer, measured, as one line of JSON.
//!
//! bench/peers/native.mjs runs it once a round, so that it takes its turn with the sides that live in Node. Every command
//! times its own work only, after a warm-up of its own where it has code or memory to warm.

mod arguments;
mod device;
mod lz4;
mod processors;
mod report;
mod seed;
mod stages;
mod threads;

use std::error::Error;

use arguments::Arguments;
use report::Report;

/// What goes wrong ends the round with its words.
type Outcome<T> = Result<T, Box<dyn Error>>;

fn main() {
    match run() {
        Ok(report) => println!("{report}"),
        Err(error) => {
            eprintln!("{error}");
            std::process::exit(1);
        }
    }
}

fn run() -> Outcome<Report> {
    let arguments = Arguments::of_process()?;
    match arguments.command() {
        "device" => device::run(&arguments),
        "lz4" => lz4::run(&arguments),
        "processors" => processors::run(),
        "seed" => seed::run(&arguments),
        "stages" => stages::run(&arguments),
        "threads" => threads::run(&arguments),
        other => Err(format!("no command {other}: device, lz4, processors, seed, stages, threads").into()),
    }
}
