//! The shards of a replica in a file of SQLite.

use std::path::Path;

use atomik_replica::{ReplicaId, Transaction};
use rusqlite::{OptionalExtension, Row, TransactionBehavior, params};

use crate::database::{Database, FileKind, SqliteError};

const FILE: FileKind = FileKind {
    name: "a store of a replica",
    // "atmR" in ASCII.
    application_id: 0x6174_6D52,
    version: 2,
    // Nodes and incarnations are unsigned words, which SQLite's integers can't hold: big-endian bytes.
    schema: "
        CREATE TABLE part (
            node BLOB NOT NULL CHECK (length(node) = 8),
            incarnation BLOB NOT NULL CHECK (length(incarnation) = 8),
            shard INTEGER NOT NULL,
            part INTEGER NOT NULL,
            bytes BLOB NOT NULL,
            PRIMARY KEY (node, incarnation, shard, part)
        ) STRICT;
        CREATE TABLE started (
            only INTEGER PRIMARY KEY CHECK (only = 0),
            node BLOB NOT NULL CHECK (length(node) = 8),
            incarnation BLOB NOT NULL CHECK (length(incarnation) = 8)
        ) STRICT;
    ",
};

/// The store of one [`Replica`](atomik_replica::Replica), in a file of SQLite. Each transaction of the replica is written
/// completely and durably, or not at all.
///
/// **Disk.** About 12 bytes for each word that each origin wrote, and 15 with shards of 64 words; 44 more for an address
/// that was loaded. While the file is open, its log of writes takes up to 4 MiB and the size of a transaction. A
/// transaction of one word writes its block, of 700 bytes, in a page of 4,096 bytes or two.
///
/// **Memory.** SQLite's cache, of 2 MiB at most, and the largest part that is written. [`parts`](Self::parts) returns
/// everything at once: 9 bytes for each word, or 11 with shards of 64 words, until the replica has taken them.
///
/// ```
/// use std::sync::Arc;
/// use atomik_checkpoint::ReplicaStore;
/// use atomik_core::{Add, TableFanIn};
/// use atomik_replica::{ClusterConfig, Replica, ReplicaId};
///
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("node-1.db");
/// let cluster = ClusterConfig::new("page views", 1_000);
/// let start = || -> Result<_, Box<dyn std::error::Error>> {
///     let mut store = ReplicaStore::open(&path)?;
///     let id = ReplicaId::draw(1); // a new one at each start
///     let local = Arc::new(TableFanIn::<Add>::new(1_000));
///     let replica = Replica::restore(&cluster, local, id, store.parts()?)?;
///     store.start(id)?;
///     Ok((store, replica))
/// };
///
/// let (mut store, mut replica) = start()?;
/// replica.put(7, 42)?;
/// while let Some(transaction) = replica.poll_store() {
///     store.write(&transaction)?;
///     replica.stored(transaction.number);
/// }
/// drop((store, replica));
///
/// let (_, replica) = start()?;
/// assert_eq!(replica.merged()[7], 42);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct ReplicaStore {
    database: Database,
}

impl ReplicaStore {
    /// Opens a store, and creates the file if there is none. It is created completely or not at all.
    ///
    /// # Errors
    ///
    /// [`SqliteError`] if the file can't be used. An empty file is an error too, since it has lost its contents.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, SqliteError> {
        Ok(Self { database: Database::open(path.as_ref(), FILE)? })
    }

    /// The bytes of all parts of shards, for [`Replica::restore`](atomik_replica::Replica::restore), which checks them.
    ///
    /// # Errors
    ///
    /// [`SqliteError`] if the file can't be read.
    pub fn parts(&self) -> Result<Vec<Vec<u8>>, SqliteError> {
        self.database.run(|connection| {
            let mut statement =
                connection.prepare("SELECT bytes FROM part ORDER BY node, incarnation, shard, part")?;
            statement.query_map([], |row| row.get(0))?.collect()
        })
    }

    /// The id of the last start, if there was one: what
    /// [`Replica::resume`](atomik_replica::Replica::resume) asks for, which has conditions of its own.
    ///
    /// # Errors
    ///
    /// [`SqliteError`] if the file can't be read.
    pub fn last_start(&self) -> Result<Option<ReplicaId>, SqliteError> {
        self.database.run(|connection| {
            connection.query_row("SELECT node, incarnation FROM started", [], read_id).optional()
        })
    }

    /// Stores the id of this start. Call it once after the replica was restored.
    ///
    /// # Errors
    ///
    /// [`SqliteError`] if the file can't be written.
    pub fn start(&mut self, id: ReplicaId) -> Result<(), SqliteError> {
        let ReplicaId { node, incarnation } = id;
        self.database.run(|connection| {
            connection.execute(
                "INSERT OR REPLACE INTO started (only, node, incarnation) VALUES (0, ?, ?)",
                params![node.to_be_bytes(), incarnation.to_be_bytes()],
            )
        })?;
        Ok(())
    }

    /// Writes what changed in the shards of a transaction, in place of what the file has of it. When this returns, it
    /// is on the disk: confirm it by [`Replica::stored`](atomik_replica::Replica::stored).
    ///
    /// # Errors
    ///
    /// [`SqliteError`] if the file can't be written; then nothing was. Tell the replica by
    /// [`Replica::store_failed`](atomik_replica::Replica::store_failed), and try again with its next transaction.
    pub fn write(&mut self, transaction: &Transaction) -> Result<(), SqliteError> {
        self.database.run_mut(|connection| {
            let writing = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let mut remove = writing
                .prepare_cached("DELETE FROM part WHERE node = ? AND incarnation = ? AND shard = ?")?;
            let mut covered = writing
                .prepare_cached("DELETE FROM part WHERE node = ? AND incarnation < ? AND shard = ?")?;
            let mut insert = writing.prepare_cached(
                "INSERT OR REPLACE INTO part (node, incarnation, shard, part, bytes) VALUES (?, ?, ?, ?, ?)",
            )?;
            for changed in &transaction.shards {
                let ReplicaId { node, incarnation } = changed.origin;
                let (node, incarnation) = (node.to_be_bytes(), incarnation.to_be_bytes());
                if changed.covers {
                    // Big-endian bytes are in the order of the numbers.
                    covered.execute(params![node, incarnation, changed.shard])?;
                }
                if changed.replaces {
                    remove.execute(params![node, incarnation, changed.shard])?;
                }
                for part in &changed.parts {
                    insert.execute(params![node, incarnation, changed.shard, part.part, part.bytes])?;
                }
            }
            drop((covered, remove, insert));
            writing.commit()
        })
    }

    /// SQLite's own check of the file. Damage of the shards' bytes is found by
    /// [`Replica::restore`](atomik_replica::Replica::restore).
    ///
    /// # Errors
    ///
    /// [`SqliteError`] at the first damage.
    pub fn check(&self) -> Result<(), SqliteError> {
        self.database.check()
    }
}

fn read_id(row: &Row<'_>) -> rusqlite::Result<ReplicaId> {
    Ok(ReplicaId { node: u64::from_be_bytes(row.get(0)?), incarnation: u64::from_be_bytes(row.get(1)?) })
}
