//! The napi addon (being written).
