//! Fingerprints of data that come in pieces.

use super::keys::Keys;
use super::value::{BLOCK_BYTES, ROW, reduce, scaled_block, scaled_len};
use crate::kernel::clmul_sum;

/// The rows of a block.
const BLOCK_ROWS: u64 = (BLOCK_BYTES / ROW) as u64;

/// The state between two pieces of data. Only an incomplete row is kept, so the state has a fixed size.
#[derive(Clone, Copy)]
pub(super) struct Stream {
    /// The sum of what the blocks before the open one contribute.
    sum: u128,
    /// The sum of the products in the open block.
    block_sum: u128,
    /// The number of rows whose products were added.
    rows: u64,
    /// The bytes after those rows.
    rest: [u8; ROW],
    rest_len: usize,
}

impl Stream {
    pub(super) const fn new() -> Self {
        Self { sum: 0, block_sum: 0, rows: 0, rest: [0; ROW], rest_len: 0 }
    }

    /// The number of bytes written.
    pub(super) fn len(&self) -> u64 {
        ROW as u64 * self.rows + self.rest_len as u64
    }

    pub(super) fn write(&mut self, mut data: &[u8], keys: &Keys) {
        if self.rest_len > 0 {
            let (piece, later) = data.split_at(data.len().min(ROW - self.rest_len));
            self.rest[self.rest_len..][..piece.len()].copy_from_slice(piece);
            self.rest_len += piece.len();
            data = later;
            if self.rest_len < ROW {
                return;
            }
            let row = self.rest;
            self.add_rows(&row, keys);
        }
        let (rows, rest) = data.split_at(data.len() - data.len() % ROW);
        self.add_rows(rows, keys);
        self.rest[..rest.len()].copy_from_slice(rest);
        self.rest_len = rest.len();
    }

    /// Adds the products of whole rows.
    fn add_rows(&mut self, mut rows: &[u8], keys: &Keys) {
        while !rows.is_empty() {
            let row = (self.rows % BLOCK_ROWS) as usize;
            let (piece, later) = rows.split_at(rows.len().min(BLOCK_BYTES - ROW * row));
            self.block_sum ^= clmul_sum(piece, &keys.words()[row..]);
            self.rows += (piece.len() / ROW) as u64;
            if self.rows.is_multiple_of(BLOCK_ROWS) {
                let block_sum = core::mem::take(&mut self.block_sum);
                self.sum ^= scaled_block(self.rows / BLOCK_ROWS - 1, block_sum, keys);
            }
            rows = later;
        }
    }

    /// The value of all bytes written.
    pub(super) fn value(&self, keys: &Keys) -> u64 {
        let row = (self.rows % BLOCK_ROWS) as usize;
        let block_sum = self.block_sum ^ clmul_sum(&self.rest[..self.rest_len], &keys.words()[row..]);
        // If the open block is still empty, its sum is 0, and so is what it contributes.
        let last = scaled_block(self.rows / BLOCK_ROWS, block_sum, keys);
        reduce(self.sum ^ last ^ scaled_len(self.len(), keys))
    }
}
