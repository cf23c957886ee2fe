//! Signatures, made and checked by `ssh-keygen -Y`: keys in files, agents and security keys are its business.

use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

use super::process::{Finished, Input, Unfinished, run_fed};
use crate::approval::NAMESPACE;
use crate::words::{plain, seconds};

/// Longest that a check may take.
const CHECK: Duration = Duration::from_secs(10);
/// Longest that a signature may take: somebody may have to touch a security key.
const SIGN: Duration = Duration::from_mins(2);
/// Longest part of its words that a message repeats, in characters.
const SHOWN: usize = 200;
/// What it needs of the environment: to be found, to find keys, agents and whoever asks for a passphrase.
const PASSED_ON: [&str; 6] = ["PATH", "HOME", "SSH_AUTH_SOCK", "SSH_ASKPASS", "DISPLAY", "SSH_SK_PROVIDER"];

/// Whose signatures count.
pub struct Signers<'a> {
    /// Identities and their keys.
    pub allowed: &'a Path,
    /// Keys that count no longer.
    pub revoked: Option<&'a Path>,
}

/// Who signed `content`, by the identity in `signers`.
///
/// # Errors
/// In words, why it is nobody's.
pub async fn verified(signers: &Signers<'_>, signature: &Path, content: &[u8]) -> Result<String, String> {
    if !signature.exists() {
        return Err("it has no signature beside it (.sig)".to_owned());
    }
    let found = keygen(
        &[word("find-principals"), word("-s"), signature.into(), word("-f"), signers.allowed.into()],
        Input::nothing(),
        CHECK,
    )
    .await?;
    let names = String::from_utf8_lossy(&found.stdout).into_owned();
    // One line with every identity of the key.
    let names: Vec<&str> =
        names.lines().flat_map(|line| line.split(',')).filter(|name| !name.is_empty()).collect();
    if !found.success || names.is_empty() {
        return Err(format!(
            "it is signed by nobody in {} ({})",
            signers.allowed.display(),
            last_words(&found)
        ));
    }
    let mut why = String::new();
    for name in names {
        let mut arguments = vec![word("verify"), word("-f"), signers.allowed.into(), word("-I"), word(name)];
        arguments.extend([word("-n"), word(NAMESPACE), word("-s"), signature.into()]);
        let checked = keygen(&arguments, Input::Bytes(content), CHECK).await?;
        if !checked.success {
            why = last_words(&checked);
            continue;
        }
        let Some(revoked) = signers.revoked else { return Ok(name.to_owned()) };
        // Asked by itself, because it does not say that this is why.
        arguments.extend([word("-r"), revoked.into()]);
        if keygen(&arguments, Input::Bytes(content), CHECK).await?.success {
            return Ok(name.to_owned());
        }
        why = format!("the key of {name} is revoked by {}", revoked.display());
    }
    Err(format!("its signature does not hold: {why}"))
}

/// Signs the file `statement` with `key`; the signature is the file of the same name with `.sig`.
///
/// # Errors
/// In words.
pub async fn sign(statement: &Path, key: &Path) -> Result<(), String> {
    let arguments = [word("sign"), word("-f"), key.into(), word("-n"), word(NAMESPACE), statement.into()];
    let finished = keygen(&arguments, Input::nothing(), SIGN).await?;
    if finished.success { Ok(()) } else { Err(last_words(&finished)) }
}

fn word(text: &str) -> OsString {
    text.into()
}

async fn keygen(arguments: &[OsString], input: Input<'_>, within: Duration) -> Result<Finished, String> {
    let argv: Vec<OsString> = [word("ssh-keygen"), word("-Y")].iter().chain(arguments).cloned().collect();
    let passed = PASSED_ON.iter().filter_map(|key| Some((word(key), std::env::var_os(key)?)));
    // It has no terminal to ask on: a key with a passphrase is in an agent, or there is a program that asks.
    let mut environment: Vec<_> = passed.collect();
    environment.push((word("SSH_ASKPASS_REQUIRE"), word("force")));
    environment.push((word("LC_ALL"), word("C")));
    let finished = run_fed(&argv, &environment, input, within, std::future::pending()).await;
    finished.map_err(|unfinished| match unfinished {
        Unfinished::Missing => {
            "there is no program ssh-keygen here: install the client of OpenSSH".to_owned()
        }
        Unfinished::Late => format!("ssh-keygen did not end within {}", seconds(within)),
        Unfinished::Stopped => "ssh-keygen was ended".to_owned(),
        Unfinished::Broken(error) => format!("ssh-keygen cannot be run: {error}"),
    })
}

/// The last line of what it says; errors first.
fn last_words(finished: &Finished) -> String {
    let said = |bytes: &[u8]| {
        let text = String::from_utf8_lossy(bytes).into_owned();
        let line = text.lines().rev().find(|line| !line.trim().is_empty());
        line.map(|line| plain(line.trim(), SHOWN))
    };
    said(&finished.stderr).or_else(|| said(&finished.stdout)).unwrap_or_else(|| "it says nothing".to_owned())
}
