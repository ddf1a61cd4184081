//! What `attention.h` declares, as far as this example goes and a little further.
#![allow(dead_code)]
use std::{ffi::CStr, os::raw::{c_char, c_void}};
// All zeros is how each of these structs says "nothing".
macro_rules! zeros_by_default {
    ($($name:ident),*) => { $(impl Default for $name { fn default() -> Self { unsafe { std::mem::zeroed() } } })* };
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct Tensor { pub data: *mut c_void, pub element: i32, pub rank: i32, pub shape: [i64; 4], pub strides: [i64; 4] }

#[repr(C)]
pub struct Queries { pub tensor: Tensor, pub lengths: *const i64, pub length_count: i64 }

#[repr(C)]
pub struct KeyValues {
    pub source: i32, pub keys: Tensor, pub values: Tensor, pub key_scales: Tensor, pub value_scales: Tensor,
    pub lengths: *const i64, pub length_count: i64, pub page_table: Tensor, pub parts: *const KeyValues, pub part_count: i64,
    pub step: *const c_void, pub sequences: *const *const c_void, pub sequence_count: i64, pub layer: i64,
}

#[repr(C)]
pub struct Options {
    pub scale: *const f64, pub causal: i32, pub alignment: i32, pub offsets: *const i64, pub offset_count: i64,
    pub window_left: *const i64, pub window_right: *const i64, pub keeping_first: i64, pub masks: *const Tensor, pub mask_count: i64,
    pub alibi_slopes: *const f64, pub alibi_slope_count: i64, pub softcap: f64, pub sinks: *const f64, pub sink_count: i64,
    pub softmax_in_float64: i32, pub modifier: *const c_void, pub modifier_context: *mut c_void, pub threads: *mut c_void,
}

zeros_by_default!(Tensor, Queries, KeyValues, Options);

extern "C" {
    pub fn attention_version() -> *const c_char;
    pub fn attention_last_error() -> *const c_char;
    pub fn attention_thread_count(threads: *const c_void) -> i64;
    pub fn attention_threads_create(count: i64, threads: *mut *mut c_void) -> i32;
    pub fn attention_threads_destroy(threads: *mut c_void);
    pub fn attention_dense(data: *mut c_void, element: i32, rank: i32, shape: *const i64) -> Tensor;
    pub fn attention_run(q: *const Queries, kv: *const KeyValues, options: *const Options, output: *const Tensor, lse: *const Tensor) -> i32;
    pub fn attention_describe(q: *const Queries, kv: *const KeyValues, options: *const Options, text: *mut c_char, capacity: usize, length: *mut usize) -> i32;
    pub fn attention_merge(outputs: *const Tensor, lses: *const Tensor, count: i64, output: *const Tensor, lse: *const Tensor) -> i32;
    pub fn attention_quantize(numbers: *const Tensor, integers: *const Tensor, scales: *const Tensor) -> i32;
}

impl Tensor {
    /// Floats in row-major order, as many as the shape says.
    pub fn dense(numbers: &mut [f32], shape: &[usize]) -> Tensor {
        assert_eq!(numbers.len(), shape.iter().product::<usize>());
        let shape: Vec<i64> = shape.iter().map(|&length| length as i64).collect();
        unsafe { attention_dense(numbers.as_mut_ptr().cast(), 1, shape.len() as i32, shape.as_ptr()) }
    }
}

/// A code other than 0 as the library's own words.
pub fn check(status: i32) -> Result<(), String> {
    if status == 0 { return Ok(()); }
    Err(unsafe { CStr::from_ptr(attention_last_error()) }.to_string_lossy().into_owned())
}
