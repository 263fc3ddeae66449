//! Whether a part that is running serves: what a health check of a container asks, without a tool of its own.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use bytes::Bytes;
use clap::Args;
use http::{Method, Uri};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use crate::client::Connection;
use crate::patience::time;

/// Ask a running part whether it serves; fails if not.
#[derive(Clone, Debug, Args)]
pub(crate) struct PingArgs {
    /// http://HOST:PORT asks /readyz, or the path that is given; grpc://HOST:PORT asks the gRPC health service.
    #[arg(value_name = "URL", value_parser = url)]
    url: Uri,
    /// How long to wait for the answer.
    #[arg(long, value_name = "TIME", default_value = "3s", value_parser = time)]
    timeout: Duration,
}

/// Says nothing if it serves.
pub(crate) async fn run(args: PingArgs) -> anyhow::Result<()> {
    let asked = async {
        match args.url.scheme_str() {
            Some("grpc") => grpc(&args.url).await,
            _ => http(&args.url).await,
        }
    };
    let answer = tokio::time::timeout(args.timeout, asked).await;
    answer.with_context(|| format!("{} does not answer within {:?}", args.url, args.timeout))?
}

async fn http(url: &Uri) -> anyhow::Result<()> {
    let address = url.authority().map_or("", |authority| authority.as_str());
    let path = if url.path() == "/" { "/readyz" } else { url.path() };
    Connection::open(address).await?.must(Method::GET, path, &[], Bytes::new()).await?;
    Ok(())
}

async fn grpc(url: &Uri) -> anyhow::Result<()> {
    let address = url.authority().map_or("", |authority| authority.as_str());
    let endpoint = tonic::transport::Endpoint::from_shared(format!("http://{address}"))?;
    let channel = endpoint.connect().await.with_context(|| format!("connecting to {address}"))?;
    // The empty name is the server as a whole.
    let asked = HealthClient::new(channel).check(HealthCheckRequest::default()).await;
    let status = asked.with_context(|| format!("{address} does not tell its health"))?.into_inner().status();
    ensure!(status == ServingStatus::Serving, "{address} answers {}", status.as_str_name());
    Ok(())
}

/// What can be asked, and where.
fn url(text: &str) -> Result<Uri, String> {
    let url = text.parse::<Uri>().ok();
    let url = url.filter(|url| matches!(url.scheme_str(), Some("http" | "grpc")) && url.port().is_some());
    url.ok_or_else(|| "give it as http://HOST:PORT or grpc://HOST:PORT".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_url_says_how_to_ask_and_where() {
        for good in ["http://a:1", "http://127.0.0.1:8080/healthz", "grpc://a:1"] {
            assert!(url(good).is_ok(), "{good}");
        }
        for bad in ["", "a:1", "http://a", "https://a:1", "postgres://a:1", "http://a b:1"] {
            assert!(url(bad).is_err(), "{bad}");
        }
    }
}
