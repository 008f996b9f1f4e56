//! Java's text forms of values and conversions between types.

mod number_text;

pub use number_text::double_text;
