//! A Compose project that does not fit, a Compose that does not work, and somebody else who uses it at the same time.
//! Nothing is ever built.

#![allow(clippy::expect_used, reason = "a stage that cannot be set is a failed test")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use e2e::aftermath::Leaves;
use e2e::hostile::{BACK, Hostile, LIVE, after, meanwhile, nth};
use e2e::{SERVICE, SampleImage, commit};
use lab::Bench;
use lab::faulty_docker::Fault;

const LIMITS: &str = "docker-seconds = 10\ncompose-seconds = 20\nhealth-seconds = 5";
const NAME: &str = "    container_name: project-manager-backend\n";
const IMAGE: &str = "    image: project-manager\n";

const CREATE: &[&str] = &["POST ", "/containers/create?"];
const START: &[&str] = &["POST ", "/start "];
/// For the third time after the start it is the verification that looks at the container.
const INSPECT: &[&str] = &["GET ", "/containers/project-manager-backend/json"];

/// A stage whose Compose file can be another one for a row.
struct Project {
    on_stage: Hostile,
    file: String,
}

impl Project {
    fn in_service(limits: &str) -> Self {
        let on_stage = Hostile::in_service(limits);
        let file = fs::read_to_string(on_stage.compose_file()).expect("a Compose file");
        Self { on_stage, file }
    }

    /// A row with this Compose file.
    fn row(&mut self, name: &str, leaves: Leaves, file: impl AsRef<[u8]>) {
        fs::write(self.on_stage.compose_file(), file).expect("a Compose file");
        self.on_stage.engine_row(name, leaves, LIVE, |head| {
            // Not even asked for: an engine that is asked to build fails the row.
            if head.contains("/build") { Fault::Closed } else { Fault::None }
        });
        fs::write(self.on_stage.compose_file(), &self.file).expect("a Compose file");
    }

    /// A row with a text of the Compose file replaced.
    fn with(&mut self, name: &str, leaves: Leaves, this: &str, by: &str) {
        let changed = self.file.replace(this, by);
        assert_ne!(changed, self.file, "the Compose file has {this}");
        self.row(name, leaves, changed);
    }

    /// A row with more lines for our service.
    fn and(&mut self, name: &str, leaves: Leaves, lines: &str) {
        self.with(name, leaves, NAME, &format!("{NAME}{lines}"));
    }

    fn beside(&self, name: &str, content: &str) {
        fs::write(self.on_stage.stage.folder().join(name), content).expect("a file");
    }
}

#[test]
fn a_project_that_does_not_fit() {
    // A bomb takes Compose itself as long as it is given.
    let mut project = Project::in_service("docker-seconds = 10\ncompose-seconds = 8\nhealth-seconds = 5");
    let refused = Leaves::Nothing;
    project.with("build: without an image", refused, IMAGE, "    build: .\n");
    project.and("build: by pull_policy", refused, "    build: .\n    pull_policy: build\n");
    project.and("pull_policy: always", refused, "    pull_policy: always\n");
    project.with("image: with a tag", refused, IMAGE, "    image: project-manager:v1\n");
    project.with("image: from elsewhere", refused, IMAGE, "    image: ghcr.io/evil/project-manager\n");
    project.with("image: of another variable", refused, IMAGE, "    image: ${DATABASE_URL}\n");
    project.with("container_name: none", refused, NAME, "");
    project.with("container_name: another", refused, NAME, "    container_name: other\n");
    project.and("scale: 2", refused, "    scale: 2\n");
    project.and("scale: 0", refused, "    scale: 0\n");
    project.and("replicas: 2", refused, "    deploy: { replicas: 2 }\n");
    project.and("replicas: 0", refused, "    deploy: { replicas: 0 }\n");
    project.with("environment: none", refused, "    environment:\n", "    labels:\n");
    project.with(
        "environment: from a file",
        refused,
        "    environment:\n",
        "    env_file: .state/compose.env\n    labels:\n",
    );
    project.and("variable: needed and not there", refused, "    hostname: ${NOT_THERE:?set it}\n");
    project.and("variable: no name", refused, "    hostname: ${}\n");
    project.and("env_file: not there", refused, "    env_file: no.env\n");
    project.and("extends: not there", refused, "    extends: { file: no.yml, service: x }\n");
    let file = project.file.clone();
    project.row("include: not there", refused, format!("include: [no.yml]\n{file}"));
    project.with("service: another name", refused, "  project-manager:\n", "  manager:\n");
    project.with("service: none", refused, "services:\n", "services: {}\nx-services:\n");
    project.and("depends_on: nobody", refused, "    depends_on: [nobody]\n");
    project.row("file: empty", refused, "");
    project.row("file: a list", refused, "- a\n");
    project.row("file: not closed", refused, "services: { project-manager: [\n");
    project.row("file: no text", refused, b"\0\xff\xfe\x1b[2J");
    project.row("file: an alias of itself", refused, "services: &a\n  project-manager: *a\n");
    let mut bomb = "x-0: &x0 [a, a, a, a, a, a, a, a, a]\n".to_owned();
    for level in 1..10 {
        let all = vec![format!("*x{}", level - 1); 9].join(", ");
        bomb.extend([format!("x-{level}: &x{level} [{all}]\n")]);
    }
    project.row("file: a bomb of aliases", refused, bomb + &file);
    project.row("file: deeply nested", refused, format!("x-deep: {}\n{file}", "[".repeat(100_000)));
    fs::remove_file(project.on_stage.compose_file()).expect("a Compose file");
    project.on_stage.row("file: gone", refused, LIVE);
    fs::write(project.on_stage.compose_file(), &file).expect("a Compose file");
    project.beside("prod.yml", "services:\n  project-manager:\n    image: evil\n    build: .\n");
    project
        .on_stage
        .configure("files = [\"docker-compose.yml\"]", "files = [\"docker-compose.yml\", \"prod.yml\"]");
    project.on_stage.row("file: a second one that is loaded", refused, LIVE);
    insta::assert_snapshot!(project.on_stage.finish());
}

#[test]
fn a_project_with_more_in_it() {
    let mut project = Project::in_service(LIMITS);
    let bench = Bench::from_environment().expect("the lab");
    let neighbour =
        SampleImage::new("neighbour", &commit("neighbour")).push(bench.registry()).expect("an image");
    project.on_stage.stage.project().start_neighbour(&neighbour).expect("a neighbour");
    let fits = Leaves::Deployed;
    project.beside("Dockerfile", "FROM scratch\nRUN [\"/no-such-program\"]\n");
    project.and("build: beside an image", fits, "    build: .\n");
    project.and("variable: not there", fits, "    hostname: \"x${NOT_THERE}\"\n");
    project.beside(
        "docker-compose.override.yml",
        "services:\n  project-manager:\n    image: evil\n    container_name: evil\n",
    );
    project
        .beside("compose.yaml", "services:\n  project-manager:\n    image: evil\n    container_name: evil\n");
    project.beside(".env", "UNIDESK_PROJECT_MANAGER_DEPLOY_COMMIT=evil\nCOMPOSE_FILE=evil.yml\n");
    project.on_stage.row("files: others beside it", fits, LIVE);
    project.beside("more.env", "UNIDESK_PROJECT_MANAGER_DEPLOY_COMMIT=evil\nMORE=1\n");
    project.and("env_file: with our key", fits, "    env_file: more.env\n");
    project.beside("base.yml", "services:\n  base:\n    image: evil\n    labels: { base: \"1\" }\n");
    project.and("extends", fits, "    extends: { file: base.yml, service: base }\n");
    project.beside("included.yml", "services:\n  included:\n    image: nobody/has-this\n");
    let file = project.file.clone();
    project.row(
        "service: like an option, beside ours",
        fits,
        format!("{file}  --privileged:\n    image: x\n"),
    );
    project.row("include", fits, format!("include: [included.yml]\n{file}"));
    project.and(
        "depends_on: a neighbour, healthy",
        fits,
        "    depends_on: { neighbour: { condition: service_healthy } }\n",
    );
    project.and("profiles: of nobody", fits, "    profiles: [nobody]\n");
    project.row(
        "aliases",
        fits,
        file.replace(NAME, &format!("{NAME}    labels: &a {{ x: \"1\" }}\n")) + "    labels: *a\n",
    );
    project.on_stage.row_called_with(
        "caller: another engine and another project",
        fits,
        &[
            ("DOCKER_HOST", "unix:///nowhere.sock"),
            ("DOCKER_CONTEXT", "nowhere"),
            ("DOCKER_TLS_VERIFY", "1"),
            ("DOCKER_DEFAULT_PLATFORM", "linux/s390x"),
            ("COMPOSE_ENV_FILES", "/nowhere"),
            ("COMPOSE_PROJECT_NAME", "evil"),
            ("COMPOSE_DISABLE_ENV_FILE", "1"),
            ("COMPOSE_BAKE", "true"),
            ("LD_PRELOAD", ""),
        ],
    );
    let docker = project.on_stage.stage.project().docker().clone();
    insta::assert_snapshot!(project.on_stage.finish());
    docker.run(&["rm", "--force", "host-e2e-neighbour-1"]).expect("removed");
    docker.run(&["image", "rm", "--force", lab::project::NEIGHBOUR_IMAGE]).expect("removed");
}

#[test]
fn a_compose_that_does_not_work() {
    let mut on_stage = Hostile::in_service("docker-seconds = 10\ncompose-seconds = 5\nhealth-seconds = 5");
    let folder = on_stage.stage.folder().join("fake");
    fs::create_dir(&folder).expect("a folder");
    let real = lab::paths::program(&["docker"]).expect("a docker program").display().to_string();
    let path = format!("{}:{}", folder.display(), std::env::var("PATH").expect("a PATH"));
    let mut row = |name: &str, leaves: Leaves, script: &str| {
        let program = folder.join("docker");
        let script = format!("#!/bin/sh\n{script}\nexec {real} \"$@\"\n");
        fs::write(&program, script).expect("a program");
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("rights");
        on_stage.row_called_with(name, leaves, &[("PATH", &path)]);
    };
    row("plugin: none", Leaves::Nothing, "echo \"unknown shorthand flag: 'p' in -p\" >&2; exit 125");
    row("config: hangs", Leaves::Nothing, "case \"$*\" in *' config '*) exec sleep 1000;; esac");
    row("config: says nothing", Leaves::Nothing, "case \"$*\" in *' config '*) exit 0;; esac");
    row(
        "config: says too much",
        Leaves::Nothing,
        "case \"$*\" in *' config '*) exec head -c 50000000 /dev/zero;; esac",
    );
    row("config: is killed", Leaves::Nothing, "case \"$*\" in *' config '*) kill -9 $$;; esac");
    row(
        "up: too old",
        Leaves::Image,
        "case \"$*\" in *' up '*) echo 'unknown flag: --pull' >&2; exit 16;; esac",
    );
    row("up: hangs", Leaves::Image, "case \"$*\" in *' up '*) exec sleep 1000;; esac");
    row("up: does nothing", Leaves::Image, "case \"$*\" in *' up '*) exit 0;; esac");
    row("up: is killed", Leaves::Image, "case \"$*\" in *' up '*) kill -9 $$;; esac");
    row(
        "up: secrets in its words",
        Leaves::Image,
        "case \"$*\" in *' up '*) printf 'bad \\033[2J postgres://db.internal/unidesk?sslmode=require\\n' >&2; exit 1;; esac",
    );
    on_stage.row_called_with("docker: none", Leaves::Nothing, &[("PATH", "/nowhere")]);
    insta::assert_snapshot!(on_stage.finish());
}

/// Somebody else's `docker compose up` of our service, to its end. Whether it works is its own business.
fn up(on_stage: &Hostile) -> impl FnOnce() + Send + 'static {
    let mut command: Command = on_stage.stage.project().compose();
    command.args(["up", "--detach", "--no-build", "--force-recreate", SERVICE]);
    move || drop(command.output().expect("docker compose"))
}

#[test]
fn somebody_else_uses_it_at_the_same_time() {
    let mut on_stage = Hostile::in_service(LIMITS);
    let rule = meanwhile(CREATE, up(&on_stage), Fault::None);
    on_stage.engine_row("up: while we create", Leaves::Something, LIVE, rule);
    on_stage.row("afterwards", Leaves::Deployed, LIVE);
    let rule = meanwhile(START, up(&on_stage), Fault::None);
    on_stage.engine_row("up: while we start", Leaves::Something, LIVE, rule);
    on_stage.row("afterwards", Leaves::Deployed, LIVE);
    let verified = |act: Box<dyn FnOnce() + Send>| {
        let (mut third, mut act) = (nth(INSPECT, 3, 1, Fault::Closed), Some(act));
        after(START, move |head| {
            if third(head) == Fault::Closed
                && let Some(act) = act.take()
            {
                act();
            }
            Fault::None
        })
    };
    let rule = verified(Box::new(up(&on_stage)));
    on_stage.engine_row("up: while we verify", Leaves::Something, LIVE, rule);
    on_stage.row("afterwards", Leaves::Deployed, LIVE);
    let rule = verified(Box::new(up(&on_stage)));
    on_stage.engine_row("up: while we verify, and are to go back", Leaves::Something, BACK, rule);
    on_stage.row("afterwards", Leaves::Deployed, LIVE);
    insta::assert_snapshot!(on_stage.finish());
}
