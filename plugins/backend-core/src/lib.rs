//! Backend Core: what everything else talks to. What people use is in the main server's Compose project; dev is on D601's
//! k3s. CI has a command of its own for it.

use plugin_sdk::shape::{ComposeService, KubernetesService, UNIDESK};
use plugin_sdk::{Environment, Failure, Plugin, Request, Source};

struct BackendCore;

/// Its container is named as that of `frontend`, the other service of the core.
const MAIN_SERVER: ComposeService = ComposeService::on_main_server("backend-core", "unidesk-backend-core");
const DEV: KubernetesService = KubernetesService::dev("backend-core-dev", &["backend-core-dev"]);

impl Plugin for BackendCore {
    const SERVICE: &'static str = "backend-core";

    fn source() -> Source {
        Source {
            repository: UNIDESK.to_owned(),
            dockerfile: None,
            producer: "ci publish-backend-core".to_owned(),
        }
    }

    fn environments() -> Vec<Environment> {
        vec![DEV.environment("dev"), MAIN_SERVER.environment("prod")]
    }

    fn deploy(request: &Request) -> Result<(), Failure> {
        match request.environment.as_str() {
            "dev" => DEV.deploy(request),
            _ => MAIN_SERVER.deploy(request),
        }
    }
}

plugin_sdk::register!(BackendCore);
