//! The store of a replica: restarts, failed writes and damage.
#![cfg(feature = "replica")]

use std::path::Path;
use std::sync::Arc;

use atomik_checkpoint::{ReplicaStore, SqliteErrorKind};
use atomik_core::{Add, TableFanIn};
use atomik_replica::{ClusterConfig, Replica, ReplicaError, ReplicaId};

const LEN: usize = 500;

fn cluster() -> ClusterConfig {
    ClusterConfig::new("store", LEN).with_shard_words(64)
}

fn restore(
    store: &ReplicaStore,
    id: ReplicaId,
) -> Result<(Replica<Add>, Arc<TableFanIn<Add>>), ReplicaError> {
    let local = Arc::new(TableFanIn::new(LEN));
    Replica::restore(&cluster(), Arc::clone(&local), id, store.parts().unwrap())
        .map(|replica| (replica, local))
}

fn id(incarnation: u64) -> ReplicaId {
    // Above what a signed integer holds.
    ReplicaId { node: u64::MAX, incarnation: u64::MAX / 2 + incarnation }
}

/// Writes all that a replica has for its store.
fn write(replica: &mut Replica<Add>, store: &mut ReplicaStore) {
    while let Some(transaction) = replica.poll_store() {
        store.write(&transaction).unwrap();
        assert!(replica.stored(transaction.number));
    }
}

/// What is confirmed survives restarts under new incarnations; what is not is gone.
#[test]
fn confirmed_transactions_survive_restarts() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("node.db");
    let mut expected = vec![0; LEN];
    for incarnation in 0..10u64 {
        let mut store = ReplicaStore::open(&path).unwrap();
        assert_eq!(store.last_start().unwrap(), incarnation.checked_sub(1).map(id));
        let (mut replica, local) = restore(&store, id(incarnation)).unwrap();
        assert_eq!(replica.merged(), expected);
        store.start(id(incarnation)).unwrap();
        let mut producer = local.producer();
        for round in 0..5 {
            let addr = (incarnation * 131 + round * 67) as usize % LEN;
            producer.accum(addr, round + 1);
            expected[addr] += round + 1;
            replica.tick();
            write(&mut replica, &mut store);
        }
        producer.accum(3, 1_000_000);
        replica.tick();
        store.check().unwrap();
    }
}

#[test]
fn a_replica_does_not_start_twice_under_one_id() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = ReplicaStore::open(folder.path().join("node.db")).unwrap();
    let (mut replica, _) = restore(&store, id(1)).unwrap();
    replica.put(7, 42).unwrap();
    write(&mut replica, &mut store);
    assert!(matches!(restore(&store, id(1)), Err(ReplicaError::IncarnationReused { .. })));
    assert_eq!(restore(&store, id(2)).unwrap().0.merged()[7], 42);
}

#[test]
fn a_damaged_shard_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("node.db");
    let mut store = ReplicaStore::open(&path).unwrap();
    let (mut replica, _) = restore(&store, id(1)).unwrap();
    replica.put(7, 42).unwrap();
    write(&mut replica, &mut store);
    let connection = rusqlite::Connection::open(&path).unwrap();
    let mut parts = connection.prepare("SELECT part, bytes FROM part").unwrap();
    let intact = parts.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    let intact: Vec<(u32, Vec<u8>)> = intact.map(Result::unwrap).collect();
    assert_eq!(intact.iter().map(|(part, _)| *part).collect::<Vec<_>>(), [0, 1]);
    for (part, intact) in intact {
        let set = |bytes: Vec<u8>| {
            connection.execute("UPDATE part SET bytes = ? WHERE part = ?", (bytes, part)).unwrap();
        };
        for at in 0..intact.len() {
            let mut bytes = intact.clone();
            bytes[at] ^= 0x10;
            set(bytes);
            let found = restore(&store, id(2)).map(|(replica, _)| replica.merged()[7]);
            assert!(matches!(found, Err(ReplicaError::StoredPart { .. })), "byte {at}: {found:?}");
        }
        set(intact);
    }
    assert_eq!(restore(&store, id(2)).unwrap().0.merged()[7], 42);
    // A part that is gone is noticed, too.
    connection.execute("DELETE FROM part WHERE part = 1", []).unwrap();
    let found = restore(&store, id(2)).map(|(replica, _)| replica.merged()[7]);
    assert!(matches!(found, Err(ReplicaError::StoredIncomplete { .. })), "{found:?}");
}

/// A transaction writes the blocks that changed, and a file of any history has what the replica has.
#[test]
fn one_changed_word_writes_less_than_a_kibibyte() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = ReplicaStore::open(folder.path().join("node.db")).unwrap();
    let cluster = ClusterConfig::new("store", 4_096);
    let start = |store: &ReplicaStore, incarnation| {
        let local = Arc::new(TableFanIn::new(4_096));
        let replica: Replica<Add> =
            Replica::restore(&cluster, Arc::clone(&local), id(incarnation), store.parts().unwrap()).unwrap();
        (replica, local)
    };
    let (mut replica, local) = start(&store, 1);
    let mut producer = local.producer();
    (0..4_096).for_each(|addr| producer.accum(addr, 1));
    replica.tick();
    write(&mut replica, &mut store);
    for addr in [0, 63, 64, 4_095, 64] {
        producer.accum(addr, 1);
        replica.tick();
        let transaction = replica.poll_store().unwrap();
        let written: usize =
            transaction.shards.iter().flat_map(|shard| &shard.parts).map(|part| part.bytes.len()).sum();
        assert!(written < 1_024, "{written} bytes");
        store.write(&transaction).unwrap();
        assert!(replica.stored(transaction.number));
    }
    assert_eq!(start(&store, 2).0.merged(), replica.merged());
}

#[test]
fn stores_of_another_kind_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("checkpoints.db");
    drop(atomik_checkpoint::CheckpointStore::open(&path).unwrap());
    let error = ReplicaStore::open(Path::new(&path)).unwrap_err();
    assert!(matches!(error.kind(), SqliteErrorKind::Foreign { .. }), "{error}");
}
