//! A file of SQLite that is created completely or not at all.

use std::error::Error;
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::ffi::SQLITE_IOERR_SHORT_READ;
use rusqlite::{Connection, ErrorCode, OpenFlags};

/// How long a call waits for another process that writes to the file.
const BUSY: Duration = Duration::from_secs(5);

/// What a file of this crate is for. It is the file's `application_id`, so that a file of another kind is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FileKind {
    pub(crate) name: &'static str,
    pub(crate) application_id: i32,
    /// The format version: the file's `user_version`.
    pub(crate) version: i32,
    pub(crate) schema: &'static str,
}

/// A connection to a file, and its name for errors.
#[derive(Debug)]
pub(crate) struct Database {
    pub(crate) connection: Connection,
    path: PathBuf,
}

impl Database {
    /// Opens a file, and creates it if there is none.
    pub(crate) fn open(path: &Path, kind: FileKind) -> Result<Self, SqliteError> {
        let failed = |error: io::Error| SqliteError::new(path, SqliteErrorKind::Io(error));
        match fs::metadata(path) {
            Ok(metadata) if metadata.len() == 0 => {
                return Err(SqliteError::new(path, SqliteErrorKind::Empty));
            }
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                refuse_orphaned_log(path)?;
                create(path, kind)?;
            }
            Err(error) => return Err(failed(error)),
        }
        let connection = connect(path).map_err(|error| SqliteError::from_sqlite(path, error))?;
        let database = Self { connection, path: path.to_owned() };
        let number =
            |name| database.run(|connection| connection.pragma_query_value(None, name, |row| row.get(0)));
        if number("application_id")? != kind.application_id {
            return Err(SqliteError::new(path, SqliteErrorKind::Foreign { expected: kind.name }));
        }
        let found = number("user_version")?;
        if found != kind.version {
            return Err(SqliteError::new(path, SqliteErrorKind::Version { found, expected: kind.version }));
        }
        // Only now, since the mode of the log is written to the file, which could have been another program's.
        database.run(prepare)?;
        Ok(database)
    }

    /// Calls a function with the connection, and names the file in its error.
    pub(crate) fn run<T>(
        &self,
        f: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, SqliteError> {
        f(&self.connection).map_err(|error| SqliteError::from_sqlite(&self.path, error))
    }

    /// As [`run`](Self::run), for what changes the file.
    pub(crate) fn run_mut<T>(
        &mut self,
        f: impl FnOnce(&mut Connection) -> rusqlite::Result<T>,
    ) -> Result<T, SqliteError> {
        f(&mut self.connection).map_err(|error| SqliteError::from_sqlite(&self.path, error))
    }

    /// SQLite's own check of the whole file.
    pub(crate) fn check(&self) -> Result<(), SqliteError> {
        let found: String =
            self.run(|connection| connection.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0)))?;
        if found == "ok" {
            return Ok(());
        }
        Err(SqliteError::new(&self.path, SqliteErrorKind::Damaged { what: found }))
    }
}

/// SQLite would take a write-ahead log that another file left for the new file's own.
fn refuse_orphaned_log(path: &Path) -> Result<(), SqliteError> {
    let log = beside(path, "-wal");
    if log.exists() { Err(SqliteError::new(path, SqliteErrorKind::OrphanedLog { log })) } else { Ok(()) }
}

/// The name of a file that belongs to a database.
fn beside(path: &Path, end: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(end);
    PathBuf::from(name)
}

/// Creates the file under another name and links it to its own. A process that is killed meanwhile leaves no half of a
/// file, and of two processes that create one at once both open the same.
fn create(path: &Path, kind: FileKind) -> Result<(), SqliteError> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{:016x}.new", fresh_number()));
    let made = path.with_file_name(name);
    let failed = |error| SqliteError::from_sqlite(path, error);
    let filled = (|| {
        let connection = connect_with(&made, OpenFlags::SQLITE_OPEN_CREATE)?;
        // Without a log at first: what is in a log gets into the file when it is closed, and SQLite does not say if that
        // fails.
        connection.execute_batch("PRAGMA journal_mode = DELETE; PRAGMA synchronous = FULL;")?;
        connection.execute_batch(kind.schema)?;
        connection.pragma_update(None, "user_version", kind.version)?;
        connection.pragma_update(None, "application_id", kind.application_id)?;
        connection.execute_batch("PRAGMA journal_mode = WAL;")?;
        connection.close().map_err(|(_, error)| error)
    })();
    let linked = filled.map_err(failed).and_then(|()| match fs::hard_link(&made, path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            Err(SqliteError::new(path, SqliteErrorKind::Io(error)))
        }
        _ => Ok(()),
    });
    // What can't be removed does no harm. The log and its index are still there if closing the file failed.
    for file in [made.clone(), beside(&made, "-journal"), beside(&made, "-wal"), beside(&made, "-shm")] {
        let _ = fs::remove_file(file);
    }
    linked
}

/// A number that two processes or calls hardly draw both.
fn fresh_number() -> u64 {
    use std::hash::{BuildHasher, RandomState};
    RandomState::new().hash_one(std::process::id())
}

fn connect(path: &Path) -> rusqlite::Result<Connection> {
    connect_with(path, OpenFlags::empty())
}

fn connect_with(path: &Path, more: OpenFlags) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX | more;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY)?;
    Ok(connection)
}

fn prepare(connection: &Connection) -> rusqlite::Result<()> {
    // FULL: a commit has reached the disk when it returns, in WAL mode too.
    connection.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA trusted_schema = OFF; \
         PRAGMA cell_size_check = ON;",
    )
}

/// Why a file of SQLite could not be used. It names the file and says what to do.
#[derive(Debug)]
pub struct SqliteError {
    path: PathBuf,
    kind: SqliteErrorKind,
}

/// What is wrong with a file.
#[derive(Debug)]
#[non_exhaustive]
pub enum SqliteErrorKind {
    /// The file is empty. A store never is, so something has truncated it.
    Empty,
    /// The file is damaged.
    Damaged {
        /// What SQLite found.
        what: String,
    },
    /// The file is a database of another program, or of another store of this crate.
    Foreign {
        /// What it should be.
        expected: &'static str,
    },
    /// The file was written by another version of this crate.
    Version {
        /// The format version of the file.
        found: i32,
        /// The format version that this crate reads and writes.
        expected: i32,
    },
    /// There is no such file, but there is its write-ahead log.
    OrphanedLog {
        /// The log.
        log: PathBuf,
    },
    /// The disk is full. Nothing was written.
    DiskFull,
    /// Another process has held the file for several seconds.
    Busy,
    /// The file could not be read or written.
    Io(io::Error),
    /// Another error of SQLite.
    Sqlite(Box<dyn Error + Send + Sync>),
}

impl SqliteError {
    fn new(path: &Path, kind: SqliteErrorKind) -> Self {
        Self { path: path.to_owned(), kind }
    }

    fn from_sqlite(path: &Path, error: rusqlite::Error) -> Self {
        // The file is shorter than it says.
        let is_cut = error.sqlite_error().is_some_and(|error| error.extended_code == SQLITE_IOERR_SHORT_READ);
        let kind = match error.sqlite_error_code() {
            _ if is_cut => SqliteErrorKind::Damaged { what: error.to_string() },
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
                SqliteErrorKind::Damaged { what: error.to_string() }
            }
            Some(ErrorCode::DiskFull) => SqliteErrorKind::DiskFull,
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => SqliteErrorKind::Busy,
            // A value that this crate never writes.
            None if matches!(
                error,
                rusqlite::Error::FromSqlConversionFailure(..)
                    | rusqlite::Error::IntegralValueOutOfRange(..)
                    | rusqlite::Error::InvalidColumnType(..)
            ) =>
            {
                SqliteErrorKind::Damaged { what: error.to_string() }
            }
            _ => SqliteErrorKind::Sqlite(Box::new(error)),
        };
        Self::new(path, kind)
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What is wrong with it.
    #[must_use]
    pub fn kind(&self) -> &SqliteErrorKind {
        &self.kind
    }
}

impl fmt::Display for SqliteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = &self.path;
        match &self.kind {
            SqliteErrorKind::Empty => write!(
                f,
                "{path:?} is an empty file, which a store never is. Restore a copy of it, or delete it to start anew"
            ),
            SqliteErrorKind::Damaged { what } => write!(
                f,
                "{path:?} is damaged: {what}. Restore a copy of it, or save what `sqlite3 FILE .recover` still finds"
            ),
            SqliteErrorKind::Foreign { expected } => write!(
                f,
                "{path:?} is a database, but not {expected}. Give another path; nothing was changed"
            ),
            SqliteErrorKind::Version { found, expected } => {
                write!(
                    f,
                    "{path:?} has format version {found}, and this program reads version {expected}. Use the \
                     program that wrote it, or another path"
                )
            }
            SqliteErrorKind::OrphanedLog { log } => write!(
                f,
                "{path:?} is missing, but its log {log:?} exists. Restore the file, or delete the log to start anew"
            ),
            SqliteErrorKind::DiskFull => {
                write!(f, "{path:?}: the disk is full, and nothing was written. Make room, and save again")
            }
            SqliteErrorKind::Busy => write!(
                f,
                "{path:?} was held by another process for {} s. Only one may write; end the other, or try again",
                BUSY.as_secs()
            ),
            SqliteErrorKind::Io(_) | SqliteErrorKind::Sqlite(_) => write!(f, "{path:?} can't be used"),
        }
    }
}

impl Error for SqliteError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &self.kind {
            SqliteErrorKind::Io(error) => Some(error),
            SqliteErrorKind::Sqlite(error) => Some(&**error),
            _ => None,
        }
    }
}
