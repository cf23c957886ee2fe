//! What `cargo xtask bench` measures: each goal for speed beside what it is compared with, in one run.
//!
//! Samples of two sides are taken in turn, so that a machine whose speed drifts is the same for both; medians and the
//! median of the ratios pair by pair are told. Nothing fails on a time.

mod call;
mod catalogue;
mod delivery;
mod dry_run;
mod forward;
mod kubernetes;
mod live;
mod machine;
mod memory;
mod plan;
mod plugin;
mod sample;
mod stage;
mod steps;
mod table;

use std::process::ExitCode;

use table::Table;

/// Errors are sentences for the person who called it.
type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;
/// Adds the rows of one measurement.
type Measure = fn(&mut Table) -> Result<()>;

const MEASURES: [(&str, Measure); 8] = [
    ("dry-run", dry_run::measure),
    ("call", call::measure),
    ("plugin", plugin::measure),
    ("live", live::measure),
    ("delivery", delivery::measure),
    ("kubernetes", kubernetes::measure),
    ("catalogue", catalogue::measure),
    ("plan", plan::measure),
];

fn main() -> ExitCode {
    let wanted: Vec<String> = std::env::args().skip(1).collect();
    println!("{}", machine::described());
    let mut table = Table::default();
    let mut code = ExitCode::SUCCESS;
    for (name, measure) in MEASURES {
        if !wanted.is_empty() && !wanted.iter().any(|one| one == name) {
            continue;
        }
        eprintln!("measuring: {name}");
        if let Err(error) = measure(&mut table) {
            eprintln!("bench: {name}: {error}");
            code = ExitCode::FAILURE;
        }
    }
    print!("\n{table}");
    code
}
