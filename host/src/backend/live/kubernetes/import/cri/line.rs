//! The line to containerd's socket: gRPC over a Unix socket, which may be one that `ssh` forwards.

use std::error::Error;
use std::iter::successors;
use std::path::{Path, PathBuf};

use hyper::http::uri::PathAndQuery;
use hyper_util::rt::TokioIo;
use prost::Message;
use tokio::net::UnixStream;
use tonic::client::Grpc;
use tonic::metadata::MetadataValue;
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Status};
use tonic_prost::ProstCodec;

use super::super::containerd::NAMESPACE;
use crate::answer::CallError;
use crate::backend::live::machine::{Machine, Near};

/// Connects when it is first used, and again when the connection was lost.
#[derive(Debug)]
pub struct Line {
    channel: Channel,
    near: Near,
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
        let near = Near::to(machine, socket).await?;
        let path = near.path().to_owned();
        // The name is sent and means nothing; the connector has the place.
        let endpoint = Endpoint::from_static("http://containerd");
        let connector = tower::service_fn(move |_| connect(path.clone()));
        Ok(Self { channel: endpoint.connect_with_connector_lazy(connector), near })
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
        let heard = self.near.heard();
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
        self.near.broken(heard).await.map_or(Unanswered::Silent(silent), Unanswered::NoWay)
    }
}

#[expect(clippy::disallowed_methods, reason = "this is where the host reaches containerd, behind the gate")]
async fn connect(socket: PathBuf) -> std::io::Result<TokioIo<UnixStream>> {
    UnixStream::connect(socket).await.map(TokioIo::new)
}
