//! Parse, call one command, map its result to an exit code.

use std::process::ExitCode;

use clap::Parser;
use host::commands::Cli;
use host::console;
use host::fault::Fault;

fn main() -> ExitCode {
    let cli = Cli::parse();
    tracing_subscriber::fmt()
        .with_env_filter(
            tracing_subscriber::EnvFilter::try_from_env("HOST_LOG").unwrap_or_else(|_| "warn".into()),
        )
        .with_writer(std::io::stderr)
        .init();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let result = match &runtime {
        Ok(runtime) => runtime.block_on(cli.run()),
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
