//! Tests of the format (being written).
