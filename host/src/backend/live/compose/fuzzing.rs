//! What must hold of whatever Compose says.
#![allow(
    clippy::expect_used,
    clippy::missing_panics_doc,
    clippy::panic,
    reason = "a panic is how a broken rule is told, to libFuzzer and to a test"
)]

use serde_json::Value;

use super::check::{made_up, service};
use super::redact::redacted;
use crate::artifact::Pair;
use crate::backend::live::env_file::Secrets;
use crate::backend::live::env_file::fuzzing::{assert_hidden, values};
use crate::fuzzing::{assert_presentable, parted};
use crate::names::{EnvKey, PlainValue};
use crate::operation::{Activate, ArtifactRef};
use crate::words::plain;

/// What the project's env file holds while its files are judged.
const ENV_FILE: &str = "TOKEN=\"hunter2\\tsecret\"\nPORT=8099\n";
/// Longest complaint about a service, in characters: each part of it is bounded.
const LONGEST: usize = 1500;

/// What `docker compose config` renders: only a service that fits is let pass, and what is said of another one tells no
/// secret.
pub fn compose_config(rendered: &[u8]) {
    let call = activation();
    let keys: Vec<_> = call.stamp.iter().map(|pair| &pair.key).collect();
    let made_up = made_up(&keys);
    let secrets = Secrets::of(ENV_FILE.as_bytes(), &[], "");
    match service(rendered, &call, &made_up, &secrets) {
        Ok(()) => {
            // Where nobody looks it may be no text.
            let Ok(value) = serde_json::from_slice::<Value>(rendered) else { return };
            let found = &value["services"]["web"];
            assert!(
                ["web", "web:latest", "web/api", "web/api:latest"].map(Value::from).contains(&found["image"])
            );
            assert_eq!(found["container_name"], "web-backend");
            assert!(
                ["never", "missing", "if_not_present"]
                    .map(Value::from)
                    .into_iter()
                    .chain([Value::Null])
                    .any(|policy| policy == found["pull_policy"])
            );
            for (key, value) in made_up {
                assert_eq!(found["environment"][key], value);
            }
        }
        Err(why) => {
            assert_presentable(&why, LONGEST);
            // Its own advice names keys and words of ours, never a value.
            assert_hidden(&why, &values(ENV_FILE.as_bytes()));
        }
    }
}

fn activation() -> Activate {
    let artifact = ArtifactRef {
        service: "web".parse().expect("a name"),
        commit: "a".repeat(40).parse().expect("a commit"),
        digest: None,
    };
    let stamp = |key: &str| Pair {
        key: EnvKey::parse(key).expect("a key"),
        value: PlainValue::parse("x").expect("a value"),
    };
    Activate {
        artifact,
        runtime: "main-server".parse().expect("a name"),
        delivered: "web".parse().expect("a name"),
        service: "web".parse().expect("a name"),
        container: "web-backend".parse().expect("a name"),
        stable_names: ["web", "web/api"].map(|name| name.parse().expect("a name")).to_vec(),
        stamp: ["UNIDESK_WEB_DEPLOY_COMMIT", "UNIDESK_WEB_DEPLOY_SERVICE_ID"].map(stamp).to_vec(),
    }
}

/// An env file, and what Compose says about it and anything else: one line without a value of the file.
pub fn compose_said(input: &[u8]) {
    let (file, said) = parted(input);
    let told = redacted(&String::from_utf8_lossy(said), &Secrets::of(file, &[], ""));
    let values = values(file);
    // Lines that are joined may look like a value that none of them holds.
    for part in told.split("; ") {
        assert_hidden(part, &values);
    }
    assert_presentable(&plain(&told, super::SHOWN), super::SHOWN + 1 + 10 * super::SHOWN);
    assert!(!told.contains('\n'), "{told:?}");
}
