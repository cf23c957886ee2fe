//! The digest, the plugins, and what is kept of a question.

use std::fs;

use super::{Folder, retag, service};
use crate::policy::{Policy, Request};

#[test]
fn the_digest_covers_every_byte_that_decides() {
    let usual = Folder::new();
    let digest = usual.load().digest().clone();
    assert_eq!(&digest, Folder::new().load().digest(), "the same bytes elsewhere");
    for name in ["schema.cedarschema", "compose.cedar"] {
        let folder = Folder::new();
        let text = fs::read_to_string(folder.path().join(name)).unwrap();
        folder.write(name, &format!("{text}// A remark.\n"));
        assert_ne!(&digest, folder.load().digest(), "{name}");
    }
    let entities = Folder::new();
    entities.edit("entities.json", r#"["dev", "prod"]"#, r#"["prod"]"#);
    assert_ne!(&digest, entities.load().digest());
    let renamed = Folder::new();
    fs::rename(renamed.path().join("health.cedar"), renamed.path().join("wealth.cedar")).unwrap();
    assert_ne!(&digest, renamed.load().digest());
    usual.write("notes.md", "Nothing that decides.");
    assert_eq!(&digest, usual.load().digest());
}

#[test]
fn the_plugins_are_those_with_a_block() {
    let policy = Folder::new().load();
    assert_eq!(policy.plugins(), [service("project-manager")]);
    assert!(policy.knows(&service("project-manager")));
    assert!(!policy.knows(&service("todo-note")));
}

#[test]
fn a_kept_request_can_be_judged_again() {
    let kept = serde_json::to_value(retag()).unwrap();
    assert_eq!(kept["context"]["minuteOfDay"], 600);
    assert_eq!(kept["context"]["weekday"], "monday");
    let again: Request = serde_json::from_value(kept).unwrap();
    assert_eq!(again, retag());
}

#[test]
fn a_policy_is_shared_between_tasks() {
    fn shared<T: Send + Sync>() {}
    shared::<Policy>();
}
