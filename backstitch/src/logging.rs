//! Logs to standard error and, if asked for, traces to an OpenTelemetry collector.

use std::io::IsTerminal as _;
use std::sync::OnceLock;

use anyhow::Context as _;
use clap::{Args, ValueEnum};
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::{Layer as _, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, fmt};

static PROVIDER: OnceLock<SdkTracerProvider> = OnceLock::new();

/// How much is said, in which form, and where traces go.
#[derive(Debug, Args)]
#[command(next_help_heading = "Options of every command")]
pub(crate) struct LogArgs {
    /// What to log: a level, or targets with levels as in `info,backstitch_engine=debug`.
    #[arg(
        long = "log",
        global = true,
        env = "BACKSTITCH_LOG",
        value_name = "FILTER",
        default_value = "warn"
    )]
    filter: String,
    /// Form of the log.
    #[arg(
        long = "log-format",
        global = true,
        env = "BACKSTITCH_LOG_FORMAT",
        value_enum,
        default_value = "text"
    )]
    format: Format,
    /// OpenTelemetry collector to send traces to, e.g. http://127.0.0.1:4317.
    #[arg(long = "otlp", global = true, env = "BACKSTITCH_OTLP", value_name = "URI")]
    otlp: Option<String>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    Text,
    Json,
}

/// Installs the process's one subscriber. Call it once, before anything logs.
pub(crate) fn init(args: &LogArgs) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(&args.filter).with_context(|| format!("--log `{}`", args.filter))?;
    let text = fmt::layer().with_writer(std::io::stderr).with_ansi(std::io::stderr().is_terminal());
    let log = match args.format {
        Format::Text => text.boxed(),
        Format::Json => fmt::layer().json().with_writer(std::io::stderr).boxed(),
    };
    let traces = match &args.otlp {
        None => None,
        // Without the finer spans of the libraries below: the exporter makes some itself, and would never be done.
        Some(uri) => Some(
            tracing_opentelemetry::layer()
                .with_tracer(provider(uri)?.tracer("backstitch"))
                .with_filter(LevelFilter::INFO),
        ),
    };
    tracing_subscriber::registry().with(traces).with(log.with_filter(filter)).init();
    Ok(())
}

fn provider(uri: &str) -> anyhow::Result<SdkTracerProvider> {
    use opentelemetry_otlp::WithExportConfig as _;
    let exporter = opentelemetry_otlp::SpanExporter::builder()
        .with_tonic()
        .with_endpoint(uri)
        .build()
        .with_context(|| format!("--otlp `{uri}`"))?;
    let resource = opentelemetry_sdk::Resource::builder().with_service_name("backstitch").build();
    let provider = SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource).build();
    Ok(PROVIDER.get_or_init(|| provider).clone())
}

/// Sends what traces are still here.
pub(crate) fn flush() {
    if let Some(provider) = PROVIDER.get() {
        // The collector may be gone; the process ends either way.
        let _ = provider.shutdown();
    }
}
