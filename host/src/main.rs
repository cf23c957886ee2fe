//! Parse, call one command, map its result to an exit code.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::panic::PanicHookInfo;
use std::process::ExitCode;

use clap::Parser;
use host::commands::Cli;
use host::console;
use host::fault::Fault;
use tracing_subscriber::filter::{LevelFilter, Targets};

fn main() -> ExitCode {
    std::panic::set_hook(Box::new(told));
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return misused(&error),
    };
    trace();
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.worker_threads(2).enable_time();
    // Without this the runtime opens no socket of its own either: a dry run is provably offline.
    if cli.reaches_out() {
        builder.enable_io();
    }
    let runtime = builder.build();
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
        .with_writer(|| console::Trace)
        .with_ansi(console::colour_on_stderr());
    tracing_subscriber::registry().with(own).with(lines).init();
}

/// Wrong words on the command line, or a question for help. Whoever asked for JSON gets an error as JSON too.
fn misused(error: &clap::Error) -> ExitCode {
    let words: Vec<String> = std::env::args().collect();
    let json = words.windows(2).any(|pair| pair == ["--output", "json"])
        || words.iter().any(|word| word == "--output=json");
    if error.use_stderr() && json {
        let text = error.to_string();
        host::commands::print_fault(&Fault::usage("usage", text.trim(), "try `host --help`"));
    }
    if error.use_stderr() {
        // It repeats words of the command line, which a script may have from anywhere.
        let text = error.render();
        let text = if console::colour_on_stderr() { text.ansi().to_string() } else { text.to_string() };
        console::notice(text.trim_end());
    } else {
        // Nothing can be done about a terminal that is gone.
        let _ = error.print();
    }
    ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2))
}

/// A bug: its words may hold anything that came from outside.
fn told(panic: &PanicHookInfo<'_>) {
    console::notice(&format!("error: a bug in host, please report it: {panic}"));
    let backtrace = Backtrace::capture();
    if backtrace.status() == BacktraceStatus::Captured {
        console::notice(&backtrace.to_string());
    }
}
