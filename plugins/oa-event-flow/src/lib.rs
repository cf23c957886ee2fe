//! OA Event Flow: a user service of the main server's Compose project.

use plugin_sdk::shape::{ComposeService, unidesk_user_service};
use plugin_sdk::{Environment, Failure, Plugin, Request, Source};

struct OaEventFlow;

const MAIN_SERVER: ComposeService = ComposeService::on_main_server("oa-event-flow", "oa-event-flow-backend");

impl Plugin for OaEventFlow {
    const SERVICE: &'static str = "oa-event-flow";

    fn source() -> Source {
        unidesk_user_service(Some("src/components/microservices/oa-event-flow/Dockerfile"))
    }

    fn environments() -> Vec<Environment> {
        vec![MAIN_SERVER.environment("prod")]
    }

    fn deploy(request: &Request) -> Result<(), Failure> {
        MAIN_SERVER.deploy(request)
    }
}

plugin_sdk::register!(OaEventFlow);
