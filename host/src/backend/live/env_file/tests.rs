use std::fs::Permissions;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

use futures_util::FutureExt;
use tempfile::TempDir;

use super::*;

const COMMIT: &str = "UNIDESK_PROJECT_MANAGER_DEPLOY_COMMIT";
const SERVICE_ID: &str = "UNIDESK_PROJECT_MANAGER_DEPLOY_SERVICE_ID";

/// Nothing is waited for on this machine.
fn now<T>(work: impl Future<Output = T>) -> T {
    work.now_or_never().expect("no wait")
}

fn key(text: &str) -> EnvKey {
    EnvKey::parse(text).expect(text)
}

fn stamp(entries: &[(&str, Option<&str>)]) -> Stamp {
    let value = |value: &str| PlainValue::parse(value).expect(value);
    entries.iter().map(|(name, text)| (key(name), text.map(value))).collect()
}

fn in_folder(folder: &TempDir) -> EnvFile {
    EnvFile::new(
        Machine::Here,
        folder.path().join(".env"),
        &ServiceName::parse("project-manager").expect("a name"),
    )
}

/// A file with `content`, mode 600, in a folder of its own.
fn file(content: &[u8]) -> (TempDir, EnvFile) {
    let folder = TempDir::new().expect("a folder");
    let file = in_folder(&folder);
    std::fs::write(file.path(), content).expect("written");
    mode(file.path(), 0o600);
    (folder, file)
}

fn mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, Permissions::from_mode(mode)).expect("a mode");
}

fn content(file: &EnvFile) -> Vec<u8> {
    std::fs::read(file.path()).expect("still there")
}

/// What `before` becomes by one stamp of the commit, and that taking it back gives `before` again.
fn stamped(before: &[u8], value: &str) -> Vec<u8> {
    let (_folder, file) = file(before);
    let was = now(file.read_stamp(&[key(COMMIT)])).expect("read");
    now(file.write_stamp(&stamp(&[(COMMIT, Some(value))]))).expect("stamped");
    let after = content(&file);
    assert_eq!(now(file.read_stamp(&[key(COMMIT)])).expect("read again"), stamp(&[(COMMIT, Some(value))]));
    now(file.write_stamp(&was)).expect("taken back");
    assert_eq!(content(&file), before, "not as before: {}", String::from_utf8_lossy(before));
    after
}

fn refused(file: &EnvFile) -> String {
    let read = now(file.read_stamp(&[key(COMMIT)])).expect_err("must be refused");
    let written = now(file.write_stamp(&stamp(&[(COMMIT, Some("new"))]))).expect_err("must be refused");
    assert_eq!(read, written);
    read.to_string()
}

#[test]
fn everything_but_the_value_stays() {
    let before = b"# secrets of the project\n\
        TOKEN=\"a # b\" # not a comment inside\r\n\
        \n\
        export  UNIDESK_PROJECT_MANAGER_DEPLOY_COMMIT = 'old'   # stamped\r\n\
        \t EMPTY=\n\
        NOT_UTF8=\xff\xfe\n\
        PEM=\"-----BEGIN\n\
        UNIDESK_PROJECT_MANAGER_DEPLOY_COMMIT=inside\n\
        -----END\"\n\
        #UNIDESK_PROJECT_MANAGER_DEPLOY_COMMIT=comment\n\
        LAST=no newline";
    let text = |value: &str| {
        let parts: Vec<_> = before.splitn(2, |byte| *byte == b'\'').collect();
        [parts[0], b"'", value.as_bytes(), parts[1].strip_prefix(b"old").expect("the old value")].concat()
    };
    assert_eq!(stamped(before, "new"), text("new"));
    assert_eq!(stamped(before, ""), text(""));
}

#[test]
fn every_way_to_write_an_assignment_is_known() {
    for (before, after) in [
        ("K=old\n", "K=new\n"),
        ("K=old", "K=new"),
        ("K=\n", "K=new\n"),
        ("K=  \n", "K=  new\n"),
        ("  K=old\t\r\n", "  K=new\t\r\n"),
        ("K: old\n", "K: new\n"),
        ("export K=old\n", "export K=new\n"),
        ("export\tK=old # why\n", "export\tK=new # why\n"),
        ("K=\"old\"\n", "K=\"new\"\n"),
        ("K=''\n", "K='new'\n"),
        ("A='x' K=old\n", "A='x' K=new\n"),
        ("A='it\\'s'\nK=old\n", "A='it\\'s'\nK=new\n"),
        ("A=\"\\\\\"\nK=old\n", "A=\"\\\\\"\nK=new\n"),
        ("\u{feff}K=old\n", "\u{feff}K=new\n"),
        ("K=old\t # why\n", "K=new\t # why\n"),
        // One who reads the first assignment and Compose, which takes the last, see the same.
        ("K=old\nB=1\nK=old\n", "K=new\nB=1\nK=new\n"),
    ] {
        let [before, after] = [before, after].map(|text| text.replace('K', COMMIT));
        assert_eq!(String::from_utf8(stamped(before.as_bytes(), "new")).expect("text"), after);
    }
}

#[test]
fn nothing_before_a_comment_is_written_as_nothing() {
    let (_folder, file) = file(format!("{COMMIT}=old # why\n").as_bytes());
    now(file.write_stamp(&stamp(&[(COMMIT, Some(""))]))).expect("stamped");
    assert_eq!(String::from_utf8(content(&file)).expect("text"), format!("{COMMIT}=\"\" # why\n"));
    assert_eq!(now(file.read_stamp(&[key(COMMIT)])).expect("read"), stamp(&[(COMMIT, Some(""))]));
}

#[test]
fn what_only_looks_like_the_key_is_let_alone() {
    for before in
        ["KX=1\n", "XK=1\n", "#K=1\n", " # K=1\n", "A='\nK=1\n'\n", "A=K=1\n", "k=1\n", "K\n", "exportK=1\n"]
    {
        let before = before.replace('K', COMMIT);
        let after = stamped(before.as_bytes(), "new");
        assert_eq!(String::from_utf8(after).expect("text"), format!("{before}{COMMIT}=new\n"));
    }
}

#[test]
fn a_new_key_ends_as_the_file_does() {
    for (before, after) in [
        ("", "K=new\n"),
        ("\u{feff}", "\u{feff}K=new\n"),
        ("A=1\n", "A=1\nK=new\n"),
        ("A=1\r\n", "A=1\r\nK=new\r\n"),
        ("A=1\r\nB=2", "A=1\r\nB=2\r\nK=new"),
        ("A=1", "A=1\nK=new"),
        ("A=1\r", "A=1\r\r\nK=new"),
        ("A=1\r\nB=2\n", "A=1\r\nB=2\nK=new\n"),
        ("\n\n", "\n\nK=new\n"),
        ("# no assignment", "# no assignment\nK=new"),
    ] {
        assert_eq!(
            String::from_utf8(stamped(before.as_bytes(), "new")).expect("text"),
            after.replace('K', COMMIT)
        );
    }
}

#[test]
fn several_keys_come_and_go_together() {
    for before in ["A=1\n", "A=1", "", "A=1\r\nB=2"] {
        let (_folder, file) = file(before.as_bytes());
        now(file.write_stamp(&stamp(&[(COMMIT, Some("c")), (SERVICE_ID, Some("s"))]))).expect("stamped");
        let read = now(file.read_stamp(&[key(COMMIT), key(SERVICE_ID)])).expect("read");
        assert_eq!(read, stamp(&[(COMMIT, Some("c")), (SERVICE_ID, Some("s"))]));
        now(file.write_stamp(&stamp(&[(COMMIT, None), (SERVICE_ID, None)]))).expect("taken back");
        assert_eq!(content(&file), before.as_bytes());
    }
}

#[test]
fn edits_made_since_survive_the_way_back() {
    let (_folder, file) = file(b"A=1\n");
    now(file.write_stamp(&stamp(&[(COMMIT, Some("new"))]))).expect("stamped");
    let edited = format!("A=2\n# mine\n{COMMIT}=new # theirs\nB=3\n");
    std::fs::write(file.path(), edited).expect("edited");
    now(file.write_stamp(&stamp(&[(COMMIT, None)]))).expect("taken back");
    assert_eq!(content(&file), b"A=2\n# mine\nB=3\n");
    let shared = format!("A='x' {COMMIT}='new' B=3\n");
    std::fs::write(file.path(), shared).expect("edited");
    now(file.write_stamp(&stamp(&[(COMMIT, None)]))).expect("taken back");
    assert_eq!(content(&file), b"A='x'  B=3\n");
}

#[test]
fn mode_and_owner_stay_and_nothing_is_left_beside_it() {
    let (folder, file) = file(b"A=1\n");
    for wanted in [0o600, 0o640, 0o400] {
        mode(file.path(), wanted);
        let before = std::fs::metadata(file.path()).expect("there");
        now(file.write_stamp(&stamp(&[(COMMIT, Some(&format!("{wanted:o}")))]))).expect("stamped");
        let after = std::fs::metadata(file.path()).expect("there");
        assert_eq!((before.mode(), before.uid(), before.gid()), (after.mode(), after.uid(), after.gid()));
        assert_ne!(before.ino(), after.ino(), "replaced, not written into");
    }
    assert_eq!(std::fs::read_dir(folder.path()).expect("a folder").count(), 1);
}

#[test]
fn the_same_stamp_again_does_not_touch_the_file() {
    let (_folder, file) = file(format!("{COMMIT}=same\n").as_bytes());
    let before = std::fs::metadata(file.path()).expect("there").ino();
    now(file.write_stamp(&stamp(&[(COMMIT, Some("same")), (SERVICE_ID, None)]))).expect("nothing to do");
    assert_eq!(std::fs::metadata(file.path()).expect("there").ino(), before);
}

#[test]
fn a_missing_file_is_not_made() {
    let folder = TempDir::new().expect("a folder");
    let message = refused(&in_folder(&folder));
    assert!(message.contains("does not exist; create it"), "{message}");
    assert!(message.contains("install -D -m 600 /dev/null"), "{message}");
    assert_eq!(std::fs::read_dir(folder.path()).expect("a folder").count(), 0);
}

#[test]
fn a_file_that_others_control_is_refused() {
    for (bad, shown) in [(0o620, "620"), (0o602, "602"), (0o666, "666")] {
        let (_folder, file) = file(b"A=1\n");
        mode(file.path(), bad);
        let message = refused(&file);
        assert!(message.contains(&format!("may be written by others (mode {shown})")), "{message}");
        assert!(message.contains("chmod 600"), "{message}");
    }
    let (folder, file) = file(b"A=1\n");
    mode(folder.path(), 0o777);
    assert!(refused(&file).contains("in a folder where anybody may replace it"));
    mode(folder.path(), 0o1777);
    now(file.read_stamp(&[key(COMMIT)])).expect("a sticky folder lets only the owner rename");
}

#[test]
fn what_is_no_plain_file_is_refused() {
    let (folder, file) = file(b"A=1\n");
    let other = folder.path().join("other");
    std::fs::rename(file.path(), &other).expect("moved");
    symlink(&other, file.path()).expect("a symlink");
    assert!(refused(&file).contains("is a symlink"));
    std::fs::remove_file(file.path()).expect("removed");
    std::fs::create_dir(file.path()).expect("a folder");
    assert!(refused(&file).contains("is no regular file"));
    std::fs::remove_dir(file.path()).expect("removed");
    rustix::fs::mkfifoat(rustix::fs::CWD, file.path(), rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR)
        .expect("a pipe");
    assert!(refused(&file).contains("is no regular file"));
    assert_eq!(std::fs::read(other).expect("there"), b"A=1\n");
}

#[test]
fn a_huge_file_is_refused() {
    let (_folder, file) = file(&vec![b'\n'; (1 << 20) + 1]);
    assert!(refused(&file).contains("larger than 1 MiB"));
}

#[test]
fn a_file_that_cannot_be_understood_is_refused_without_a_word_of_it() {
    let (_folder, file) = file(b"A=1\n\nSECRET=\"hunter2\nB=2\n");
    let message = refused(&file);
    assert!(message.contains("a quote in line 3 that is never closed"), "{message}");
    assert!(!message.contains("hunter2"), "{message}");
}

#[test]
fn a_value_that_no_deploy_wrote_is_refused_without_a_word_of_it() {
    for value in ["has space", "${OTHER}", "\"two\nlines\"", "a=b", "# comment"] {
        let (_folder, file) = file(format!("A=1\n{COMMIT}= {value}\n").as_bytes());
        let message = now(file.read_stamp(&[key(COMMIT)])).expect_err(value).to_string();
        assert!(
            message.contains(&format!("a value for {COMMIT} in line 2 that no deploy wrote")),
            "{message}"
        );
        assert!(!message.contains(value), "{message}");
    }
}

#[test]
fn only_the_services_own_stamps_are_read_or_written() {
    let (_folder, file) = file(b"COMPOSE_FILE=a\nUNIDESK_FRONTEND_DEPLOY_COMMIT=b\n");
    for foreign in [
        "COMPOSE_FILE",
        "UNIDESK_FRONTEND_DEPLOY_COMMIT",
        "UNIDESK_PROJECT_MANAGER_DEPLOY_",
        "UNIDESK_PROJECT_MANAGER_SECRET",
    ] {
        let read = now(file.read_stamp(&[key(foreign)])).expect_err(foreign);
        let written =
            now(file.write_stamp(&stamp(&[(COMMIT, Some("c")), (foreign, None)]))).expect_err(foreign);
        assert_eq!(read, written);
        assert!(read.to_string().contains("does not begin with UNIDESK_PROJECT_MANAGER_DEPLOY_"), "{read}");
    }
    assert_eq!(content(&file), b"COMPOSE_FILE=a\nUNIDESK_FRONTEND_DEPLOY_COMMIT=b\n");
}

#[test]
fn what_somebody_else_writes_meanwhile_is_not_lost() {
    let (folder, file) = file(b"A=1\n");
    let before = now(file.read()).expect("read");
    std::fs::write(file.path(), b"A=2\n").expect("written into");
    let error = now(file.replace(b"A=3\n", &before)).expect_err("changed").to_string();
    assert!(error.contains("changed by somebody else at this very moment"), "{error}");
    // The same bytes in another file: somebody else's rename is a change too.
    let before = now(file.read()).expect("read");
    std::fs::write(folder.path().join("new"), b"A=2\n").expect("written");
    mode(&folder.path().join("new"), 0o600);
    std::fs::rename(folder.path().join("new"), file.path()).expect("renamed");
    now(file.replace(b"A=3\n", &before)).expect_err("another file");
    std::fs::remove_file(file.path()).expect("removed");
    now(file.replace(b"A=3\n", &before)).expect_err("gone");
    assert_eq!(std::fs::read_dir(folder.path()).expect("a folder").count(), 0, "no copy is left");
}

#[test]
fn what_a_killed_host_left_is_gone_after_the_next_write() {
    let (folder, file) = file(b"SECRET=hunter2\n");
    let left = folder.path().join(".env.unfinished");
    std::fs::write(&left, b"SECRET=hunter2\n").expect("left behind");
    mode(&left, 0o400);
    now(file.write_stamp(&stamp(&[(COMMIT, Some("new"))]))).expect("stamped");
    assert_eq!(content(&file), format!("SECRET=hunter2\n{COMMIT}=new\n").as_bytes());
    assert_eq!(std::fs::read_dir(folder.path()).expect("a folder").count(), 1);
}

#[test]
fn a_symlink_beside_it_is_not_followed() {
    let (folder, file) = file(b"A=1\n");
    let victim = folder.path().join("victim");
    std::fs::write(&victim, b"untouched").expect("written");
    symlink(&victim, folder.path().join(".env.unfinished")).expect("a symlink");
    now(file.write_stamp(&stamp(&[(COMMIT, Some("new"))]))).expect("stamped");
    assert_eq!(std::fs::read(&victim).expect("there"), b"untouched");
    assert!(std::fs::symlink_metadata(file.path()).expect("there").is_file());
}
