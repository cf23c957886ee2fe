use super::*;

const LONG: Duration = Duration::from_mins(1);

async fn fed(argv: &[&str], input: &[u8]) -> Result<Finished, Unfinished> {
    let argv: Vec<OsString> = argv.iter().map(OsString::from).collect();
    let path = std::env::var_os("PATH").unwrap_or_default();
    run_fed(&argv, &[("PATH".into(), path)], Input::Bytes(input), LONG, std::future::pending()).await
}

#[tokio::test]
async fn a_command_reads_what_it_is_told_to_the_end() {
    let big = vec![b'x'; 5 << 20];
    let finished = fed(&["wc", "-c"], &big).await.expect("it ends");
    assert_eq!(String::from_utf8_lossy(&finished.stdout).trim(), big.len().to_string());
    assert_eq!(finished.code, Some(0));
    // One that does not want it all.
    let finished = fed(&["head", "-c", "1"], &big).await.expect("it ends");
    assert!(finished.success && finished.stdout == b"x");
}

#[tokio::test]
async fn what_runs_beside_others_ends_with_its_value() {
    let start = |argv: &[&str]| {
        let argv: Vec<OsString> = argv.iter().map(OsString::from).collect();
        let path = std::env::var_os("PATH").unwrap_or_default();
        Running::start(&argv, &[("PATH".into(), path)])
    };
    let mut running = start(&["sleep", "600"]).expect("it starts");
    assert!(!running.has_ended());
    let mut stdout = running.stdout.take().expect("its output");
    drop(running);
    let mut said = Vec::new();
    let ended = timeout(LONG, stdout.read_to_end(&mut said)).await;
    assert_eq!(ended.expect("it ends").expect("its output ends"), 0);

    let mut running = start(&["sh", "-c", "cat; exit 3"]).expect("it starts");
    drop(running.stdin.take());
    let ended = running.ended().await;
    assert_eq!((ended.code, ended.ending.as_str()), (Some(3), "ended with 3"));
    assert!(running.has_ended());
    assert!(matches!(start(&["no-such-program"]), Err(Unfinished::Missing)));
}
