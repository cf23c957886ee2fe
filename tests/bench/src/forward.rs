//! A forward by hand: `ssh -N -L`.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use lab::D601;

use crate::Result;

/// How long it is waited for, and how often it is looked at.
const PATIENCE: Duration = Duration::from_secs(20);
const PAUSE: Duration = Duration::from_millis(5);

/// Where one begins here and ends on D601, as an operator has it in mind; it is opened when it is needed.
pub struct Forward {
    /// On this machine.
    pub near: SocketAddr,
    far: String,
}

impl Forward {
    /// To an address on D601, from a port that nobody uses.
    pub fn chosen(far: &str) -> Result<Self> {
        Ok(Self { near: TcpListener::bind("127.0.0.1:0")?.local_addr()?, far: far.to_owned() })
    }

    /// Opens it; it is closed when the answer is dropped.
    pub fn open(&self, d601: &D601) -> Result<Open> {
        open(&[self], d601)
    }
}

/// Opens all of them with one connection.
pub fn open(forwards: &[&Forward], d601: &D601) -> Result<Open> {
    let mut ssh = d601.ssh_command();
    ssh.args(["-N", "-o", "ExitOnForwardFailure=yes"]).stdin(Stdio::null());
    for Forward { near, far } in forwards {
        ssh.args(["-L", &format!("{near}:{far}")]);
    }
    let open = Open(ssh.spawn()?);
    let begun = Instant::now();
    for forward in forwards {
        while TcpStream::connect(forward.near).is_err() {
            if begun.elapsed() > PATIENCE {
                return Err("ssh -L is not up".into());
            }
            std::thread::sleep(PAUSE);
        }
    }
    Ok(open)
}

/// It is ended when this value is.
pub struct Open(Child);

impl Drop for Open {
    fn drop(&mut self) {
        // Where it has ended by itself there is nothing to do.
        self.0.kill().and_then(|()| self.0.wait()).ok();
    }
}
