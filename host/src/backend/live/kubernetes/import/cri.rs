//! containerd by its socket: the daemon pulls as it does for the kubelet, and its names are read and written without a
//! program in between.

mod line;
mod messages;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use prost::Message;
use tokio::time::{sleep, timeout};
use tonic::Code;

use self::line::{Line, Unanswered};
use self::messages::{
    DeleteImageRequest, Done, GetImageRequest, ImageSpec, ListImagesRequest, ListImagesResponse, OneImage,
    PullImageRequest, VersionRequest,
};
use super::told;
use crate::answer::CallError;
use crate::backend::live::machine::Machine;
use crate::progress::Interrupt;
use crate::words::{plain, seconds};

/// Longest that it may take to say that it is there.
const PRESENT: Duration = Duration::from_secs(5);
/// Longest that anything but a pull may take.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long a pull that nobody waits for any more is left alone. It ends at once where it still fetches or unpacks; one that
/// gives names already gives them all, and they are to be seen by whoever cleans up.
const SETTLING: Duration = Duration::from_millis(250);
/// Longest part of what it says that a message repeats, in characters.
const SHOWN: usize = 300;

/// containerd behind its socket.
#[derive(Debug)]
pub struct Cri {
    line: Line,
    place: String,
    /// The command line up to what is to be done, for messages.
    words: Vec<String>,
}

impl Cri {
    /// Asks the containerd of `machine`, which is called `place`, whether it answers on `socket`.
    ///
    /// # Errors
    /// Why it does not, or not to Kubernetes.
    pub async fn connect(
        machine: &Machine,
        place: &str,
        socket: &Path,
        words: Vec<String>,
    ) -> Result<Self, CallError> {
        let line = Line::to(machine, socket).await?;
        let cri = Self { line, place: place.to_owned(), words };
        let version = "/runtime.v1.RuntimeService/Version";
        cri.done::<_, Done>("asking for its version", version, VersionRequest {}, PRESENT).await?;
        Ok(cri)
    }

    /// Where it is.
    pub fn place(&self) -> &str {
        &self.place
    }

    /// Its command line, up to what is to be done.
    pub fn words(&self) -> &[String] {
        &self.words
    }

    /// What the names that fit one of `filters` mean.
    ///
    /// # Errors
    /// Why that cannot be told.
    pub async fn targets(&self, filters: Vec<String>) -> Result<BTreeMap<String, String>, CallError> {
        let list = "/containerd.services.images.v1.Images/List";
        let question = ListImagesRequest { filters };
        let found: ListImagesResponse = self.done("looking for an image", list, question, PATIENCE).await?;
        let digest = |image: messages::Image| Some((image.name, image.target?.digest));
        Ok(found.images.into_iter().filter_map(digest).collect())
    }

    /// Pulls and unpacks `by_digest`, which is then a name of the image; another one is that of its configuration.
    ///
    /// # Errors
    /// Why not; nothing but those names can be left behind.
    pub async fn pull(
        &self,
        by_digest: &str,
        within: Duration,
        interrupt: &Interrupt,
    ) -> Result<(), CallError> {
        let what = format!("pulling {by_digest}");
        let image = ImageSpec { image: by_digest.to_owned() };
        let question = PullImageRequest { image: Some(image) };
        let ended = tokio::select! {
            biased;
            () = interrupt.raised() => told::interrupted(&what, &self.place),
            () = sleep(within) => told::late(&what, &self.place, within),
            pulled = self.line.ask::<_, Done>("/runtime.v1.ImageService/PullImage", question) => {
                return pulled.map_err(|why| self.failed(&what, why));
            }
        };
        sleep(SETTLING).await;
        Err(ended)
    }

    /// Gives what is called `from` another name, which nothing has yet.
    ///
    /// # Errors
    /// Why not; also where something has the name.
    pub async fn tag(&self, from: &str, name: &str) -> Result<(), CallError> {
        let what = format!("naming {from} {name}");
        let get = "/containerd.services.images.v1.Images/Get";
        let question = GetImageRequest { name: from.to_owned() };
        let mut one: OneImage = self.done(&what, get, question, PATIENCE).await?;
        if let Some(image) = &mut one.image {
            name.clone_into(&mut image.name);
        }
        let create = "/containerd.services.images.v1.Images/Create";
        self.done::<_, Done>(&what, create, one, PATIENCE).await
    }

    /// Takes names away; what only they held on to is gone afterwards.
    ///
    /// # Errors
    /// Why not.
    pub async fn remove(&self, names: &[&str]) -> Result<(), CallError> {
        let delete = "/containerd.services.images.v1.Images/Delete";
        for (at, name) in names.iter().enumerate() {
            let what = format!("removing the image name {name}");
            let question = DeleteImageRequest { name: (*name).to_owned(), sync: at + 1 == names.len() };
            match self.asked::<_, Done>(delete, question, PATIENCE).await {
                // Somebody else took it away.
                Err(Unanswered::Said(status)) if status.code() == Code::NotFound => {}
                answer => answer.map_err(|why| self.failed(&what, why))?,
            }
        }
        Ok(())
    }

    async fn done<Q, A>(
        &self,
        what: &str,
        path: &'static str,
        question: Q,
        within: Duration,
    ) -> Result<A, CallError>
    where
        Q: Message + 'static,
        A: Message + Default + 'static,
    {
        self.asked(path, question, within).await.map_err(|why| self.failed(what, why))
    }

    async fn asked<Q, A>(&self, path: &'static str, question: Q, within: Duration) -> Result<A, Unanswered>
    where
        Q: Message + 'static,
        A: Message + Default + 'static,
    {
        let nothing = |_| Err(Unanswered::Silent(format!("nothing was heard within {}", seconds(within))));
        timeout(within, self.line.ask(path, question)).await.unwrap_or_else(nothing)
    }

    fn failed(&self, what: &str, why: Unanswered) -> CallError {
        failed(what, &self.place, why)
    }
}

/// Why the containerd of `place` did not do `what`, sorted by what helps.
fn failed(what: &str, place: &str, why: Unanswered) -> CallError {
    match why {
        Unanswered::Said(status) => {
            let said = status.message();
            told::failed(what, place, said, &plain(said, SHOWN))
        }
        Unanswered::Silent(why) => told::silent(&format!(
            "{what}: the containerd of {place} does not answer: {}",
            plain(&why, SHOWN)
        )),
        Unanswered::NoWay(error) => error,
    }
}

#[cfg(test)]
mod tests {
    use tonic::Status;

    use super::*;

    fn said(code: Code, text: &str) -> CallError {
        failed("pulling x", "d601", Unanswered::Said(Status::new(code, text)))
    }

    #[test]
    fn what_it_says_is_sorted_as_what_ctr_says() {
        let refused = said(
            Code::Unknown,
            "failed to pull and unpack image \"x\": failed to resolve reference \"x\": failed to do request: Head \
             \"http://127.0.0.1:5000/v2/\": dial tcp 127.0.0.1:5000: connect: connection refused",
        );
        assert!(
            refused.retryable() && refused.to_string().contains("check that the registry runs"),
            "{refused}"
        );
        let full = said(Code::Unknown, "failed to extract layer: write /x: no space left on device");
        assert!(!full.retryable() && full.to_string().contains("no space left on device"), "{full}");
        let absent = said(Code::NotFound, "failed to resolve reference \"x\": x: not found");
        assert!(
            !absent.retryable() && absent.to_string().contains("the containerd of d601 says: "),
            "{absent}"
        );
    }

    #[tokio::test]
    async fn a_socket_that_does_not_answer_may_answer_later() {
        let folder = tempfile::tempdir().expect("a folder");
        let socket = folder.path().join("containerd.sock");
        let connect = || Cri::connect(&Machine::Here, "this machine", &socket, Vec::new());
        let missing = connect().await.expect_err("no socket");
        assert!(missing.retryable() && missing.to_string().contains("No such file"), "{missing}");
        drop(std::os::unix::net::UnixListener::bind(&socket).expect("a socket"));
        let ended = connect().await.expect_err("nobody");
        assert!(ended.retryable(), "{ended}");
        for part in
            ["the containerd of this machine does not answer", "refused", "check that Kubernetes runs there"]
        {
            assert!(ended.to_string().contains(part), "{part:?} is not in {ended}");
        }
    }
}
