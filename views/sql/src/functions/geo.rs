//! GEO_DISTANCE.

use super::call::{Call, Row, lenient};
use super::math::to_radians;
use crate::expr::EvalError;
use crate::value::Value;

const RADIUS_KM: f64 = 6371.0;
const RADIUS_MILES: f64 = 3959.0;

pub(super) const FUNCTIONS: &[Row] = &[Row {
    name: "geo_distance",
    category: "MATHEMATICAL",
    about: "The great-circle distance between two points in decimal degrees, in KM (unless told MILES).",
    overloads: &[
        lenient("(lat1 DOUBLE, lon1 DOUBLE, lat2 DOUBLE, lon2 DOUBLE) -> DOUBLE", distance),
        lenient("(lat1 DOUBLE, lon1 DOUBLE, lat2 DOUBLE, lon2 DOUBLE, units STRING) -> DOUBLE", distance),
    ],
}];

fn distance(call: &Call<'_>) -> Result<Value, EvalError> {
    if call.arguments.iter().take(4).any(Value::is_null) {
        return Ok(Value::Null);
    }
    let radius = match call.value(4).as_str().map(str::to_ascii_uppercase) {
        None => RADIUS_KM,
        Some(units) if units.starts_with("KM") => RADIUS_KM,
        Some(units) if units.starts_with("MI") => RADIUS_MILES,
        Some(units) => {
            return Err(EvalError::new(format!("GeoDistance function units parameter must be one of KM or MILES, not {units}")));
        }
    };
    let (lat1, lon1, lat2, lon2) = (call.double(0)?, call.double(1)?, call.double(2)?, call.double(3)?);
    if lat1.abs() > 90.0 || lat2.abs() > 90.0 || lon1.abs() > 180.0 || lon2.abs() > 180.0 {
        return Err(EvalError::new("valid latitude values for GeoDistance function are from -90 to 90, longitudes from -180 to 180"));
    }
    let half_latitude = (to_radians(lat2 - lat1) / 2.0).sin();
    let half_longitude = (to_radians(lon2 - lon1) / 2.0).sin();
    let haversine = half_latitude * half_latitude
        + half_longitude * half_longitude * to_radians(lat1).cos() * to_radians(lat2).cos();
    Ok(Value::Double(2.0 * radius * haversine.sqrt().asin()))
}
