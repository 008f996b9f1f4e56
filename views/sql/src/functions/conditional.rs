use super::call::Row;

pub(super) const FUNCTIONS: &[Row] = &[];
