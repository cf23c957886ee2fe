//! Pipeline: a user service of D601's own Compose project.

use plugin_sdk::shape::{ComposeService, unidesk_user_service};
use plugin_sdk::{Environment, Failure, Plugin, Request, Source, only_validates};

struct Pipeline;

const D601: ComposeService = ComposeService::on_d601("pipeline", "pipeline-backend");

impl Plugin for Pipeline {
    const SERVICE: &'static str = "pipeline";

    fn source() -> Source {
        unidesk_user_service(None)
    }

    fn environments() -> Vec<Environment> {
        vec![D601.environment("dev"), D601.environment("prod")]
    }

    fn deploy(request: &Request) -> Result<(), Failure> {
        if request.environment == "dev" {
            only_validates(request)?;
        }
        D601.deploy(request)
    }
}

plugin_sdk::register!(Pipeline);
