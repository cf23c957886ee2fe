use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::ReadBuf;

use super::*;

const LONG: Duration = Duration::from_mins(1);

async fn between(argv: &[&str], input: Input<'_>, output: Output<'_>) -> Result<Finished, Unfinished> {
    let argv: Vec<OsString> = argv.iter().map(OsString::from).collect();
    let path = std::env::var_os("PATH").unwrap_or_default();
    run_between(&argv, &[("PATH".into(), path)], input, output, LONG, std::future::pending()).await
}

/// Gives a little, then breaks off.
struct Breaks(bool);

impl AsyncRead for Breaks {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.0 {
            return Poll::Ready(Err(io::Error::other("the line broke")));
        }
        self.0 = true;
        buf.put_slice(b"half of it");
        Poll::Ready(Ok(()))
    }
}

#[tokio::test]
async fn a_command_reads_its_source_to_the_end_and_fills_its_sink() {
    let big = vec![b'x'; 5 << 20];
    let finished = between(&["wc", "-c"], Input::Bytes(&big), Output::Kept).await.expect("it ends");
    assert_eq!(String::from_utf8_lossy(&finished.stdout).trim(), big.len().to_string());
    assert_eq!(finished.code, Some(0));
    let (mut from, mut to) = (&*big, Vec::new());
    let finished =
        between(&["cat"], Input::Stream(&mut from), Output::Stream(&mut to)).await.expect("it ends");
    assert!(finished.success && finished.stdout.is_empty() && to == big);
    // One that does not want it all.
    let finished = between(&["head", "-c", "1"], Input::Bytes(&big), Output::Kept).await.expect("it ends");
    assert!(finished.success && finished.stdout == b"x");
}

#[tokio::test]
async fn half_of_an_input_is_never_taken_for_the_whole() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("whole");
    let script = format!("cat >/dev/null; echo > {}", file.display());
    let unfinished = between(&["sh", "-c", &script], Input::Stream(&mut Breaks(false)), Output::Kept).await;
    assert!(matches!(unfinished, Err(Unfinished::Broken(error)) if error.to_string() == "the line broke"));
    assert!(!file.exists(), "it was told that its input had ended");
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
