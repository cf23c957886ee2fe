//! The connection to a machine behind `ssh`, against a real server: what goes through it, what is told when it cannot be
//! made or breaks, and that nothing of it stays.

#![allow(clippy::expect_used, clippy::panic, reason = "a stage that cannot be set is a failed test")]

mod leftovers;
mod trouble;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::time::{Duration, Instant};

use host::backend::live::ssh::{Connection, Input, LocalEnd, SshError, Target};
use host::config::{Destination, Limits, SshHost};
use host::names::ConfigName;
use lab::{Sshd, sshd};

use trouble::refused;

const LONG: Duration = Duration::from_secs(30);
/// "Within seconds".
const SOON: Duration = Duration::from_secs(15);

async fn connect(config: &Path) -> Result<Connection, SshError> {
    let name = ConfigName::parse("d601").expect("a name");
    let destination = Destination::parse(sshd::NAME).expect("a destination");
    let host = SshHost { destination, config: Some(config.to_owned()) };
    Connection::connect(&name, &host, &Limits::default()).await
}

async fn connected(sshd: &Sshd) -> Connection {
    connect(&sshd.config().expect("a configuration")).await.expect("a connection")
}

/// Takes one connection after the other, and answers each word with the same word.
fn echo(listener: TcpListener) -> SocketAddr {
    let address = listener.local_addr().expect("an address");
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || std::io::copy(&mut &stream, &mut &stream));
        }
    });
    address
}

fn echo_tcp() -> SocketAddr {
    echo(TcpListener::bind("127.0.0.1:0").expect("a port"))
}

fn says_back(mut stream: impl Read + Write) -> bool {
    let mut back = [0; 5];
    stream.write_all(b"hello").and_then(|()| stream.read_exact(&mut back)).is_ok() && back == *b"hello"
}

fn becomes(what: impl Fn() -> bool) -> bool {
    let begun = Instant::now();
    while begun.elapsed() < SOON {
        if what() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    false
}

/// The processes that have `text` among their arguments.
fn processes(text: &str) -> usize {
    let entries = std::fs::read_dir("/proc").expect("processes").flatten();
    let arguments = entries.filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok());
    arguments.filter(|words| String::from_utf8_lossy(words).contains(text)).count()
}

#[tokio::test]
async fn a_command_gets_its_words_as_they_are() {
    let sshd = Sshd::start(&[]).expect("a server");
    let connection = connected(&sshd).await;
    let words =
        ["", "a b", "it's", "\"$HOME\" `id` \\", "line\nbreak\n", "-n", "é✓", "A=b", "*", "~", "!", "\u{1}"];
    let argv: Vec<&str> = ["printf", "%s\\0"].into_iter().chain(words).collect();
    let finished = connection.run(&argv, Input::nothing(), LONG).await.expect("it runs");
    assert!(finished.success, "{finished:?}");
    assert_eq!(String::from_utf8_lossy(&finished.stdout), words.map(|word| format!("{word}\0")).concat());

    let argv = ["sh", "-c", "echo out; echo err >&2; exit 3"];
    let finished = connection.run(&argv, Input::nothing(), LONG).await.expect("it runs");
    assert_eq!((finished.success, finished.code), (false, Some(3)));
    assert_eq!((&*finished.stdout, &*finished.stderr), (&b"out\n"[..], &b"err\n"[..]));
    connection.close().await;
    assert!(becomes(|| sshd.sessions() == 0), "a session stays");
}

#[tokio::test]
async fn nothing_of_the_environment_here_gets_there() {
    let sshd = Sshd::start(&[]).expect("a server");
    let config = sshd.config_with("sends_all", &["SendEnv *", "RemoteCommand reboot", "LogLevel QUIET"]);
    let connection = connect(&config.expect("a configuration")).await.expect("a connection");
    let finished = connection.run(&["env"], Input::nothing(), LONG).await.expect("it runs");
    let text = String::from_utf8_lossy(&finished.stdout).into_owned();
    assert!(finished.success && text.contains("SSH_CONNECTION="), "{text}");
    for here in ["CARGO", "HOST_LAB", "XDG_RUNTIME_DIR=", "SSH_AUTH_SOCK="] {
        assert!(!text.contains(here), "{here}: {text}");
    }
}

#[tokio::test]
async fn any_amount_goes_in() {
    const SIZE: usize = 30 << 20;
    let sshd = Sshd::start(&[]).expect("a server");
    let connection = connected(&sshd).await;
    let big = vec![b'x'; SIZE];
    let finished = connection.run(&["wc", "-c"], Input::Bytes(&big), LONG).await.expect("it runs");
    assert_eq!(String::from_utf8_lossy(&finished.stdout).trim(), SIZE.to_string());

    // One that does not want it all.
    let finished = connection.run(&["true"], Input::Bytes(&big), LONG).await.expect("it runs");
    assert!(finished.success, "{finished:?}");
}

#[tokio::test]
async fn the_end_of_a_command_is_its_own() {
    let sshd = Sshd::start(&[]).expect("a server");
    let connection = connected(&sshd).await;
    let own = ["sh", "-c", "echo why >&2; exit 255"];
    let finished = connection.run(&own, Input::nothing(), LONG).await.expect("its own 255");
    assert_eq!((finished.code, &*finished.stderr), (Some(255), &b"why\n"[..]));
    let own = ["sh", "-c", "echo no >&2; exit 127"];
    let finished = connection.run(&own, Input::nothing(), LONG).await.expect("its own 127");
    assert_eq!(finished.code, Some(127));

    let error = connection.run(&["no-such-program"], Input::nothing(), LONG).await.expect_err("missing");
    assert_eq!((error.code(), error.retryable()), ("ssh-command-missing", false), "{error}");
    assert!(error.to_string().contains("no program no-such-program"), "{error}");

    let begun = Instant::now();
    let short = Duration::from_millis(700);
    let error = connection.run(&["sleep", "60"], Input::nothing(), short).await.expect_err("late");
    assert_eq!((error.code(), error.retryable()), ("ssh-late", true), "{error}");
    assert!(begun.elapsed() < SOON);
    assert!(connection.stands().await, "the others go on");

    let error = connection.run(&["-x"], Input::nothing(), LONG).await.expect_err("an option");
    assert_eq!(error.code(), "ssh-invalid", "{error}");
}

#[tokio::test]
async fn more_at_once_than_the_server_allows_is_told() {
    let sshd = Sshd::start(&["MaxSessions 1"]).expect("a server");
    let connection = connected(&sshd).await;
    // The connection itself is the one.
    let error = connection.run(&["true"], Input::nothing(), LONG).await.expect_err("too many");
    assert_eq!((error.code(), error.retryable()), ("ssh-sessions", true), "{error}");
}

#[tokio::test]
async fn a_program_goes_on_until_it_is_let_go() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let sshd = Sshd::start(&[]).expect("a server");
    let connection = connected(&sshd).await;
    let mut program = connection.start(&["cat"]).expect("it starts");
    program.stdin().expect("its input").write_all(b"hello").await.expect("it reads");
    let mut back = [0; 5];
    program.stdout().expect("its output").read_exact(&mut back).await.expect("it says so");
    assert_eq!(&back, b"hello");
    assert!(program.finish(LONG).await.expect("it ends with its input").success);

    // A file lock that lives as long as its holder here.
    let file = sshd.folder().join("lock").display().to_string();
    let locked = ["flock", "--nonblock", &file, "sh", "-c", "echo locked; exec cat"];
    let mut holder = connection.start(&locked).expect("it starts");
    let mut back = [0; 7];
    holder.stdout().expect("its output").read_exact(&mut back).await.expect("it is locked");
    let second = connection.run(&locked, Input::nothing(), LONG).await.expect("it runs");
    assert_eq!(second.code, Some(1), "{second:?}");
    drop(holder);
    let begun = Instant::now();
    while !connection.run(&locked, Input::nothing(), LONG).await.expect("it runs").success {
        assert!(begun.elapsed() < SOON, "the lock stays");
    }

    let error = connection.start(&["no-such-program"]).expect("it starts").finish(LONG).await;
    assert_eq!(error.expect_err("missing").code(), "ssh-command-missing");
    let late =
        connection.start(&["sleep", "60"]).expect("it starts").finish(Duration::from_millis(300)).await;
    assert_eq!(late.expect_err("late").code(), "ssh-late");
    let mut cut = connection.start(&["cat"]).expect("it starts");
    cut.stdin().expect("its input").write_all(b"x").await.expect("it reads");
    sshd.cut().expect("cut");
    assert_eq!(cut.finish(LONG).await.expect_err("cut").code(), "ssh-dropped");
}

#[tokio::test]
async fn a_jump_host_of_the_configuration_is_used() {
    let (jump, sshd) = (Sshd::start(&[]).expect("a server"), Sshd::start(&[]).expect("a server"));
    let config = sshd.config_with("jumping", &["ProxyJump jump"]).expect("a configuration");
    let hop = std::fs::read_to_string(jump.config().expect("a configuration")).expect("the file");
    let text = std::fs::read_to_string(&config).expect("the file") + &hop.replace("Host d601", "Host jump");
    std::fs::write(&config, text).expect("a configuration");
    let connection = connect(&config).await.expect("a connection");
    let finished = connection.run(&["echo", "there"], Input::nothing(), LONG).await.expect("it runs");
    assert_eq!(finished.stdout, b"there\n");
    assert!(jump.sessions() > 0, "it goes through the other server");
    connection.close().await;
    assert!(becomes(|| jump.sessions() == 0 && sshd.sessions() == 0), "a session stays");
    std::fs::write(jump.known_hosts(), "").expect("no known host");
    let error = refused(&config).await;
    assert_eq!(error.code(), "ssh-host-key-unknown", "{error}");
    assert!(error.to_string().contains("jump host"), "{error}");
}

#[tokio::test]
async fn forwards_lead_to_ports_and_to_sockets() {
    let sshd = Sshd::start(&[]).expect("a server");
    let connection = connected(&sshd).await;
    let forward = connection.forward(&Target::Tcp(echo_tcp())).await.expect("a forward");
    let LocalEnd::Tcp(local) = *forward.local() else { panic!("no port") };
    assert!(local.ip().is_loopback());
    assert!(says_back(TcpStream::connect(local).expect("a connection")));
    forward.close().await;
    assert!(TcpStream::connect(local).is_err(), "it still listens");

    let path = sshd.folder().join("echo.sock");
    let listener = UnixListener::bind(&path).expect("a socket");
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || std::io::copy(&mut &stream, &mut &stream));
        }
    });
    let forward = connection.forward(&Target::Socket(path)).await.expect("a forward");
    let LocalEnd::Socket(local) = forward.local().clone() else { panic!("no socket") };
    assert!(says_back(UnixStream::connect(&local).expect("a connection")));
    drop(forward);
    let gone = tokio::task::spawn_blocking(move || becomes(|| !local.exists())).await;
    assert!(gone.expect("it looked"), "the socket stays");
}

/// What the other side says of a connection through a forward that it closes.
async fn refusal(connection: &Connection, target: &Target) -> SshError {
    let heard = connection.heard();
    let forward = connection.forward(target).await.expect("a local end");
    assert!(forward.refusal(heard).is_none(), "nobody used it yet");
    let looked = tokio::task::spawn_blocking(move || {
        let mut byte = [0];
        // Closed or reset: both are no more than an end.
        let _ = match forward.local() {
            LocalEnd::Tcp(local) => TcpStream::connect(local).expect("a connection").read(&mut byte),
            LocalEnd::Socket(local) => UnixStream::connect(local).expect("a connection").read(&mut byte),
        };
        assert!(becomes(|| forward.refusal(heard).is_some()), "nothing was said");
        forward.refusal(heard).expect("said")
    });
    looked.await.expect("it looked")
}

#[tokio::test]
async fn a_forward_that_leads_nowhere_says_so() {
    let sshd = Sshd::start(&[]).expect("a server");
    let connection = connected(&sshd).await;
    let nobody = TcpListener::bind("127.0.0.1:0").and_then(|it| it.local_addr()).expect("a free port");
    for target in [Target::Tcp(nobody), Target::Socket("/nowhere.sock".into())] {
        let error = refusal(&connection, &target).await;
        assert_eq!((error.code(), error.retryable()), ("ssh-forward-refused", true), "{error}");
        assert!(error.to_string().contains(&target.to_string()), "{error}");
    }

    let sshd = Sshd::start(&["AllowTcpForwarding no"]).expect("a server");
    let connection = connected(&sshd).await;
    let error = refusal(&connection, &Target::Tcp(echo_tcp())).await;
    assert_eq!((error.code(), error.retryable()), ("ssh-forward-refused", false), "{error}");
    assert!(error.to_string().contains("forbids it"), "{error}");
}
