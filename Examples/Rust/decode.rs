//! Decodes over keys and values in this program's own memory: each token's are written into the next rows, and its query sees all so far.
mod attention;

use attention::*;
use std::ptr::null;

const HEADS: usize = 4;
const KEY_HEADS: usize = 2;
const DEPTH: usize = 64;
const ROOM: usize = 32;

/// Stands for a model's projections.
fn number(what: usize, head: usize, token: usize, column: usize) -> f32 {
    ((what * 7 + head * 5 + token * 3) as f32 + 0.1 * column as f32).sin()
}

fn main() -> Result<(), String> {
    let mut queries = vec![0f32; HEADS * DEPTH];
    let mut keys = vec![0f32; KEY_HEADS * ROOM * DEPTH];
    let mut values = vec![0f32; KEY_HEADS * ROOM * DEPTH];
    let mut output = vec![0f32; HEADS * DEPTH];
    let options = Options { causal: 1, ..Options::default() };
    for token in 0..24 {
        for column in 0..DEPTH {
            for head in 0..HEADS {
                queries[head * DEPTH + column] = number(0, head, token, column);
            }
            for head in 0..KEY_HEADS {
                keys[(head * ROOM + token) * DEPTH + column] = number(1, head, token, column);
                values[(head * ROOM + token) * DEPTH + column] = number(2, head, token, column);
            }
        }
        // Of the room for keys, a length says how many rows are in use.
        let length = [token as i64 + 1];
        let q = Queries { tensor: Tensor::dense(&mut queries, &[1, HEADS, 1, DEPTH]), ..Queries::default() };
        let kv = KeyValues {
            keys: Tensor::dense(&mut keys, &[1, KEY_HEADS, ROOM, DEPTH]),
            values: Tensor::dense(&mut values, &[1, KEY_HEADS, ROOM, DEPTH]),
            lengths: length.as_ptr(),
            length_count: 1,
            ..KeyValues::default()
        };
        let y = Tensor::dense(&mut output, &[1, HEADS, 1, DEPTH]);
        // The descriptions point to vectors that live past the call, each of as many numbers as its shape says.
        check(unsafe { attention_run(&q, &kv, &options, &y, null()) })?;
        if token % 8 == 7 {
            println!("token {:2}: {:8.5} {:8.5} {:8.5}", token, output[0], output[DEPTH + 1], output[3 * DEPTH + 63]);
        }
    }
    Ok(())
}
