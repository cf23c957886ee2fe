//! The Compose project that `host` deploys to, driven by hand as `host` will do it.

use lab::{
    Bench, Project, Result, SampleImage, Snapshot, image, process,
    project::{self, CONTAINER, NEIGHBOUR, SERVICE, Settings},
    snapshot::Running,
};

/// Removes what the test made, also when it fails.
struct Cleanup<'a>(&'a Project);

impl Drop for Cleanup<'_> {
    fn drop(&mut self) {
        self.0.remove().ok();
        for image in [SERVICE, project::NEIGHBOUR_IMAGE] {
            self.0.docker().run(&["image", "rm", "--force", image]).ok();
        }
    }
}

#[test]
fn a_stamped_commit_runs_and_the_neighbour_stays() -> Result<()> {
    let bench = Bench::from_environment()?;
    let folder = tempfile::tempdir().map_err(lab::Error::io("make a temporary folder"))?;
    let project = bench.project(folder.path(), "lab-project-test", &Settings::default())?;
    let _cleanup = Cleanup(&project);
    let neighbour = SampleImage::new(NEIGHBOUR, &image::commit("neighbour")).push(bench.registry())?;
    project.start_neighbour(&neighbour)?;
    let before = Snapshot::of(&project)?;
    assert!(
        before.neighbour.is_some() && before.container.is_none() && before.images.is_empty(),
        "{before:?}"
    );

    let commit = image::commit("deployed");
    let pushed = SampleImage::new(SERVICE, &commit).push(bench.registry())?;
    bench.docker().run(&["pull", "--quiet", &pushed.reference])?;
    bench.docker().run(&["tag", &pushed.reference, SERVICE])?;
    bench.docker().run(&["image", "rm", &pushed.reference])?;
    let stamp = "UNIDESK_PROJECT_MANAGER_DEPLOY";
    project.write_env_file(format!("{stamp}_COMMIT={commit}\n{stamp}_REQUESTED_COMMIT={commit}\n"))?;
    let up = ["up", "--detach", "--no-build", "--no-deps", "--force-recreate", SERVICE];
    process::run(project.compose().args(up))?;

    let after = Snapshot::of(&project)?;
    assert_eq!(before.differences(&after), ["the container", "the image names", "the env file"]);
    let running = Running::of(&project)?;
    assert!(running.is(&commit), "{running:?}");
    assert!(!running.is(&image::commit("another")));

    process::run(project.compose().args(up))?;
    assert_eq!(
        after.differences(&Snapshot::of(&project)?),
        ["the container"],
        "only the container is another one"
    );
    assert!(project::must_be_unused(bench.docker()).is_err(), "{CONTAINER} is in the way of another project");
    Ok(())
}
