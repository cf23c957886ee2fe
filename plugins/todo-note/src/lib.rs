//! Todo Note: a user service of the main server's Compose project from a repository of its own. It knows nothing of deploys:
//! the commits of its health come from the stamp in its container's environment.

use plugin_sdk::shape::{ComposeService, external_user_service};
use plugin_sdk::{Environment, Failure, Plugin, Request, Source};

struct TodoNote;

const REPOSITORY: &str = "https://gitee.com/Lyon1998/todo_note";

const MAIN_SERVER: ComposeService = ComposeService {
    source_url: REPOSITORY,
    health_path: "/api/health",
    health_flags: &[],
    health_with_stamp: true,
    ..ComposeService::on_main_server("todo-note", "todo-note-backend")
};

impl Plugin for TodoNote {
    const SERVICE: &'static str = "todo-note";

    fn source() -> Source {
        external_user_service(REPOSITORY, "Dockerfile")
    }

    fn environments() -> Vec<Environment> {
        vec![MAIN_SERVER.environment("prod")]
    }

    fn deploy(request: &Request) -> Result<(), Failure> {
        MAIN_SERVER.deploy(request)
    }
}

plugin_sdk::register!(TodoNote);
