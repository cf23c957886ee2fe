//! What `ssh` means by what it says when no connection stands (OpenSSH 8.2 to 10).

use super::error::{Trouble, Unreached};
use super::heard::{last, shown};

/// Why the connection that was being made does not stand. A jump host's trouble is told in the same words, and names it.
#[must_use]
pub fn unconnected(lines: &[String]) -> Trouble {
    host_key(lines)
        .or_else(|| denied(lines))
        .or_else(|| configuration(lines))
        .or_else(|| unreachable(lines))
        .unwrap_or_else(|| Trouble::Other(last(lines).unwrap_or_else(|| "it says nothing".to_owned())))
}

fn host_key(lines: &[String]) -> Option<Trouble> {
    if let Some(line) = find(lines, &["marked as revoked", "REVOKED HOST KEY"]) {
        return Some(Trouble::HostKeyRevoked { said: shown(line) });
    }
    if find(lines, &["HOST IDENTIFICATION HAS CHANGED", "has changed and you have requested strict"])
        .is_some()
    {
        let fingerprint = lines.iter().map(|line| line.trim()).find(|line| line.starts_with("SHA256:"));
        let known = find(lines, &["Offending "]).and_then(|line| line.split_once(" key in "));
        let remove = find(lines, &["ssh-keygen -f ", "ssh-keygen -R "]);
        return Some(Trouble::HostKeyChanged {
            fingerprint: shown(fingerprint.unwrap_or("a key").trim_end_matches('.')),
            known: known.map_or_else(|| "in known_hosts".to_owned(), |(_, place)| shown(place)),
            remove: remove.map(|command| format!(": {}", shown(command))).unwrap_or_default(),
        });
    }
    if let Some(line) = find(lines, &["host key is known for"]) {
        return Some(Trouble::HostKeyUnknown { said: shown(line) });
    }
    // The one that we start names the key; one that is started for a jump host would ask somebody, and does not.
    find(lines, &["Host key verification failed"]).map(|line| Trouble::HostKeyUnknown {
        said: format!("{} It may be that of a jump host", shown(line)),
    })
}

fn denied(lines: &[String]) -> Option<Trouble> {
    let hint = find(lines, &["Load key ", "UNPROTECTED PRIVATE KEY", "sign_and_send_pubkey"]);
    let hint = hint.map(|line| format!("; {}", shown(line))).unwrap_or_default();
    if let Some((user, methods)) = lines.iter().find_map(|line| line.split_once(": Permission denied (")) {
        let methods = shown(methods.trim_end().trim_end_matches('.').trim_end_matches(')'));
        return Some(Trouble::Denied { user: shown(user), methods, hint });
    }
    let line = find(lines, &["Too many authentication failures"])?;
    Some(Trouble::Denied {
        user: "this user".to_owned(),
        methods: "fewer keys than were tried".to_owned(),
        hint: format!("; {}", shown(line)),
    })
}

fn configuration(lines: &[String]) -> Option<Trouble> {
    let end =
        find(lines, &["Can't open user config file", "Bad owner or permissions on", ": terminating, "])?;
    // Where lines were refused, they come first.
    let cause = find(lines, &[" line "]).filter(|_| end.contains("terminating")).unwrap_or(end);
    Some(Trouble::Configuration { said: shown(cause) })
}

fn unreachable(lines: &[String]) -> Option<Trouble> {
    for (why, words) in [
        (Unreached::NoNameServer, &["Temporary failure in name resolution"][..]),
        (Unreached::UnknownName, &["Could not resolve hostname"]),
        (Unreached::Refused, &["Connection refused"]),
        (Unreached::NoRoute, &["No route to host", "Network is unreachable", "Host is down"]),
        (Unreached::TimedOut, &["timed out", "Timeout, server "]),
        (
            Unreached::Closed,
            &[
                "Connection closed by",
                "Connection reset by",
                "kex_exchange_identification",
                "closed by remote host",
            ],
        ),
    ] {
        if let Some(line) = find(lines, words) {
            return Some(Trouble::Unreachable { why, said: shown(line) });
        }
    }
    None
}

/// The first line that has one of the words in it.
fn find<'a>(lines: &'a [String], words: &[&str]) -> Option<&'a str> {
    lines.iter().find(|line| words.iter().any(|word| line.contains(word))).map(|line| line.trim())
}

/// What a server's refusal to open a forwarded connection means; `line` is what the master says of it.
pub fn refusal(line: &str) -> Option<super::error::Refusal> {
    use super::error::Refusal;
    let (_, why) = line.split_once("open failed: ")?;
    Some(match why {
        _ if why.starts_with("administratively prohibited") => Refusal::Prohibited,
        // Of a socket the server says no more, even where it forbids it.
        "connect failed: open failed" => Refusal::Nobody(
            "nobody listens on it, this user may not use it, or the SSH server forbids it".to_owned(),
        ),
        _ => Refusal::Nobody(shown(why)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trouble(said: &str) -> Trouble {
        unconnected(&said.lines().map(str::to_owned).collect::<Vec<_>>())
    }

    /// In the words of OpenSSH 9.2.
    const CHANGED: &str = r#"@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@
@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @
@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@
IT IS POSSIBLE THAT SOMEONE IS DOING SOMETHING NASTY!
Someone could be eavesdropping on you right now (man-in-the-middle attack)!
It is also possible that a host key has just been changed.
The fingerprint for the ED25519 key sent by the remote host is
SHA256:o+ulfrSeIVN2jC8QOZBIcq6tH20nhwYRQ5Xh5Xn5Kck.
Please contact your system administrator.
Add correct host key in /home/ann/.ssh/known_hosts to get rid of this message.
Offending ED25519 key in /home/ann/.ssh/known_hosts:7
  remove with:
  ssh-keygen -f "/home/ann/.ssh/known_hosts" -R "[127.0.0.1]:22922"
Host key for [127.0.0.1]:22922 has changed and you have requested strict checking.
Host key verification failed."#;

    #[test]
    fn a_host_key_that_does_not_fit_says_what_to_compare() {
        assert_eq!(
            trouble(CHANGED),
            Trouble::HostKeyChanged {
                fingerprint: "SHA256:o+ulfrSeIVN2jC8QOZBIcq6tH20nhwYRQ5Xh5Xn5Kck".to_owned(),
                known: "/home/ann/.ssh/known_hosts:7".to_owned(),
                remove: ": ssh-keygen -f \"/home/ann/.ssh/known_hosts\" -R \"[127.0.0.1]:22922\"".to_owned(),
            }
        );
        let unknown = "No ED25519 host key is known for d601 and you have requested strict checking.\n\
                       Host key verification failed.";
        assert!(
            matches!(trouble(unknown), Trouble::HostKeyUnknown { said } if said.contains("known for d601"))
        );
        let revoked = "@         WARNING: REVOKED HOST KEY DETECTED!               @\n\
                       The ED25519 host key for d601 is marked as revoked.\nHost key verification failed.";
        assert!(matches!(trouble(revoked), Trouble::HostKeyRevoked { .. }));
        // Of a jump host, behind which nothing can be reached any more.
        let jump = format!(
            "{unknown}\nkex_exchange_identification: Connection closed by remote host\n\
                            Connection closed by UNKNOWN port 65535"
        );
        assert!(matches!(trouble(&jump), Trouble::HostKeyUnknown { .. }));
        let unnamed = "Host key verification failed.\nConnection closed by UNKNOWN port 65535";
        assert!(
            matches!(trouble(unnamed), Trouble::HostKeyUnknown { said } if said.contains("of a jump host"))
        );
    }

    #[test]
    fn a_denial_names_the_user_and_the_ways_in() {
        let said = "Permissions 0644 for '/k' are too open.\nLoad key \"/k\": bad permissions\n\
                    root@127.0.0.1: Permission denied (publickey,password).";
        assert_eq!(
            trouble(said),
            Trouble::Denied {
                user: "root@127.0.0.1".to_owned(),
                methods: "publickey,password".to_owned(),
                hint: "; Load key \"/k\": bad permissions".to_owned(),
            }
        );
        let said = "Received disconnect from 127.0.0.1 port 22:2: Too many authentication failures\n\
                    Disconnected from 127.0.0.1 port 22";
        assert!(matches!(trouble(said), Trouble::Denied { .. }));
    }

    #[test]
    fn what_is_out_of_reach_says_how() {
        for (said, expected) in [
            ("ssh: connect to host 127.0.0.1 port 1: Connection refused", Unreached::Refused),
            ("ssh: connect to host d601 port 22: No route to host", Unreached::NoRoute),
            ("ssh: connect to host d601 port 22: Network is unreachable", Unreached::NoRoute),
            ("ssh: connect to host d601 port 22: Connection timed out", Unreached::TimedOut),
            (
                "Connection timed out during banner exchange\nConnection to d601 port 22 timed out",
                Unreached::TimedOut,
            ),
            ("ssh: Could not resolve hostname d601: Name or service not known", Unreached::UnknownName),
            (
                "ssh: Could not resolve hostname d601: Temporary failure in name resolution",
                Unreached::NoNameServer,
            ),
            (
                "kex_exchange_identification: Connection closed by remote host\nConnection closed by UNKNOWN port 65535",
                Unreached::Closed,
            ),
            ("Connection reset by 10.0.0.1 port 22", Unreached::Closed),
        ] {
            assert!(matches!(trouble(said), Trouble::Unreachable { why, .. } if why == expected), "{said}");
        }
    }

    #[test]
    fn a_configuration_that_ssh_refuses_is_called_that() {
        for (said, word) in [
            (
                "c: line 1: Bad configuration option: foo\nc: terminating, 1 bad configuration options",
                "option: foo",
            ),
            ("c line 1: Bad port 'x'.\nc: terminating, 1 bad configuration options", "Bad port"),
            ("Can't open user config file nope: No such file or directory", "nope"),
            ("Bad owner or permissions on /home/ann/.ssh/config", "permissions"),
        ] {
            assert!(
                matches!(trouble(said), Trouble::Configuration { said } if said.contains(word)),
                "{said}"
            );
        }
        let proxy = "/bin/bash: line 1: /nowhere: No such file or directory\n\
                     kex_exchange_identification: Connection closed by remote host";
        assert!(matches!(trouble(proxy), Trouble::Unreachable { why: Unreached::Closed, .. }));
    }

    #[test]
    fn anything_else_is_repeated_plain() {
        assert_eq!(trouble("x\u{1b}[2J\n\n"), Trouble::Other("x\\u{1b}[2J".to_owned()));
        assert_eq!(trouble(""), Trouble::Other("it says nothing".to_owned()));
        let Trouble::Other(said) = trouble(&"x".repeat(5000)) else { panic!("something else") };
        assert!(said.chars().count() < 400);
    }

    #[test]
    fn a_refused_forward_says_why() {
        use super::super::error::Refusal;
        let prohibited = refusal("channel 2: open failed: administratively prohibited: open failed");
        assert_eq!(prohibited, Some(Refusal::Prohibited));
        let nobody = refusal("channel 2: open failed: connect failed: Connection refused");
        assert_eq!(nobody, Some(Refusal::Nobody("connect failed: Connection refused".to_owned())));
        let socket = refusal("channel 2: open failed: connect failed: open failed");
        assert!(matches!(socket, Some(Refusal::Nobody(why)) if why.contains("may not use it")));
        assert_eq!(refusal("Timeout, server d601 not responding."), None);
    }
}
