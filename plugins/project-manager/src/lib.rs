//! Project Manager: a user service of the main server's Compose project.

use plugin_sdk::shape::{ComposeService, UNIDESK_URL, unidesk_user_service};
use plugin_sdk::{Environment, Failure, Plugin, Request, Source};

struct ProjectManager;

const MAIN_SERVER: ComposeService = ComposeService {
    runtime: "main-server",
    service: "project-manager",
    container: "project-manager-backend",
    stable_names: &["project-manager"],
    source_url: UNIDESK_URL,
    health_port: 8080,
    health_path: "/health",
    health_flags: &["/ok"],
    healthy_within_seconds: 60,
};

impl Plugin for ProjectManager {
    const SERVICE: &'static str = "project-manager";

    fn source() -> Source {
        unidesk_user_service(Some("src/components/microservices/project-manager/Dockerfile"))
    }

    fn environments() -> Vec<Environment> {
        vec![MAIN_SERVER.main_server("prod")]
    }

    fn deploy(request: &Request) -> Result<(), Failure> {
        MAIN_SERVER.deploy(request)
    }
}

plugin_sdk::register!(ProjectManager);
