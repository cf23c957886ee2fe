//! From traces to an answer.

use std::net::IpAddr;

use super::traces::{MARKER, Traces};
use super::{Around, Neighbour};
use crate::answer::{Located, Whereabouts};
use crate::names::{ConfigName, RuntimeName};
use crate::words::{listed, plain};

/// Longest name that is told, in characters.
const SHOWN: usize = 80;
/// Most runtimes that are named.
const NAMED: usize = 3;

/// Where a process with these traces is, seen from the workloads called `guarded`, with what runs around it.
pub fn judge(traces: &Traces, guarded: &[ConfigName], around: &[Around]) -> Located {
    let mut evidence = traces.seen.clone();
    if let Some(marker) = &traces.marker {
        evidence.push(format!("${MARKER} says {}", plain(marker, SHOWN)));
    }
    if traces.marks(guarded) {
        return Located { result: Whereabouts::Inside, evidence };
    }
    let scene = Scene { guarded, around };
    let mut result = scene.place(traces, &mut evidence);
    if let Some(peer) = traces.peer {
        let connected = scene.connected(peer, &mut evidence);
        result = match (result, connected) {
            (Whereabouts::Inside, _) | (_, Whereabouts::Inside) => Whereabouts::Inside,
            (Whereabouts::Outside, Whereabouts::Outside) => Whereabouts::Outside,
            _ => Whereabouts::Unknown,
        };
    }
    Located { result, evidence }
}

struct Scene<'a> {
    guarded: &'a [ConfigName],
    around: &'a [Around],
}

impl Scene<'_> {
    /// By what the process itself is part of.
    fn place(&self, traces: &Traces, evidence: &mut Vec<String>) -> Whereabouts {
        if traces.on_machine() {
            evidence.push("it runs on a machine itself, in no container".to_owned());
            return Whereabouts::Outside;
        }
        let same = |one: &Neighbour| !one.ids.is_disjoint(&traces.ids);
        if let Some((runtime, one)) = self.guarded().find(|(_, one)| same(one)) {
            evidence.push(format!("that is {} of {runtime}", one.shown));
            return Whereabouts::Inside;
        }
        // Anybody can bear any name: it shows that somebody is inside, and never that they are not.
        let named = |one: &Neighbour| !one.hostname.is_empty() && one.hostname == traces.hostname;
        if let Some((runtime, one)) = self.guarded().find(|(_, one)| named(one)) {
            evidence.push(format!("{} of {runtime} has the hostname {}", one.shown, one.hostname));
            return Whereabouts::Inside;
        }
        if let Some((runtime, one)) = self.all().find(|(_, one)| same(one)) {
            evidence.push(format!("that is {} of {runtime}", one.shown));
            return Whereabouts::Outside;
        }
        if traces.ids.is_empty() {
            evidence.push("which container it runs in, if any, does not show".to_owned());
        } else {
            evidence.push(format!("no runtime knows of that{}", self.unasked()));
        }
        Whereabouts::Unknown
    }

    /// By where the connection comes from over which the process was started.
    fn connected(&self, peer: IpAddr, evidence: &mut Vec<String>) -> Whereabouts {
        let from = |one: &Neighbour| one.addresses.contains(&peer);
        if let Some((runtime, one)) = self.guarded().find(|(_, one)| from(one)) {
            evidence.push(format!("SSH from {peer}, which is {} of {runtime}", one.shown));
            return Whereabouts::Inside;
        }
        if let Some((runtime, one)) = self.all().find(|(_, one)| from(one)) {
            evidence.push(format!("SSH from {peer}, which is {} of {runtime}", one.shown));
            return Whereabouts::Outside;
        }
        let beside = |one: &Neighbour| one.machine.contains(&peer) || (one.on_machine && peer.is_loopback());
        if let Some((runtime, one)) = self.guarded().find(|(_, one)| beside(one)) {
            evidence.push(format!(
                "SSH from {peer}, the machine that {} of {runtime} runs on and may be connected through",
                one.shown
            ));
            return Whereabouts::Unknown;
        }
        let unasked = self.unasked();
        evidence.push(format!("SSH from {peer}, which is no container's or pod's address{unasked}"));
        if unasked.is_empty() { Whereabouts::Outside } else { Whereabouts::Unknown }
    }

    fn all(&self) -> impl Iterator<Item = (&RuntimeName, &Neighbour)> {
        let known = self.around.iter().filter_map(|(runtime, found)| Some((runtime, found.as_ref().ok()?)));
        known.flat_map(|(runtime, found)| found.iter().map(move |one| (runtime, one)))
    }

    fn guarded(&self) -> impl Iterator<Item = (&RuntimeName, &Neighbour)> {
        self.all().filter(|(_, one)| self.guarded.iter().any(|name| one.names.contains(name.as_str())))
    }

    /// Who could not be asked, as the end of a sentence.
    fn unasked(&self) -> String {
        if self.around.is_empty() {
            return "; no runtime was asked".to_owned();
        }
        let silent = self.around.iter().filter_map(|(runtime, found)| Some((runtime, found.as_ref().err()?)));
        let silent: Vec<String> = silent.map(|(runtime, error)| format!("{runtime} ({error})")).collect();
        if silent.is_empty() { String::new() } else { format!("; not asked: {}", listed(&silent, NAMED)) }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::answer::CallError;

    fn neighbour(name: &str, id: &str, address: &str) -> Neighbour {
        Neighbour {
            shown: format!("pod {name}"),
            names: BTreeSet::from([name.to_owned()]),
            ids: BTreeSet::from([id.to_owned()]),
            hostname: format!("{name}-5f"),
            addresses: BTreeSet::from([address.parse().expect("an address")]),
            machine: BTreeSet::from(["192.0.2.9".parse().expect("an address")]),
            on_machine: false,
        }
    }

    fn around() -> Vec<Around> {
        let pods = vec![neighbour("queue", "1", "10.42.0.7"), neighbour("notes", "2", "10.42.0.8")];
        vec![(RuntimeName::parse("k3s").expect("a name"), Ok(pods))]
    }

    fn silent() -> Vec<Around> {
        let name = RuntimeName::parse("d601").expect("a name");
        let error = CallError::Unavailable("no answer".to_owned());
        around().into_iter().chain([(name, Err(error))]).collect()
    }

    fn machine() -> Traces {
        Traces { whole: true, seen: vec!["control group /user.slice".to_owned()], ..Traces::default() }
    }

    fn contained(id: &str) -> Traces {
        Traces { ids: BTreeSet::from([id.to_owned()]), contained: true, ..machine() }
    }

    fn result(traces: &Traces, around: &[Around]) -> Whereabouts {
        judge(traces, &[ConfigName::parse("queue").expect("a name")], around).result
    }

    #[test]
    fn who_is_inside_is_recognised_by_each_trace_alone() {
        assert_eq!(result(&contained("1"), &around()), Whereabouts::Inside);
        let hidden = Traces { whole: false, hostname: "queue-5f".to_owned(), ..machine() };
        assert_eq!(result(&hidden, &around()), Whereabouts::Inside);
        let marked = Traces { marker: Some("queue".to_owned()), ..machine() };
        assert_eq!(result(&marked, &[]), Whereabouts::Inside);
        let connected = Traces { peer: "10.42.0.7".parse().ok(), ..machine() };
        assert_eq!(result(&connected, &around()), Whereabouts::Inside);
        // In another one, and connected from inside.
        let through = Traces { peer: "10.42.0.7".parse().ok(), ..contained("2") };
        assert_eq!(result(&through, &around()), Whereabouts::Inside);
    }

    #[test]
    fn who_is_outside_is_known_to_be_elsewhere() {
        assert_eq!(result(&machine(), &[]), Whereabouts::Outside);
        assert_eq!(result(&contained("2"), &silent()), Whereabouts::Outside);
        let marked = Traces { marker: Some("notes".to_owned()), ..machine() };
        assert_eq!(result(&marked, &[]), Whereabouts::Outside);
        for peer in ["10.42.0.8", "198.51.100.4", "127.0.0.1"] {
            let connected = Traces { peer: peer.parse().ok(), ..machine() };
            assert_eq!(result(&connected, &around()), Whereabouts::Outside, "{peer}");
        }
    }

    #[test]
    fn what_nobody_knows_is_unknown() {
        let hidden = Traces { whole: false, hostname: "notes-5f".to_owned(), ..machine() };
        assert_eq!(result(&hidden, &around()), Whereabouts::Unknown, "a name shows nothing");
        assert_eq!(
            result(&contained("3"), &around()),
            Whereabouts::Unknown,
            "a container of somebody else's"
        );
        assert_eq!(result(&contained("2"), &[]), Whereabouts::Unknown, "nobody was asked");
        for (peer, around) in
            [("192.0.2.9", around()), ("198.51.100.4", silent()), ("198.51.100.4", Vec::new())]
        {
            let connected = Traces { peer: peer.parse().ok(), ..machine() };
            assert_eq!(result(&connected, &around), Whereabouts::Unknown, "{peer}");
        }
        let mut shared = around();
        if let Ok(pods) = &mut shared[0].1 {
            (pods[0].on_machine, pods[0].addresses) = (true, BTreeSet::new());
        }
        let connected = Traces { peer: "127.0.0.1".parse().ok(), ..machine() };
        assert_eq!(result(&connected, &shared), Whereabouts::Unknown, "it may use its machine's network");
    }
}
