//! Parse, call one command, map its result to an exit code.

use std::io::IsTerminal;
use std::process::ExitCode;

use clap::Parser;
use host::commands::Cli;
use host::console;
use host::fault::Fault;
use tracing_subscriber::filter::{LevelFilter, Targets};

fn main() -> ExitCode {
    let cli = Cli::parse();
    trace();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let result = match runtime {
        Ok(runtime) => {
            let result = runtime.block_on(cli.run());
            // A question that nobody answered must not keep the program from ending.
            runtime.shutdown_background();
            result
        }
        Err(error) => {
            Err(Fault::internal("runtime", format!("no threads: {error}"), "check the limits of this user"))
        }
    };
    match result {
        Ok(code) => ExitCode::from(code),
        Err(fault) => {
            if cli.json() {
                host::commands::print_fault(&fault);
            }
            console::notice(&format!("error: {fault}"));
            ExitCode::from(fault.exit_code())
        }
    }
}

/// `HOST_LOG` takes a level, for this program only: what libraries trace may hold a container's environment.
fn trace() {
    use tracing_subscriber::layer::SubscriberExt;
    use tracing_subscriber::util::SubscriberInitExt;
    let wanted = std::env::var("HOST_LOG").ok().and_then(|level| level.parse().ok());
    let own = Targets::new().with_target("host", wanted.unwrap_or(LevelFilter::WARN));
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal() && console::colour_wanted());
    tracing_subscriber::registry().with(own).with(lines).init();
}
