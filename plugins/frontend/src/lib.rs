//! Frontend: the web interface, in the main server's Compose project.

use plugin_sdk::shape::{ComposeService, UNIDESK_URL, unidesk_user_service};
use plugin_sdk::{Environment, Failure, Plugin, Request, Source};

struct Frontend;

const MAIN_SERVER: ComposeService = ComposeService {
    runtime: "main-server",
    service: "frontend",
    container: "unidesk-frontend",
    stable_names: &["unidesk-frontend"],
    source_url: UNIDESK_URL,
    health_port: 8080,
    health_path: "/health",
    health_flags: &["/ok"],
    healthy_within_seconds: 60,
};

impl Plugin for Frontend {
    const SERVICE: &'static str = "frontend";

    fn source() -> Source {
        unidesk_user_service(Some("src/components/frontend/Dockerfile"))
    }

    fn environments() -> Vec<Environment> {
        vec![MAIN_SERVER.main_server("prod")]
    }

    fn deploy(request: &Request) -> Result<(), Failure> {
        MAIN_SERVER.deploy(request)
    }
}

plugin_sdk::register!(Frontend);
