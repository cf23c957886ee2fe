//! What a deploy leaves on its target for others to see: colleagues and other machines have journals of their own, and a
//! journal is history, not truth (design: locks and state).
//!
//! On a Compose runtime it is one more line of the service's stamp in the controlled env file, so that it is written, and
//! taken back, in one step with the others.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::artifact::Identity;
use crate::names::{Commit, Digest, EnvKey, Environment, PlainValue, ServiceName};
use crate::operation::stamp_prefix;
use crate::words::plain;

/// Longest name of a person or a machine that is written down, in characters.
const LONGEST: usize = 40;

/// The run that changes a target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    /// Its id in the journal of whoever ran it.
    pub run: String,
    /// What it deployed to.
    pub environment: Environment,
    /// Who ran it.
    pub by: String,
    /// On which machine.
    pub on: String,
    /// When it began.
    pub at: jiff::Timestamp,
}

/// What was deployed to a target last, and by which run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Provenance {
    /// Its id in the journal of whoever ran it.
    pub run: String,
    /// What it deployed to.
    pub environment: Environment,
    /// The commit that it deployed.
    pub commit: Commit,
    /// What the registry served under that commit.
    pub digest: Digest,
    /// The manifest of its image for the runtime's platform.
    pub manifest: Digest,
    /// The configuration of that image.
    pub config: Digest,
    /// Who ran it.
    pub by: String,
    /// On which machine.
    pub on: String,
    /// When it began (RFC 3339, UTC).
    pub at: String,
}

impl Provenance {
    /// Of a deploy of `commit` by the run of `mark`.
    #[must_use]
    pub fn new(mark: &Mark, commit: &Commit, identity: &Identity) -> Self {
        Self {
            run: mark.run.clone(),
            environment: mark.environment.clone(),
            commit: commit.clone(),
            digest: identity.served().clone(),
            manifest: identity.manifest.clone(),
            config: identity.config.clone(),
            by: word(&mark.by),
            on: word(&mark.on),
            at: format!("{:.0}", mark.at),
        }
    }

    /// The line of the stamp that holds it.
    #[must_use]
    pub fn key(service: &ServiceName) -> Option<EnvKey> {
        EnvKey::parse(&format!("{}RUN", stamp_prefix(service))).ok()
    }

    /// As it stands in that line: names and values, readable without this program.
    #[must_use]
    pub fn written(&self) -> Option<PlainValue> {
        let Self { run, environment, commit, digest, manifest, config, by, on, at } = self;
        let text = format!(
            "run:{run},env:{environment},commit:{commit},digest:{digest},manifest:{manifest},config:{config},by:{by},\
             on:{on},at:{at}"
        );
        PlainValue::parse(&text).ok()
    }

    /// What such a line says; nothing where it is none that a deploy wrote. Names that are not known are left alone.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        let value = |wanted: &str| {
            text.split(',')
                .filter_map(|pair| pair.split_once(':'))
                .find_map(|(name, value)| (name == wanted).then_some(value))
        };
        let shown = |name| value(name).map(|text| plain(text, LONGEST));
        Some(Self {
            run: shown("run")?,
            environment: Environment::parse(value("env")?).ok()?,
            commit: Commit::parse(value("commit")?).ok()?,
            digest: Digest::parse(value("digest")?).ok()?,
            manifest: Digest::parse(value("manifest")?).ok()?,
            config: Digest::parse(value("config")?).ok()?,
            by: shown("by")?,
            on: shown("on")?,
            at: shown("at")?,
        })
    }

    /// How what runs differs from what this run left: somebody changed it by hand, or by other means.
    #[must_use]
    pub fn drift(&self, running_image: Option<&str>) -> Option<String> {
        let left = format!("run {} left image {}", self.run, self.config);
        // Which of them a runtime calls it by is the runtime's own.
        let own = [&self.digest, &self.manifest, &self.config];
        match running_image {
            Some(image) if own.iter().any(|digest| digest.as_str() == image) => None,
            Some(image) => Some(format!("the container runs image {}, and {left}", plain(image, 80))),
            None => Some(format!("nothing runs, and {left}")),
        }
    }
}

impl Provenance {
    /// The same for a workload that names its image by its commit.
    #[must_use]
    pub fn drift_of_name(&self, image: &str) -> Option<String> {
        let own = image.rsplit_once(':').is_some_and(|(_, tag)| tag == self.commit.as_str());
        (!own).then(|| {
            format!(
                "the Deployment names image {}, and run {} left commit {}",
                plain(image, 120),
                self.run,
                self.commit
            )
        })
    }
}

impl std::fmt::Display for Provenance {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let commit = self.commit.as_str().get(..12).unwrap_or_default();
        write!(
            f,
            "{commit} to {} by {} on {}, {} (run {})",
            self.environment, self.by, self.on, self.at, self.run
        )
    }
}

/// A name as one word of a line whose values end at commas.
fn word(name: &str) -> String {
    let fits = |c: char| if c.is_ascii_alphanumeric() || "._@-".contains(c) { c } else { '_' };
    name.chars().take(LONGEST).map(fits).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn provenance() -> Provenance {
        let mark = Mark {
            run: "20261121T091813Z-92a0f3".to_owned(),
            environment: Environment::parse("prod").expect("an environment"),
            by: "ann, o'neill=x".to_owned(),
            on: "laptop.example".to_owned(),
            at: "2026-11-21T09:18:13.7Z".parse().expect("a time"),
        };
        let commit = Commit::parse(&"a".repeat(40)).expect("a commit");
        let identity = Identity {
            index: Some(Digest::of(b"index")),
            manifest: Digest::of(b"manifest"),
            config: Digest::of(b"config"),
            diff_ids: Vec::new(),
            size: 0,
        };
        Provenance::new(&mark, &commit, &identity)
    }

    #[test]
    fn it_is_read_as_it_was_written() {
        let own = provenance();
        let line = own.written().expect("a plain value");
        assert!(line.as_str().starts_with("run:20261121T091813Z-92a0f3,env:prod,commit:aaaa"), "{line}");
        assert!(
            line.as_str().ends_with(",by:ann__o_neill_x,on:laptop.example,at:2026-11-21T09:18:13Z"),
            "{line}"
        );
        assert_eq!(Provenance::read(line.as_str()), Some(own.clone()));
        assert_eq!(Provenance::read(&format!("{line},plan:7")), Some(own), "of a later release");
    }

    #[test]
    fn the_longest_names_fit_into_the_line() {
        let long = Provenance { by: word(&"x".repeat(900)), on: word(&"y".repeat(900)), ..provenance() };
        assert!(long.written().is_some());
    }

    #[test]
    fn what_no_deploy_wrote_says_nothing() {
        for other in
            ["", "run:1", "yesterday", &provenance().written().expect("plain").as_str().replace("aaa", "xxx")]
        {
            assert_eq!(Provenance::read(other), None, "{other}");
        }
    }

    #[test]
    fn another_image_than_the_run_left_is_a_drift() {
        let left = provenance();
        for same in ["index", "manifest", "config"] {
            assert_eq!(left.drift(Some(Digest::of(same.as_bytes()).as_str())), None, "{same}");
        }
        let other = left.drift(Some("sha256:1")).expect("a drift");
        assert!(other.contains("runs image sha256:1, and run 20261121T091813Z-92a0f3 left"), "{other}");
        assert!(left.drift(None).expect("a drift").starts_with("nothing runs"));

        assert_eq!(left.drift_of_name(&format!("127.0.0.1:5000/unidesk/web:{}", left.commit)), None);
        let other = left.drift_of_name("127.0.0.1:5000/unidesk/web:1").expect("a drift");
        assert!(other.contains("unidesk/web:1, and run 20261121T091813Z-92a0f3 left commit aaaa"), "{other}");
    }
}
