//! Sample images in a real registry and a real engine.

use lab::{Bench, Result, SampleImage, image};

const SERVICE: &str = "project-manager";

/// Asks the engine for one field of an image.
fn field(bench: &Bench, image: &str, format: &str) -> Result<String> {
    bench.docker().run(&["image", "inspect", "--format", format, image])
}

#[test]
fn an_image_is_pulled_with_its_labels_and_under_its_digest() -> Result<()> {
    let bench = Bench::from_environment()?;
    let commit = image::commit("truthful");
    let pushed = SampleImage::new(SERVICE, &commit).padding(100_000).push(bench.registry())?;
    assert!(pushed.size > 100_000, "the padding cannot be compressed");

    let repository = pushed.reference.strip_suffix(&format!(":{commit}")).unwrap_or_default();
    let by_digest = format!("{repository}@{}", pushed.digest);
    bench.docker().run(&["pull", "--quiet", &by_digest])?;
    let revision = format!("{{{{index .Config.Labels {:?}}}}}", image::REVISION);
    assert_eq!(field(&bench, &by_digest, &revision)?, commit);
    let id = field(&bench, &by_digest, "{{.Id}}")?;
    assert!([&pushed.config_digest, &pushed.manifest_digest].contains(&&id), "{id} is not in {pushed:?}");
    bench.docker().run(&["image", "rm", &by_digest]).map(drop)
}

#[test]
fn the_same_input_gives_the_same_bytes() -> Result<()> {
    let bench = Bench::from_environment()?;
    let commit = image::commit("repeated");
    let image = SampleImage::new(SERVICE, &commit).padding(1000);
    let first = image.push(bench.registry())?;
    assert_eq!(first, image.push(bench.registry())?);
    let other = image.clone().label(image::REVISION, "another").push(bench.registry())?;
    assert_ne!(first.digest, other.digest);
    Ok(())
}

#[test]
fn an_index_gives_the_image_of_this_machine() -> Result<()> {
    let bench = Bench::from_environment()?;
    let commit = image::commit("indexed");
    let other = SampleImage::new(SERVICE, &commit).without_label(image::REVISION);
    let image = SampleImage::new(SERVICE, &commit).in_index().with_platform("riscv64", other);
    let pushed = image.push(bench.registry())?;
    assert_ne!(pushed.digest, pushed.manifest_digest);

    bench.docker().run(&["pull", "--quiet", &pushed.reference])?;
    let id = field(&bench, &pushed.reference, "{{.Id}}")?;
    assert!([&pushed.config_digest, &pushed.digest].contains(&&id), "{id} is not in {pushed:?}");
    bench.docker().run(&["image", "rm", &pushed.reference]).map(drop)
}
