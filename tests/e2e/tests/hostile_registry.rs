//! A registry that lies, breaks off, never ends or sends elsewhere. Whatever it does, a deploy either deploys exactly what
//! was asked for, or says what went wrong and where, and container, image names and env file are as they were.

#![allow(clippy::expect_used, reason = "a stage that cannot be set is a failed test")]

use std::time::Duration;

use e2e::behind::At::{Config, Layer, Manifest, Tag};
use e2e::behind::Ends::{Deployed, Unchanged};
use e2e::behind::{Crafted, INDEX, Image, Scene};
use e2e::{SERVICE, SampleImage};
use lab::faulty::{Answer, Step};
use lab::image::{REVISION, digest};
use serde_json::json;

type Steps = Vec<Step>;

/// Chunks for ever.
fn endless(answer: Answer, chunk: &[u8], pause: Duration) -> Steps {
    let mut bytes = format!("{:x}\r\n", chunk.len()).into_bytes();
    bytes.extend_from_slice(chunk);
    bytes.extend_from_slice(b"\r\n");
    answer.without("content-length").with("Transfer-Encoding", "chunked").then(Step::Repeat(bytes, pause))
}

fn redirect(to: &str) -> Steps {
    Answer::new("307 Temporary Redirect", "").with("Location", to).steps()
}

fn busy(status: &str, retry_after: &str) -> Steps {
    Answer::new(status, "").with("Retry-After", retry_after).steps()
}

#[test]
fn the_table_of_hostile_registries() {
    let mut scene = Scene::set();
    contents(&mut scene);
    names_and_tags(&mut scene);
    elsewhere(&mut scene);
    busyness(&mut scene);
    documents(&mut scene);
    labels_and_platforms(&mut scene);
    http(&mut scene);
    layers(&mut scene);
    insta::assert_snapshot!(scene.table.text());
}

fn contents(scene: &mut Scene) {
    scene.table.heading("damaged, cut off, endless");
    for (at, what) in [(Manifest, "manifest"), (Config, "configuration")] {
        scene.wrong(&format!("a flipped bit in the {what}"), at, Unchanged, |answer, _| {
            answer.flipped().steps()
        });
        scene.wrong(&format!("the {what} ends too early"), at, Unchanged, |answer, _| answer.cut());
        scene.wrong(
            &format!("the {what} ends too early, and its length agrees"),
            at,
            Unchanged,
            |answer, _| {
                let half = answer.body.len() / 2;
                let body = answer.body[..half].to_vec();
                answer.body(body).steps()
            },
        );
        scene.wrong(&format!("the {what} never ends"), at, Unchanged, |answer, _| {
            endless(answer, &vec![b' '; 64 << 10], Duration::ZERO)
        });
    }
    scene.wrong("the manifest drips", Manifest, Unchanged, |answer, _| {
        endless(answer, b" ", Duration::from_millis(50))
    });
    scene.wrong("the connection is reset once", Manifest, Deployed, |answer, before| match before {
        0 => vec![Step::Reset],
        _ => answer.steps(),
    });
}

fn names_and_tags(scene: &mut Scene) {
    scene.table.heading("digests and tags");
    let header = "Docker-Content-Digest";
    let other = digest(b"something else");
    scene.wrong("the digest of something else", Tag, Unchanged, move |answer, _| {
        answer.with(header, &other).steps()
    });
    for (name, digest) in [
        ("a sha512 digest", format!("sha512:{}", "a".repeat(128))),
        ("a digest in upper case", format!("sha256:{}", "A".repeat(64))),
        ("a digest cut short", "sha256:abc".to_owned()),
        ("a digest that leads elsewhere", "../../../etc/passwd".to_owned()),
        ("no digest at all", String::new()),
    ] {
        scene.wrong(name, Tag, Unchanged, move |answer, _| match digest.as_str() {
            "" => answer.without(header).steps(),
            digest => answer.with(header, digest).steps(),
        });
    }

    // Everything goes by the digest of the first look: between it and the read, the two passes, and the pull, a tag may
    // move as it likes.
    scene.wrong("the tag is asked for once", Tag, Deployed, |answer, before| match before {
        0 => answer.steps(),
        _ => Answer::new("404 Not Found", "").steps(),
    });
    let name = "the tag moved and its old manifest is gone";
    scene.wrong(name, Manifest, Unchanged, |_, _| Answer::new("404 Not Found", "").steps());
    let name = "the tag moved before the pull and its old manifest is gone";
    scene.wrong_for_engine(name, Manifest, Unchanged, |_, _| Answer::new("404 Not Found", "").steps());
}

fn elsewhere(scene: &mut Scene) {
    scene.table.heading("redirects and realms");
    let address = scene.elsewhere.address();
    for (name, to) in [
        ("to another origin", format!("http://user:secret@{address}/v2/?token=secret")),
        ("to the machine's metadata", "http://169.254.169.254/latest/meta-data/".to_owned()),
    ] {
        for (at, what) in [(Tag, "tag"), (Manifest, "manifest"), (Config, "configuration")] {
            let to = to.clone();
            scene
                .wrong(&format!("the {what} is redirected {name}"), at, Unchanged, move |_, _| redirect(&to));
        }
    }
    let name = "a redirect in a circle";
    let image = scene.image(name);
    scene.row(name, &image, Unchanged, |asked| Some(redirect(&asked.path)));
    let name = "credentials for a foreign realm";
    let challenge = format!("Bearer realm=\"http://{address}/token\",service=\"registry\"");
    scene.wrong(name, Tag, Unchanged, move |_, _| {
        Answer::new("401 Unauthorized", "").with("WWW-Authenticate", &challenge).steps()
    });
}

fn busyness(scene: &mut Scene) {
    scene.table.heading("busy");
    let name = "every request is answered 503 once";
    let image = scene.image(name);
    scene.row(name, &image, Deployed, |asked| {
        (!asked.by_engine() && asked.before == 0).then(|| busy("503 Service Unavailable", "0"))
    });
    scene.wrong("503 for ever", Tag, Unchanged, |_, _| busy("503 Service Unavailable", "0"));
    scene.wrong("500", Manifest, Unchanged, |_, _| Answer::new("500 Internal Server Error", "").steps());
    scene.wrong("429 until a second has passed", Tag, Deployed, |answer, before| match before {
        0 => busy("429 Too Many Requests", "1"),
        _ => answer.steps(),
    });
    let date = "Wed, 21 Oct 2099 07:28:00 GMT";
    scene.wrong("429 until a date", Tag, Unchanged, move |_, _| busy("429 Too Many Requests", date));
    scene.wrong("429 for a day", Tag, Unchanged, |_, _| busy("429 Too Many Requests", "86400"));
    scene.wrong("429 for ages", Tag, Unchanged, |_, _| busy("429 Too Many Requests", "99999999999999999999"));
}

fn documents(scene: &mut Scene) {
    scene.table.heading("documents, every digest of them right");
    let page = "<!doctype html>\u{1b}[31m<title>Sign in</title>";
    scene.wrong("a page for a tag", Tag, Unchanged, |_, _| {
        Answer::new("200 OK", "").with("Content-Type", "text/html").steps()
    });
    scene.wrong("a page for a manifest", Manifest, Unchanged, move |_, _| {
        Answer::new("200 OK", page).with("Content-Type", "text/html").steps()
    });
    scene.wrong("no content type", Manifest, Unchanged, |answer, _| answer.without("Content-Type").steps());
    scene.wrong("another content type", Manifest, Unchanged, |answer, _| {
        answer.with("Content-Type", "application/json").steps()
    });
    scene.wrong("an image called an index", Manifest, Unchanged, |answer, _| {
        answer.with("Content-Type", INDEX).steps()
    });
    scene.wrong("schema 1", Manifest, Unchanged, |_, _| {
        let kind = "application/vnd.docker.distribution.manifest.v1+prettyjws";
        Answer::new("200 OK", r#"{"schemaVersion":1,"fsLayers":[]}"#).with("Content-Type", kind).steps()
    });
    scene.crafted("schema 1 as an image", Unchanged, |_| {
        Crafted::manifest(br#"{"schemaVersion":1,"fsLayers":[],"history":[]}"#)
    });
    let rewritten = |image: &Image, from: &str, to: &str| {
        let text = image.manifest().to_string();
        assert!(text.contains(from), "{text}");
        Crafted::manifest(text.replacen(from, to, 1).as_bytes())
    };
    scene.crafted("a manifest with two lists of layers", Unchanged, |image| {
        rewritten(image, r#""layers":["#, r#""layers":[],"layers":["#)
    });
    scene.crafted("a manifest with a second configuration for the engine", Unchanged, |image| {
        rewritten(image, r#""layers":["#, r#""Config":{},"layers":["#)
    });
    scene.crafted("a manifest 100,000 levels deep", Unchanged, |image| {
        rewritten(image, r#""layers":["#, &format!(r#""x":{},"layers":["#, "[".repeat(100_000)))
    });
    scene.crafted("a configuration 100,000 levels deep", Unchanged, |image| {
        Crafted::config(image, "{\"a\":".repeat(100_000).as_bytes())
    });
    scene.crafted("a manifest of half a million values", Unchanged, |image| {
        rewritten(image, r#""layers":["#, &format!(r#""x":[{}0],"layers":["#, "0,".repeat(500_000)))
    });
}

fn labels_and_platforms(scene: &mut Scene) {
    scene.table.heading("labels and platforms");
    let labelled = |image: &Image, value: &str| {
        let mut config = image.config();
        config["config"]["Labels"][REVISION] = value.into();
        Crafted::config(image, config.to_string().as_bytes())
    };
    scene.crafted("a label that clears the screen", Unchanged, |image| {
        labelled(image, "\u{1b}[2J\u{1b}]0;owned\u{7}\r\ndeployed \u{202e}")
    });
    let image = scene.image("a label that clears the screen");
    let told =
        scene.stage.host(&["deploy", SERVICE, "--env", "prod", "--commit", &image.commit, "--run-now"]);
    let text = told.transcript();
    assert!(
        text.contains(r"\u{1b}[2J") && !text.contains('\u{1b}') && !text.contains('\u{202e}'),
        "{told:?}"
    );
    scene.crafted("a label twice", Unchanged, |image| {
        let from = r#""Labels":{"#;
        let text = image.config().to_string();
        assert!(text.contains(from), "{text}");
        Crafted::config(image, text.replacen(from, &format!(r#"{from}"{REVISION}":"old","#), 1).as_bytes())
    });
    scene.crafted("labels for the host and others for the engine", Unchanged, |image| {
        let mut config = image.config();
        config["config"]["labels"] = json!({ REVISION: "another" });
        Crafted::config(image, config.to_string().as_bytes())
    });
    let foreign = |image: &Image| {
        let mut config = image.config();
        config["architecture"] = "s390x".into();
        Crafted::config(image, config.to_string().as_bytes())
    };
    let s390x = || json!({ "os": "linux", "architecture": "s390x" });
    let ours = |image: &Image| json!({ "os": "linux", "architecture": image.config()["architecture"] });
    scene.crafted("an image for another machine", Unchanged, foreign);
    scene.crafted("an index without our machine", Unchanged, |image| foreign(image).in_index(&s390x()));
    scene.crafted("an index that lies about the machine", Unchanged, |image| {
        foreign(image).in_index(&ours(image))
    });
    scene.crafted("an index in an index", Unchanged, |image| {
        Crafted::manifest(&image.pushed.manifest).in_index(&ours(image)).in_index(&ours(image))
    });
    let name = "an index with an attestation";
    let image = scene.image_of(name, SampleImage::in_index);
    scene.row(name, &image, Deployed, |_| None);
}

fn http(scene: &mut Scene) {
    scene.table.heading("HTTP");
    let name = "HTTP/1.0";
    let image = scene.image(name);
    scene.row(name, &image, Deployed, |asked| {
        Some(Answer { version: "HTTP/1.0", ..asked.answered() }.steps())
    });
    scene.wrong("two lengths", Manifest, Unchanged, |answer, _| answer.and("Content-Length", "7").steps());
    scene.wrong("a length and chunks", Manifest, Unchanged, |answer, _| {
        let mut body = format!("{:x}\r\n", answer.body.len()).into_bytes();
        body.extend_from_slice(&answer.body);
        body.extend_from_slice(b"\r\n0\r\n\r\n");
        let length = answer.body.len().to_string();
        answer.body(body).with("Content-Length", &length).with("Transfer-Encoding", "chunked").steps()
    });
    scene.wrong("100,000 bytes of headers", Manifest, Unchanged, |answer, _| {
        answer.with("X-Padding", &"x".repeat(100_000)).steps()
    });
    scene.wrong("no HTTP", Tag, Unchanged, |_, _| {
        vec![Step::Send(b"220 mail.example ESMTP\r\n\r\n".to_vec())]
    });
}

/// Only the engine reads layers. It follows redirects and asks for tokens where it is sent; what it brings back must have
/// the digest that the host resolved.
fn layers(scene: &mut Scene) {
    scene.table.heading("what only the engine reads");
    scene.wrong_for_engine("a flipped bit in the manifest, later", Manifest, Unchanged, |answer, _| {
        answer.flipped().steps()
    });
    scene.wrong_for_engine("a flipped bit in the configuration, later", Config, Unchanged, |answer, _| {
        answer.flipped().steps()
    });
    scene.wrong("a flipped bit in a layer", Layer, Unchanged, |answer, _| answer.flipped().steps());
    scene.wrong("a layer is not there", Layer, Unchanged, |_, _| Answer::new("404 Not Found", "").steps());
    scene.wrong("a layer ends too early", Layer, Unchanged, |answer, _| answer.cut());
    scene.wrong("a layer drips", Layer, Unchanged, |answer, _| {
        endless(answer, b" ", Duration::from_millis(50))
    });
    scene.wrong("a layer is answered 503 for ever", Layer, Unchanged, |_, _| {
        busy("503 Service Unavailable", "0")
    });
    let address = scene.elsewhere.address();
    let to = format!("http://{address}/layer");
    scene.wrong("a layer is redirected to another origin", Layer, Unchanged, move |_, _| redirect(&to));
    scene.wrong("a layer is redirected to the machine's metadata", Layer, Unchanged, |_, _| {
        redirect("http://169.254.169.254/latest/meta-data/")
    });
    let challenge = format!("Bearer realm=\"http://{address}/token\",service=\"registry\"");
    scene.wrong_for_engine("credentials for a foreign realm, later", Manifest, Unchanged, move |_, _| {
        Answer::new("401 Unauthorized", "").with("WWW-Authenticate", &challenge).steps()
    });
}
