//! Group and offset coordination as decide/apply over logs. No I/O.
