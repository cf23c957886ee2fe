//! Secrets on the standard output of a program. It runs in a process group of its own with nothing but `PATH` and `HOME`
//! around it; what it says on standard error is never told, because it may hold a value.

use std::ffi::OsString;
use std::process::Stdio;
use std::time::Duration;

use zeroize::Zeroizing;

use super::value::Values;
use super::{LARGEST, Unread, document, lines};
use crate::backend::live::process::{self, Unfinished};
use crate::names::{EnvKey, Pointer};
use crate::progress::Interrupt;
use crate::words::seconds;

/// What it needs of the caller's environment: where programs are, and where they keep their settings.
const PASSED_ON: [&str; 2] = ["PATH", "HOME"];

/// Runs `argv` and takes the values of `keys` from what it prints: a JSON document if that begins with `{`, otherwise
/// the lines of an env file.
///
/// # Errors
/// Why there is nothing to take, without anything that the program said.
pub async fn values(
    argv: &[String],
    pointer: Option<&Pointer>,
    keys: &[EnvKey],
    within: Duration,
    interrupt: &Interrupt,
) -> Result<Values, Unread> {
    let output = output(argv, within, interrupt).await?;
    let values = match pointer {
        _ if output.trim_ascii_start().starts_with(b"{") => {
            document::values(&output, pointer.unwrap_or(&Pointer::root()), keys)
        }
        Some(pointer) => Err(format!(
            "what it prints does not begin with {{, so there is no JSON for the pointer {} to lead into",
            pointer.as_str()
        )),
        None => lines::values(&output, keys),
    };
    Ok(values?)
}

/// What `argv` prints.
///
/// # Errors
/// Why there is nothing, without anything that the program said.
pub async fn output(
    argv: &[String],
    within: Duration,
    interrupt: &Interrupt,
) -> Result<Zeroizing<Vec<u8>>, Unread> {
    let argv: Vec<OsString> = argv.iter().map(OsString::from).collect();
    let environment: Vec<_> =
        PASSED_ON.iter().filter_map(|key| Some((OsString::from(key), std::env::var_os(key)?))).collect();
    let finished = process::run_unless(&argv, &environment, Stdio::null(), within, interrupt.raised())
        .await
        .map_err(|unfinished| match unfinished {
            Unfinished::Stopped => Unread::Interrupted,
            Unfinished::Missing => Unread::Because("there is no such program".to_owned()),
            Unfinished::Late => Unread::Because(format!(
                "it had not ended after {} (limits.secret-seconds) and was stopped",
                seconds(within)
            )),
            Unfinished::Broken(error) => Unread::Because(format!("it cannot be run: {error}")),
        })?;
    let output = Zeroizing::new(finished.stdout);
    // It may hold a value.
    drop(Zeroizing::new(finished.stderr));
    if !finished.success {
        let why = format!("it {}; what it says is not shown here, so run it by hand", finished.ending);
        return Err(Unread::Because(why));
    }
    if output.len() as u64 > LARGEST {
        return Err(Unread::Because("it prints more than 1 MiB".to_owned()));
    }
    Ok(output)
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::super::value::Secret;
    use super::*;

    const LONG: Duration = Duration::from_mins(1);

    async fn run(script: &str, pointer: Option<&str>, within: Duration) -> Result<Option<usize>, String> {
        let (_sender, interrupt) = Interrupt::pair();
        let argv = ["sh", "-c", script].map(str::to_owned);
        let pointer = pointer.map(|text| Pointer::parse(text).expect("a pointer"));
        let keys = [EnvKey::parse("TOKEN_KEY").expect("a key")];
        match values(&argv, pointer.as_ref(), &keys, within, &interrupt).await {
            Ok(values) => Ok(values.get("TOKEN_KEY").map(Secret::length)),
            Err(Unread::Because(why)) => Err(why),
            Err(Unread::Interrupted) => Err("interrupted".to_owned()),
        }
    }

    #[tokio::test]
    async fn what_it_prints_is_json_or_the_lines_of_an_env_file() {
        for (script, pointer, expected) in [
            (r#"printf '\n {"TOKEN_KEY":"abc"}'"#, None, Some(3)),
            (r#"echo '{"a":{"TOKEN_KEY":"abcd"}}'"#, Some("/a"), Some(4)),
            ("echo '# made up'; echo 'TOKEN_KEY=\"a b\"'", None, Some(3)),
            ("exit 0", None, None),
        ] {
            assert_eq!(run(script, pointer, LONG).await, Ok(expected), "{script}");
        }
    }

    #[tokio::test]
    async fn it_finds_nothing_around_it_but_where_programs_and_settings_are() {
        // `sh` sets PWD, OLDPWD, SHLVL and _ by itself.
        let script = "env | sed 's/=.*//' | grep -v -e '^PWD$' -e '^OLDPWD$' -e '^SHLVL$' -e '^_$' | sort | tr '\\n' ' '; \
                      cat; test \"$(ps -o pgid= -p $$ | tr -d ' ')\" = $$ && echo alone";
        let argv = ["sh", "-c", script].map(str::to_owned);
        let (_sender, interrupt) = Interrupt::pair();
        let output = output(&argv, LONG, &interrupt).await.map_err(|_| "not run").expect("it runs");
        assert_eq!(String::from_utf8_lossy(&output), "HOME PATH alone\n");
    }

    #[tokio::test]
    async fn whatever_goes_wrong_is_told_without_what_it_said() {
        for (script, pointer, word) in [
            ("echo hunter2 >&2; exit 3", None, "it ended with 3"),
            ("echo TOKEN_KEY=hunter2; exit 1", None, "it ended with 1"),
            ("kill -9 $$", None, "was ended by signal 9"),
            ("echo TOKEN_KEY=hunter2", Some("/a"), "does not begin with {"),
            ("echo '{\"a\":\"hunter2\"}'", Some("/a"), "no object of texts"),
            ("echo '{hunter2'", None, "no JSON document"),
            ("echo 'TOKEN_KEY=\"hunter2'", None, "never closed"),
            ("head -c 1100000 /dev/zero", None, "more than 1 MiB"),
        ] {
            let error = run(script, pointer, LONG).await.expect_err(script);
            assert!(error.contains(word), "{script}: {error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
        let (_sender, interrupt) = Interrupt::pair();
        let missing = output(&["/nowhere/get-secret".to_owned()], LONG, &interrupt).await;
        assert!(matches!(missing, Err(Unread::Because(why)) if why == "there is no such program"));
    }

    #[tokio::test]
    async fn one_that_does_not_end_is_ended_with_all_that_it_started() {
        let folder = tempfile::tempdir().expect("a folder");
        let alive = folder.path().join("alive");
        let script = format!("sh -c 'sleep 3; echo > {}' & sleep 1000", alive.display());
        let error = run(&script, None, Duration::from_millis(300)).await.expect_err("too late");
        assert!(error.contains("limits.secret-seconds"), "{error}");
        let error = run("while :; do echo TOKEN_KEY=hunter2; done", None, Duration::from_millis(300)).await;
        assert!(error.expect_err("endless").contains("limits.secret-seconds"));
        tokio::time::sleep(Duration::from_secs(4)).await;
        assert!(!alive.exists(), "what it had started went on");
    }

    #[tokio::test]
    async fn an_interrupt_ends_it_at_once() {
        let (sender, interrupt) = Interrupt::pair();
        let begun = Instant::now();
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(200)).await;
            sender.raise();
        });
        let ended = output(&["sleep".to_owned(), "1000".to_owned()], LONG, &interrupt).await;
        assert!(matches!(ended, Err(Unread::Interrupted)));
        assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
    }
}
