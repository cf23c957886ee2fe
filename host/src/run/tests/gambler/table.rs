//! A host whose far sides are made up, and what it wrote down.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::json;
use tempfile::TempDir;

use super::world::Wheel;
use crate::backend::live::Connections;
use crate::config::{Chosen, Config};
use crate::gate::Unheard;
use crate::journal::OperationRow;
use crate::progress::Interrupt;
use crate::report::Report;
use crate::run::{Agreed, Done, Host, Request};

/// Where nothing is; what is asked of it is answered by a [`Wheel`].
const CONFIGURATION: &str = r#"
policies = "policies"
plugins = "plugins"
state = "state"
cache = "cache"
[registry]
url = "http://127.0.0.1:1"
"#;

/// A host in a folder of its own.
pub struct Table {
    host: Host,
    pub folder: TempDir,
}

impl Table {
    pub fn laid() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let toml = folder.path().join("host.toml");
        std::fs::write(&toml, CONFIGURATION).expect("a configuration");
        for name in ["policies", "plugins"] {
            std::fs::create_dir(folder.path().join(name)).expect("a folder");
        }
        let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("../policies");
        for entry in std::fs::read_dir(shipped).expect("the release's policies").flatten() {
            if entry.path().is_file() {
                let copy = folder.path().join("policies").join(entry.file_name());
                std::fs::copy(entry.path(), copy).expect("a policy file");
            }
        }
        // Its own, some of a neighbour's, and nothing of a stranger's.
        let owned = json!({
            "Repository": ["unidesk/project-manager", "unidesk/another"],
            "Image": [
                "main-server/unidesk/project-manager", "main-server/project-manager", "main-server/unidesk/another"
            ],
            "EnvPrefix": ["main-server/UNIDESK_PROJECT_MANAGER_DEPLOY_"],
            "ComposeService": ["main-server/project-manager", "main-server/neighbour"],
            "Container": ["main-server/project-manager-backend", "main-server/neighbour"],
        });
        let service = json!({ "team": "unidesk", "owns": { "prod": owned } });
        let entities = json!({
            "environments": ["dev", "prod"], "teams": ["unidesk"], "services": { "project-manager": service }
        });
        std::fs::write(folder.path().join("policies/entities.json"), entities.to_string()).expect("entities");
        let plugin = folder.path().join("plugins/project-manager.wasm");
        let made = component();
        std::fs::copy(&made, plugin).unwrap_or_else(|error| {
            panic!("{}: {error}; `lab components` makes the guests", made.display());
        });
        let config = Config::load(&Chosen { file: Some(toml), base: folder.path().to_path_buf() })
            .expect("a configuration");
        let host = Host::open(config, String::new(), "operator".to_owned()).expect("a host");
        Self { host, folder }
    }

    pub async fn run(&self, request: &Request, agreed: Option<&Agreed>, world: &Arc<Wheel>) -> Done {
        let (_sender, interrupt) = Interrupt::pair();
        let to = Arc::new(Connections::imagined(&self.host.config, Arc::clone(world) as Arc<_>));
        let done = self.host.deploy_by(to, request, agreed, Arc::new(Unheard), interrupt).await;
        done.expect("a report")
    }

    /// What the journal has of the passes of a run: (the first one, the live one).
    pub fn written(&self, report: &Report) -> (Rows, Rows) {
        let id = &report.run.as_ref().expect("a run").id;
        let journal = self.host.journal().expect("the journal");
        let detail = journal.show(id).expect("the journal").expect("the run");
        let asked_in = detail.operations.into_iter().filter(|row| row.seq > 0);
        let (live, first): (Vec<_>, Vec<_>) = asked_in.partition(|row| row.pass == "live");
        let numbered = |rows: Vec<OperationRow>| rows.into_iter().map(|row| (row.seq, row)).collect();
        (numbered(first), numbered(live))
    }
}

/// What was written of a pass, by the place in it.
pub type Rows = BTreeMap<u32, OperationRow>;

/// The guest, where the lab puts it: beside the folder that this program was built into.
fn component() -> PathBuf {
    let program = std::env::current_exe().expect("this program");
    let built = program.ancestors().skip(1).find(|folder| !folder.ends_with("deps"));
    built.and_then(Path::parent).expect("a target folder").join("guests/gambler.wasm")
}
