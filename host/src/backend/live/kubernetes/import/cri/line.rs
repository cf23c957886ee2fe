//! The line to containerd's socket: gRPC over a Unix socket, which may be one that `ssh` forwards.

use std::error::Error;
use std::iter::successors;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use hyper::http::uri::PathAndQuery;
use hyper_util::rt::TokioIo;
use prost::Message;
use tokio::net::UnixStream;
use tokio::time::timeout;
use tonic::client::Grpc;
use tonic::metadata::MetadataValue;
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Status};
use tonic_prost::ProstCodec;

use super::super::containerd::NAMESPACE;
use crate::answer::CallError;
use crate::backend::live::machine::Machine;
use crate::backend::live::ssh::{Connection, Forward, LocalEnd, Target};

/// How long `ssh` may take to say why something that went through it has failed.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// Connects when it is first used, and again when the connection was lost.
#[derive(Debug)]
pub struct Line {
    channel: Channel,
    /// What leads to the socket of another machine.
    through: Option<(Arc<Connection>, Forward)>,
}

/// Why there is no answer.
pub enum Unanswered {
    /// containerd said so.
    Said(Status),
    /// It said nothing at all, for this reason.
    Silent(String),
    /// The way to its machine is broken.
    NoWay(CallError),
}

impl Line {
    /// To `socket` on `machine`.
    ///
    /// # Errors
    /// Where the socket of another machine cannot be forwarded.
    pub async fn to(machine: &Machine, socket: &Path) -> Result<Self, CallError> {
        let (near, through) = match machine {
            Machine::Here => (socket.to_owned(), None),
            Machine::There(connection) => {
                let forward = connection.forward(&Target::Socket(socket.to_owned())).await?;
                let near = match forward.local() {
                    LocalEnd::Socket(near) => near.clone(),
                    LocalEnd::Tcp(address) => {
                        return Err(CallError::Other(format!(
                            "a forward of another kind was opened: {address}"
                        )));
                    }
                };
                (near, Some((Arc::clone(connection), forward)))
            }
        };
        // The name is sent and means nothing; the connector has the place.
        let endpoint = Endpoint::from_static("http://containerd");
        let connector = tower::service_fn(move |_| connect(near.clone()));
        Ok(Self { channel: endpoint.connect_with_connector_lazy(connector), through })
    }

    /// Asks `path`. It is no longer asked when nobody waits for the answer any more.
    ///
    /// # Errors
    /// Why there is no answer.
    pub async fn ask<Q, A>(&self, path: &'static str, question: Q) -> Result<A, Unanswered>
    where
        Q: Message + 'static,
        A: Message + Default + 'static,
    {
        let heard = self.through.as_ref().map_or(0, |(connection, _)| connection.heard());
        let asked = async {
            let mut grpc = Grpc::new(self.channel.clone());
            grpc.ready().await.map_err(|error| Status::from_error(error.into()))?;
            let mut request = Request::new(question);
            let namespace = MetadataValue::from_static(NAMESPACE);
            request.metadata_mut().insert("containerd-namespace", namespace);
            let codec = ProstCodec::<Q, A>::default();
            grpc.unary(request, PathAndQuery::from_static(path), codec).await
        };
        match asked.await {
            Ok(answer) => Ok(answer.into_inner()),
            Err(status) => Err(self.unanswered(status, heard).await),
        }
    }

    async fn unanswered(&self, status: Status, heard: usize) -> Unanswered {
        // What containerd said itself has no cause on this side.
        let Some(cause) = status.source() else { return Unanswered::Said(status) };
        let silent = successors(Some(cause), |&cause| cause.source()).last().unwrap_or(cause).to_string();
        let Some((connection, forward)) = &self.through else { return Unanswered::Silent(silent) };
        match timeout(LAST_WORDS, connection.lost()).await {
            Ok(lost) => Unanswered::NoWay(lost.into()),
            Err(_) => forward
                .refusal(heard)
                .map_or(Unanswered::Silent(silent), |refused| Unanswered::NoWay(refused.into())),
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "this is where the host reaches containerd, behind the gate")]
async fn connect(socket: PathBuf) -> std::io::Result<TokioIo<UnixStream>> {
    UnixStream::connect(socket).await.map(TokioIo::new)
}
