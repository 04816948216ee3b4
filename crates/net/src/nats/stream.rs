//! The stream of a cluster, which keeps the newest version of each shard.

use std::error::Error;
use std::time::Duration;

use async_nats::Client;
use async_nats::jetstream::consumer::DeliverPolicy;
use async_nats::jetstream::consumer::pull::{Ordered, OrderedConfig};
use async_nats::jetstream::context::{Context, ContextBuilder, CreateStreamErrorKind, PublishErrorKind};
use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::response::Response;
use async_nats::jetstream::stream::{DirectGetErrorKind, Stream};
use async_nats::jetstream::{ErrorCode, Message};
use bytes::Bytes;

use super::broker::UNDER_WAY;
use super::error::NatsError;
use super::events::{Command, ShardKey, StreamEvent};
use super::limits::{Account, Needs, stream_config};
use super::settings::Nats;
use super::subjects::Subjects;

/// How long the server may take for an answer.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);
/// How many messages are listed at a time.
const BATCH: i64 = 256;
/// The header with the version of a shard.
const VERSION: &str = "Atomik-Version";

/// Why a stream can't be used now.
#[derive(Debug)]
pub(super) enum OpenError {
    /// It can never be used as it is.
    Unfit(NatsError),
    /// The server does not answer, or not yet.
    Unavailable(String),
}

fn unavailable(error: impl ToString) -> OpenError {
    OpenError::Unavailable(error.to_string())
}

/// The stream of a cluster.
#[derive(Clone)]
pub(super) struct ShardStream {
    context: Context,
    stream: Stream,
    subjects: Subjects,
}

impl ShardStream {
    /// Opens the stream, or makes it, if everything allows what is needed.
    pub(super) async fn open(
        client: &Client,
        nats: &Nats,
        subjects: &Subjects,
        needs: Needs,
    ) -> Result<Self, OpenError> {
        needs.check_server(&client.server_info()).map_err(OpenError::Unfit)?;
        let builder =
            ContextBuilder::new().timeout(PATIENCE).ack_timeout(PATIENCE).max_ack_inflight(UNDER_WAY);
        let context = match &nats.domain {
            Some(domain) => builder.domain(domain).build(client.clone()),
            None => builder.build(client.clone()),
        };
        let account = match context.request("INFO", &()).await.map_err(unavailable)? {
            Response::<Account>::Ok(account) => account,
            Response::Err { error } => {
                return Err(OpenError::Unfit(NatsError::NoJetStream(error.to_string())));
            }
        };
        needs.check_account(&account, nats).map_err(OpenError::Unfit)?;
        let config = stream_config(nats, subjects);
        let stream = context.get_or_create_stream(config).await.map_err(|error| match error.kind() {
            // The server says what it does not allow.
            CreateStreamErrorKind::JetStream(reason) if reason.code() < 500 => {
                OpenError::Unfit(NatsError::NoJetStream(error.to_string()))
            }
            _ => unavailable(error),
        })?;
        needs.check_stream(&stream.cached_info().config, subjects).map_err(OpenError::Unfit)?;
        Ok(Self { context, stream, subjects: subjects.clone() })
    }

    /// Lists all shards, and then those that are put later: without their packets. The second value says how many there
    /// are at first.
    pub(super) async fn list(&self) -> Result<(Ordered, u64), OpenError> {
        let config = OrderedConfig {
            description: Some("lists the shards of an ATOMiK cluster".to_owned()),
            filter_subject: self.subjects.shards(),
            deliver_policy: DeliverPolicy::LastPerSubject,
            headers_only: true,
            max_batch: BATCH,
            ..OrderedConfig::default()
        };
        let consumer = self.stream.create_consumer(config).await.map_err(unavailable)?;
        let count = consumer.cached_info().num_pending;
        let messages = consumer.messages().await.map_err(unavailable)?;
        Ok((messages, count))
    }

    /// What a listed message says. `None` if it is not one of this protocol.
    pub(super) fn listed(&self, message: &Message) -> Option<StreamEvent> {
        let sequence = message.info().ok()?.stream_sequence;
        let key = self.subjects.key(&message.subject)?;
        let version = message.headers.as_ref()?.get(VERSION)?.as_str().parse().ok()?;
        Some(StreamEvent::Listed { key, version, sequence })
    }

    /// Does what is to be done, and says what came of it.
    pub(super) async fn run(&self, command: Command) -> Option<StreamEvent> {
        Some(match command {
            Command::Put { key, version, packet, after } => match self.put(key, version, packet, after).await
            {
                Ok(sequence) => StreamEvent::Put { key, version, sequence },
                Err(is_late) => StreamEvent::PutFailed { key, is_late },
            },
            Command::Get { key } => match self.get(key).await {
                Ok(packet) => StreamEvent::Got { key, packet },
                Err(()) => StreamEvent::GetFailed { key },
            },
            Command::Remove { key } => {
                let subject = self.subjects.shard(key);
                if let Err(error) = self.stream.purge().filter(&subject).await {
                    tracing::warn!(subject, %error, "a shard could not be removed from the stream");
                }
                StreamEvent::Removed { key }
            }
            Command::Count => self.count().await,
            Command::Reopen => return None,
        })
    }

    /// Puts a version of a shard. Returns the sequence number of its message; or whether another node has put one
    /// meanwhile, if it was not put.
    async fn put(&self, key: ShardKey, version: u64, packet: Bytes, after: Option<u64>) -> Result<u64, bool> {
        let mut message = PublishMessage::build()
            .payload(packet)
            .header(VERSION, version.to_string().as_str())
            .expected_stream(self.subjects.stream());
        if let Some(after) = after {
            message = message.expected_last_subject_sequence(after);
        }
        let subject = self.subjects.shard(key);
        let put = async { self.context.send_publish(subject.clone(), message).await?.await };
        put.await.map(|ack| ack.sequence).map_err(|error| {
            let is_late = error.kind() == PublishErrorKind::WrongLastSequence;
            if !is_late {
                tracing::warn!(subject, %error, "a shard could not be put into the stream");
            }
            is_late
        })
    }

    /// Fetches a shard, from any server that has the stream.
    async fn get(&self, key: ShardKey) -> Result<Option<Bytes>, ()> {
        let subject = self.subjects.shard(key);
        match self.stream.direct_get_last_for_subject(&subject).await {
            Ok(message) => Ok(Some(message.payload)),
            Err(error) if error.kind() == DirectGetErrorKind::NotFound => Ok(None),
            Err(error) => {
                tracing::warn!(subject, %error, "a shard could not be fetched from the stream");
                Err(())
            }
        }
    }

    /// Counts the shards.
    async fn count(&self) -> StreamEvent {
        match self.stream.get_info().await {
            Ok(info) if info.created == self.stream.cached_info().created => {
                StreamEvent::Counted { found: info.state.messages }
            }
            Ok(_) => StreamEvent::CountFailed { is_gone: true },
            Err(error) => {
                tracing::warn!(%error, "the stream does not answer");
                let reason =
                    error.source().and_then(|source| source.downcast_ref::<async_nats::jetstream::Error>());
                let is_gone = reason.is_some_and(|reason| reason.error_code() == ErrorCode::STREAM_NOT_FOUND);
                StreamEvent::CountFailed { is_gone }
            }
        }
    }
}
