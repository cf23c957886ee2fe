use futures_util::FutureExt;

use super::*;

fn read_now(secrets: impl Future<Output = Secrets>) -> Secrets {
    secrets.now_or_never().expect("a file of this machine")
}

fn hidden(file: &str, text: &str) -> String {
    Secrets::of(file.as_bytes(), &[], "").hide(text)
}

#[test]
fn values_are_taken_out_wherever_they_stand() {
    let file =
        "TOKEN=\"hunter2 # no comment\"\nPORT=80a0 # a port\nSHORT=hunter2\nPEM='-----BEGIN\nMIIEabc\n'\n";
    let said = "invalid hostPort: 80a0, got hunter2 # no comment, xhunter2x\nMIIEabc\n";
    assert_eq!(hidden(file, said), "invalid hostPort: [hidden], got [hidden], x[hidden]x[hidden]");
}

#[test]
fn escapes_hide_nothing_from_it() {
    for (written, resolved) in [
        (r#""hunter2\"secret""#, r#"hunter2"secret"#),
        (r#""xy\\zw\\ab""#, r"xy\zw\ab"),
        (r#""xy\tzw\nab""#, "xy\tzw\nab"),
        (r#""xy\0123zw""#, "xySzw"),
        (r"'it\'s so'", "it's so"),
        ("'a$b$c'", "a$b$c"),
        ("ab\u{a0}c<d", "ab\u{a0}c<d"),
        ("${A}z${A}", "y1zy1"),
        ("  'xy z'", "xy z"),
    ] {
        let file = format!("A=y1\nPW={written}\n");
        let quoted = go_quoted(resolved);
        for form in [
            resolved.to_owned(),
            format!("\"{quoted}\""),
            // What a logger quotes once more.
            format!("\"{}\"", go_quoted(&format!("\"{quoted}\""))),
            json_quoted(resolved),
            format!("{resolved:?}"),
            resolved.to_ascii_uppercase(),
        ] {
            let text = hidden(&file, &format!("invalid: {form}, so"));
            assert!(text.contains(HIDDEN), "{form} stays in {text}");
            let rest = text.replace(HIDDEN, "").replace(['"', '\\'], "");
            assert_eq!(rest, "invalid: , so", "{written} as {form}");
        }
    }
}

#[test]
fn parts_of_a_value_are_taken_out_too() {
    let file = "URL=postgres://app:hunter2@db:5432/data\nPAIR=aaaa:bbbb\n";
    assert_eq!(
        hidden(file, "invalid IP address: aaaa; invalid containerPort: bbbb; unknown scheme postgres, app"),
        "invalid IP address: [hidden]; invalid containerPort: [hidden]; unknown scheme [hidden], app"
    );
    assert_eq!(hidden(file, "hunter200"), "[hidden]00");
}

#[test]
fn the_beginning_of_a_value_is_taken_out_too() {
    let file = "PW=abcd9efgh2ijkl\nPATH=/srv/unidesk/data\n";
    // As Compose says it of a `mem_limit`.
    assert_eq!(
        hidden(file, "strconv.ParseFloat: parsing \"abcd9efgh2\": invalid syntax, abcd9, abc"),
        "strconv.ParseFloat: parsing \"[hidden]\": invalid syntax, [hidden], abc"
    );
    assert_eq!(hidden(file, "xxcd9efgh2ijxx"), "xx[hidden]xx");
    let text = "validating /srv/unidesk/prod.yml";
    let known = Secrets::of(file.as_bytes(), &[], "docker compose -f /srv/unidesk/docker-compose.yml");
    assert_eq!(known.hide(text), text);
}

#[test]
fn short_values_are_taken_out_where_they_stand_alone() {
    let file = "A=yes\nB=80\nC=a\nD=-\nE=''\nF=\"\\\\\"\n";
    assert_eq!(
        hidden(file, "yes, eyes; a port 80, 8080, 180:80/tcp - \"a\" \\a non-empty"),
        "[hidden], eyes; [hidden] port [hidden], 8080, 180:[hidden]/tcp [hidden] \"[hidden]\" \\[hidden] non-empty"
    );
}

#[test]
fn stamps_stay_and_a_value_elsewhere_does_not() {
    let key = EnvKey::parse("UNIDESK_X_DEPLOY_COMMIT").expect("a key");
    let of = |file: &str| Secrets::of(file.as_bytes(), std::slice::from_ref(&key), "up project-manager");
    let text = "no such image: project-manager:12345678";
    assert_eq!(of("UNIDESK_X_DEPLOY_COMMIT=12345678\nURL=http://project-manager/x\n").hide(text), text);
    // A secret under a key like a stamp's, a value that somebody else has too, a value that is also known.
    assert_eq!(
        of("UNIDESK_X_DEPLOY_TOKEN=12345678\nID=project-manager\n").hide(text),
        "no such image: [hidden]:[hidden]"
    );
}

#[test]
fn a_file_that_cannot_be_understood_is_taken_out_line_by_line() {
    let file = "PW=\"hunter2\nsecond line\nA=third\n";
    assert_eq!(
        hidden(file, "near \"PW=\\\"hunter2\"; hunter2, second line, third"),
        "near \"[hidden]\"; [hidden], [hidden], [hidden]"
    );
    let file = "my hunter2!=abc # x\n# a comment of words\n";
    assert_eq!(hidden(file, "hunter2, of words"), "[hidden], of words");
}

#[test]
fn a_file_that_cannot_be_read_may_hold_anything() {
    let folder = tempfile::TempDir::new().expect("a folder");
    let secrets = read_now(Secrets::read(&Machine::Here, &folder.path().join("none"), &[], ""));
    assert_eq!(secrets.hide("anything"), HIDDEN);
    let path = folder.path().join(".env");
    std::fs::write(&path, "PW=hunter2\n").expect("written");
    assert_eq!(read_now(Secrets::read(&Machine::Here, &path, &[], "")).hide("not hunter2"), "not [hidden]");
}

#[test]
fn a_file_that_grows_without_end_may_hold_anything() {
    let doubling = (1..15).map(|i| format!("V{i}=$V{0}$V{0}\n", i - 1)).collect::<Vec<_>>().concat();
    let many = (0..100).map(|i| format!("W{i}=$V14{i}\n")).collect::<Vec<_>>().concat();
    let file = format!("V0=aaaa\n{doubling}");
    assert_eq!(hidden(&file, "anything"), "anything");
    assert_eq!(hidden(&(file + &many.replace("$V14", "${V14}")), "anything"), HIDDEN);
}

#[test]
fn any_text_survives() {
    for text in ["", "é", "\\", "\"", "日本語 hunter2 é"] {
        assert_eq!(hidden("", text), text);
        assert!(!hidden("PW=hunter2\nX=本\n", text).contains("hunter2"));
    }
    assert_eq!(hidden("X=日本語だ\n", "a日本語だb"), "a[hidden]b");
}
