//! What Compose says, without what env files hold. It repeats lines that it cannot read, and values that it cannot use:
//! `unterminated quoted value "…`, `invalid hostPort: …`.

use crate::backend::live::env_file::{HIDDEN, Secrets};

/// Compose's words before the name of an env file that it cannot read.
const UNREADABLE: &str = "failed to read ";
/// Compose warns of every variable that is not set.
const WARNING: &str = "level=warning";

/// `said` in one line, without warnings, without any value of `secrets`, and without the content of any other env file.
pub fn redacted(said: &str, secrets: &Secrets) -> String {
    let lines: Vec<_> = said.lines().filter(|line| !line.contains(WARNING)).collect();
    // All lines at once: a value may go over several.
    let shown = secrets.hide(&without_quotation(&lines.join("\n")));
    let lines: Vec<_> = shown.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    lines.join("; ")
}

/// Cuts a complaint about an env file after the place: all of the rest quotes it, and it may be any env file.
fn without_quotation(said: &str) -> String {
    let Some(start) = said.find(UNREADABLE) else { return said.to_owned() };
    let Some(name) = said[start..].find(": ") else { return said.to_owned() };
    let place = said[start + name..]
        .strip_prefix(": line ")
        .map_or(0, |rest| ": line ".len() + rest.chars().take_while(char::is_ascii_digit).count());
    format!("{} {HIDDEN}", &said[..start + name + place])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redacted(said: &str, env_file: &str) -> String {
        super::redacted(said, &Secrets::of(env_file.as_bytes(), &[], "up project-manager"))
    }

    #[test]
    fn a_complaint_about_an_env_file_keeps_its_place_only() {
        for (said, shown) in [
            (
                "failed to read /p/.env: line 2: unexpected character \"!\" in variable name \"my secret!=abc\"",
                "failed to read /p/.env: line 2 [hidden]",
            ),
            ("failed to read /p/.env: Invalid template: \"my${secret\"", "failed to read /p/.env [hidden]"),
            (
                "failed to read /p/.env: line 7: not closed \"a\nsecret\n",
                "failed to read /p/.env: line 7 [hidden]",
            ),
            ("failed to read /p/.env", "failed to read /p/.env"),
        ] {
            assert_eq!(redacted(said, ""), shown);
        }
    }

    #[test]
    fn values_are_taken_out_over_several_lines() {
        let file = "PW=\"hunter2\\\"secret\"\nPEM='MIIE\nb c'\n";
        let said = "time=1 level=warning msg=hunter2\n  invalid hostPort: hunter2\"secret\n\nMIIE\nb c\n";
        assert_eq!(redacted(said, file), "invalid hostPort: [hidden]; [hidden]");
    }

    #[test]
    fn other_words_stay() {
        let said = "Container project-manager-backend  Error: no such image: project-manager:latest";
        assert_eq!(redacted(said, "A=b\n\n=\n#c\nURL=http://project-manager/\n"), said);
    }
}
