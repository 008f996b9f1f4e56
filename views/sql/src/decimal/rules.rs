//! Precision and scale of the results of decimal arithmetic, and of a common decimal type.
//!
//! The rules are those of SQL Server, without its cap of 38 digits; division keeps at least 6 places.

use crate::types::{BaseType, SqlType, TypeError};

/// Precision and scale.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    pub precision: u32,
    pub scale: u32,
}

/// Every INTEGER fits.
pub const INTEGER: Shape = Shape {
    precision: 10,
    scale: 0,
};
/// Every BIGINT fits.
pub const BIGINT: Shape = Shape {
    precision: 19,
    scale: 0,
};

impl Shape {
    pub fn sql_type(self) -> Result<SqlType, TypeError> {
        SqlType::decimal(self.precision, self.scale)
    }

    fn whole(self) -> u32 {
        self.precision - self.scale
    }
}

pub fn add(a: Shape, b: Shape) -> Shape {
    let scale = a.scale.max(b.scale);
    Shape {
        precision: scale + a.whole().max(b.whole()) + 1,
        scale,
    }
}

pub fn multiply(a: Shape, b: Shape) -> Shape {
    Shape {
        precision: a.precision + b.precision + 1,
        scale: a.scale + b.scale,
    }
}

pub fn divide(a: Shape, b: Shape) -> Shape {
    let scale = 6.max(a.scale + b.precision + 1);
    Shape {
        precision: a.whole() + b.scale + scale,
        scale,
    }
}

pub fn modulo(a: Shape, b: Shape) -> Shape {
    let scale = a.scale.max(b.scale);
    Shape {
        precision: a.whole().min(b.whole()) + scale,
        scale,
    }
}

/// The narrowest shape that holds both.
pub fn widest(a: Shape, b: Shape) -> Shape {
    let scale = a.scale.max(b.scale);
    Shape {
        precision: a.whole().max(b.whole()) + scale,
        scale,
    }
}

/// The decimal shape in which a number of this type takes part; nothing for doubles and non-numbers.
pub fn shape_of(sql_type: &SqlType) -> Option<Shape> {
    match sql_type {
        SqlType::Integer => Some(INTEGER),
        SqlType::BigInt => Some(BIGINT),
        SqlType::Decimal { precision, scale } => Some(Shape {
            precision: *precision,
            scale: *scale,
        }),
        _ => None,
    }
}

/// The narrowest numeric type that holds both.
pub fn common_number(a: &SqlType, b: &SqlType) -> Option<SqlType> {
    match (a.base(), b.base()) {
        (x, y) if !x.is_number() || !y.is_number() => None,
        (BaseType::Double, _) | (_, BaseType::Double) => Some(SqlType::Double),
        (BaseType::Decimal, _) | (_, BaseType::Decimal) => widest(shape_of(a)?, shape_of(b)?).sql_type().ok(),
        (BaseType::BigInt, _) | (_, BaseType::BigInt) => Some(SqlType::BigInt),
        _ => Some(SqlType::Integer),
    }
}
