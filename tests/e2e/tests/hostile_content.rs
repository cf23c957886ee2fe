//! A registry whose content is too much, or leads out of where it belongs: memory stays bounded, and nothing is written
//! but into the engine's store.

#![allow(clippy::expect_used, reason = "a stage that cannot be set is a failed test")]

use std::path::PathBuf;
use std::process::Command;

use e2e::behind::At::Manifest;
use e2e::behind::{Crafted, Image, MANIFEST, Scene};
use e2e::{SERVICE, measured};
use lab::faulty::{Answer, Step};

/// Engines differ in what they make of such a layer: some refuse it, others put its files where no path leads out of the
/// image. Whatever they do, nothing lands elsewhere.
#[test]
fn a_layer_never_gets_out_of_the_engines_store() {
    let escaped = PathBuf::from("/tmp/host-lab-escaped");
    assert!(!escaped.exists(), "{} is not this test's", escaped.display());
    let scene = Scene::set();
    let upwards = "../".repeat(12) + "tmp/host-lab-escaped";
    for (name, image) in [
        ("a name that leads out", scene.image_of("upwards", |image| image.file(&upwards))),
        ("a name from the root", scene.image_of("root", |image| image.file("/tmp/host-lab-escaped"))),
        (
            "a link that leads out",
            scene.image_of("link", |image| image.link("out", "/tmp").file("out/host-lab-escaped")),
        ),
    ] {
        let before = scene.stage.snapshot();
        let run = scene.stage.deploy(&image.commit, &["--run-now"]);
        match run.outcome() {
            (0, _) => assert_eq!(scene.stage.running().as_ref(), Some(&image.commit), "{name}: {run:?}"),
            (code, decision) => {
                assert_eq!((code, decision.as_str()), (1, "failed"), "{name}: {run:?}");
                assert_eq!(run.text("/error/step"), "image.deliver", "{name}: {run:?}");
                assert_eq!(before.differences(&scene.stage.snapshot()), [""; 0], "{name}: {run:?}");
            }
        }
        assert!(!escaped.exists(), "{name}: unpacked outside of the engine's store");
    }
}

#[test]
fn a_manifest_of_100_megabytes_is_never_held() {
    const MEGABYTES: u64 = 100;
    let scene = Scene::set();
    let image = scene.image("100 MB");
    scene.registry.set(|asked| (asked.method == "HEAD").then(|| Answer::new("404 Not Found", "").steps()));
    let (run, usual) = measured(&mut deploying(&scene, &image));
    assert_eq!(run.text("/error/code"), "not-found", "{run:?}");

    let megabyte = vec![b' '; 1 << 20];
    let chunk = [b"100000\r\n".as_slice(), &megabyte, b"\r\n"].concat();
    for (name, declared) in [("by its length", true), ("in chunks", false)] {
        let (which, chunk, megabyte) = (image.clone(), chunk.clone(), megabyte.clone());
        scene.registry.set(move |asked| {
            which.is(Manifest, asked).then(|| {
                let answer = Answer::new("200 OK", "").with("Content-Type", MANIFEST);
                let (answer, piece) = if declared {
                    (answer.with("Content-Length", &(MEGABYTES << 20).to_string()), &megabyte)
                } else {
                    (answer.without("content-length").with("Transfer-Encoding", "chunked"), &chunk)
                };
                let mut steps = vec![Step::Send(answer.head())];
                steps.extend((0..MEGABYTES).map(|_| Step::Send(piece.clone())));
                steps
            })
        });

        let (run, peak) = measured(&mut deploying(&scene, &image));

        assert_eq!(run.text("/error/code"), "mismatch", "{name}: {run:?}");
        assert!(run.text("/error/message").contains("longer than 4194304 bytes"), "{name}: {run:?}");
        let sent = scene.registry.seen().sent >> 20;
        assert!(sent < MEGABYTES / 2, "{name}: {sent} MB were read");
        assert!(peak < usual + (32 << 10), "{name}: {peak} kB, usually {usual} kB");
    }

    // As long as is allowed, and nothing but values: each would take many times its two bytes.
    let which = image.clone();
    let zeros = format!(r#"{{"schemaVersion":2,"x":[{}0]}}"#, "0,".repeat(2_000_000));
    let crafted = Crafted::manifest(zeros.as_bytes());
    scene.registry.set(move |asked| crafted.answer(&which, asked));
    let (run, peak) = measured(&mut deploying(&scene, &image));
    assert!(run.text("/error/message").contains("more than 200000 values"), "{run:?}");
    assert!(peak < usual + (48 << 10), "{peak} kB, usually {usual} kB");
}

fn deploying(scene: &Scene, image: &Image) -> Command {
    let arguments =
        ["deploy", SERVICE, "--env", "prod", "--commit", &image.commit, "--output", "json", "--run-now"];
    scene.stage.command(&arguments)
}
