//! ApiVersions (18): what this broker speaks, from the table, and the features of its cluster.
use millrace_cluster::feature::FEATURES;
use millrace_protocol::messages::api_versions_response::{ApiVersion, FinalizedFeatureKey, SupportedFeatureKey};
use millrace_protocol::messages::{ApiVersionsRequest, ApiVersionsResponse};
use millrace_protocol::{ErrorCode, StrBytes};

use super::Context;
use super::table::APIS;
use super::view::text;

const PRODUCE: i16 = 0;

pub async fn handle(ctx: &Context, request: ApiVersionsRequest, version: i16) -> ApiVersionsResponse {
    if version >= 3 && !(valid(&request.client_software_name) && valid(&request.client_software_version)) {
        return ApiVersionsResponse::default().with_error_code(ErrorCode::InvalidRequest.code());
    }
    let response = ApiVersionsResponse::default().with_api_keys(advertised());
    if version >= 3 { with_features(ctx, response) } else { response }
}

/// As tagged fields, in Kafka's layout: librdkafka before 2.2 skips one byte too few of each, which these
/// survive. No feature here can be at level 0, which v3 could not say (KAFKA-17011).
fn with_features(ctx: &Context, response: ApiVersionsResponse) -> ApiVersionsResponse {
    let supported = FEATURES.iter().map(|feature| {
        SupportedFeatureKey::default().with_name(text(feature.name)).with_min_version(feature.min).with_max_version(feature.max)
    });
    let image = ctx.node.cluster.image();
    let finalized = image.features().iter().map(|(name, level)| {
        FinalizedFeatureKey::default().with_name(text(name)).with_min_version_level(*level).with_max_version_level(*level)
    });
    response
        .with_supported_features(supported.collect())
        .with_finalized_features_epoch(ctx.node.cluster.end().0)
        .with_finalized_features(finalized.collect())
}

/// The answer to a version that this broker does not know: Kafka sends it in the encoding of v0, with
/// the list, so that any client can go on from there.
pub fn unsupported() -> ApiVersionsResponse {
    ApiVersionsResponse::default()
        .with_error_code(ErrorCode::UnsupportedVersion.code())
        .with_api_keys(advertised())
}

fn advertised() -> Vec<ApiVersion> {
    let rows = APIS.iter().map(|api| {
        // librdkafka decides from Produce v0 whether it may compress (KAFKA-18659), though v0-2 are refused.
        let min = if api.key == PRODUCE { 0 } else { *api.versions.start() };
        ApiVersion::default().with_api_key(api.key).with_min_version(min).with_max_version(*api.versions.end())
    });
    rows.collect()
}

/// `[a-zA-Z0-9](?:[a-zA-Z0-9\-.]*[a-zA-Z0-9])?`
fn valid(software: &StrBytes) -> bool {
    let text = software.as_bytes();
    let ends = [text.first(), text.last()];
    ends.iter().all(|end| end.is_some_and(u8::is_ascii_alphanumeric))
        && text.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn software_names_are_held_to_kafkas_pattern() {
        for good in ["a", "librdkafka", "apache-kafka-java", "4.3.1", "v1-2.3x"] {
            assert!(valid(&StrBytes::from_static_str(good)), "{good}");
        }
        for bad in ["", "-a", "a-", ".", "a b", "ä"] {
            assert!(!valid(&StrBytes::from_static_str(bad)), "{bad}");
        }
    }
}
