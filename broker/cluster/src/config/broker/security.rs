//! Authentication, authorisation, quotas, telemetry.
//!
//! A security switch that this broker cannot honour is never ignored: it refuses to start.
use crate::config::key::{Key, Kind::*, Valid::*};

pub(super) const KEYS: &[Key] = &[
    Key::with("authorizer.class.name", String, "").refused().doc("An authorizer. There is none yet, so a broker told to use one does not start."),
    Key::with("early.start.listeners", String, "").accepted().doc("Listeners that open before the authorizer is ready."),
    Key::with("super.users", String, "").accepted().doc("Principals that may do everything."),
    Key::with("allow.everyone.if.no.acl.found", Boolean, "false").doc("Without an authorizer everyone who reaches a listener may do everything. A listener that other machines reach and that authenticates nobody is therefore opened only if this is true."),
    Key::with("sasl.enabled.mechanisms", List, "GSSAPI").accepted().doc("SASL mechanisms. A SASL listener is refused, so none is ever offered."),
    Key::with("sasl.mechanism.inter.broker.protocol", String, "GSSAPI").accepted().doc("The SASL mechanism among brokers."),
    Key::unset("sasl.jaas.config", Password).accepted().doc("Credentials in JAAS form; usually with a `listener.name.` prefix."),
    Key::unset("sasl.oauthbearer.jwks.endpoint.url", String).accepted().doc("Where the keys of OAUTHBEARER tokens are fetched."),
    Key::unset("ssl.keystore.location", String).accepted().doc("The key store of TLS listeners."),
    Key::unset("ssl.keystore.password", Password).accepted().doc("Its password."),
    Key::unset("ssl.key.password", Password).accepted().doc("The private key's password."),
    Key::with("ssl.keystore.type", String, "JKS").accepted().doc("Its format."),
    Key::unset("ssl.truststore.location", String).accepted().doc("The trust store of TLS listeners."),
    Key::unset("ssl.truststore.password", Password).accepted().doc("Its password."),
    Key::with("ssl.truststore.type", String, "JKS").accepted().doc("Its format."),
    Key::with("ssl.client.auth", String, "none").valid(OneOf(&["required", "requested", "none"])).refused().doc("Whether TLS clients must show a certificate. There are no TLS listeners yet."),
    Key::with("ssl.enabled.protocols", List, "TLSv1.2,TLSv1.3").accepted().doc("TLS versions."),
    Key::with("ssl.principal.mapping.rules", String, "DEFAULT").accepted().doc("From a certificate's name to a principal."),
    Key::unset("delegation.token.secret.key", Password).refused().doc("Switches delegation tokens on, which are not here yet."),
    Key::with("delegation.token.max.lifetime.ms", Long, "604800000").valid(AtLeast(1)).accepted().doc("The longest life of a delegation token."),
    Key::with("delegation.token.expiry.time.ms", Long, "86400000").valid(AtLeast(1)).accepted().doc("How long a token lives without renewal."),
    Key::with("connections.max.reauth.ms", Long, "0").accepted().doc("How long a SASL session lasts."),
    Key::with("quota.window.num", Int, "11").valid(AtLeast(1)).accepted().doc("Samples kept for client quotas."),
    Key::with("quota.window.size.seconds", Int, "1").valid(AtLeast(1)).accepted().doc("The length of one sample."),
    Key::with("controller.quota.window.num", Int, "11").valid(AtLeast(1)).accepted().doc("Samples kept for quotas on metadata changes."),
    Key::with("controller.quota.window.size.seconds", Int, "1").valid(AtLeast(1)).accepted().doc("The length of one sample."),
    Key::with("telemetry.max.bytes", Int, "1048576").valid(AtLeast(1)).accepted().doc("The largest client metrics push."),
    Key::with("metric.reporters", List, "").live().accepted().doc("Java classes that report metrics. Metrics are at `/metrics` of the HTTP listener."),
    Key::unset("create.topic.policy.class.name", Class).refused().doc("A Java class that vets new topics."),
    Key::unset("alter.config.policy.class.name", Class).refused().doc("A Java class that vets config changes."),
];
