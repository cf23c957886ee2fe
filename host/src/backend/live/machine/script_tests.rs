//! The scripts in a real shell: what they do with what they may meet. That they do it through SSH is for the tests on D601.

use std::fs::{self, Permissions};
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

use super::*;
use crate::names::Digest;

const OLD: &str = "A=1\nSECRET='hunter 2'\n";
const NEW: &str = "A=2\nSECRET='hunter 2'\n";

#[expect(clippy::disallowed_methods, reason = "a real shell is what the scripts are for")]
fn shell(script: &str, arguments: &[&str], input: &str) -> Output {
    let mut command = Command::new("sh");
    command.args(["-c", script, "sh"]).args(arguments).env("FOREIGN", "1");
    let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = piped.spawn().expect("a shell");
    // One that does not read it ends before it is written.
    let _ = child.stdin.take().expect("an input").write_all(input.as_bytes());
    child.wait_with_output().expect("its end")
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn shown(path: &Path) -> &str {
    path.to_str().expect("a path of this test")
}

fn folder() -> (TempDir, std::path::PathBuf) {
    let folder = TempDir::new().expect("a folder");
    fs::set_permissions(folder.path(), Permissions::from_mode(0o700)).expect("a mode");
    let path = folder.path().join("an env file's name");
    (folder, path)
}

fn write(path: &Path, content: &str) {
    fs::write(path, content).expect("written");
    fs::set_permissions(path, Permissions::from_mode(0o640)).expect("a mode");
}

/// The facts as [`LOOK`] gives them.
fn facts(path: &Path) -> String {
    let looked = said(&shell(LOOK, &[shown(path), "0"], ""));
    looked.trim_end().strip_prefix("700 file ").expect("a file").to_owned()
}

fn sum(text: &str) -> String {
    Digest::of(text.as_bytes()).as_str().trim_start_matches("sha256:").to_owned()
}

fn replace(path: &Path, facts: &str, old: &str, new: &str, arrives: &str) -> Output {
    let beside = format!("{}.unfinished", shown(path));
    let mut owner = facts.split(' ').skip(1);
    let owner = [owner.next().unwrap_or_default(), owner.next().unwrap_or_default()].join(":");
    let input = format!("{}\n{}\n{arrives}", sum(old), sum(new));
    shell(REPLACE, &[shown(path), &beside, "640", &owner, facts], &input)
}

/// What is in the folder beside the file itself.
fn beside(folder: &TempDir) -> usize {
    fs::read_dir(folder.path()).expect("a folder").count() - 1
}

#[test]
fn a_look_tells_what_is_there_and_follows_nothing() {
    let (folder, path) = folder();
    let look = |path: &Path| said(&shell(LOOK, &[shown(path), "3"], ""));
    assert_eq!(look(&path), "700 missing\n");
    assert_eq!(look(&folder.path().join("no/folder")), "- missing\n");
    assert_eq!(look(folder.path()).split(' ').next_back(), Some("nofile\n"));
    write(&path, OLD);
    let looked = look(&path);
    let (line, content) = looked.split_once('\n').expect("a line");
    assert!(line.starts_with("700 file 81a0 "), "{line}");
    assert_eq!(content, "A=1", "no more than was asked for");
    let away = folder.path().join("-away");
    symlink(&path, &away).expect("a symlink");
    assert_eq!(look(&away), "700 symlink\n");
}

#[test]
fn a_file_is_replaced_in_one_step_and_keeps_its_rights() {
    let (folder, path) = folder();
    write(&path, OLD);
    let output = replace(&path, &facts(&path), OLD, NEW, NEW);
    assert_eq!(said(&output), "replaced\n", "{output:?}");
    assert_eq!(fs::read_to_string(&path).expect("there"), NEW);
    assert_eq!(fs::metadata(&path).expect("there").permissions().mode() & 0o7777, 0o640);
    assert_eq!(beside(&folder), 0);
}

#[test]
fn what_somebody_else_made_of_it_stays() {
    let (folder, path) = folder();
    write(&path, OLD);
    let before = facts(&path);
    let other = OLD.replace('1', "7");
    write(&path, &other);
    assert_eq!(said(&replace(&path, &before, OLD, NEW, NEW)), "changed\n");
    // The same moment and size, other bytes.
    assert_eq!(said(&replace(&path, &facts(&path), OLD, NEW, NEW)), "changed\n");
    assert_eq!(fs::read_to_string(&path).expect("there"), other);
    assert_eq!(beside(&folder), 0);
}

#[test]
fn half_of_an_input_is_never_taken_for_the_whole() {
    let (folder, path) = folder();
    write(&path, OLD);
    for arrives in ["", "A=2\n", &NEW[..NEW.len() - 1]] {
        let output = replace(&path, &facts(&path), OLD, NEW, arrives);
        assert!(!output.status.success(), "{output:?}");
        assert!(String::from_utf8_lossy(&output.stderr).contains("did not arrive whole"), "{output:?}");
    }
    let cut = shell(REPLACE, &[shown(&path), "x", "640", "0:0", "x"], "no line");
    assert!(!cut.status.success());
    assert_eq!(fs::read_to_string(&path).expect("there"), OLD);
    assert_eq!(beside(&folder), 0);
}

#[test]
fn a_lock_is_one_holders_and_names_it() {
    let (_folder, path) = folder();
    let held = shell(HOLD, &[shown(&path), "ann runs 7"], "");
    assert_eq!(said(&held), "held\n", "until its input ends");
    let file = fs::File::open(&path).expect("the lock's file");
    file.lock().expect("free again");
    let busy = said(&shell(HOLD, &[shown(&path), "bob runs 8"], ""));
    assert!(busy.starts_with("busy\nann runs 7, process "), "{busy}");
    let (_other, link) = folder();
    symlink(&path, &link).expect("a symlink");
    let refused = shell(HOLD, &[shown(&link), "eve"], "");
    assert!(!refused.status.success() && said(&refused).is_empty(), "{refused:?}");
}

#[test]
fn a_program_gets_nothing_but_what_finds_programs_and_what_is_set() {
    let names = "env | sed 's/=.*//' | grep -v -e '^PWD$' -e '^OLDPWD$' -e '^SHLVL$' -e '^_$' | sort | tr '\\n' ' '; echo $A";
    let output = shell(RUN, &["", "1", "A=it's $HOME", "sh", "-c", names], "");
    let said = said(&output);
    assert!(said.ends_with("it's $HOME\n"), "{output:?}");
    let names = said.trim_end_matches("it's $HOME\n").replace("DOCKER_CONFIG ", "");
    assert_eq!(names, "A HOME PATH ");
}

#[test]
fn what_an_earlier_program_still_holds_is_waited_for() {
    let (_folder, path) = folder();
    let file = fs::File::create(&path).expect("a file");
    file.lock().expect("free");
    let late = shell(RUN, &[shown(&path), "1", "true"], "");
    assert!(String::from_utf8_lossy(&late.stderr).contains("has not ended yet"), "{late:?}");
    drop(file);
    assert!(shell(RUN, &[shown(&path), "1", "true"], "").status.success());
}
