//! A tiny HTTP service that stands in for those of the specification in tests and in the demo.
//!
//! It uses the standard library only and is built as one static program, so an image of it is a single layer.
//! Its image says how it behaves (`SAMPLE_BEHAVIOUR`) and which commit it was built from (`SAMPLE_COMMIT`); the
//! deploy stamps which commit was asked for.
//!
//! There is no signal handling in it on purpose: the image asks for SIGKILL as its stop signal, because a process
//! that is PID 1 would otherwise ignore SIGTERM and make every recreate wait for ten seconds.

mod document;
mod server;

use std::{env, net::TcpListener, process::ExitCode, thread, time::Duration};

use sample_service::Behaviour;

/// How long `slow-start` refuses connections.
const SLOW_START: Duration = Duration::from_secs(2);

fn main() -> ExitCode {
    match serve() {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("sample-service: {message}");
            ExitCode::FAILURE
        }
    }
}

fn serve() -> Result<(), String> {
    let name = env::var("SAMPLE_BEHAVIOUR").unwrap_or_else(|_| Behaviour::Good.name().to_owned());
    let behaviour = Behaviour::parse(&name)?;
    match behaviour {
        Behaviour::Crash => return Err("told to crash at start".to_owned()),
        Behaviour::SlowStart => thread::sleep(SLOW_START),
        _ => {}
    }

    let port = env::var("PORT").unwrap_or_else(|_| "8080".to_owned());
    let port: u16 = port.parse().map_err(|error| format!("PORT={port}: {error}"))?;
    let listener = TcpListener::bind(("0.0.0.0", port))
        .map_err(|error| format!("cannot listen on 0.0.0.0:{port}: {error}"))?;
    println!("listening on 0.0.0.0:{port}, behaviour {name}");

    for stream in listener.incoming() {
        let stream = stream.map_err(|error| format!("cannot accept: {error}"))?;
        // A client that goes away early is its own business: the next one is served all the same.
        thread::spawn(move || server::answer(stream, behaviour).ok());
    }
    Ok(())
}
