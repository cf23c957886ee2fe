//! The controlled env file while others write it, where it does not fit, and where it is something else: a clear error, and
//! not a byte of anybody else's is lost.

#![allow(clippy::expect_used, reason = "a stage that cannot be set is a failed test")]

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use e2e::aftermath::Leaves;
use e2e::hostile::{BACK, Hostile, LIVE, after, meanwhile, nth};
use e2e::without_run;
use lab::faulty_docker::Fault;

const LIMITS: &str = "docker-seconds = 10\ncompose-seconds = 20\nhealth-seconds = 5";
const STAMP: &str = "UNIDESK_PROJECT_MANAGER_DEPLOY_COMMIT=";
const THEIRS: &str = "THEIRS=kept\n";

/// When the image comes: the host has looked at everything, and has not looked again.
const PULL: &[&str] = &["POST ", "/images/create?"];
/// When Compose makes the container: the stamp is written.
const CREATE: &[&str] = &["POST ", "/containers/create?"];
const START: &[&str] = &["POST ", "/start "];
/// For the third time after the start it is the verification that looks at the container.
const INSPECT: &[&str] = &["GET ", "/containers/project-manager-backend/json"];

/// Somebody with an editor changes the value of one of our lines.
fn edited(file: PathBuf) -> impl FnOnce() + Send {
    move || {
        let content = fs::read_to_string(&file).expect("the env file");
        let line = content.lines().find(|line| line.starts_with(STAMP)).expect("a stamp");
        fs::write(&file, content.replace(line, &format!("{STAMP}by-hand"))).expect("the env file");
    }
}

/// Somebody with an editor adds a line.
fn added(file: PathBuf) -> impl FnOnce() + Send {
    move || {
        let content = fs::read_to_string(&file).expect("the env file");
        fs::write(&file, content + THEIRS).expect("the env file");
    }
}

/// Does `act` when the activation is over, and fails the verification.
fn unverified(act: impl FnOnce() + Send + 'static) -> impl FnMut(&str) -> Fault + Send + 'static {
    let (mut third, mut act) = (nth(INSPECT, 3, 1, Fault::Closed), Some(act));
    after(START, move |head| {
        let fault = third(head);
        if fault == Fault::Closed
            && let Some(act) = act.take()
        {
            act();
        }
        fault
    })
}

#[test]
fn somebody_else_writes_it() {
    let mut on_stage = Hostile::in_service(LIMITS);
    let file = on_stage.stage.project().env_file();
    let read = || fs::read_to_string(&file).expect("the env file");
    let put_back = |content: &str| fs::write(&file, content).expect("the env file");

    let kept = read();
    let rule = meanwhile(PULL, edited(file.clone()), Fault::None);
    on_stage.engine_row("our line, before our change", Leaves::Something, LIVE, rule);
    assert!(read().contains("by-hand"));
    put_back(&kept);
    let rule = meanwhile(PULL, added(file.clone()), Fault::None);
    on_stage.engine_row("a line, before our change", Leaves::Deployed, LIVE, rule);
    assert!(read().contains(THEIRS));

    let kept = read().replace(THEIRS, "");
    put_back(&kept);
    let rule = meanwhile(CREATE, added(file.clone()), Fault::Closed);
    on_stage.engine_row("a line, before Compose fails", Leaves::Something, LIVE, rule);
    assert_eq!(read(), format!("{kept}{THEIRS}"), "ours taken back, theirs kept");
    put_back(&kept);
    let rule = meanwhile(CREATE, edited(file.clone()), Fault::Closed);
    on_stage.engine_row("our line, before Compose fails", Leaves::Something, LIVE, rule);
    assert!(read().contains("by-hand"));
    put_back(&kept);

    let rule = unverified(added(file.clone()));
    on_stage.engine_row("a line, before the way back", Leaves::Something, BACK, rule);
    assert_eq!(read(), format!("{kept}{THEIRS}"), "ours taken back, theirs kept");
    put_back(&kept);
    let rule = unverified(edited(file.clone()));
    on_stage.engine_row("our line, before the way back", Leaves::Something, BACK, rule);
    assert!(read().contains("by-hand"));
    put_back(&kept);
    let gone = file.clone();
    let rule = unverified(move || fs::rename(&gone, gone.with_extension("away")).expect("the env file"));
    let mut rule = Some(rule);
    let away = file.with_extension("away");
    let commit = on_stage.stage.published("all of it, before the way back");
    on_stage.engine.fault(rule.take().expect("once"));
    let run = on_stage.stage.deploy(&commit, BACK);
    on_stage.engine.mend().expect("a stand-in");
    assert_eq!(run.outcome(), (1, "failed".to_owned()), "{run:?}");
    assert!(run.text("/error/message").contains("NOT taken back: compose.activate"), "{run:?}");
    assert!(!file.exists(), "an env file is never made");
    fs::rename(away, &file).expect("the env file");
    put_back(&kept);

    on_stage.row("afterwards", Leaves::Deployed, LIVE);
    insta::assert_snapshot!(on_stage.finish());
}

fn run(program: &str, arguments: &[&str]) {
    let output = Command::new(program).args(arguments).output().expect(program);
    assert!(output.status.success(), "{program} {arguments:?}: {output:?}");
}

fn protected(path: &Path, content: impl AsRef<[u8]>) {
    fs::write(path, content).expect("a file");
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).expect("rights");
}

/// Something over a part of the file system; gone when dropped.
struct Mounted(PathBuf);

impl Mounted {
    /// A file system of so many pages over the folder of the env file, with the env file in it.
    fn tiny(folder: &Path, pages: usize) -> Self {
        let file = folder.join("compose.env");
        let (content, shown) = (fs::read(&file).expect("the env file"), folder.display().to_string());
        run("mount", &["-t", "tmpfs", "-o", &format!("mode=700,nr_blocks={pages}"), "host-e2e", &shown]);
        let mounted = Self(folder.to_owned());
        protected(&file, content);
        mounted
    }

    /// What is at `path` once more, at the same place, and only to be read.
    fn read_only(path: &Path) -> Self {
        let shown = path.display().to_string();
        run("mount", &["--bind", &shown, &shown]);
        let mounted = Self(path.to_owned());
        run("mount", &["-o", "remount,bind,ro", &shown]);
        mounted
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        // Nobody is left to tell: the test has said already what is wrong.
        Command::new("umount").arg("--lazy").arg(&self.0).output().ok();
    }
}

#[test]
fn it_cannot_be_written() {
    let mut on_stage = Hostile::in_service(LIMITS);
    let file = on_stage.stage.project().env_file();
    let folder = file.parent().expect("a folder").to_owned();
    {
        let _full = Mounted::tiny(&folder, 1);
        on_stage.row("disk full: no room for a lock", Leaves::Nothing, LIVE);
    }
    {
        let _full = Mounted::tiny(&folder, 3);
        on_stage.row("disk full: no room for a new file", Leaves::Image, LIVE);
        on_stage.row("disk full: rolled back", Leaves::Nothing, BACK);
        let left: Vec<_> =
            fs::read_dir(&folder).expect("a folder").flatten().map(|entry| entry.file_name()).collect();
        assert_eq!(left.len(), 3, "only the file and its locks: {left:?}");
    }
    {
        let _read_only = Mounted::read_only(&folder);
        on_stage.row("read-only: the folder", Leaves::Nothing, LIVE);
    }
    {
        let _read_only = Mounted::read_only(&file);
        on_stage.row("read-only: the file", Leaves::Image, LIVE);
    }
    on_stage.row("afterwards", Leaves::Deployed, LIVE);
    insta::assert_snapshot!(on_stage.finish());
}

#[test]
fn it_is_something_else() {
    let mut on_stage = Hostile::in_service(LIMITS);
    let config = on_stage.stage.folder().join("config.json");
    let good = fs::read_to_string(&config).expect("config.json");
    let mut named = |name: &str, content: &str| {
        fs::write(&config, content).expect("config.json");
        on_stage.row(name, Leaves::Nothing, LIVE);
    };
    named("config.json: empty", "");
    named("config.json: no file named", "{\"providerGateway\": {}}");
    named("config.json: a number", "{\"providerGateway\": {\"upgrade\": {\"composeEnvFile\": 7}}}");
    named("config.json: nothing", "{\"providerGateway\": {\"upgrade\": {\"composeEnvFile\": \"\"}}}");
    named("config.json: a folder that is not there", &good.replace("compose.env", "no/other.env"));

    let other = on_stage.stage.project().env_file().with_file_name("other.env");
    fs::write(&config, good.replace("compose.env", "other.env")).expect("config.json");
    let mut row = |name: &str| {
        on_stage.row(name, Leaves::Nothing, LIVE);
        if other.is_dir() { fs::remove_dir(&other) } else { fs::remove_file(&other) }.ok();
    };
    row("missing");
    fs::create_dir(&other).expect("a folder");
    row("a folder");
    run("mkfifo", &[&other.display().to_string()]);
    row("a pipe");
    symlink("compose.env", &other).expect("a link");
    row("a link");
    symlink("/dev/zero", &other).expect("a link");
    row("a link to a device");
    run("mknod", &[&other.display().to_string(), "c", "1", "5"]);
    row("a device");
    protected(&other, vec![b'#'; 100_000_000]);
    row("a hundred megabytes");
    protected(&other, format!("PASSWORD=hunter2\n{STAMP}\"never closed\nMORE=1\n"));
    row("a quote that is never closed");
    protected(&other, format!("PASSWORD=hunter2\n{STAMP}$(hunter3)\n"));
    row("a stamp that no deploy wrote");
    protected(&other, "PASSWORD=hunter2\nhunter2!=3\n");
    row("a line that Compose cannot read");
    fs::write(&config, good).expect("config.json");
    let table = on_stage.finish();
    assert!(!table.contains("hunter"), "{table}");
    insta::assert_snapshot!(table);
}

#[test]
fn whatever_else_is_in_it_stays() {
    let mut on_stage = Hostile::in_service(LIMITS);
    let file = on_stage.stage.project().env_file();
    let mut contents = String::new();
    for (name, content) in [
        ("empty", &b""[..]),
        ("our key commented out", b"#UNIDESK_PROJECT_MANAGER_DEPLOY_COMMIT=old\n"),
        ("our key twice, quoted, exported", b"UNIDESK_PROJECT_MANAGER_DEPLOY_COMMIT='a'\r\nX=1\r\nexport UNIDESK_PROJECT_MANAGER_DEPLOY_COMMIT=b # why"),
        ("our key inside another value", b"X='\nUNIDESK_PROJECT_MANAGER_DEPLOY_COMMIT=no\n'\n"),
        ("invalid UTF-8", b"X=\xff\xfe\n"),
        ("a byte of zero", b"X=a\0b\n"),
        ("variables of Compose itself", b"COMPOSE_FILE=/evil.yml\nCOMPOSE_PROFILES=evil\nCOMPOSE_PROJECT_NAME=evil\nDOCKER_HOST=unix:///evil\nCOMPOSE_REMOVE_ORPHANS=true\n"),
    ] {
        protected(&file, content);
        let run = on_stage.row(name, Leaves::Something, LIVE);
        let after = fs::read(&file).expect("the env file").escape_ascii().to_string();
        let after = without_run(&after).replace(&run.text("/commit"), "[commit]").replace("\\n", "\\n\n");
        contents.extend(["\n", name, "\n", &after, "\n"]);
    }
    insta::assert_snapshot!(on_stage.finish() + &contents);
}
