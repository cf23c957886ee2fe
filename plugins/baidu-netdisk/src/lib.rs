//! Baidu Netdisk: a user service of the main server's Compose project that the backups of the database go through. It is
//! of use only while it is logged in, for which it needs three secrets.

use plugin_sdk::shape::{ComposeService, flags, unidesk_user_service};
use plugin_sdk::{
    Check, Environment, Failure, Literal, Plugin, Request, Source, only_validates, require_secrets, unlike,
};

struct BaiduNetdisk;

const MAIN_SERVER: ComposeService = ComposeService {
    // Whether it is well is what the flags below say, and those are not waited for as long as for a start.
    health_flags: &[],
    ..ComposeService::on_main_server("baidu-netdisk", "baidu-netdisk-backend")
};

const SECRETS: [&str; 3] = [
    "UNIDESK_BAIDU_NETDISK_CLIENT_ID",
    "UNIDESK_BAIDU_NETDISK_CLIENT_SECRET",
    "UNIDESK_BAIDU_NETDISK_TOKEN_KEY",
];

const LOGGED_IN: &str = "/auth/loggedIn";
const AUTH: [&str; 5] = [
    "/auth/configured",
    "/auth/clientIdConfigured",
    "/auth/clientSecretConfigured",
    "/auth/tokenKeyConfigured",
    LOGGED_IN,
];
/// Nobody logs in by waiting: time enough to renew a token, and no more.
const AUTH_WITHIN_SECONDS: u32 = 15;

const RECOVERY: &str = "recover in this order: 1. restore the env file with its three UNIDESK_BAIDU_NETDISK_* keys; \
                        2. recreate only baidu-netdisk, as this command does; \
                        3. verify with `microservice health baidu-netdisk`";

impl Plugin for BaiduNetdisk {
    const SERVICE: &'static str = "baidu-netdisk";

    fn source() -> Source {
        unidesk_user_service(Some("src/components/microservices/baidu-netdisk/Dockerfile"))
    }

    fn environments() -> Vec<Environment> {
        vec![MAIN_SERVER.environment("dev"), MAIN_SERVER.environment("prod")]
    }

    fn deploy(request: &Request) -> Result<(), Failure> {
        require_secrets("baidu-netdisk", &SECRETS)?;
        if request.environment == "dev" {
            only_validates(request)?;
        }
        MAIN_SERVER.deploy(request)?;
        let auth = MAIN_SERVER.expect("/health", &flags(&AUTH), AUTH_WITHIN_SECONDS)?;
        authorised(&auth.unwrap_or_default())
    }
}

/// Logged out it is degraded: the requested commit runs, and what it lacks was lacking before it.
fn authorised(auth: &[Check]) -> Result<(), Failure> {
    let only_logged_out = auth.iter().all(|check| {
        check.satisfied || check.pointer == LOGGED_IN && matches!(check.found, Some(Literal::Flag(false)))
    });
    match unlike("its authorisation", auth) {
        None => Ok(()),
        Some(message) if only_logged_out => Err(Failure::degraded(message, RECOVERY)),
        Some(message) => Err(Failure::failed(message, RECOVERY)),
    }
}

plugin_sdk::register!(BaiduNetdisk);
