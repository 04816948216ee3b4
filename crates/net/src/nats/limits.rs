//! What a server, an account and a stream of NATS must allow.

use async_nats::ServerInfo;
use async_nats::jetstream::stream::{Config, RetentionPolicy, StorageType};

use serde::Deserialize;

use super::error::NatsError;
use super::settings::Nats;
use super::subjects::Subjects;

/// The longest header of a message in the stream, in bytes: the version, and what is expected of the stream.
const HEADER: usize = 512;

/// An account, as far as it matters here. Servers before 2.10 have fewer fields than `async-nats` expects.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct Account {
    limits: Limits,
}

/// The limits of an account in bytes. There is none where it is below 0, and none for one stream where it is 0.
#[derive(Clone, Debug, Deserialize)]
#[serde(default)]
struct Limits {
    max_memory: i64,
    max_storage: i64,
    memory_max_stream_bytes: i64,
    storage_max_stream_bytes: i64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { max_memory: -1, max_storage: -1, memory_max_stream_bytes: -1, storage_max_stream_bytes: -1 }
    }
}

/// What is needed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Needs {
    /// The longest message, in bytes.
    pub(super) message: usize,
    /// The number of shards in the table.
    pub(super) shards: usize,
}

impl Needs {
    /// What is needed for packets of this length.
    pub(super) fn new(max_packet: usize, shards: usize) -> Self {
        Self { message: max_packet.saturating_add(HEADER), shards }
    }

    /// Checks a server.
    pub(super) fn check_server(&self, server: &ServerInfo) -> Result<(), NatsError> {
        if server.max_payload < self.message {
            return Err(NatsError::MaxPayload { found: server.max_payload, needed: self.message });
        }
        if !server.headers {
            return Err(NatsError::NoJetStream("it takes no headers".to_owned()));
        }
        Ok(())
    }

    /// Checks an account, of which a stream may take as much as is left.
    pub(super) fn check_account(&self, account: &Account, nats: &Nats) -> Result<(), NatsError> {
        let limits = &account.limits;
        let (name, all, name_of_one, one) = if nats.in_memory {
            ("max_memory", limits.max_memory, "memory_max_stream_bytes", limits.memory_max_stream_bytes)
        } else {
            ("max_storage", limits.max_storage, "storage_max_stream_bytes", limits.storage_max_stream_bytes)
        };
        let all = Some(all).filter(|&all| all >= 0);
        let one = Some(one).filter(|&one| one > 0);
        for (limit, found) in [(name, all), (name_of_one, one)] {
            let found = found.map(i64::unsigned_abs);
            if let Some(found) = found.filter(|&found| found < self.message as u64) {
                return Err(NatsError::Account { limit, found, needed: self.message as u64 });
            }
            let plane = self.message.saturating_mul(self.shards) as u64;
            if let Some(found) = found.filter(|&found| found < plane) {
                tracing::warn!(limit, found, plane, "the account may not keep a full table of this node");
            }
        }
        Ok(())
    }

    /// Checks a stream that exists, which someone else may have made.
    pub(super) fn check_stream(&self, found: &Config, subjects: &Subjects) -> Result<(), NatsError> {
        let differs = |setting, found: &dyn ToString, needed: &str| {
            let (name, found) = (subjects.stream().to_owned(), found.to_string());
            Err(NatsError::Stream { name, setting, found, needed: needed.to_owned() })
        };
        if found.max_messages_per_subject != 1 {
            return differs("max_msgs_per_subject", &found.max_messages_per_subject, "1");
        }
        if !found.allow_direct {
            return differs("allow_direct", &found.allow_direct, "true");
        }
        if found.retention != RetentionPolicy::Limits {
            return differs("retention", &format!("{:?}", found.retention), "Limits");
        }
        if !found.max_age.is_zero() {
            return differs("max_age", &format!("{:?}", found.max_age), "0");
        }
        if found.no_ack {
            return differs("no_ack", &found.no_ack, "false");
        }
        let Config { sealed: is_sealed, .. } = found;
        if *is_sealed {
            return differs("sealed", is_sealed, "false");
        }
        if !found.subjects.contains(&subjects.shards()) {
            return differs("subjects", &found.subjects.join(", "), &subjects.shards());
        }
        let numbers = [
            ("max_msgs", found.max_messages, self.shards),
            ("max_bytes", found.max_bytes, self.message),
            ("max_msg_size", i64::from(found.max_message_size), self.message),
        ];
        for (setting, found, needed) in numbers {
            // Without a limit, it is 0 or less.
            if found > 0 && (found as u64) < needed as u64 {
                return differs(setting, &found, &format!("{needed} or more"));
            }
        }
        Ok(())
    }
}

/// The stream that is made if there is none.
pub(super) fn stream_config(nats: &Nats, subjects: &Subjects) -> Config {
    Config {
        name: subjects.stream().to_owned(),
        description: Some("the newest version of each shard of an ATOMiK cluster".to_owned()),
        subjects: vec![subjects.shards()],
        max_messages_per_subject: 1,
        retention: RetentionPolicy::Limits,
        storage: if nats.in_memory { StorageType::Memory } else { StorageType::File },
        num_replicas: nats.replicas,
        allow_direct: true,
        max_messages: -1,
        max_bytes: -1,
        max_consumers: -1,
        ..Config::default()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use atomik_core::Add;
    use atomik_replica::{ClusterConfig, ReplicaId};

    use super::*;
    use crate::handshake::Handshake;

    const NEEDS: Needs = Needs { message: 1_000, shards: 20 };

    fn subjects() -> Subjects {
        let id = ReplicaId { node: 1, incarnation: 3 };
        Subjects::new(&Handshake::new::<Add>(&ClusterConfig::new("page views", 100), id))
    }

    #[test]
    fn a_stream_that_would_lose_shards_is_refused_by_the_name_of_its_setting() {
        let good = stream_config(&Nats::new(""), &subjects());
        NEEDS.check_stream(&good, &subjects()).unwrap();
        type Plant = fn(&mut Config);
        let plants: [(&str, Plant); 10] = [
            ("max_msgs_per_subject", |config| config.max_messages_per_subject = 2),
            ("max_msgs_per_subject", |config| config.max_messages_per_subject = -1),
            ("allow_direct", |config| config.allow_direct = false),
            ("retention", |config| config.retention = RetentionPolicy::Interest),
            ("max_age", |config| config.max_age = Duration::from_secs(3_600)),
            ("no_ack", |config| config.no_ack = true),
            ("sealed", |config| *config = Config { sealed: true, ..config.clone() }),
            ("subjects", |config| config.subjects = vec!["other".to_owned()]),
            ("max_msgs", |config| config.max_messages = 19),
            ("max_msg_size", |config| config.max_message_size = 999),
        ];
        for (setting, plant) in plants {
            let mut config = good.clone();
            plant(&mut config);
            let refused = NEEDS.check_stream(&config, &subjects()).unwrap_err().to_string();
            assert!(refused.starts_with(setting) && refused.contains(subjects().stream()), "{refused}");
        }
    }

    #[test]
    fn a_server_and_an_account_must_take_the_longest_message() {
        let server = |max_payload| ServerInfo { max_payload, headers: true, ..ServerInfo::default() };
        NEEDS.check_server(&server(1_000)).unwrap();
        let refused = NEEDS.check_server(&server(999)).unwrap_err().to_string();
        assert!(refused.contains("999") && refused.contains("1000"), "{refused}");
        let account = |max_storage, max_memory| Account {
            limits: Limits { max_storage, max_memory, ..Limits::default() },
        };
        let (files, memory) = (Nats::new(""), Nats::new("").in_memory());
        NEEDS.check_account(&account(1_000, 0), &files).unwrap();
        NEEDS.check_account(&account(-1, -1), &memory).unwrap();
        for (nats, account, name) in
            [(&files, account(999, -1), "max_storage"), (&memory, account(-1, 0), "max_memory")]
        {
            let refused = NEEDS.check_account(&account, nats).unwrap_err().to_string();
            assert!(refused.starts_with(name), "{refused}");
        }
    }
}
