//! What Compose says, without what the env file holds. It repeats lines of env files that it cannot read, and values that
//! it cannot use: `unterminated quoted value "…`, `invalid hostPort: …`.

/// Shorter values are words like `yes`: taking them out would spoil the text and hide nothing.
const SHORTEST: usize = 4;
/// Compose's words before the name of an env file that it cannot read.
const UNREADABLE: &str = "failed to read ";
/// Compose warns of every variable that is not set.
const WARNING: &str = "level=warning";
/// What stands for something taken out.
const HIDDEN: &str = "[hidden]";

/// `said` in one line, without warnings, without any line or value of `env_file`, and without the content of any other env file. What is part of `known`
/// is no secret: the project's name may well be a value too.
pub fn redacted(said: &str, env_file: &[u8], known: &str) -> String {
    let env_file = String::from_utf8_lossy(env_file);
    let mut secrets: Vec<&str> = env_file
        .lines()
        .flat_map(parts)
        .filter(|part| part.len() >= SHORTEST && !known.contains(part))
        .collect();
    // The longest first: a value inside another one would leave the rest of it standing.
    secrets.sort_by_key(|part| std::cmp::Reverse(part.len()));
    secrets.dedup();
    let lines: Vec<_> = said
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.contains(WARNING))
        .map(without_quotation)
        .map(|line| secrets.iter().fold(line, |line, secret| line.replace(secret, HIDDEN)))
        .collect();
    lines.join("; ")
}

/// What may be quoted of a line: all of it, or its value with or without comment and quotes.
fn parts(line: &str) -> [&str; 4] {
    let line = line.trim();
    let value = line.split_once(['=', ':']).map_or("", |(_, value)| value.trim());
    let quotes = ['"', '\''];
    let uncommented = value.split(" #").next().unwrap_or(value).trim_matches(quotes);
    [line, value, value.trim_matches(quotes), uncommented]
}

/// Cuts a complaint about an env file after the place: the rest quotes the line.
fn without_quotation(line: &str) -> String {
    let Some(start) = line.find(UNREADABLE) else { return line.to_owned() };
    let after_name = match line[start..].find(": ") {
        Some(colon) => start + colon,
        None => return line.to_owned(),
    };
    let place = line[after_name..]
        .strip_prefix(": line ")
        .map_or(0, |rest| ": line ".len() + rest.chars().take_while(char::is_ascii_digit).count());
    format!("{} {HIDDEN}", &line[..after_name + place])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_complaint_about_an_env_file_keeps_its_place_only() {
        let said =
            "failed to read /p/.env: line 2: unexpected character \"!\" in variable name \"my secret!=abc\"";
        assert_eq!(redacted(said, b"", ""), "failed to read /p/.env: line 2 [hidden]");
        let said = "failed to read /p/.env: Invalid template: \"my${secret\"";
        assert_eq!(redacted(said, b"", ""), "failed to read /p/.env [hidden]");
        assert_eq!(redacted("failed to read /p/.env", b"", ""), "failed to read /p/.env");
    }

    #[test]
    fn values_are_taken_out_wherever_they_stand() {
        let file = b"TOKEN=\"hunter2 # no comment\"\nPORT=80a0 # a port\nYES=yes\nSHORT=hunter2\nPEM='-----BEGIN\nMIIEabc\n'\n";
        let said = "invalid hostPort: 80a0\nyes, got hunter2 # no comment, hunter2\nMIIEabc";
        assert_eq!(
            redacted(said, file, ""),
            "invalid hostPort: [hidden]; yes, got [hidden], [hidden]; [hidden]"
        );
    }

    #[test]
    fn other_words_stay() {
        let said = "Container project-manager-backend  Error: no such image: project-manager:latest";
        assert_eq!(redacted(said, b"A=b\n\n=\n#c\nID=project-manager\n", "up project-manager"), said);
    }
}
