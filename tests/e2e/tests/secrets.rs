//! Secrets are a gate before any change: presence and length are told, values stay where they are. Played by
//! baidu-netdisk, which has three of them, and whose health says whether they were of use.

#![allow(clippy::expect_used, reason = "a stage that cannot be set is a failed test")]

use std::fmt::Write;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use e2e::{BAIDU_NETDISK, Behaviour, Run, Running, SampleImage, Snapshot, Stage, commit, values};
use serde_json::{Value, json};

const KEYS: &[&str] = BAIDU_NETDISK.secrets;

/// A stage whose controlled env file has a value for each of these keys.
fn stage_with(keys: &[&str]) -> Stage {
    let stage = Stage::new();
    let lines = keys.iter().map(|key| format!("{key}=value-of-{key}\n")).collect::<Vec<_>>();
    stage.project().write_env_file(format!("TZ=Etc/UTC\n{}", lines.concat())).expect("an env file");
    stage
}

fn publish(stage: &Stage, behaviour: Behaviour) -> String {
    let commit = commit(behaviour.name());
    stage.publish(&SampleImage::new(BAIDU_NETDISK.name, &commit).behaviour(behaviour));
    commit
}

fn deploy(stage: &Stage, environment: &str, commit: &str, flags: &[&str]) -> Run {
    stage.deploy_as(BAIDU_NETDISK.name, environment, commit, flags)
}

fn snapshot(stage: &Stage) -> Snapshot {
    Snapshot::of_service(stage.project(), &BAIDU_NETDISK).expect("a snapshot")
}

fn runs(stage: &Stage, commit: &str) -> bool {
    Running::of_service(stage.project(), &BAIDU_NETDISK).is_ok_and(|running| running.is(commit))
}

/// A part of the report, as a reviewer reads it.
fn shown(stage: &Stage, run: &Run, part: &str) -> String {
    stage.stable(&serde_json::to_string_pretty(&run.json()[part]).expect("JSON"))
}

#[test]
fn a_missing_key_is_shown_by_a_dry_run_and_stops_a_live_run_before_any_change() {
    let stage = stage_with(&KEYS[..2]);
    let commit = publish(&stage, Behaviour::Authorised);
    let before = snapshot(&stage);

    let dry = deploy(&stage, "prod", &commit, &["--dry-run"]);
    let live = deploy(&stage, "prod", &commit, &["--run-now"]);

    assert_eq!(dry.outcome(), (0, "planned".to_owned()), "{dry:?}");
    assert_eq!(dry.json()["runtimeSecrets"]["missingSecretKeys"], json!([KEYS[2]]));
    insta::assert_snapshot!(shown(&stage, &dry, "runtimeSecrets"));
    assert_eq!(live.outcome(), (3, "blocked".to_owned()), "{live:?}");
    assert_eq!(live.text("/error/step"), "guard.require-secrets");
    assert!(live.text("/error/message").contains(KEYS[2]), "{live:?}");
    assert_eq!(shown(&stage, &live, "runtimeSecrets"), shown(&stage, &dry, "runtimeSecrets"));
    assert_eq!(before.differences(&snapshot(&stage)), [""; 0], "{live:?}");
}

#[test]
fn a_person_reads_what_is_missing_and_where_it_belongs() {
    let stage = stage_with(&KEYS[..2]);
    let commit = commit("text");
    let arguments = ["deploy", BAIDU_NETDISK.name, "--env", "prod", "--commit", &commit, "--dry-run"];
    let run = stage.host(&arguments);
    let secrets = &run.stdout[run.stdout.find("\nsecrets").expect("secrets")..];
    // How lines are broken depends on where the stage is.
    insta::assert_snapshot!(stage.stable(&secrets.replace("\n    ", " ")));
}

#[test]
fn with_all_keys_it_deploys_and_its_login_is_verified() {
    let stage = stage_with(KEYS);
    let commit = publish(&stage, Behaviour::Authorised);

    let run = deploy(&stage, "prod", &commit, &["--run-now"]);

    assert_eq!(run.outcome(), (0, "deployed".to_owned()), "{run:?}");
    assert!(runs(&stage, &commit));
    let report = run.json();
    assert_eq!(report["runtimeSecrets"]["requiredSecretsPresent"], true);
    assert_eq!(report["steps"][0]["operation"], "guard.require-secrets", "before anything else");
    let login = report["verification"].as_array().expect("verification").last().expect("one").clone();
    assert_eq!(login["satisfied"], true);
    let pointers: Vec<_> = login["expectations"]
        .as_array()
        .expect("expectations")
        .iter()
        .map(|one| one["pointer"].as_str().unwrap_or_default())
        .collect();
    assert_eq!(
        pointers,
        [
            "/auth/configured",
            "/auth/clientIdConfigured",
            "/auth/clientSecretConfigured",
            "/auth/tokenKeyConfigured",
            "/auth/loggedIn"
        ]
    );
    let journal = stage.host(&["runs", "show", &run.text("/run/id"), "--output", "json"]).json();
    let rows = journal["operations"].as_array().expect("operations");
    let asked = rows.iter().rfind(|row| row["operation"]["operation"] == "health.expect").expect("one");
    assert_eq!(asked["operation"]["withinSeconds"], 15, "nobody logs in by waiting: {asked}");
}

#[test]
fn logged_out_it_is_degraded_and_stays_whatever_was_asked_for_a_failure() {
    let stage = stage_with(KEYS);
    let good = publish(&stage, Behaviour::Authorised);
    assert_eq!(deploy(&stage, "prod", &good, &["--run-now"]).code, 0);
    let logged_out = publish(&stage, Behaviour::LoggedOut);

    let run = deploy(&stage, "prod", &logged_out, &["--run-now", "--on-failure", "rollback"]);

    assert_eq!(run.outcome(), (6, "degraded".to_owned()), "{run:?}");
    assert!(runs(&stage, &logged_out), "the new container stays");
    insta::assert_snapshot!(run.text("/error/message"), @"its authorisation is not as requested: /auth/loggedIn is false");
    insta::assert_snapshot!(run.text("/recommendedAction"), @"recover in this order: 1. restore the env file with its three UNIDESK_BAIDU_NETDISK_* keys; 2. recreate only baidu-netdisk, as this command does; 3. verify with `microservice health baidu-netdisk`");
    assert_eq!(run.text("/rollback/previousCommit"), good);
}

#[test]
fn without_a_part_of_its_configuration_it_is_failed_with_the_same_recovery_order() {
    let stage = stage_with(KEYS);
    let good = publish(&stage, Behaviour::Authorised);
    assert_eq!(deploy(&stage, "prod", &good, &["--run-now"]).code, 0);
    let broken = publish(&stage, Behaviour::NoTokenKey);

    let left = deploy(&stage, "prod", &broken, &["--run-now"]);
    let rolled_back = deploy(&stage, "prod", &broken, &["--run-now", "--on-failure", "rollback"]);

    assert_eq!(left.outcome(), (1, "failed".to_owned()), "{left:?}");
    assert!(left.text("/error/message").contains("/auth/tokenKeyConfigured: expected true, found false"));
    let action = left.text("/recommendedAction");
    assert!(action.contains("1. restore the env file") && action.contains(&good), "{action}");
    assert_eq!(rolled_back.outcome(), (1, "rolled-back".to_owned()), "{rolled_back:?}");
    assert!(rolled_back.text("/recommendedAction").contains("1. restore the env file"), "{rolled_back:?}");
}

#[test]
fn another_commit_is_failed_however_well_it_is() {
    let stage = stage_with(KEYS);
    let commit = publish(&stage, Behaviour::OldCommit);
    let run = deploy(&stage, "prod", &commit, &["--run-now"]);
    assert_eq!(run.outcome(), (1, "failed".to_owned()), "{run:?}");
    assert!(run.text("/error/message").contains("/deploy/commit"), "{run:?}");
}

#[test]
fn dev_is_a_dry_run_that_still_tells_what_is_missing() {
    let stage = stage_with(&KEYS[1..]);
    let commit = publish(&stage, Behaviour::Authorised);
    let before = snapshot(&stage);

    let dry = deploy(&stage, "dev", &commit, &["--dry-run"]);
    assert_eq!(dry.outcome(), (0, "planned".to_owned()), "{dry:?}");
    assert_eq!(dry.json()["runtimeSecrets"]["missingSecretKeys"], json!([KEYS[0]]));
    assert_eq!(dry.text("/steps/1/outcome"), "pending");

    for keys in [&KEYS[1..], KEYS] {
        let lines = keys.iter().map(|key| format!("{key}=x\n")).collect::<Vec<_>>().concat();
        stage.project().write_env_file(lines).expect("an env file");
        let live = deploy(&stage, "dev", &commit, &["--run-now"]);
        assert_eq!(live.outcome(), (3, "blocked".to_owned()), "{live:?}");
        assert!(live.text("/error/message").contains("its deploy to dev is a dry run"), "{live:?}");
    }
    let after = Snapshot { env_file: before.env_file.clone(), ..snapshot(&stage) };
    assert_eq!(before.differences(&after), [""; 0], "nothing but what this test wrote");
}

/// Secrets in one kind of source, and all that was told while it was used.
struct Planted<'a> {
    stage: &'a Stage,
    /// `host.toml` without a source.
    toml: String,
    commit: String,
    /// Everything that a person or a program was told.
    told: String,
    traces: PathBuf,
    /// Files that may hold values.
    sources: Vec<PathBuf>,
    /// Values that were planted anywhere.
    values: Vec<String>,
}

impl Planted<'_> {
    /// A value for each key; no two are alike, and one needs quotes.
    fn values(&mut self, kind: &str) -> Vec<(&'static str, String)> {
        let made = |(at, key): (usize, &&'static str)| {
            (*key, format!("{kind}Qz{at}{}Wm4Xy9Kv2Rt", if at == 1 { " \"8\" 'Hj" } else { "Hj8Lp3" }))
        };
        let made: Vec<_> = KEYS.iter().enumerate().map(made).collect();
        self.values.extend(made.iter().map(|(_, value)| value.clone()));
        made
    }

    fn source(&mut self, name: &str, content: &str) -> PathBuf {
        let path = self.stage.folder().join(name);
        std::fs::write(&path, content).expect("a source");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o700)).expect("a mode");
        self.sources.push(path.clone());
        path
    }

    fn configure(&self, table: &str) {
        std::fs::write(self.stage.project().host_toml(), format!("{}\n{table}", self.toml))
            .expect("host.toml");
    }

    /// Runs the program at its most talkative, and writes down what every child is given.
    fn host(&mut self, arguments: &[&str]) -> Run {
        let host = self.stage.command(arguments);
        let trace = self.traces.join(std::fs::read_dir(&self.traces).expect("traces").count().to_string());
        let mut command = Command::new("strace");
        command.args(["-f", "-v", "-s", "65535", "-e", "trace=execve", "-o"]).arg(trace);
        command.arg(host.get_program()).args(host.get_args()).env("HOST_LOG", "trace");
        for (key, value) in host.get_envs() {
            value.map(|value| command.env(key, value));
        }
        let run = Run::of(&mut command);
        let _ = write!(self.told, "{arguments:?}\n{}\n", run.transcript());
        // Where a child is ended while it stands still, `strace` may give up, and ends what it traces: that run says nothing.
        if run.stderr.contains("strace: ptrace(PTRACE_LISTEN") { self.host(arguments) } else { run }
    }

    fn deploy(&mut self, flags: &[&str]) -> Run {
        let commit = self.commit.clone();
        let arguments = ["deploy", BAIDU_NETDISK.name, "--env", "prod", "--commit", &commit];
        self.host(&[&arguments, flags].concat())
    }

    /// Every way to deploy from a source that is whole.
    fn used(&mut self, kind: &str, lengths: &[usize]) {
        let dry = self.deploy(&["--dry-run", "--output", "json"]);
        assert_eq!(dry.code, 0, "{kind}: {dry:?}");
        let plan = self.deploy(&[]);
        assert_eq!(plan.code, 2, "{kind}: {plan:?}");
        let live = self.deploy(&["--run-now", "--output", "json"]);
        assert_eq!(live.outcome(), (0, "deployed".to_owned()), "{kind}: {live:?}");
        let found = live.json()["runtimeSecrets"]["keys"].clone();
        let found: Vec<_> =
            found.as_array().expect("keys").iter().filter_map(|key| key["length"].as_u64()).collect();
        let lengths: Vec<_> = lengths.iter().map(|length| *length as u64).collect();
        assert_eq!(found, lengths, "{kind}: they were read");
    }

    /// Every way to be refused by a source that is not.
    fn refused(&mut self, kind: &str) {
        let dry = self.deploy(&["--dry-run"]);
        assert_eq!(dry.code, 0, "{kind}: {dry:?}");
        let plan = self.deploy(&["--output", "json"]);
        assert_eq!(plan.json()["runtimeSecrets"]["requiredSecretsPresent"], false, "{kind}: {plan:?}");
        let live = self.deploy(&["--run-now"]);
        assert_eq!(live.code, 3, "{kind}: {live:?}");
    }

    /// A live deploy that is killed in the middle: what it wrote down last is still in the journal's log.
    fn killed(&mut self) {
        let commit = publish(self.stage, Behaviour::NeverReady);
        let arguments = ["deploy", BAIDU_NETDISK.name, "--env", "prod", "--commit", &commit, "--run-now"];
        let mut child = self
            .stage
            .command(&arguments)
            .env("HOST_LOG", "trace")
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program");
        let lines = BufReader::new(child.stderr.take().expect("standard error")).lines();
        for line in lines.map_while(Result::ok) {
            self.told.push_str(&line);
            if line.contains("compose.expect") {
                break;
            }
        }
        child.kill().expect("a signal");
        child.wait().expect("the program");
    }

    /// Everything that the journal tells of all runs.
    fn look_back(&mut self) {
        let list = self.host(&["runs", "list", "--limit", "1000", "--output", "json"]).json();
        let runs: Vec<Value> = list["runs"].as_array().expect("runs").clone();
        assert!(runs.len() > 20, "{} runs", runs.len());
        for run in runs {
            let id = run["id"].as_str().expect("an id").to_owned();
            self.host(&["runs", "show", &id, "--output", "json"]);
            self.host(&["runs", "show", &id]);
        }
    }
}

fn as_lines(values: &[(&str, String)]) -> String {
    // Double quotes, which Compose takes escapes in.
    let quoted = |value: &str| value.replace('"', "\\\"");
    values.iter().map(|(key, value)| format!("{key}=\"{}\"\n", quoted(value))).collect::<Vec<_>>().concat()
}

fn as_json(values: &[(&str, String)]) -> Value {
    values.iter().map(|(key, value)| ((*key).to_owned(), Value::from(value.as_str()))).collect()
}

fn lengths(values: &[(&str, String)]) -> Vec<usize> {
    values.iter().map(|(_, value)| value.len()).collect()
}

#[test]
fn no_value_is_told_or_written_or_handed_to_a_child() {
    let stage = Stage::new();
    let traces = stage.folder().join("traces");
    std::fs::create_dir(&traces).expect("a folder");
    let env_file = stage.project().env_file();
    let mut planted = Planted {
        toml: std::fs::read_to_string(stage.project().host_toml()).expect("host.toml"),
        commit: publish(&stage, Behaviour::Authorised),
        told: String::new(),
        sources: vec![env_file.clone()],
        values: Vec::new(),
        stage: &stage,
        traces,
    };

    let controlled = planted.values("controlled");
    stage.project().write_env_file(as_lines(&controlled)).expect("an env file");
    planted.used("controlled", &lengths(&controlled));
    let container = stage.project().docker().container(BAIDU_NETDISK.container).expect("docker");
    let in_container = container.expect("a container")["Config"]["Env"].to_string();
    assert!(in_container.contains(&controlled[0].1), "the values are of use: {in_container}");

    let lines = planted.values("lines");
    planted.source("netdisk.env", &as_lines(&lines));
    planted.configure("[secrets.baidu-netdisk]\nenv-file = \"netdisk.env\"\n");
    planted.used("env-file", &lengths(&lines));
    planted.source("netdisk.env", &as_lines(&lines[..2]));
    planted.refused("env-file without a key");
    planted.source("netdisk.env", &as_lines(&lines).replace("\"\n", "\n"));
    planted.refused("env-file that nobody can read");

    let document = planted.values("document");
    let json = json!({ "netdisk": as_json(&document) }).to_string();
    planted.source("netdisk.json", &json);
    planted.configure("[secrets.baidu-netdisk]\njson = \"netdisk.json\"\npointer = \"/netdisk\"\n");
    planted.used("json", &lengths(&document));
    planted.source("netdisk.json", &json!({ "netdisk": as_json(&document[1..]) }).to_string());
    planted.refused("json without a key");
    planted.source("netdisk.json", json.trim_end_matches('}'));
    planted.refused("json that nobody can read");

    let output = planted.values("output");
    let script = |answer: &str, code: u8| {
        let said = answer.replace('\'', r"'\''");
        format!("#!/bin/sh\nprintf '%s\\n' '{said}' >&2\nprintf '%s\\n' '{said}'\nexit {code}\n")
    };
    planted.source("get-secrets", &script(&as_lines(&output), 0));
    planted.configure("[secrets.baidu-netdisk]\ncommand = [\"./get-secrets\"]\n");
    let dry = planted.deploy(&["--dry-run", "--output", "json"]);
    assert_eq!(dry.json()["runtimeSecrets"]["requiredSecretsPresent"], Value::Null, "{dry:?}");
    planted.used("command with lines", &lengths(&output));
    planted.source("get-secrets", &script(&as_json(&output).to_string(), 0));
    planted.used("command with JSON", &lengths(&output));
    planted.source("get-secrets", &script(&as_json(&output).to_string(), 7));
    planted.refused("command that fails");
    planted.source("get-secrets", &script(&format!("{{{}", as_lines(&output)), 0));
    planted.refused("command that prints something else");

    planted.look_back();
    planted.configure("");
    planted.killed();

    let told = std::mem::take(&mut planted.told);
    assert!(told.contains("TRACE") || told.contains("DEBUG"), "the program was at its most talkative");
    values::none_in("what was told", &told, &planted.values);
    let mut searched = Vec::new();
    values::search(stage.folder(), &planted.sources, &planted.values, &mut searched);
    let has = |end: &str| searched.iter().any(|path| path.contains(end));
    for end in ["/state/journal.sqlite", ".sqlite-wal", "/cache/", "/traces/", ".lock"] {
        assert!(has(end), "{end} was searched: {searched:?}");
    }
    let traces: String = std::fs::read_dir(&planted.traces)
        .expect("traces")
        .flatten()
        .map(|entry| std::fs::read_to_string(entry.path()).expect("a trace"))
        .collect();
    for word in ["HOST_LOG=trace", "\"docker\", \"compose\"", "--force-recreate", "get-secrets\""] {
        assert!(traces.contains(word), "the traces show arguments and environments: {word}");
    }
    let kept = std::fs::read_to_string(&env_file).expect("the env file");
    assert!(values::holds(&kept, &controlled[0].1), "where it belongs it can be found");
}
