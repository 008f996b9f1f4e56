//! Operators, state and tasks that keep views equal to their log prefix.
