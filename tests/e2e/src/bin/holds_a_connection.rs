//! What a test kills: a process that holds an SSH connection with transfers in both directions.
//! `holds_a_connection SSH_CONFIG ADDRESS` forwards to the address, says where from, and stays.

use std::error::Error;
use std::time::Duration;

use host::backend::live::ssh::{Connection, Input, LocalEnd, Target};
use host::config::{Destination, Limits, SshHost};
use host::names::ConfigName;
use lab::sshd;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args_os().skip(1);
    let config = arguments.next().ok_or("no configuration of ssh")?;
    let address = arguments.next().and_then(|address| address.into_string().ok()).ok_or("no address")?;
    let host = SshHost { destination: Destination::parse(sshd::NAME)?, config: Some(config.into()) };
    let connection = Connection::connect(&ConfigName::parse("d601")?, &host, &Limits::default()).await?;
    let forward = connection.forward(&Target::Tcp(address.parse()?)).await?;
    let LocalEnd::Tcp(local) = *forward.local() else { return Err("no port".into()) };
    println!("holding {local}");
    connection.run(&["sleep", "600"], Input::nothing(), Duration::from_mins(10)).await?;
    Ok(())
}
