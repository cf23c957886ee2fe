//! One text for a shell. `ssh` carries no argument vector: it sends a single text that the login shell of the other side
//! reads, so every word is quoted for a POSIX shell.

/// Longest text, in bytes: Linux gives a program no single argument of more than 128 KiB.
const LONGEST: usize = 120 << 10;

/// `word` as one word of a POSIX shell, whatever is in it. Left as it is only where no shell could read more into it;
/// that leaves out `=`, which would make it an assignment, and `~`.
#[must_use]
pub fn quote(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+:@%,".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// The text that makes a POSIX shell become the program `argv[0]`: no built-in, alias or keyword of the same name, and no
/// shell stays in between, so its exit code and its end are the program's own.
///
/// # Errors
/// In words, where no shell could start it.
pub fn command(argv: &[impl AsRef<str>]) -> Result<String, String> {
    let Some(program) = argv.first().map(AsRef::as_ref).filter(|program| !program.is_empty()) else {
        return Err("it names no program".to_owned());
    };
    if program.starts_with('-') {
        return Err("its program's name begins with `-`".to_owned());
    }
    if argv.iter().any(|word| word.as_ref().contains('\0')) {
        return Err("it has a word with a NUL byte, which no program can be given".to_owned());
    }
    let words: Vec<String> = argv.iter().map(|word| quote(word.as_ref())).collect();
    let text = format!("exec {}", words.join(" "));
    if text.len() > LONGEST {
        return Err(format!("it has {} bytes, and at most {LONGEST} can be sent", text.len()));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a shell makes of `argv`: the words that the program was given.
    #[expect(clippy::disallowed_methods, reason = "a real shell is what quoting is for")]
    fn read_by(shell: &str, argv: &[String]) -> Vec<String> {
        let program = ["printf".to_owned(), r"%s\0".to_owned()];
        let words: Vec<String> = program.into_iter().chain(argv.iter().cloned()).collect();
        let text = command(&words).expect("a command");
        let output = std::process::Command::new(shell).args(["-c", &text]).output().expect(shell);
        assert!(output.status.success() && output.stderr.is_empty(), "{text}: {output:?}");
        let read = String::from_utf8(output.stdout).expect("UTF-8");
        read.strip_suffix('\0').unwrap_or(&read).split('\0').map(str::to_owned).collect()
    }

    const ODD: &[&str] = &[
        "",
        " ",
        "a b",
        "'",
        "''",
        "it's",
        "\"",
        "\\",
        "\\'",
        "\n",
        "a\n\nb\n",
        "\r\n",
        "\t",
        "$HOME",
        "$(reboot)",
        "`reboot`",
        "${IFS}",
        "!!",
        "#x",
        "~",
        "~root",
        "*",
        "?[a-z]",
        "{a,b}",
        "-x",
        "--",
        "A=b",
        "a;b",
        "a&&b|c>d<e",
        "\u{1}\u{7f}",
        "é✓\u{202e}",
        "if",
        "%s\\n",
    ];

    #[test]
    fn a_word_stays_one_word() {
        for (word, expected) in [
            ("", "''"),
            ("a", "a"),
            ("/srv/a-b_c.d:5000/e@sha256:f,g+h%i", "/srv/a-b_c.d:5000/e@sha256:f,g+h%i"),
            ("a b", "'a b'"),
            ("it's", r"'it'\''s'"),
            ("A=b", "'A=b'"),
            ("~", "'~'"),
            ("$x", "'$x'"),
            ("a\nb", "'a\nb'"),
            ("-x", "-x"),
        ] {
            assert_eq!(quote(word), expected);
        }
    }

    #[test]
    fn a_shell_gives_back_what_was_quoted() {
        let odd: Vec<String> = ODD.iter().map(|&word| word.to_owned()).collect();
        for shell in ["sh", "bash"] {
            assert_eq!(read_by(shell, &odd), odd, "{shell}");
        }
    }

    #[test]
    fn a_shell_gives_back_any_words() {
        // The same ones each time: a linear congruential generator (Knuth's MMIX constants).
        let mut state = 1_u64;
        let mut next = |below: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            usize::try_from(state >> 33).expect("31 bits") % below
        };
        let parts: Vec<char> = "ab '\"\\$`(){}[]*?!#~&|;<>=-\n\r\té\u{7f}%^".chars().collect();
        for _ in 0..60 {
            let words: Vec<String> =
                (0..=next(20)).map(|_| (0..next(12)).map(|_| parts[next(parts.len())]).collect()).collect();
            assert_eq!(read_by("sh", &words), words);
        }
    }

    #[test]
    fn what_no_shell_could_start_is_refused() {
        for (argv, word) in [
            (vec![], "no program"),
            (vec![""], "no program"),
            (vec!["-x"], "begins with `-`"),
            (vec!["a", "\0"], "NUL"),
            (vec!["a", &"x".repeat(130_000)], "at most"),
        ] {
            let error = command(&argv).expect_err(word);
            assert!(error.contains(word), "{error}");
        }
        assert_eq!(command(&["A=b", "c d"]), Ok("exec 'A=b' 'c d'".to_owned()));
    }
}
