//! One table of everything that a hostile plugin tried, and what came of it. Every guest and every way of it is here: the
//! rows are what the guests themselves say that they can do, and every source below `tests/guests` must be among them.

use std::collections::BTreeSet;
use std::fmt;

use e2e::component::{raw, sources};
use e2e::misbehaving::{self, Hostile, Row};
use e2e::{SERVICE, SampleImage, commit};
use serde_json::json;

use super::files;

/// Bounds that a plugin meets soon, so that meeting them takes no time.
pub const TIGHT: &str = "fuel = 50000000\nmemory-bytes = 16777216\nhost-calls = 30";

#[derive(Default)]
struct Table {
    lines: Vec<String>,
    guests: BTreeSet<String>,
}

impl Table {
    fn section(&mut self, title: &str) {
        self.lines.push(format!("\n== {title}"));
    }

    fn row(&mut self, row: &Row) {
        self.lines.push(row.line());
    }

    /// Rows that end alike as one, with the names of all.
    fn alike(&mut self, rows: Vec<Row>) {
        let mut groups: Vec<(String, Vec<String>)> = Vec::new();
        for row in rows {
            let (way, line) = (row.way.clone(), Row { way: String::new(), ..row }.line());
            match groups.iter_mut().find(|(known, _)| *known == line) {
                Some((_, ways)) => ways.push(way),
                None => groups.push((line, vec![way])),
            }
        }
        for (line, ways) in groups {
            self.lines.push(format!(
                "{} arguments{}",
                ways.len(),
                &line[format!("{} arguments", ways.len()).len()..]
            ));
            self.lines.extend(ways.into_iter().map(|way| format!("    {way}")));
        }
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "way | exit | decision | code | what is left of it | first line of the error")?;
        f.write_str(&self.lines.join("\n"))
    }
}

#[test]
fn the_table_of_hostile_plugins() {
    let mut table = Table::default();
    mischief(&mut table);
    turncoat(&mut table);
    trespasser(&mut table);
    arguments(&mut table);
    modules(&mut table);
    table.section("no plugin at all, or none that fits; dry runs");
    for row in files::rows() {
        table.row(&row);
    }
    let filters = vec![
        (r"sha256:[0-9a-f]{64}", "[digest]"),
        (r"wanted \d+ bytes", "wanted [n] bytes"),
        (r"/tmp/host-(hostile|e2e)-\w+", "[folder]"),
        (r"[0-9a-f]{40}", "[commit]"),
        ("x{80}", "xxx"),
        (r"offset 0x[0-9a-f]+", "offset [n]"),
    ];
    insta::with_settings!({ filters => filters, omit_expression => true }, {
        insta::assert_snapshot!(table.to_string());
    });
    assert_eq!(table.guests, every_guest(), "a guest without rows");
}

/// Everything below `tests/guests`, which is what the lab makes components of.
fn every_guest() -> BTreeSet<String> {
    let entries = std::fs::read_dir(misbehaving::sources()).expect("the guests").flatten();
    let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    // The one that patches Deployments means no harm; what it does is seen on a cluster. The one that gambles is as many
    // plugins as there are commits; what they come to is counted elsewhere.
    names.filter(|name| !["gambler", "patcher"].contains(&name.as_str())).collect()
}

fn mischief(table: &mut Table) {
    table.guests.insert("mischief".to_owned());
    table.section("bugs, floods and gates; live");
    let guest = super::Mischief::new();
    for way in guest.hostile.ways() {
        table.row(&guest.hostile.attempt(&way, &way, &guest.commit, &["--run-now"]));
    }
}

/// Each way twice from the same beginning, a good deploy: once everything is taken back, once it is left.
fn turncoat(table: &mut Table) {
    table.guests.insert("turncoat".to_owned());
    table.section("behaves while it is watched, misbehaves when it counts; live");
    let guest = Hostile::guest("turncoat", SERVICE, TIGHT);
    let ways = guest.ways();
    guest.owns(&ways, |_| {
        json!({
            "Repository": ["unidesk/project-manager", "unidesk/another"],
            "Image": ["main-server/unidesk/project-manager", "main-server/project-manager"],
            "EnvPrefix": ["main-server/UNIDESK_PROJECT_MANAGER_DEPLOY_"],
            "ComposeService": ["main-server/project-manager", "main-server/neighbour"],
            "Container": ["main-server/project-manager-backend", "main-server/neighbour"],
        })
    });
    let stage = guest.stage();
    let good = stage.published("good");
    let deploy_good = || {
        let run = stage.deploy_as(SERVICE, "prod", &good, &["--run-now"]);
        assert_eq!(run.outcome(), (0, "deployed".to_owned()), "{run:?}");
    };
    deploy_good();
    for way in ways.iter().filter(|way| *way != "prod") {
        // A commit of its own: what one way leaves behind must not be there already for the next one.
        let bad = stage.published(way);
        stage.publish(&SampleImage::new("another", &bad));
        let back = guest.attempt(
            &format!("{way}, taken back"),
            way,
            &bad,
            &["--run-now", "--on-failure", "rollback"],
        );
        table.row(&back);
        // It is another container with the same image, names and env file, and the same commit in all four places.
        assert!(back.changed.iter().all(|what| what == "the container"), "{way}: {:?}", back.run);
        assert_eq!(stage.running().as_ref(), Some(&good), "{way}");
        let left = guest.attempt(&format!("{way}, left"), way, &bad, &["--run-now"]);
        table.row(&left);
        deploy_good();
    }
}

fn trespasser(table: &mut Table) {
    table.guests.insert("trespasser".to_owned());
    table.section("names what belongs to another service; live");
    let guest = Hostile::guest("trespasser", "trespasser", TIGHT);
    let ways = guest.ways();
    guest.owns_beside_others(&ways, |way| {
        let mut owned = json!({
            "Repository": ["unidesk/trespasser"],
            "Image": ["main-server/unidesk/trespasser", "main-server/trespasser"],
            "ComposeService": ["main-server/trespasser"],
            "Container": ["main-server/trespasser"],
            "KubernetesObject": ["d601-k3s/secret/unidesk/trespasser"],
            "SecretSource": ["trespasser"],
        });
        if way != "stamps" {
            owned["EnvPrefix"] = json!(["main-server/UNIDESK_TRESPASSER_DEPLOY_"]);
        }
        owned
    });
    let commit = commit("trespasser");
    guest.stage().publish(&SampleImage::new("trespasser", &commit));
    for way in ways {
        let row = guest.attempt(&way, &way, &commit, &["--run-now"]);
        table.row(&row);
        assert_eq!(row.run.outcome(), (3, "denied".to_owned()), "{way}: {:?}", row.run);
        assert_eq!(row.changed, [""; 0], "{way}");
    }
}

fn arguments(table: &mut Table) {
    table.guests.insert("arguments".to_owned());
    let guest = Hostile::guest("arguments", "arguments", "host-calls = 5000");
    let ways = guest.ways();
    guest.owns(&ways, |_| json!({ "Repository": ["unidesk/arguments"] }));
    for way in ways.iter().filter(|way| *way != "tricky") {
        table.section(&format!("{way} texts and lists in every argument; dry runs"));
        let mut rows = Vec::new();
        for number in 0.. {
            let row = guest.attempt(way, way, &format!("{number:040}"), &["--dry-run"]);
            if row.run.text("/error/message").contains("no argument of this number") {
                assert!(number > 70, "{way}: {number} arguments");
                break;
            }
            assert_eq!(row.changed, [""; 0], "{way} {number}");
            // The plugin says first which argument it is.
            let way = row.said().next().unwrap_or_default().to_owned();
            rows.push(Row { way, ..row });
        }
        table.alike(rows);
    }
    table.section("tricky texts in every argument: those that are taken; a dry run");
    let row = guest.attempt("tricky", "tricky", &"0".repeat(40), &["--dry-run"]);
    table.lines.extend(row.said().map(str::to_owned));
    table.row(&row);
}

fn modules(table: &mut Table) {
    table.guests.insert("raw".to_owned());
    table.section("what no compiler would write; live");
    let guest = Hostile::new("raw", TIGHT);
    guest.owns(
        &["prod".to_owned()],
        |_| json!({ "Repository": ["unidesk/raw"], "Image": ["main-server/unidesk/raw"] }),
    );
    let commit = commit("raw");
    guest.stage().publish(&SampleImage::new("raw", &commit));
    for (name, text) in sources(&misbehaving::sources().join("raw")) {
        guest.put(&raw(&text));
        let row = guest.attempt(&name, "prod", &commit, &["--run-now"]);
        table.row(&row);
        assert_eq!(row.changed, [""; 0], "{name}: {:?}", row.run);
    }
}
