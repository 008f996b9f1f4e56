mod swap;
pub(crate) use swap::finish_swaps;
