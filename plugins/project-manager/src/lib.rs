//! Project Manager: a user service of the main server's Compose project.

use plugin_sdk::shape::{ComposeService, unidesk_user_service};
use plugin_sdk::{Environment, Failure, Plugin, Request, Source};

struct ProjectManager;

const MAIN_SERVER: ComposeService =
    ComposeService::on_main_server("project-manager", "project-manager-backend");

impl Plugin for ProjectManager {
    const SERVICE: &'static str = "project-manager";

    fn source() -> Source {
        unidesk_user_service(Some("src/components/microservices/project-manager/Dockerfile"))
    }

    fn environments() -> Vec<Environment> {
        vec![MAIN_SERVER.environment("prod")]
    }

    fn deploy(request: &Request) -> Result<(), Failure> {
        MAIN_SERVER.deploy(request)
    }
}

plugin_sdk::register!(ProjectManager);
