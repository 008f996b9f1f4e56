//! State as records applied in order: the traits, and the checks every fold passes.
