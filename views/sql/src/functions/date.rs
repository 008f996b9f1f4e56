//! Dates, times and timestamps: formatting, parsing, shifting, zones.

use super::call::{Call, Row, lenient, strict};
use crate::cast::calendar::MILLIS_PER_DAY;
use crate::datetime::{Moment, Pattern, Zone};
use crate::expr::EvalError;
use crate::value::Value;

pub(super) const FUNCTIONS: &[Row] = &[
    Row {
        name: "format_date",
        category: "DATE / TIME",
        about: "A date as a text, by a pattern of Java's DateTimeFormatter.",
        overloads: &[strict("(date DATE, formatPattern STRING) -> STRING", |call| {
            format(call, Moment::date(call.int(0)?))
        })],
    },
    Row {
        name: "format_time",
        category: "DATE / TIME",
        about: "A time as a text, by a pattern of Java's DateTimeFormatter.",
        overloads: &[strict("(time TIME, formatPattern STRING) -> STRING", |call| {
            format(call, Moment::time(call.int(0)?))
        })],
    },
    Row {
        name: "format_timestamp",
        category: "DATE / TIME",
        about: "A timestamp as a text, by a pattern of Java's DateTimeFormatter, in UTC or the zone given.",
        overloads: &[
            strict("(timestamp TIMESTAMP, formatPattern STRING) -> STRING", format_timestamp),
            strict("(timestamp TIMESTAMP, formatPattern STRING, timeZone STRING) -> STRING", format_timestamp),
        ],
    },
    Row {
        name: "timestamptostring",
        category: "DATE / TIME",
        about: "Epoch milliseconds as a text; FORMAT_TIMESTAMP does the same for a TIMESTAMP.",
        overloads: &[
            strict("(epochMilli BIGINT, formatPattern STRING) -> STRING", format_timestamp),
            strict("(epochMilli BIGINT, formatPattern STRING, timeZone STRING) -> STRING", format_timestamp),
        ],
    },
    Row {
        name: "datetostring",
        category: "DATE / TIME",
        about: "A number of days since 1970-01-01 as a text; FORMAT_DATE does the same for a DATE.",
        overloads: &[strict("(epochDays INT, formatPattern STRING) -> STRING", |call| {
            format(call, Moment::date(call.int(0)?))
        })],
    },
    Row {
        name: "parse_date",
        category: "DATE / TIME",
        about: "A text as a date, by a pattern of Java's DateTimeFormatter.",
        overloads: &[strict("(formattedDate STRING, formatPattern STRING) -> DATE", |call| {
            Ok(Value::Date(pattern(call)?.parse_date(call.str(0)?)?))
        })],
    },
    Row {
        name: "parse_time",
        category: "DATE / TIME",
        about: "A text as a time, by a pattern of Java's DateTimeFormatter.",
        overloads: &[strict("(formattedTime STRING, formatPattern STRING) -> TIME", |call| {
            Ok(Value::Time(pattern(call)?.parse_time(call.str(0)?)?))
        })],
    },
    Row {
        name: "parse_timestamp",
        category: "DATE / TIME",
        about: "A text as a timestamp, by a pattern of Java's DateTimeFormatter, in UTC or the zone given.",
        overloads: &[
            strict("(formattedTimestamp STRING, formatPattern STRING) -> TIMESTAMP", |call| {
                parse_timestamp(call).map(Value::Timestamp)
            }),
            strict("(formattedTimestamp STRING, formatPattern STRING, timeZone STRING) -> TIMESTAMP", |call| {
                parse_timestamp(call).map(Value::Timestamp)
            }),
        ],
    },
    Row {
        name: "stringtotimestamp",
        category: "DATE / TIME",
        about: "A text as epoch milliseconds; PARSE_TIMESTAMP gives a TIMESTAMP.",
        overloads: &[
            strict("(formattedTimestamp STRING, formatPattern STRING) -> BIGINT", |call| {
                parse_timestamp(call).map(Value::BigInt)
            }),
            strict("(formattedTimestamp STRING, formatPattern STRING, timeZone STRING) -> BIGINT", |call| {
                parse_timestamp(call).map(Value::BigInt)
            }),
        ],
    },
    Row {
        name: "stringtodate",
        category: "DATE / TIME",
        about: "A text as the number of days since 1970-01-01; PARSE_DATE gives a DATE.",
        overloads: &[strict("(formattedDate STRING, formatPattern STRING) -> INT", |call| {
            Ok(Value::Int(pattern(call)?.parse_date_part(call.str(0)?)?))
        })],
    },
    Row {
        name: "from_days",
        category: "DATE / TIME",
        about: "The date so many days after 1970-01-01.",
        overloads: &[strict("(days INT) -> DATE", |call| Ok(Value::Date(call.int(0)?)))],
    },
    Row {
        name: "from_unixtime",
        category: "DATE / TIME",
        about: "The timestamp so many milliseconds after 1970-01-01.",
        overloads: &[strict("(epochMilli BIGINT) -> TIMESTAMP", |call| Ok(Value::Timestamp(call.long(0)?)))],
    },
    Row {
        name: "unix_date",
        category: "DATE / TIME",
        about: "The days from 1970-01-01 to a date, or to today.",
        overloads: &[
            lenient("() -> INT", |call| Ok(Value::Int(call.context.now_ms().div_euclid(MILLIS_PER_DAY) as i32))),
            strict("(date DATE) -> INT", |call| Ok(Value::Int(call.int(0)?))),
        ],
    },
    Row {
        name: "unix_timestamp",
        category: "DATE / TIME",
        about: "The milliseconds from 1970-01-01 to a timestamp, or to now.",
        overloads: &[
            lenient("() -> BIGINT", |call| Ok(Value::BigInt(call.context.now_ms()))),
            strict("(timestamp TIMESTAMP) -> BIGINT", |call| Ok(Value::BigInt(call.long(0)?))),
        ],
    },
    Row {
        name: "convert_tz",
        category: "DATE / TIME",
        about: "The timestamp whose text in one zone is that of the given one in another.",
        overloads: &[strict(
            "(timestamp TIMESTAMP, fromTimeZone STRING, toTimeZone STRING) -> TIMESTAMP",
            |call| {
                let (from, to) = (Zone::parse(call.str(1)?)?, Zone::parse(call.str(2)?)?);
                let instant = call.long(0)?;
                let shift = i64::from(to.offset_seconds(instant)) - i64::from(from.offset_seconds(instant));
                instant.checked_add(shift * 1000).map(Value::Timestamp).ok_or_else(out_of_range)
            },
        )],
    },
    Row {
        name: "timestampadd",
        category: "DATE / TIME",
        about: "The timestamp later by so many units.",
        overloads: &[strict("(unit INTERVALUNIT, interval INT, timestamp TIMESTAMP) -> TIMESTAMP", |call| {
            shifted(call, 1).map(Value::Timestamp)
        })],
    },
    Row {
        name: "timestampsub",
        category: "DATE / TIME",
        about: "The timestamp earlier by so many units.",
        overloads: &[strict("(unit INTERVALUNIT, interval INT, timestamp TIMESTAMP) -> TIMESTAMP", |call| {
            shifted(call, -1).map(Value::Timestamp)
        })],
    },
    Row {
        name: "timeadd",
        category: "DATE / TIME",
        about: "The time later by so many units, past midnight from the start.",
        overloads: &[strict("(unit INTERVALUNIT, interval INT, time TIME) -> TIME", |call| {
            Ok(Value::Time(shifted(call, 1)?.rem_euclid(MILLIS_PER_DAY) as i32))
        })],
    },
    Row {
        name: "timesub",
        category: "DATE / TIME",
        about: "The time earlier by so many units, past midnight from the end.",
        overloads: &[strict("(unit INTERVALUNIT, interval INT, time TIME) -> TIME", |call| {
            Ok(Value::Time(shifted(call, -1)?.rem_euclid(MILLIS_PER_DAY) as i32))
        })],
    },
    Row {
        name: "dateadd",
        category: "DATE / TIME",
        about: "The date later by so many units.",
        overloads: &[strict("(unit INTERVALUNIT, interval INT, date DATE) -> DATE", |call| shifted_date(call, 1))],
    },
    Row {
        name: "datesub",
        category: "DATE / TIME",
        about: "The date earlier by so many units.",
        overloads: &[strict("(unit INTERVALUNIT, interval INT, date DATE) -> DATE", |call| shifted_date(call, -1))],
    },
];

fn out_of_range() -> EvalError {
    EvalError::new("the result is out of the range of its type")
}

/// The second argument, compiled.
fn pattern(call: &Call<'_>) -> Result<std::sync::Arc<Pattern>, EvalError> {
    call.prepared(call.str(1)?, |text| {
        Pattern::compile(text).map_err(|error| EvalError::new(format!("Failed to compile the pattern '{text}': {error}")))
    })
}

fn zone(call: &Call<'_>, position: usize) -> Result<Zone, EvalError> {
    if call.len() > position { Zone::parse(call.str(position)?) } else { Ok(Zone::utc()) }
}

fn format(call: &Call<'_>, moment: Moment<'_>) -> Result<Value, EvalError> {
    Ok(pattern(call)?.format(&moment)?.into())
}

fn format_timestamp(call: &Call<'_>) -> Result<Value, EvalError> {
    format(call, Moment::timestamp(call.long(0)?, &zone(call, 2)?))
}

fn parse_timestamp(call: &Call<'_>) -> Result<i64, EvalError> {
    pattern(call)?.parse_timestamp(call.str(0)?, &zone(call, 2)?)
}

fn unit_millis(call: &Call<'_>) -> Result<i64, EvalError> {
    match crate::ast::TimeUnit::parse(call.str(0)?) {
        Some(unit) => Ok(unit.millis()),
        None => Err(EvalError::new(format!("{} is no unit of time", call.str(0)?))),
    }
}

/// The third argument, in milliseconds, later or earlier by the interval.
fn shifted(call: &Call<'_>, sign: i64) -> Result<i64, EvalError> {
    let interval = unit_millis(call)?.checked_mul(sign * call.long(1)?).ok_or_else(out_of_range)?;
    call.long(2)?.checked_add(interval).ok_or_else(out_of_range)
}

/// Parts of a day are lost.
fn shifted_date(call: &Call<'_>, sign: i64) -> Result<Value, EvalError> {
    let interval = unit_millis(call)?.checked_mul(sign * call.long(1)?).ok_or_else(out_of_range)?;
    let millis = (call.long(2)? * MILLIS_PER_DAY).checked_add(interval).ok_or_else(out_of_range)?;
    i32::try_from(millis / MILLIS_PER_DAY).map(Value::Date).map_err(|_| out_of_range())
}
