//! What a process tells about itself: log lines on stderr, traces and metrics to a collector when one is set.
//!
//! A trace does not end at the log of changes: a commit keeps the [`traceparent`] of the call that made it, and whoever
//! acts on that change [continues](continue_trace) its trace. No other crate knows OpenTelemetry.

use std::collections::HashMap;
use std::io::IsTerminal as _;
use std::sync::OnceLock;

use http::HeaderMap;
use opentelemetry::metrics::{Counter, Histogram, Meter};
use opentelemetry::propagation::{Extractor, Injector, TextMapPropagator};
use opentelemetry::trace::{TraceContextExt as _, TracerProvider as _};
use opentelemetry::{Context, KeyValue, global};
use opentelemetry_otlp::WithExportConfig as _;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::metrics::SdkMeterProvider;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{InMemorySpanExporter, Sampler, SdkTracerProvider, TracerProviderBuilder};
use thiserror::Error;
use tracing::Span;
use tracing::level_filters::LevelFilter;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer, fmt};
use uuid::Uuid;

use crate::config::{LogFormat, Telemetry as Settings};

/// The header of W3C Trace Context, and the name under which a commit keeps it.
pub const TRACEPARENT: &str = "traceparent";
/// The name under which our spans and metrics are made.
const SCOPE: &str = "fallow";
/// Bounds of durations in seconds, as the semantic conventions for RPC advise.
const DURATION_BOUNDS: [f64; 14] =
    [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0];

/// Why telemetry could not start.
#[derive(Debug, Error)]
pub enum TelemetryError {
    /// The filter is none.
    #[error("telemetry.log_filter is not a filter")]
    Filter(#[source] tracing_subscriber::filter::ParseError),
    /// The collector's address cannot be used.
    #[error("telemetry.otlp_endpoint cannot be used")]
    Exporter(#[source] opentelemetry_otlp::ExporterBuildError),
    /// Telemetry was started before in this process.
    #[error("telemetry is already running in this process")]
    AlreadyRunning,
}

/// Running telemetry. Kept by `main` until the end, so that the last spans are sent.
#[derive(Debug)]
pub struct Telemetry {
    traces: SdkTracerProvider,
    metrics: Option<SdkMeterProvider>,
}

impl Telemetry {
    /// Starts telemetry for a process of a role, such as `fallow-capacity`. Must be called within the runtime.
    ///
    /// # Errors
    /// A setting cannot be used, or telemetry runs already.
    pub fn start(settings: &Settings, service: &'static str, region: &str) -> Result<Self, TelemetryError> {
        let filter = EnvFilter::try_new(&settings.log_filter).map_err(TelemetryError::Filter)?;
        let resource = resource(service, region);
        let mut traces = SdkTracerProvider::builder()
            .with_resource(resource.clone())
            // A caller that samples is followed, so that traces are whole.
            .with_sampler(Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(settings.sample_ratio))));
        let mut metrics = None;
        if !settings.otlp_endpoint.is_empty() {
            let exporter = opentelemetry_otlp::SpanExporter::builder()
                .with_tonic()
                .with_endpoint(&settings.otlp_endpoint)
                .build()
                .map_err(TelemetryError::Exporter)?;
            traces = traces.with_batch_exporter(exporter);
            let exporter = opentelemetry_otlp::MetricExporter::builder()
                .with_tonic()
                .with_endpoint(&settings.otlp_endpoint)
                .build()
                .map_err(TelemetryError::Exporter)?;
            let provider =
                SdkMeterProvider::builder().with_resource(resource).with_periodic_exporter(exporter).build();
            global::set_meter_provider(provider.clone());
            metrics = Some(provider);
        }
        let traces = traces.build();
        let lines = match settings.log_format {
            LogFormat::Pretty if std::io::stderr().is_terminal() => {
                fmt::layer().with_writer(std::io::stderr).boxed()
            }
            // A file or a journal would show the escapes of colours as they are.
            LogFormat::Pretty => fmt::layer().with_ansi(false).with_writer(std::io::stderr).boxed(),
            LogFormat::Json => fmt::layer().json().flatten_event(true).with_writer(std::io::stderr).boxed(),
        };
        tracing_subscriber::registry()
            .with(lines.with_filter(filter))
            .with(spans_of(&traces))
            .try_init()
            .map_err(|_| TelemetryError::AlreadyRunning)?;
        Ok(Self { traces, metrics })
    }

    /// Sends what is left. An unreachable collector is logged and changes nothing.
    pub fn finish(self) {
        let traces = self.traces.shutdown();
        let metrics = self.metrics.map_or(Ok(()), |metrics| metrics.shutdown());
        for error in [traces, metrics].into_iter().filter_map(Result::err) {
            tracing::warn!(%error, "the last traces or metrics were not sent");
        }
    }
}

/// Makes the layer that turns spans into those of a provider. A call is taken up and laid down at each of its steps, and nobody
/// asks what OpenTelemetry's own context is then, or how long a span lay: neither is kept up to date.
fn spans_of<S>(provider: &SdkTracerProvider) -> impl Layer<S> + use<S>
where
    S: tracing::Subscriber + for<'s> LookupSpan<'s>,
{
    let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer(SCOPE));
    // Spans below INFO are of libraries; ours are at INFO.
    layer.with_context_activation(false).with_tracked_inactivity(false).with_filter(LevelFilter::INFO)
}

/// Keeps every span of this process in memory from here on, for tests, and returns them.
///
/// Called more than once, it goes on with the same memory; a test looks for its own trace in it.
#[must_use]
pub fn in_memory() -> InMemorySpanExporter {
    static SPANS: OnceLock<(InMemorySpanExporter, SdkTracerProvider)> = OnceLock::new();
    let (spans, _) = SPANS.get_or_init(|| {
        let spans = InMemorySpanExporter::default();
        let provider = TracerProviderBuilder::default().with_simple_exporter(spans.clone()).build();
        // An error means that a test set a subscriber of its own; then that one stays.
        let _ = tracing_subscriber::registry().with(spans_of(&provider)).try_init();
        (spans, provider)
    });
    spans.clone()
}

/// Returns the W3C `traceparent` of the current span, to be kept with what it causes; `None` outside a trace.
#[must_use]
pub fn traceparent() -> Option<String> {
    let mut carrier = Carrier::default();
    TraceContextPropagator::new().inject_context(&Span::current().context(), &mut carrier);
    carrier.0
}

/// Returns the trace id of the current span: 32 hexadecimal digits, by which the log is searched; `None` outside one.
#[must_use]
pub fn trace_id() -> Option<String> {
    let context = Span::current().context();
    let id = context.span().span_context().trace_id();
    (id != opentelemetry::TraceId::INVALID).then(|| id.to_string())
}

/// Makes a span that was just made part of the trace that a text names, under the span that it names.
///
/// This is how what follows from a change belongs to the trace of the call that made it. A text that is no
/// `traceparent` changes nothing.
pub fn continue_trace(span: &Span, traceparent: &str) {
    let context = context_of(traceparent);
    if context.span().span_context().is_valid() {
        // An error means that the span has no place in a trace; it is then the same as without telemetry.
        let _ = span.set_parent(context);
    }
}

/// Links a span to the trace that a text names, for what has several causes.
pub fn link_trace(span: &Span, traceparent: &str) {
    let context = context_of(traceparent).span().span_context().clone();
    if context.is_valid() {
        span.add_link(context);
    }
}

/// Returns the current span's `traceparent` as metadata of an outgoing call, if there is one.
pub fn inject(metadata: &mut tonic::metadata::MetadataMap) {
    if let Some(value) = traceparent().and_then(|text| text.parse().ok()) {
        metadata.insert(TRACEPARENT, value);
    }
}

/// Makes a span part of the trace that the headers of a call name.
pub(crate) fn continue_from_headers(span: &Span, headers: &HeaderMap) {
    if !headers.contains_key(TRACEPARENT) {
        return;
    }
    let context = TraceContextPropagator::new().extract(&Headers(headers));
    if context.span().span_context().is_valid() {
        let _ = span.set_parent(context);
    }
}

/// Records the end of a served call.
pub(crate) fn record_call(method: &'static str, status: &'static str, seconds: f64) {
    static DURATION: OnceLock<Histogram<f64>> = OnceLock::new();
    let duration = DURATION.get_or_init(|| {
        global::meter(SCOPE)
            .f64_histogram("rpc.server.call.duration")
            .with_unit("s")
            .with_description("Time from a call's headers to the end of its answer.")
            .with_boundaries(DURATION_BOUNDS.to_vec())
            .build()
    });
    duration.record(
        seconds,
        &[
            KeyValue::new("rpc.system.name", "grpc"),
            KeyValue::new("rpc.method", method),
            KeyValue::new("rpc.response.status_code", status),
        ],
    );
}

/// Counts a text that was refused because it could identify a patient: its rule, and nothing of it.
pub(crate) fn record_refused_text(rule: &'static str) {
    static REFUSED: OnceLock<Counter<u64>> = OnceLock::new();
    let refused = REFUSED.get_or_init(|| {
        global::meter(SCOPE)
            .u64_counter("fallow.texts.refused")
            .with_unit("{texts}")
            .with_description("Texts refused because they could identify a patient.")
            .build()
    });
    refused.add(1, &[KeyValue::new("rule", rule)]);
}

/// Logs that a call was refused for its texts: once, however many they are.
pub(crate) fn log_refused_texts(texts: usize) {
    tracing::warn!(texts, "what could identify a patient was refused");
}

/// Counts a connection that was refused before its first call, by why.
pub(crate) fn record_refused_connection(why: &'static str) {
    static REFUSED: OnceLock<Counter<u64>> = OnceLock::new();
    let refused = REFUSED.get_or_init(|| {
        global::meter(SCOPE)
            .u64_counter("fallow.tls.refused")
            .with_unit("{connections}")
            .with_description("Connections refused before their first call.")
            .build()
    });
    refused.add(1, &[KeyValue::new("why", why)]);
    tracing::info!(why, "a connection was refused");
}

/// A number that goes up and down, for the collector. Made after telemetry was started.
#[derive(Clone, Debug)]
pub struct Gauge(opentelemetry::metrics::Gauge<u64>);

impl Gauge {
    /// Makes a gauge. The name begins with `fallow.`; the unit is one of UCUM, or `{changes}` and the like.
    #[must_use]
    pub fn new(name: &'static str, unit: &'static str, description: &'static str) -> Self {
        let meter = global::meter(SCOPE);
        Self(meter.u64_gauge(name).with_unit(unit).with_description(description).build())
    }

    /// Sets it.
    pub fn set(&self, value: u64) {
        self.0.record(value, &[]);
    }
}

/// Shows a number that goes up and down, such as whether something is so (1) or not (0): asked for whenever metrics are
/// sent. Telemetry must have been started; without a collector nobody asks.
pub fn show_gauge(name: &'static str, about: &'static str, now: impl Fn() -> u64 + Send + Sync + 'static) {
    gauge_on(&global::meter(SCOPE), name, about, now);
}

/// Shows a number that only grows, as [`show_gauge`] does.
pub fn show_counter(name: &'static str, about: &'static str, now: impl Fn() -> u64 + Send + Sync + 'static) {
    counter_on(&global::meter(SCOPE), name, about, now);
}

fn gauge_on(
    meter: &Meter,
    name: &'static str,
    about: &'static str,
    now: impl Fn() -> u64 + Send + Sync + 'static,
) {
    let gauge = meter.u64_observable_gauge(name).with_description(about);
    gauge.with_callback(move |seen| seen.observe(now(), &[])).build();
}

fn counter_on(
    meter: &Meter,
    name: &'static str,
    about: &'static str,
    now: impl Fn() -> u64 + Send + Sync + 'static,
) {
    let counter = meter.u64_observable_counter(name).with_description(about);
    counter.with_callback(move |seen| seen.observe(now(), &[])).build();
}

/// Takes the one header that is kept.
#[derive(Default)]
struct Carrier(Option<String>);

impl Injector for Carrier {
    fn set(&mut self, key: &str, value: String) {
        if key == TRACEPARENT {
            self.0 = Some(value);
        }
    }
}

struct Headers<'h>(&'h HeaderMap);

impl Extractor for Headers<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).and_then(|value| value.to_str().ok())
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(http::HeaderName::as_str).collect()
    }
}

fn context_of(traceparent: &str) -> Context {
    let carrier = HashMap::from([(TRACEPARENT.to_owned(), traceparent.to_owned())]);
    TraceContextPropagator::new().extract_with_context(&Context::new(), &carrier)
}

fn resource(service: &'static str, region: &str) -> Resource {
    Resource::builder()
        .with_service_name(service)
        .with_attributes([
            KeyValue::new("service.namespace", "fallow"),
            KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
            KeyValue::new("service.instance.id", Uuid::now_v7().to_string()),
            KeyValue::new("fallow.region", region.to_owned()),
        ])
        .build()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_goes_on_from_a_text() {
        let spans = in_memory();
        let (cause, id) = {
            let _call = tracing::info_span!("call").entered();
            (traceparent().unwrap(), trace_id().unwrap())
        };
        assert!(cause.contains(&id));
        let effect = tracing::info_span!("effect");
        continue_trace(&effect, &cause);
        assert_eq!(effect.in_scope(trace_id), Some(id.clone()));
        drop(effect);
        let linked = tracing::info_span!("linked");
        link_trace(&linked, &cause);
        drop(linked);
        let finished = spans.get_finished_spans().unwrap();
        let find = |name: &str| finished.iter().find(|span| span.name == name).unwrap();
        assert_eq!(find("effect").parent_span_id, find("call").span_context.span_id());
        assert_eq!(find("effect").span_context.trace_id().to_string(), id);
        assert_ne!(find("linked").span_context.trace_id().to_string(), id);
        assert_eq!(find("linked").links[0].span_context.trace_id().to_string(), id);
    }

    #[test]
    fn what_is_shown_is_sent_as_it_is_then() {
        use opentelemetry::metrics::MeterProvider as _;
        use opentelemetry_sdk::metrics::data::{AggregatedMetrics, MetricData};
        use opentelemetry_sdk::metrics::{InMemoryMetricExporter, PeriodicReader};
        use std::sync::Arc;
        use std::sync::atomic::{AtomicU64, Ordering};

        let sent = InMemoryMetricExporter::default();
        let reader = PeriodicReader::builder(sent.clone()).build();
        let provider = SdkMeterProvider::builder().with_reader(reader).build();
        let meter = provider.meter(SCOPE);
        let number = Arc::new(AtomicU64::new(0));
        let (gauge, counter) = (number.clone(), number.clone());
        gauge_on(&meter, "fallow.test.now", "now", move || gauge.load(Ordering::Relaxed));
        counter_on(&meter, "fallow.test.ever", "ever", move || counter.load(Ordering::Relaxed) + 1);
        number.store(6, Ordering::Relaxed);
        provider.force_flush().unwrap();
        let mut shown = Vec::new();
        for metrics in sent.get_finished_metrics().unwrap() {
            for metric in metrics.scope_metrics().flat_map(|scope| scope.metrics()) {
                let AggregatedMetrics::U64(data) = metric.data() else { panic!("{metric:?}") };
                let value = match data {
                    MetricData::Gauge(one) => one.data_points().next().unwrap().value(),
                    MetricData::Sum(one) => one.data_points().next().unwrap().value(),
                    MetricData::Histogram(_) | MetricData::ExponentialHistogram(_) => panic!("{data:?}"),
                };
                shown.push((metric.name().to_owned(), value));
            }
        }
        shown.sort();
        assert_eq!(shown, [("fallow.test.ever".to_owned(), 7), ("fallow.test.now".to_owned(), 6)]);
    }

    #[test]
    fn what_is_no_traceparent_changes_nothing() {
        let _ = in_memory();
        for text in ["", "00-zz-zz-01", "hello", "00-00000000000000000000000000000000-0000000000000000-01"] {
            let span = tracing::info_span!("alone");
            continue_trace(&span, text);
            assert!(span.in_scope(trace_id).is_some(), "{text:?}");
        }
        assert_eq!(traceparent(), None);
    }
}
