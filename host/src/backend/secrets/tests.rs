//! What is judged of each kind of source, and the words about it.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use super::*;
use crate::config::Chosen;

/// A folder with a `host.toml` and files in it.
struct Scene {
    folder: tempfile::TempDir,
}

impl Scene {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("a folder") }
    }

    fn file(&self, name: &str, content: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, content).expect("a file");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).expect("a mode");
        path
    }

    /// Judges two keys with this end of `host.toml`; the folder's name does not show.
    async fn judge(&self, tables: &str, reach: Reach) -> GateState {
        let head = "state = \"s\"\ncache = \"c\"\n[runtimes.main-server]\nkind = \"compose\"\nenv-file = \"compose.env\"\n";
        let toml = self.file("host.toml", &format!("{head}{tables}"));
        let config = Config::load(&Chosen { file: Some(toml), base: self.folder.path().to_path_buf() })
            .expect("a configuration");
        let keys = ["CLIENT_ID", "TOKEN_KEY"].map(|key| EnvKey::parse(key).expect("a key"));
        let source = ConfigName::parse("shop").expect("a name");
        let runtime = RuntimeName::parse("main-server").expect("a runtime");
        let (_sender, interrupt) = Interrupt::pair();
        let mut state = Sources::new(&config)
            .judge(&source, &runtime, &keys, reach, &interrupt)
            .await
            .expect("nobody interrupts");
        let folder = self.folder.path().display().to_string();
        state.reason = state.reason.replace(&folder, "/srv");
        if let Some(secrets) = &mut state.secrets {
            secrets.source = secrets.source.replace(&folder, "/srv");
        }
        state
    }
}

fn lengths(state: &GateState) -> Option<Vec<usize>> {
    let keys = state.secrets.as_ref()?.keys.as_ref()?;
    assert!(keys.iter().all(|key| key.present == (key.length > 0)), "{keys:?}");
    Some(keys.iter().map(|key| key.length).collect())
}

fn source(state: &GateState) -> &str {
    state.secrets.as_ref().map_or("", |secrets| &secrets.source)
}

#[tokio::test]
async fn each_kind_of_source_is_named_and_counted() {
    let scene = Scene::new();
    scene.file("compose.env", "CLIENT_ID=1\nTOKEN_KEY=22\n");
    scene.file("shop.env", "CLIENT_ID=333\nTOKEN_KEY=4444\n");
    scene.file("names.json", r#"{"env":"shop.env"}"#);
    scene.file("shop.json", r#"{"a":{"CLIENT_ID":"55555","TOKEN_KEY":"666666"}}"#);
    scene.file("get.sh", "echo CLIENT_ID=7777777; echo TOKEN_KEY=88888888\n");
    for (table, named, expected) in [
        ("", "shop: the controlled env file of main-server, /srv/compose.env", [1, 2]),
        (
            "[secrets.other]\nenv-file = \"shop.env\"\n",
            "shop: the controlled env file of main-server, /srv/compose.env",
            [1, 2],
        ),
        ("[secrets.shop]\nenv-file = \"shop.env\"\n", "shop: the env file /srv/shop.env", [3, 4]),
        ("[secrets.shop]\nenv-file = \"names.json#/env\"\n", "shop: the env file /srv/shop.env", [3, 4]),
        (
            "[secrets.shop]\njson = \"shop.json\"\npointer = \"/a\"\n",
            "shop: the JSON file /srv/shop.json at /a",
            [5, 6],
        ),
    ] {
        for reach in [Reach::Files, Reach::All] {
            let state = scene.judge(table, reach).await;
            assert!(state.met, "{table}: {state:?}");
            assert_eq!((source(&state), lengths(&state)), (named, Some(expected.to_vec())), "{table}");
        }
    }
    let command =
        format!("[secrets.shop]\ncommand = [\"sh\", \"{}/get.sh\"]\n", scene.folder.path().display());
    let state = scene.judge(&command, Reach::All).await;
    assert_eq!((source(&state), lengths(&state)), ("shop: the command sh", Some(vec![7, 8])));
}

#[tokio::test]
async fn a_key_without_a_value_is_missing_and_the_reason_says_where_to_put_it() {
    let scene = Scene::new();
    scene.file("compose.env", "CLIENT_ID=hunter2\nTOKEN_KEY=\n");
    let state = scene.judge("", Reach::Files).await;
    assert!(!state.met);
    assert_eq!(lengths(&state), Some(vec![7, 0]));
    assert_eq!(
        state.reason,
        "the secret source shop (the controlled env file of main-server, /srv/compose.env) has no value for TOKEN_KEY; \
         add what is missing there"
    );
}

#[tokio::test]
async fn a_program_is_not_run_offline_and_nothing_is_invented() {
    let scene = Scene::new();
    let table = format!("[secrets.shop]\ncommand = [\"touch\", \"{}/ran\"]\n", scene.folder.path().display());
    let state = scene.judge(&table, Reach::Files).await;
    assert!(!state.met && lengths(&state).is_none(), "{state:?}");
    assert!(state.reason.contains("is not asked offline"), "{}", state.reason);
    assert!(!scene.folder.path().join("ran").exists());
    scene.judge(&table, Reach::All).await;
    assert!(scene.folder.path().join("ran").exists(), "so the line above can fail");
}

#[tokio::test]
async fn a_source_that_cannot_be_read_has_none_of_its_keys() {
    let scene = Scene::new();
    scene.file("open.env", "CLIENT_ID=hunter2\nTOKEN_KEY=\"hunter2\n");
    scene.file("bad.json", "{\"CLIENT_ID\":\"hunter2\",\"TOKEN_KEY\":hunter2}");
    scene.file("names.json", "{\"env\":7}");
    for (table, word) in [
        ("", "cannot be opened: No such file"),
        ("[secrets.shop]\nenv-file = \"open.env\"\n", "never closed"),
        ("[secrets.shop]\nenv-file = \"names.json#/env\"\n", "has no text at /env"),
        (
            "[secrets.shop]\nenv-file = \"nowhere.json#/env\"\n",
            "nowhere.json, which names the env file, cannot be read",
        ),
        ("[secrets.shop]\njson = \"bad.json\"\n", "no JSON document"),
        ("[secrets.shop]\njson = \".\"\n", "no regular file"),
        ("[secrets.shop]\ncommand = [\"sh\", \"-c\", \"echo hunter2 >&2; exit 1\"]\n", "it ended with 1"),
    ] {
        let state = scene.judge(table, Reach::All).await;
        assert!(!state.met, "{table}");
        assert_eq!(lengths(&state), Some(vec![0, 0]), "{table}");
        assert!(state.reason.contains(word), "{table}: {}", state.reason);
        assert!(state.reason.ends_with("CLIENT_ID, TOKEN_KEY must be there"), "{}", state.reason);
        assert!(!format!("{state:?}").contains("hunter2"), "{state:?}");
    }
}

#[tokio::test]
async fn a_file_that_others_may_read_is_warned_of_wherever_it_is_told() {
    let scene = Scene::new();
    let file = scene.file("compose.env", "CLIENT_ID=1\nTOKEN_KEY=2\n");
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).expect("a mode");
    let state = scene.judge("", Reach::Files).await;
    assert!(state.met, "it is no refusal");
    assert!(state.reason.contains("(mode 644)") && state.reason.contains("chmod 600"), "{}", state.reason);
    assert!(state.secrets.is_some_and(|secrets| secrets.warning.is_some()));
}

#[tokio::test]
async fn without_a_source_and_without_an_env_file_the_reason_names_both() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = Config::load(&Chosen { file: None, base: folder.path().to_path_buf() }).expect("defaults");
    let (_sender, interrupt) = Interrupt::pair();
    let state = Sources::new(&config)
        .judge(
            &ConfigName::parse("shop").expect("a name"),
            &RuntimeName::parse("d601-k3s").expect("a runtime"),
            &[EnvKey::parse("TOKEN_KEY").expect("a key")],
            Reach::All,
            &interrupt,
        )
        .await
        .expect("nobody interrupts");
    assert!(!state.met);
    assert_eq!(lengths(&state), Some(vec![0]));
    assert!(state.reason.contains("[secrets.shop]") && state.reason.contains("d601-k3s"), "{}", state.reason);
}

#[tokio::test]
async fn an_interrupt_ends_a_judgement() {
    let scene = Scene::new();
    let toml = scene
        .file("host.toml", "state = \"s\"\ncache = \"c\"\n[secrets.shop]\ncommand = [\"sleep\", \"1000\"]\n");
    let config = Config::load(&Chosen { file: Some(toml), base: scene.folder.path().to_path_buf() })
        .expect("a configuration");
    let (sender, interrupt) = Interrupt::pair();
    sender.raise();
    let judged = Sources::new(&config)
        .judge(
            &ConfigName::parse("shop").expect("a name"),
            &RuntimeName::parse("main-server").expect("a runtime"),
            &[EnvKey::parse("TOKEN_KEY").expect("a key")],
            Reach::All,
            &interrupt,
        )
        .await;
    assert_eq!(judged, Err(CallError::Other("interrupted".to_owned())));
}
