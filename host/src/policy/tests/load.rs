//! Folders that cannot be trusted, and schemas that are not the host's.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::Folder;
use crate::policy::files::other_writer;

#[test]
fn a_folder_that_is_not_there() {
    let folder = Folder::new();
    fs::remove_dir_all(folder.path()).unwrap();
    insta::assert_snapshot!(folder.complaint(), @r#"
    policy-missing: there is no policy folder <policies>: No such file or directory (os error 2)
      help: point `policies` in host.toml to it
    "#);
}

#[test]
fn a_folder_without_schema_or_entities() {
    let folder = Folder::new();
    fs::remove_file(folder.path().join("schema.cedarschema")).unwrap();
    fs::remove_file(folder.path().join("entities.json")).unwrap();
    insta::assert_snapshot!(folder.complaint(), @r#"
    policy-missing: 2 things are wrong with the policies:
      <policies> has no schema.cedarschema
        help: point `policies` in host.toml to a complete policy folder
      <policies> has no entities.json
        help: point `policies` in host.toml to a complete policy folder
      help: nothing of the folder was used; mend all of this first
    "#);
}

#[test]
fn a_misnamed_file_does_not_look_as_if_it_applied() {
    let folder = Folder::new();
    folder.write("compose.ceder", "");
    insta::assert_snapshot!(folder.complaint(), @r#"
    policy-stray-file: compose.ceder is nothing that the host reads in a policy folder
      help: give rules the ending .cedar and notes the ending .md, or move it elsewhere
    "#);
}

#[test]
fn a_file_that_is_not_text() {
    let folder = Folder::new();
    fs::write(folder.path().join("extra.cedar"), [0xff, 0xfe]).unwrap();
    insta::assert_snapshot!(folder.complaint(), @r#"
    policy-unreadable: extra.cedar is not UTF-8
      help: save it as UTF-8
    "#);
}

#[test]
fn more_than_fits() {
    let folder = Folder::with(&"/".repeat(5 << 20));
    insta::assert_snapshot!(folder.complaint(), @r#"
    policy-size: with extra.cedar the policies have more than 4194304 bytes
      help: is this the right folder?
    "#);
}

#[test]
fn a_link_that_leads_out() {
    let folder = Folder::new();
    let elsewhere = Folder::new();
    std::os::unix::fs::symlink(elsewhere.path().join("health.cedar"), folder.path().join("extra.cedar"))
        .unwrap();
    let complaint = folder.complaint().replace(elsewhere.path().to_str().unwrap(), "<elsewhere>");
    insta::assert_snapshot!(complaint, @r#"
    policy-link: extra.cedar is a link to <elsewhere>/health.cedar, outside of the policy folder
      help: put the file itself here
    "#);
}

#[test]
fn a_file_that_everybody_may_write() {
    let folder = Folder::new();
    let file = folder.path().join("health.cedar");
    fs::set_permissions(file, fs::Permissions::from_mode(0o646)).unwrap();
    insta::assert_snapshot!(folder.complaint(), @r#"
    policy-writable: health.cedar may be written by everybody, so its rules cannot be trusted
      help: chmod o-w health.cedar
    "#);
}

#[test]
fn a_folder_that_everybody_may_write() {
    let folder = Folder::new();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).unwrap();
    insta::assert_snapshot!(folder.complaint(), @r#"
    policy-writable: <policies> may be written by everybody, so its rules cannot be trusted
      help: chmod o-w <policies>
    "#);
}

#[test]
fn something_that_is_no_file() {
    let folder = Folder::new();
    fs::create_dir(folder.path().join("extra.cedar")).unwrap();
    insta::assert_snapshot!(folder.complaint(), @r#"
    policy-unreadable: extra.cedar is no regular file
      help: remove it
    "#);
}

#[test]
fn a_schema_with_a_mistake() {
    let folder = Folder::new();
    folder.edit("schema.cedarschema", "digest: String,", "digest: ,");
    insta::assert_snapshot!(folder.complaint(), @r#"
    policy-schema: schema.cedarschema:23:11: error parsing schema: unexpected token `,`
      help: take the schema that comes with this version of the host
    "#);
}

#[test]
fn a_schema_of_another_version() {
    let folder = Folder::new();
    let environment = "environment: Environment,";
    folder.edit("schema.cedarschema", environment, &format!("{environment}\n  shift?: String,"));
    insta::assert_snapshot!(folder.complaint(), @r#"
    policy-schema: schema.cedarschema: not the schema of this version of the host; it differs at commonTypes.Circumstances.attributes.shift
      help: take the schema that comes with this version; it says what the host asks, rules belong in *.cedar
    "#);
}

#[test]
fn a_schema_with_other_resources() {
    let folder = Folder::new();
    let old = "action patchDeployment appliesTo { principal: Plugin, resource: Deployment,";
    folder.edit("schema.cedarschema", old, &old.replace("Deployment,", "[Deployment, Image],"));
    insta::assert_snapshot!(folder.complaint(), @r#"
    policy-schema: schema.cedarschema: not the schema of this version of the host; it differs at actions.patchDeployment.appliesTo.resourceTypes
      help: take the schema that comes with this version; it says what the host asks, rules belong in *.cedar
    "#);
}

#[test]
fn a_link_inside_the_folder_is_fine() {
    let folder = Folder::new();
    let (data, name) = (folder.path().join(".data"), "health.cedar");
    fs::create_dir(&data).unwrap();
    fs::rename(folder.path().join(name), data.join(name)).unwrap();
    std::os::unix::fs::symlink(data.join(name), folder.path().join(name)).unwrap();
    folder.load();
}

#[test]
fn a_schema_may_be_written_in_another_order_with_other_comments() {
    let folder = Folder::new();
    let plugin = "entity Team;";
    folder.edit("schema.cedarschema", plugin, "");
    let schema = fs::read_to_string(folder.path().join("schema.cedarschema")).unwrap();
    folder.write("schema.cedarschema", &format!("{schema}\n// Moved.\n{plugin}\n"));
    folder.load();
}

#[test]
fn a_group_may_write_only_where_it_is_the_owners_own() {
    assert_eq!(other_writer(0o644, 1000, 100), None);
    assert_eq!(other_writer(0o664, 1000, 1000), None);
    assert_eq!(other_writer(0o664, 1000, 100), Some(("its group", "g-w")));
    assert_eq!(other_writer(0o666, 1000, 100), Some(("everybody", "o-w")));
}

#[test]
fn nothing_that_permits() {
    let folder = Folder::new();
    for entry in fs::read_dir(folder.path()).unwrap().map(Result::unwrap) {
        if entry.path().extension().is_some_and(|extension| extension == "cedar") {
            fs::remove_file(entry.path()).unwrap();
        }
    }
    insta::assert_snapshot!(folder.complaint(), @r#"
    policy-empty: no policy permits anything, so every deploy would be denied
      help: is this the right folder? The rules of the project are a start
    "#);
}
