//! Findjob: a user service of D601's own Compose project.

use plugin_sdk::shape::{ComposeService, unidesk_user_service};
use plugin_sdk::{Environment, Failure, Plugin, Request, Source, only_validates};

struct Findjob;

const D601: ComposeService = ComposeService::on_d601("findjob", "findjob-backend");

impl Plugin for Findjob {
    const SERVICE: &'static str = "findjob";

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

plugin_sdk::register!(Findjob);
