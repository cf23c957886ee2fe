//! Texts with a rule: once a value of one of these types exists, it is safe in a URL path, an argument vector, an env
//! file and a policy entity id. Everything that comes from a plugin, a flag or a file is parsed into one of them first.

mod schema;

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::words::{is_shown, quoted};

/// A text that breaks the rule of its kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{found} is no {what}: {rule}")]
pub struct NameError {
    what: &'static str,
    rule: &'static str,
    /// In quotes and cut.
    found: String,
}

/// Longest part of a refused text that a message repeats, in characters.
const SHOWN: usize = 80;

fn checked(text: &str, what: &'static str, rule: &'static str, holds: bool) -> Result<String, NameError> {
    if holds { Ok(text.to_owned()) } else { Err(NameError { what, rule, found: quoted(text, SHOWN) }) }
}

macro_rules! checked_text {
    ($(#[$doc:meta])* $name:ident, $what:literal, $rule:literal, $holds:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// Takes `text` if it keeps the rule.
            ///
            /// # Errors
            /// [`NameError`] with the rule and the start of what was found.
            pub fn parse(text: &str) -> Result<Self, NameError> {
                let holds: fn(&str) -> bool = $holds;
                checked(text, $what, $rule, holds(text)).map(Self)
            }

            /// The text itself.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = NameError;
            fn try_from(text: String) -> Result<Self, NameError> {
                Self::parse(&text)
            }
        }

        impl std::str::FromStr for $name {
            type Err = NameError;
            fn from_str(text: &str) -> Result<Self, NameError> {
                Self::parse(text)
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

fn all(text: &str, allowed: impl Fn(char) -> bool) -> bool {
    text.chars().all(allowed)
}

fn lower_or_digit(c: char) -> bool {
    c.is_ascii_lowercase() || c.is_ascii_digit()
}

/// Lower-case words joined by single dashes: `project-manager`.
fn dashed(text: &str, longest: usize) -> bool {
    (1..=longest).contains(&text.len())
        && text.split('-').all(|word| !word.is_empty() && all(word, lower_or_digit))
}

/// Starts with a letter or digit, so that it can never be read as an option.
fn tame(text: &str, longest: usize, extra: &str) -> bool {
    (1..=longest).contains(&text.len())
        && text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && all(text, |c| c.is_ascii_alphanumeric() || extra.contains(c))
}

checked_text!(
    /// The id of a service, `backend-core`.
    ServiceName, "service name", "lower-case letters, digits and single dashes, at most 63 characters",
    |text| dashed(text, 63)
);

checked_text!(
    /// An environment, `dev` or `prod`.
    Environment, "environment", "lower-case letters, digits and single dashes, at most 63 characters",
    |text| dashed(text, 63)
);

checked_text!(
    /// A logical runtime of the operator's configuration, `main-server`.
    RuntimeName, "runtime name", "lower-case letters, digits and single dashes, at most 63 characters",
    |text| dashed(text, 63)
);

checked_text!(
    /// How a service is deployed: what stands at the far end, and where (specification: the three shapes).
    Shape, "shape", "`main-server-compose`, `d601-compose` or `d601-k3s`",
    |text| Shape::ALL.contains(&text)
);

checked_text!(
    /// A full Git commit. The specification pins artifacts to it: never a branch, never `latest`.
    Commit, "commit", "exactly 40 lower-case hexadecimal digits (`git rev-parse <ref>` prints it)",
    |text| text.len() == 40 && all(text, |c| matches!(c, '0'..='9' | 'a'..='f'))
);

checked_text!(
    /// A content digest, `sha256:<64 hex>`.
    Digest, "digest", "`sha256:` and 64 lower-case hexadecimal digits",
    |text| text.strip_prefix("sha256:").is_some_and(|hex| {
        hex.len() == 64 && all(hex, |c| matches!(c, '0'..='9' | 'a'..='f'))
    })
);

checked_text!(
    /// An image repository without registry and tag, `unidesk/project-manager`.
    ImageName, "image name", "lower-case path parts of letters, digits, `.`, `_` and `-`, no tag, no digest, at most 200 characters",
    |text| text.len() <= 200 && text.split('/').all(|part| {
        tame(part, 128, "._-")
            && all(part, |c| !c.is_ascii_uppercase())
            && part.ends_with(lower_or_digit)
            && !part.contains("..")
    })
);

checked_text!(
    /// A service of a Compose project.
    ComposeService, "Compose service", "letters, digits, `.`, `_` and `-`, starting with a letter or digit, at most 128 characters",
    |text| tame(text, 128, "._-")
);

checked_text!(
    /// A container by its name.
    ContainerName, "container name", "letters, digits, `.`, `_` and `-`, starting with a letter or digit, at most 128 characters",
    |text| tame(text, 128, "._-")
);

checked_text!(
    /// A Kubernetes object, namespace, port or container name.
    KubernetesName, "Kubernetes name", "lower-case letters, digits, `.` and `-`, starting and ending with a letter or digit, at most 253 characters",
    |text| tame(text, 253, ".-")
        && all(text, |c| !c.is_ascii_uppercase())
        && text.ends_with(lower_or_digit)
);

checked_text!(
    /// A key of an environment or of an env file.
    EnvKey, "environment key", "upper-case letters, digits and `_`, starting with a letter, at most 128 characters",
    |text| (1..=128).contains(&text.len())
        && text.starts_with(|c: char| c.is_ascii_uppercase())
        && all(text, |c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
);

checked_text!(
    /// A label of an image or an annotation key.
    LabelKey, "label key", "letters, digits, `.`, `_`, `-` and `/`, starting with a letter or digit, at most 253 characters",
    |text| tame(text, 253, "._-/")
);

checked_text!(
    /// A value that is stamped or compared: one printable line that no env file, shell or Compose file can misread.
    PlainValue, "plain value", "at most 512 printable ASCII characters without quotes, backslash, `$`, `#`, `=` or spaces",
    |text| text.len() <= 512 && all(text, |c| c.is_ascii_graphic() && !"'\"\\$#=`".contains(c))
);

checked_text!(
    /// A JSON pointer (RFC 6901).
    Pointer, "JSON pointer", "empty, or `/` and printable parts, `~` only as `~0` or `~1`, at most 512 characters",
    |text| text.len() <= 512
        && (text.is_empty() || text.starts_with('/'))
        && all(text, is_shown)
        && text.split('~').skip(1).all(|rest| rest.starts_with(['0', '1']))
);

checked_text!(
    /// The path of a health request, without query.
    UrlPath, "URL path", "`/` and letters, digits, `.`, `_`, `~`, `-` and `/`, no `..`, at most 256 characters",
    |text| text.len() <= 256
        && text.starts_with('/')
        && !text.contains("..")
        && all(text, |c| c.is_ascii_alphanumeric() || "._~-/".contains(c))
);

checked_text!(
    /// A name in the operator's configuration: a secret source, a health endpoint, a role.
    ConfigName, "configured name", "letters, digits, `.`, `_` and `-`, starting with a letter or digit, at most 128 characters",
    |text| tame(text, 128, "._-")
);

impl Pointer {
    /// The whole document.
    #[must_use]
    pub fn root() -> Self {
        Self(String::new())
    }
}

impl Shape {
    /// Every shape that this host knows.
    pub const ALL: [&'static str; 3] = ["main-server-compose", "d601-compose", "d601-k3s"];
}

impl Digest {
    /// SHA-256 of `bytes`.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self::from_hash(Sha256::new().chain_update(bytes))
    }

    /// Of what was fed into `hash`.
    #[must_use]
    pub fn from_hash(hash: Sha256) -> Self {
        let mut text = "sha256:".to_owned();
        for byte in hash.finalize() {
            text.extend(
                [byte >> 4, byte & 15].map(|nibble| char::from(b"0123456789abcdef"[usize::from(nibble)])),
            );
        }
        Self(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commit_is_forty_lower_case_hex_digits() {
        assert!(Commit::parse(&"a".repeat(40)).is_ok());
        for bad in ["latest", "main", "", &"A".repeat(40), &"a".repeat(39), &"g".repeat(40)] {
            let error = Commit::parse(bad).expect_err(bad).to_string();
            assert!(error.contains("40 lower-case hexadecimal digits"), "{error}");
        }
    }

    #[test]
    fn no_name_can_be_read_as_an_option_a_path_or_a_second_line() {
        for bad in ["--privileged", "-f", "../x", "a\nb", "a b", "a=b", "", "/etc", "a$b"] {
            assert!(ContainerName::parse(bad).is_err(), "{bad}");
            assert!(ComposeService::parse(bad).is_err(), "{bad}");
            assert!(ServiceName::parse(bad).is_err(), "{bad}");
            assert!(ImageName::parse(bad).is_err(), "{bad}");
            assert!(EnvKey::parse(bad).is_err(), "{bad}");
            assert!(KubernetesName::parse(bad).is_err(), "{bad}");
        }
        assert!(ImageName::parse("unidesk/project-manager").is_ok());
        assert!(ImageName::parse("unidesk/project-manager:latest").is_err());
        assert!(PlainValue::parse("a\nCOMPOSE_FILE=evil.yml").is_err());
        assert!(PlainValue::parse("https://gitee.com/Lyon1998/todo_note").is_ok());
    }

    #[test]
    fn a_refusal_repeats_only_the_start_of_what_it_found() {
        let error = Commit::parse(&"x".repeat(100_000)).expect_err("too long").to_string();
        assert!(error.len() < 300, "{}", error.len());
    }
}
