//! Two machines deploy to D601 at the same time. The second one is processes of another machine's name, with folders of
//! their own: a lock on D601 cannot tell it from one that is far away.

use std::process::{Child, Command, Stdio};

use e2e::line::until;
use e2e::{Behaviour, Run, SampleImage, Stage, commit};
use lab::project::{FINDJOB, PROJECT_MANAGER};

use super::{d601, decision, publish, running_there, stage};

/// How many of each machine deploy the same service at the same moment.
const EACH: usize = 10;
/// What the second machine calls itself.
const SECOND: &str = "second-machine";

/// The same command on the second machine.
fn on_second(stage: &Stage, arguments: &[&str]) -> Command {
    let host = stage.command(arguments);
    let mut command = Command::new("unshare");
    let named = format!("hostname {SECOND} && exec \"$@\"");
    command
        .args(["--uts", "--mount", "sh", "-c", &named, "sh"])
        .arg(host.get_program())
        .args(host.get_args());
    command.envs(host.get_envs().filter_map(|(key, value)| Some((key, value?))));
    for key in ["HOME", "TMPDIR", "XDG_RUNTIME_DIR", "XDG_STATE_HOME", "XDG_CACHE_HOME"] {
        let folder = stage.folder().join(key);
        std::fs::create_dir_all(&folder).expect("a folder");
        command.env(key, folder);
    }
    command
}

fn deploy<'a>(service: &'a str, commit: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let arguments = ["deploy", service, "--env", "prod", "--commit", commit, "--run-now", "--output", "json"];
    arguments.into_iter().chain(more.iter().copied()).collect()
}

fn begun(mut command: Command) -> Child {
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program")
}

fn ended(child: Child) -> Run {
    Run::from(child.wait_with_output().expect("the program"))
}

#[test]
fn d601_is_deployed_to_by_many_of_two_machines() {
    let d601 = d601();
    let project = d601.project("unidesk", &[FINDJOB]).expect("a project there");
    let (first, second) = (stage(&d601, "unidesk"), stage(&d601, "unidesk"));
    let commits = ["one of many", "another of many"].map(|name| publish(&d601, "findjob", name));
    let slow = commit("one that holds the lock");
    d601.push(&SampleImage::new("findjob", &slow).behaviour(Behaviour::NeverReady)).expect("pushed");

    // One of the first machine's holds the lock until its patience with the health ends.
    let holder = begun(first.command(&deploy("findjob", &slow, &["--on-failure", "rollback"])));
    until("it runs there", || project.container(FINDJOB.container).is_ok_and(|found| found.is_some()));
    let refused = Run::of(&mut on_second(&second, &deploy("findjob", &commits[0], &[])));
    let many: Vec<_> = (0..2 * EACH)
        .map(|number| {
            let arguments = deploy("findjob", &commits[number / 2 % 2], &["--wait"]);
            begun(if number % 2 == 0 { first.command(&arguments) } else { on_second(&second, &arguments) })
        })
        .collect();
    let holder = ended(holder);
    assert_eq!(decision(&holder), (1, "rolled-back".to_owned()), "{}{}", holder.stdout, holder.stderr);
    assert_eq!(decision(&refused), (3, "blocked".to_owned()), "{}{}", refused.stdout, refused.stderr);
    assert_eq!(refused.json()["error"]["retryable"], true, "{}", refused.stdout);
    let here = std::fs::read_to_string("/proc/sys/kernel/hostname").expect("this machine's name");
    let holds = format!(
        "another deploy of findjob is in progress (root on {} runs {}, ",
        here.trim(),
        holder.text("/run/id")
    );
    assert!(refused.text("/error/message").contains(&holds), "{holds}\n{}", refused.stdout);

    // Each was proved under its own lock: whatever another one did in between would have shown.
    for child in many {
        let run = ended(child);
        assert_eq!(decision(&run), (0, "deployed".to_owned()), "{}{}", run.stdout, run.stderr);
    }
    let [label, env, health] = running_there(&project, &FINDJOB);
    assert!(commits.contains(&label), "{label}");
    assert_eq!([&env, &health], [&label, &label]);
    let stamp = format!("{}COMMIT={label}\n", FINDJOB.stamp_prefix());
    assert!(project.read_env_file().expect("the env file").contains(&stamp));
    let runs = [&first, &second].map(|stage| stage.host(&["runs", "list", "--output", "json"]).json());
    let counts = runs.map(|runs| runs["runs"].as_array().map_or(0, Vec::len));
    assert_eq!(counts, [EACH + 1, EACH + 1], "each machine has the runs of its own");
}

/// What the main server has on this stage is on D601 too: another service of the same project.
fn all_on_d601(stage: &Stage) {
    let file = stage.project().host_toml();
    let text = std::fs::read_to_string(&file).expect("host.toml");
    let (head, _) = text.split_once("[runtimes.main-server]").expect("the main server");
    let (_, tables) = text.split_once("\n[ssh.d601]").expect("D601");
    let (_, there) = tables.split_once("[runtimes.d601]").expect("its runtime");
    let (there, _) = there.split_once("\n[limits]").expect("limits");
    let moved = format!("{head}[runtimes.main-server]{there}\n[ssh.d601]{tables}");
    std::fs::write(&file, moved).expect("host.toml");
}

#[test]
fn d601_takes_two_services_of_one_project_at_once() {
    let d601 = d601();
    let project = d601.project("unidesk", &[FINDJOB, PROJECT_MANAGER]).expect("a project there");
    let (first, second) = (stage(&d601, "unidesk"), stage(&d601, "unidesk"));
    all_on_d601(&second);
    let own = project.read_env_file().expect("the env file");
    let services = [FINDJOB, PROJECT_MANAGER];
    let commits = services.map(|service| publish(&d601, service.name, "two at once"));

    let both = [
        begun(first.command(&deploy(FINDJOB.name, &commits[0], &[]))),
        begun(on_second(&second, &deploy(PROJECT_MANAGER.name, &commits[1], &[]))),
    ];
    for run in both.map(ended) {
        assert_eq!(decision(&run), (0, "deployed".to_owned()), "{}{}", run.stdout, run.stderr);
    }
    let stamped = project.read_env_file().expect("the env file");
    assert!(stamped.starts_with(&own), "what was in it is still there: {stamped}");
    for (service, commit) in services.iter().zip(&commits) {
        assert!(stamped.contains(&format!("{}COMMIT={commit}\n", service.stamp_prefix())), "{stamped}");
        assert_eq!(running_there(&project, service), [(); 3].map(|()| commit.clone()));
    }
}
