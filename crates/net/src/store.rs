//! The thread that writes a store.

use std::io;
use std::thread::{self, JoinHandle};

use atomik_checkpoint::ReplicaStore;
use atomik_replica::Transaction;
use tokio::sync::mpsc;

use crate::input::Input;

/// Where transactions are written. Its thread ends when this is dropped.
pub(crate) struct StoreWriter {
    transactions: std::sync::mpsc::Sender<Transaction>,
    thread: JoinHandle<()>,
}

impl StoreWriter {
    /// Starts the thread. It tells the node which transactions it has stored, and which not.
    pub(crate) fn start(mut store: ReplicaStore, inputs: mpsc::Sender<Input>) -> io::Result<Self> {
        let (transactions, to_write) = std::sync::mpsc::channel::<Transaction>();
        let thread = thread::Builder::new().name("atomik-store".to_owned()).spawn(move || {
            while let Ok(transaction) = to_write.recv() {
                let number = transaction.number;
                let input = match store.write(&transaction) {
                    Ok(()) => Input::Stored(number),
                    Err(error) => {
                        tracing::error!(%error, "the store did not take a transaction");
                        Input::StoreFailed(number)
                    }
                };
                if inputs.blocking_send(input).is_err() {
                    return;
                }
            }
        })?;
        Ok(Self { transactions, thread })
    }

    /// Begins to write a transaction.
    pub(crate) fn write(&self, transaction: Transaction) {
        // If the thread has ended, so has the node.
        let _ = self.transactions.send(transaction);
    }

    /// Waits until the thread has closed the file.
    pub(crate) async fn close(self) {
        let Self { transactions, thread } = self;
        drop(transactions);
        // The thread does not panic, and there is nothing to do if it did.
        let _ = tokio::task::spawn_blocking(move || thread.join()).await;
    }
}
