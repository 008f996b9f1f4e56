//! ksqlDB's SQL: lexer, parser, types, functions, planner. Pure.
