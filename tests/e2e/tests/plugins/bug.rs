//! A bug of the host itself, in the middle of a live run: no real component can be made to show one, so whoever watches
//! the run panics.

use std::path::Path;
use std::sync::Arc;

use e2e::{SERVICE, Stage};
use host::config::{Chosen, Config};
use host::gate::Audience;
use host::journal::OnFailure;
use host::names::{Commit, Environment, ServiceName};
use host::operation::Operation;
use host::progress::{Interrupt, Unwatched, Watcher};
use host::report::{Mode, Report};
use host::run::{Host, Request};
use host::step::{Pass, Step};

/// Where it goes wrong.
#[derive(Clone, Copy, PartialEq)]
enum At {
    /// In the middle of the recreation.
    During,
    /// When the recreation is done.
    After,
}

struct Panics(At);

impl Audience for Panics {
    fn begins(&self, pass: Pass, _: u32, operation: &Operation) -> Box<dyn Watcher> {
        let here = pass == Pass::Live && matches!(operation, Operation::Activate(_));
        if here && self.0 == At::During { Box::new(Self(At::During)) } else { Box::new(Unwatched) }
    }

    fn ended(&self, pass: Pass, step: &Step) {
        let here = pass == Pass::Live && matches!(step.operation, Operation::Activate(_));
        assert!(!here || self.0 != At::After, "the watcher fails after the recreation");
    }

    fn says(&self, _: Pass, _: &str) {}
}

impl Watcher for Panics {
    fn bytes(&self, _: u64, _: u64) {}

    fn note(&self, text: &str) {
        assert!(!text.contains("recreating"), "the watcher fails during the recreation");
    }
}

fn deploy(stage: &Stage, commit: &str, at: At) -> Report {
    let toml = stage.project().host_toml();
    let base = toml.parent().map(Path::to_path_buf).expect("a folder");
    let config = Config::load(&Chosen { file: Some(toml), base }).expect("a configuration");
    let host = Host::open(config, String::new(), "tester".to_owned()).expect("a host");
    let request = Request {
        service: ServiceName::parse(SERVICE).expect("a service"),
        environment: Environment::parse("prod").expect("an environment"),
        commit: Commit::parse(commit).expect("a commit"),
        mode: Mode::Live,
        wait: false,
        on_failure: OnFailure::Rollback,
        override_desired: None,
        artifact: None,
        compare: false,
        keep: false,
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let (_sender, interrupt) = Interrupt::pair();
    let done = runtime.block_on(host.deploy(&request, None, Arc::new(Panics(at)), interrupt));
    done.expect("a report").report
}

#[test]
fn a_bug_in_the_middle_of_a_live_run_is_taken_back_like_any_failure() {
    let stage = Stage::new();
    let (good, next) = (stage.published("good"), stage.published("next"));
    let run = stage.deploy(&good, &["--run-now"]);
    assert_eq!(run.outcome(), (0, "deployed".to_owned()), "{run:?}");
    for (at, words) in [(At::During, "during the recreation"), (At::After, "after the recreation")] {
        let before = stage.snapshot();
        let report = deploy(&stage, &next, at);

        let error = report.error.as_ref().expect("an error");
        assert_eq!((report.decision.as_str(), error.code.as_str()), ("rolled-back", "internal"), "{error:?}");
        for said in ["a bug in host", words, "taken back: compose.activate", "taken back: image.deliver"] {
            assert!(error.message.contains(said), "{said:?} is missing: {}", error.message);
        }
        assert_eq!(stage.running().as_ref(), Some(&good));
        let changed = before.differences(&stage.snapshot());
        assert!(changed.iter().all(|what| *what == "the container"), "{changed:?}");
    }
}
