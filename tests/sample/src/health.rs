//! What `/health` says about this build and this deploy.

use std::{env, fmt::Write as _};

use sample_service::Behaviour;

/// The commit that `old-commit` claims to be.
const OLD_COMMIT: &str = "0000000000000000000000000000000000000000";

/// Size of the body that `huge` sends.
const HUGE: usize = 20_000_000;

/// The JSON document of `/health`.
pub fn document(behaviour: Behaviour) -> String {
    let service = env::var("SAMPLE_SERVICE").unwrap_or_else(|_| "project-manager".to_owned());
    let commit = match behaviour {
        Behaviour::OldCommit => Some(OLD_COMMIT.to_owned()),
        _ => env::var("SAMPLE_COMMIT").ok(),
    };
    let requested =
        env::var(format!("UNIDESK_{}_DEPLOY_REQUESTED_COMMIT", service.to_uppercase().replace('-', "_")))
            // In a cluster the stamp names no service.
            .or_else(|_| env::var("UNIDESK_DEPLOY_REQUESTED_COMMIT"));
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
    format!(
        r#"{{"ok":{ok},"service":{},"deploy":{{"commit":{},"requestedCommit":{}}}{auth}{padding}}}"#,
        json(Some(&service)),
        json(commit.as_deref()),
        json(requested.ok().as_deref()),
    )
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
        let good = document(Behaviour::Good);
        let stringly = document(Behaviour::Stringly);
        assert_eq!(
            good.replace(r#""ok":true"#, r#""ok":"true""#),
            stringly,
            "only the type of `ok` may differ"
        );
    }
}
