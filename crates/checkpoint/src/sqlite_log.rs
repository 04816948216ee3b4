//! Checkpoints in a file of SQLite.

use std::path::Path;

use rusqlite::{OptionalExtension, Row, TransactionBehavior, params};

use crate::database::{Database, FileKind, SqliteError};
use crate::log::{CheckpointHeader, CheckpointKind, CheckpointLog, CheckpointPiece};

const FILE: FileKind = FileKind {
    name: "a store of checkpoints",
    // "atmC" in ASCII.
    application_id: 0x6174_6D43,
    version: 1,
    schema: "
        CREATE TABLE checkpoint (
            sequence INTEGER PRIMARY KEY,
            epoch INTEGER NOT NULL,
            kind TEXT NOT NULL CHECK (kind IN ('full', 'sparse')),
            algebra INTEGER NOT NULL,
            len INTEGER NOT NULL,
            pieces INTEGER NOT NULL,
            caller BLOB NOT NULL,
            saved_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f', 'now')),
            checksum INTEGER NOT NULL
        ) STRICT;
        CREATE TABLE piece (
            sequence INTEGER NOT NULL,
            piece INTEGER NOT NULL,
            words BLOB NOT NULL,
            checksum INTEGER NOT NULL,
            PRIMARY KEY (sequence, piece)
        ) STRICT;
    ",
};

const HEADER: &str = "SELECT sequence, epoch, kind, algebra, len, pieces, caller, checksum FROM checkpoint";

/// A log of checkpoints in a file of SQLite, in WAL mode and with `synchronous = FULL`: when an append returns, the
/// checkpoint is on the disk.
///
/// The file opens with every tool for SQLite. The table `checkpoint` has a row for each checkpoint, and `piece` has its
/// words, big-endian. While the file is open, `FILE-wal` and `FILE-shm` belong to it: copy the three together, or use
/// `VACUUM INTO`.
///
/// **Memory and disk.** SQLite's cache, of 2 MiB at most, and one piece of a checkpoint at a time. A recovery reads all
/// headers, which have the callers' bytes. [`CheckpointStore`] says what a checkpoint takes of the disk.
///
/// [`CheckpointStore`]: crate::CheckpointStore
#[derive(Debug)]
pub struct SqliteLog {
    database: Database,
}

impl SqliteLog {
    /// Opens a file, and creates it if there is none. It is created completely or not at all.
    ///
    /// # Errors
    ///
    /// [`SqliteError`] if the file can't be used. An empty file is an error too, since it has lost its contents.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, SqliteError> {
        Ok(Self { database: Database::open(path.as_ref(), FILE)? })
    }
}

impl CheckpointLog for SqliteLog {
    type Error = SqliteError;

    fn last(&mut self) -> Result<Option<CheckpointHeader>, SqliteError> {
        let query = format!("{HEADER} ORDER BY sequence DESC LIMIT 1");
        self.database.run(|connection| connection.query_row(&query, [], read_header).optional())
    }

    fn headers(&mut self) -> Result<Vec<CheckpointHeader>, SqliteError> {
        let query = format!("{HEADER} ORDER BY sequence");
        self.database.run(|connection| connection.prepare(&query)?.query_map([], read_header)?.collect())
    }

    fn pieces(
        &mut self,
        sequence: u64,
        each: &mut dyn FnMut(&CheckpointPiece) -> bool,
    ) -> Result<(), SqliteError> {
        self.database.run(|connection| {
            let query = "SELECT piece, words, checksum FROM piece WHERE sequence = ? ORDER BY piece";
            let mut statement = connection.prepare_cached(query)?;
            let mut rows = statement.query([sequence])?;
            while let Some(row) = rows.next()? {
                let piece = CheckpointPiece { index: row.get(0)?, words: row.get(1)?, checksum: row.get(2)? };
                if !each(&piece) {
                    break;
                }
            }
            Ok(())
        })
    }

    fn append(
        &mut self,
        header: &CheckpointHeader,
        pieces: &mut dyn Iterator<Item = CheckpointPiece>,
    ) -> Result<bool, SqliteError> {
        self.database.run_mut(|connection| {
            // Takes the write lock at once, so that nobody writes between the question and the answer to it.
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let last: u64 =
                transaction
                    .query_row("SELECT ifnull(max(sequence), 0) FROM checkpoint", [], |row| row.get(0))?;
            if last.checked_add(1) != Some(header.sequence) {
                return Ok(false);
            }
            insert(&transaction, header, pieces)?;
            if header.kind == CheckpointKind::Full {
                transaction.execute("DELETE FROM piece WHERE sequence < ?", [header.sequence])?;
                transaction.execute("DELETE FROM checkpoint WHERE sequence < ?", [header.sequence])?;
            }
            transaction.commit()?;
            Ok(true)
        })
    }

    fn truncate(&mut self, sequence: u64) -> Result<(), SqliteError> {
        self.database.run_mut(|connection| {
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            transaction.execute("DELETE FROM piece WHERE sequence >= ?", [sequence])?;
            transaction.execute("DELETE FROM checkpoint WHERE sequence >= ?", [sequence])?;
            transaction.commit()
        })
    }

    fn check(&mut self) -> Result<(), SqliteError> {
        self.database.check()
    }
}

fn insert(
    transaction: &rusqlite::Transaction<'_>,
    header: &CheckpointHeader,
    pieces: &mut dyn Iterator<Item = CheckpointPiece>,
) -> rusqlite::Result<()> {
    let kind = match header.kind {
        CheckpointKind::Full => "full",
        CheckpointKind::Sparse => "sparse",
    };
    transaction.execute(
        "INSERT INTO checkpoint (sequence, epoch, kind, algebra, len, pieces, caller, checksum)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        params![
            header.sequence,
            header.epoch.cast_signed(),
            kind,
            header.algebra,
            header.len,
            header.pieces,
            header.caller,
            header.checksum
        ],
    )?;
    let mut statement = transaction
        .prepare_cached("INSERT INTO piece (sequence, piece, words, checksum) VALUES (?, ?, ?, ?)")?;
    for piece in pieces {
        statement.execute(params![header.sequence, piece.index, piece.words, piece.checksum])?;
    }
    Ok(())
}

fn read_header(row: &Row<'_>) -> rusqlite::Result<CheckpointHeader> {
    let kind: String = row.get(2)?;
    // A damaged number is found by the checksum.
    let number = |column| row.get(column).map(i64::cast_unsigned);
    Ok(CheckpointHeader {
        sequence: number(0)?,
        epoch: number(1)?,
        kind: if kind == "full" { CheckpointKind::Full } else { CheckpointKind::Sparse },
        algebra: u8::try_from(number(3)?).unwrap_or(u8::MAX),
        len: number(4)?,
        pieces: number(5)?,
        caller: row.get(6)?,
        checksum: u32::try_from(number(7)?).unwrap_or(u32::MAX),
    })
}
