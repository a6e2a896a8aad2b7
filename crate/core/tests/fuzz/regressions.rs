//! Inputs that found a defect, which stay mended: target, input, what went wrong.

pub const INPUTS: &[(&str, &str, &str)] = &[
    (
        "open_folder",
        "00001214001907216b213500009e37",
        "a file named 4294967295.seg overflowed the number of a successor",
    ),
    (
        "segment_header",
        "010000000000c00000000000000000c00000000000000000468c8500147d0200",
        "an encoding without a name was read",
    ),
    ("open_folder", "8600240000d63cabf500010000000000", "verify passed over a footer whose frames end inside page 0"),
    (
        "open_folder",
        "2d00bb0000ac000dbcbe00d005000d0000000000",
        "verify missed a first group that the sealed segment before attests",
    ),
    (
        "open_folder",
        "440084c6820b1db72c04609a0e00004b00000000",
        "verify missed that the first segment was cut inside page 0",
    ),
];
