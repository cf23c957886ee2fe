//! The module as its callers see it: a folder on disk, a fault or a decision.

mod check;
mod decide;
mod examples;
mod identity;
mod load;
mod operations;
mod ownership;
mod rules;
mod shipped;
mod sides;
mod survey;
mod testing;

use std::fs;
use std::path::Path;

use tempfile::TempDir;

use super::{Approvers, BuiltIn, Context, Policy, Principal, Request, Weekday};
use crate::access::{Access, Action, Resource, ResourceType};
use crate::fault::Fault;
use crate::names::{Digest, Environment, ServiceName};

/// The policies of the project.
const SHIPPED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../policies");

/// One service, however many are shipped.
const ONE_SERVICE: &str = include_str!("tests/one_service.json");

/// A copy of the project's policies, with one service, that a test may break.
struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        let folder = Self(TempDir::with_prefix("policies-").unwrap());
        for entry in fs::read_dir(SHIPPED).unwrap().map(Result::unwrap) {
            if entry.file_type().unwrap().is_file() {
                folder.write(entry.file_name().to_str().unwrap(), &fs::read_to_string(entry.path()).unwrap());
            }
        }
        folder.write("entities.json", ONE_SERVICE);
        folder
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path().join(name), text).unwrap();
    }

    /// Replaces the one place in `name` that says `old`.
    fn edit(&self, name: &str, old: &str, new: &str) {
        let text = fs::read_to_string(self.path().join(name)).unwrap();
        assert_eq!(text.matches(old).count(), 1, "{old:?} in {name}");
        self.write(name, &text.replace(old, new));
    }

    fn with(rules: &str) -> Self {
        let folder = Self::new();
        folder.write("extra.cedar", rules);
        folder
    }

    fn load(&self) -> Policy {
        Policy::load(self.path()).unwrap_or_else(|fault| panic!("{fault}"))
    }

    fn fault(&self) -> Fault {
        Policy::load(self.path()).expect_err("these policies are broken")
    }

    /// `code: message / help`, without the folder's own path.
    fn complaint(&self) -> String {
        let fault = self.fault();
        format!("{}: {fault}", fault.code).replace(self.path().to_str().unwrap(), "<policies>")
    }
}

fn service(name: &str) -> ServiceName {
    ServiceName::parse(name).unwrap()
}

/// What `plugin` asks on a Monday morning in prod.
fn request(plugin: &str, action: Action, kind: ResourceType, id: &str) -> Request {
    Request {
        principal: Principal::Plugin { plugin: service(plugin), digest: Digest::of(b"component") },
        access: Access { action, resource: Resource { kind, id: id.to_owned(), group: None } },
        context: Context {
            environment: Environment::parse("prod").ok(),
            operator: "operator".to_owned(),
            weekday: Weekday::Monday,
            minute_of_day: 600,
            verified_before: true,
            approvers: Approvers::default(),
        },
    }
}

/// The doctor's wish to look at the registry.
fn diagnosis() -> Request {
    let asked = request("project-manager", Action::Diagnose, ResourceType::FarSide, "registry");
    Request {
        principal: Principal::BuiltIn { built_in: BuiltIn::Doctor },
        context: Context { environment: None, ..asked.context },
        ..asked
    }
}

/// The project manager's right to move its stable name.
fn retag() -> Request {
    request("project-manager", Action::TagImage, ResourceType::Image, "main-server/project-manager")
}
