//! Nothing of a connection stays, however the process that made it ends.

use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use host::backend::live::ssh::{LocalEnd, Target};
use lab::Sshd;

use super::{becomes, connected, echo_tcp, processes};

/// The folders of connections that there are, wherever they may be.
fn folders() -> Vec<String> {
    let runtime = std::env::var_os("XDG_RUNTIME_DIR").map(std::path::PathBuf::from);
    let bases = runtime.into_iter().chain([std::env::temp_dir()]);
    let entries = bases.filter_map(|base| std::fs::read_dir(base).ok()).flatten().flatten();
    entries
        .map(|entry| entry.path().display().to_string())
        .filter(|path| path.contains("/host-ssh-"))
        .collect()
}

#[tokio::test]
async fn nothing_stays_when_it_is_let_go() {
    let sshd = Sshd::start(&[]).expect("a server");
    let before = folders();
    let connection = connected(&sshd).await;
    let folder = folders().into_iter().find(|path| !before.contains(path)).expect("its folder");
    let forward = connection.forward(&Target::Tcp(echo_tcp())).await.expect("a forward");
    let LocalEnd::Tcp(local) = *forward.local() else { panic!("no port") };
    // Something that still goes through it.
    let _stream = TcpStream::connect(local).expect("a connection");
    drop((forward, connection));
    let gone = move || {
        becomes(|| {
            !Path::new(&folder).exists() && TcpStream::connect(local).is_err() && processes(&folder) == 0
        })
    };
    assert!(tokio::task::spawn_blocking(gone).await.expect("it looked"), "something stays");
    assert!(becomes(|| sshd.sessions() == 0), "a session stays");
}

/// A process that holds a connection, to be killed.
struct Holder {
    child: Child,
    /// Of its connection.
    folder: String,
    /// Where its forward begins.
    local: SocketAddr,
    /// Something that goes on through it, and would keep a master that only waits for the end of its input.
    _stream: TcpStream,
}

impl Holder {
    fn start(sshd: &Sshd) -> Self {
        let before = folders();
        let mut child = Command::new(env!("CARGO_BIN_EXE_holds_a_connection"))
            .arg(sshd.config().expect("a configuration"))
            .arg(echo_tcp().to_string())
            .stdout(Stdio::piped())
            .spawn()
            .expect("it starts");
        let output = child.stdout.take().expect("its output");
        let line = BufReader::new(output).lines().map_while(Result::ok).next().expect("where it begins");
        let local = line.strip_prefix("holding ").and_then(|address| address.parse().ok());
        let local = local.expect("an address");
        let folder = folders().into_iter().find(|path| !before.contains(path)).expect("its folder");
        let stream = TcpStream::connect(local).expect("a connection");
        Self { child, folder, local, _stream: stream }
    }

    fn kill(&mut self) {
        self.child.kill().expect("killed");
        self.child.wait().expect("ended");
    }
}

#[test]
fn a_killed_process_leaves_nothing() {
    let sshd = Sshd::start(&[]).expect("a server");
    let mut holder = Holder::start(&sshd);
    let (folder, local) = (holder.folder.clone(), holder.local);
    assert!(processes(&folder) >= 2, "its master and its guard");

    holder.kill();

    let listens = || TcpStream::connect(local).is_ok();
    assert!(becomes(|| processes(&folder) == 0), "the master stays");
    assert!(!listens(), "something listens");
    assert!(becomes(|| sshd.sessions() == 0), "a session stays");
    let control = Path::new(&folder).join("m");
    assert!(!control.exists(), "its control socket stays");
}

#[tokio::test]
async fn what_a_killed_process_left_is_removed_by_the_next_connection() {
    let sshd = Sshd::start(&[]).expect("a server");
    let mut holder = Holder::start(&sshd);
    let (folder, local) = (holder.folder.clone(), holder.local);
    // Its guard is killed with it.
    let guards: Vec<String> = std::fs::read_dir("/proc")
        .expect("processes")
        .flatten()
        .filter(|entry| {
            let words = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
            words.starts_with(b"xargs\0") && String::from_utf8_lossy(&words).contains(&folder)
        })
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    assert_eq!(guards.len(), 1, "{guards:?}");
    let killed = Command::new("sh").args(["-c", &format!("kill -KILL {}", guards[0])]).status();
    assert!(killed.expect("kill").success());
    holder.kill();
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(TcpStream::connect(local).is_ok() && Path::new(&folder).exists(), "what goes on keeps it");

    let connection = connected(&sshd).await;

    assert!(!Path::new(&folder).exists() && TcpStream::connect(local).is_err(), "it was not removed");
    connection.close().await;
}
