//! Views: memory, and how large statements, plans, values and rows may become. ksqlDB's own settings (`ksql.*`) are taken as they are.
use crate::config::key::{Key, Kind::*, Valid::*};

pub(super) const KEYS: &[Key] = &[
    Key::with("views.memory.bytes", Long, "536870912").valid(AtLeast(1 << 20))
        .doc("Memory for the state of all views together: half for rows, shared evenly by the tasks that run, half for RocksDB's caches and write buffers. State beyond it is on disk."),
    Key::with("views.sql.text.bytes.max", Int, "4194304").valid(AtLeast(1)).doc("The longest text of one request's statements."),
    Key::with("views.sql.statements.max", Int, "10000").valid(AtLeast(1)).doc("How many statements one request may have."),
    Key::with("views.sql.answer.bytes.max", Long, "67108864").valid(AtLeast(1)).doc("The longest answer to one request's statements."),
    Key::with("views.sql.depth.max", Int, "60").valid(Between(1, 60)).doc("How deep brackets, calls and types may nest. It can only be lowered: the parser's stack is finite."),
    Key::with("views.sql.height.max", Int, "160").valid(Between(1, 160)).doc("How high an expression's tree may be, chains of operators included. It can only be lowered."),
    Key::with("views.sql.columns.max", Int, "10000").valid(AtLeast(1)).doc("Columns that a source may declare and a result may have."),
    Key::with("views.sql.joins.max", Int, "64").valid(AtLeast(0)).doc("Sources that one query may join to its first."),
    Key::with("views.sql.type.parts.max", Int, "10000").valid(AtLeast(1)).doc("Parts of a type when every user type in it is written out."),
    Key::with("views.sql.type.depth.max", Int, "64").valid(Between(1, 64)).doc("How deep a type may nest then. It can only be lowered."),
    Key::with("views.function.result.bytes.max", Long, "16777216").valid(AtLeast(1))
        .doc("The largest text or bytes that one call of a function may make. The row's value is null beyond it; an aggregate stops its query."),
    Key::with("views.function.result.elements.max", Long, "1048576").valid(AtLeast(1)).doc("The same for the elements of arrays and maps."),
    Key::with("views.row.bytes.max", Long, "33554432").valid(AtLeast(1)).doc("The largest row, key and value together, that a query may write; a larger one stops it."),
];
