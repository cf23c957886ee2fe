//! What the services that it stands in for answer.

use std::{env, fmt::Write as _};

use sample_service::Behaviour;

/// The commit that `old-commit` claims to be.
const OLD_COMMIT: &str = "0000000000000000000000000000000000000000";

/// Size of the body that `huge` sends.
const HUGE: usize = 20_000_000;

/// The JSON document at a path; nothing where there is none.
pub fn at(path: &str, behaviour: Behaviour) -> Option<String> {
    match path {
        "/health" => Some(health(behaviour, &deploy(behaviour))),
        // As todo-note answers, which knows nothing of deploys.
        "/api/health" => Some(health(behaviour, "")),
        "/api/tasks/stats" => Some(statistics(behaviour)),
        _ => None,
    }
}

/// How it is, and what it says of the deploy.
fn health(behaviour: Behaviour, deploy: &str) -> String {
    let ok = match behaviour {
        Behaviour::Stringly => r#""true""#,
        Behaviour::NeverReady | Behaviour::Status500 => "false",
        _ => "true",
    };
    let padding = match behaviour {
        Behaviour::Huge => format!(r#","padding":"{}""#, "x".repeat(HUGE)),
        _ => String::new(),
    };
    let auth = auth(behaviour).unwrap_or_default();
    format!(r#"{{"ok":{ok},"service":{}{deploy}{auth}{padding}}}"#, json(Some(&service())))
}

/// Which commit it was built from, and which one was asked for.
fn deploy(behaviour: Behaviour) -> String {
    let commit = match behaviour {
        Behaviour::OldCommit => Some(OLD_COMMIT.to_owned()),
        _ => env::var("SAMPLE_COMMIT").ok(),
    };
    let prefix = service().to_uppercase().replace('-', "_");
    let requested = env::var(format!("UNIDESK_{prefix}_DEPLOY_REQUESTED_COMMIT"))
        // In a cluster the stamp names no service.
        .or_else(|_| env::var("UNIDESK_DEPLOY_REQUESTED_COMMIT"));
    format!(
        r#","deploy":{{"commit":{},"requestedCommit":{}}}"#,
        json(commit.as_deref()),
        json(requested.ok().as_deref())
    )
}

fn service() -> String {
    env::var("SAMPLE_SERVICE").unwrap_or_else(|_| "project-manager".to_owned())
}

/// What code-queue-mgr says of its tasks.
fn statistics(behaviour: Behaviour) -> String {
    let skipped = match behaviour {
        Behaviour::Skips => r#","skipped":1"#,
        _ => "",
    };
    format!(r#"{{"queued":2,"running":1,"done":40{skipped}}}"#)
}

/// What baidu-netdisk says of its login; nothing for a service that has none.
fn auth(behaviour: Behaviour) -> Option<String> {
    let (token_key, logged_in) = match behaviour {
        Behaviour::Authorised => (true, true),
        Behaviour::LoggedOut => (true, false),
        Behaviour::NoTokenKey => (false, true),
        _ => return None,
    };
    Some(format!(
        r#","auth":{{"configured":true,"clientIdConfigured":true,"clientSecretConfigured":true,"tokenKeyConfigured":{token_key},"loggedIn":{logged_in}}}"#
    ))
}

/// A JSON string, or `null` for a value that was not given.
fn json(value: Option<&str>) -> String {
    let Some(value) = value else {
        return "null".to_owned();
    };
    let mut quoted = String::from('"');
    for character in value.chars() {
        match character {
            '"' | '\\' => quoted.extend(['\\', character]),
            // Writing into a string cannot fail.
            c if c.is_control() => write!(quoted, "\\u{:04x}", u32::from(c)).unwrap_or_default(),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_strings_are_escaped() {
        assert_eq!(json(Some("a\"b\\c\n")), r#""a\"b\\c\u000a""#);
        assert_eq!(json(None), "null");
    }

    #[test]
    fn stringly_is_wrong_in_one_place_only() {
        let good = at("/health", Behaviour::Good).expect("a document");
        let stringly = at("/health", Behaviour::Stringly).expect("a document");
        assert_eq!(
            good.replace(r#""ok":true"#, r#""ok":"true""#),
            stringly,
            "only the type of `ok` may differ"
        );
    }

    #[test]
    fn only_health_itself_speaks_of_the_deploy() {
        let with = at("/health", Behaviour::Good).expect("a document");
        let without = at("/api/health", Behaviour::Good).expect("a document");
        assert_eq!(without, r#"{"ok":true,"service":"project-manager"}"#);
        assert_eq!(with.replace(&deploy(Behaviour::Good), ""), without);
    }

    #[test]
    fn nothing_is_skipped_unless_it_is_told_to() {
        let good = at("/api/tasks/stats", Behaviour::Good).expect("a document");
        let skips = at("/api/tasks/stats", Behaviour::Skips).expect("a document");
        assert!(!good.contains("skipped"), "{good}");
        assert_eq!(skips.replace(r#","skipped":1"#, ""), good);
        assert_eq!(at("/api/tasks", Behaviour::Good), None);
    }
}
