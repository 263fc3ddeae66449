//! Errors that somebody could make, each with words that must be in what is told of it.

use crate::Texts;

pub(crate) struct Planted {
    pub(crate) old: &'static str,
    pub(crate) new: &'static str,
    pub(crate) told: &'static [&'static str],
}

/// Two texts and the words.
const fn error(old: &'static str, new: &'static str, told: &'static [&'static str]) -> Planted {
    Planted { old, new, told }
}

pub(crate) const ALL: &[Planted] = &[
    // Command lines and environment.
    error("command: [migrate]", "command: [migrat]", &["migrate: ", "migrat"]),
    error("command: [cart, --listen", "command: [cart, --lisen", &["cart: ", "--lisen"]),
    error("BACKSTITCH_LOG_FORMAT: json", "BACKSTITCH_LOG_FORMAT: xml", &["relay: ", "xml"]),
    error("BACKSTITCH_LOG: info", "BACKSTITCH_LGO: info", &["BACKSTITCH_LGO"]),
    error("BACKSTITCH_LOG: info", "RUST_LOG: info", &["RUST_LOG"]),
    error(
        "BACKSTITCH_HTTP: 0.0.0.0:8080",
        "BACKSTITCH_HTTP: 127.0.0.1:8080",
        &["--http", "inside its container"],
    ),
    error(
        "--listen, \"0.0.0.0:50054\"",
        "--listen, \"127.0.0.1:50054\"",
        &["order: --listen", "inside its container"],
    ),
    error("restart: \"no\"", "restrat: \"no\"", &["restrat"]),
    error("${POSTGRES_PASSWORD:?}@", "${POSTGRES_PASSWORD}@", &["POSTGRES_PASSWORD:?"]),
    error("POSTGRES_PASSWORD=only-for-trying", "POSTGRES_PASWORD=x", &["POSTGRES_PASSWORD", "compose/.env"]),
    error("URL: postgres://", "URL: mysql://", &["migrate: ", "--database-url"]),
    error("\"smtp://mailpit:1025\"", "\"mailpit:1025\"", &["notification: ", "--smtp"]),
    error("\"redis://redis:6379\"", "\"redis:6379\"", &["cart: ", "--redis"]),
    // Addresses and ports.
    error("order=http://order:50054", "order=http://orders:50054", &["no service is called orders"]),
    error("cart=http://cart:50055", "cart=http://cart:50056", &["cart:50056", "does not listen there"]),
    error(",cart=http://cart:50055", "", &["is missing for cart"]),
    error("smtp://mailpit:1025", "smtp://mailpit", &["mailpit:25", "does not listen there"]),
    error("redis://redis:6379", "redis://valkey", &["no service is called valkey"]),
    error("relay, --kafka, \"kafka:9092\"", "relay, --kafka, \"kafka:9094\"", &["relay: kafka:9094"]),
    error("PLAINTEXT://kafka:9092", "PLAINTEXT://kafka:9093", &["kafka: listens on"]),
    error("@postgres:5432/shop_order", "@postgres:5432/shop_cart", &["order: its database URL"]),
    error("127.0.0.1:8081:8080", "127.0.0.1:8081:8081", &["orchestrator-2: nothing listens", "8081:8081"]),
    error("127.0.0.1:8081:8080", "127.0.0.1:8080:8080", &["127.0.0.1:8080 is orchestrator-1's already"]),
    error("127.0.0.1:8025:8025", "8025:8025", &["mailpit", "open to everybody"]),
    // Health and order.
    error(
        "ping, \"grpc://127.0.0.1:50053\"",
        "ping, \"grpc://127.0.0.1:50052\"",
        &["payment: its healthcheck asks"],
    ),
    error(
        "ping, \"http://127.0.0.1:8081\"",
        "ping, \"grpc://127.0.0.1:8081\"",
        &["relay: its healthcheck asks"],
    ),
    error(
        "backstitch, ping, \"grpc://127.0.0.1:50051\"",
        "curl, \"grpc://127.0.0.1:50051\"",
        &["inventory", "which the image lacks"],
    ),
    error(
        "ping, \"grpc://127.0.0.1:50056\"",
        "png, \"grpc://127.0.0.1:50056\"",
        &["notification: its healthcheck", "png"],
    ),
    error("pg_isready", "pg_ready", &["postgres: its healthcheck is not pg_isready"]),
    error(
        "migrate: { condition: service_completed_successfully }",
        "migrate: { condition: service_started }",
        &["service_started"],
    ),
    error(
        "postgres: { condition: service_healthy }",
        "kafka: { condition: service_healthy }",
        &["migrate: is started before"],
    ),
    error("\"bank:/data\"", "\"banks:/data\"", &["payment: no volume is declared for banks"]),
    // Images.
    error("apache/kafka:4.1.1", "apache/kafka:4.0.0", &["kafka: 4.1.1 is tested"]),
    error("image: redis:7.2-bookworm", "image: redis:latest", &["redis", "has no version"]),
    error("dockerfile: compose/Dockerfile", "dockerfile: Dockerfile", &["there is no Dockerfile"]),
    error("FROM rust:1.95", "FROM rust:1.90", &["another Rust"]),
    error("FROM debian:bookworm-slim", "FROM debian:trixie-slim", &["another Debian"]),
    error("COPY . .", "COPY ./src ./src", &["there is no ./src"]),
    error("cargo build --release", "cargo build", &["`cargo build --release`"]),
    error("cp target/release/backstitch /usr", "cp target/release/backstitch /opt", &["not what is built"]),
    error("USER 10001:10001", "USER 0:0", &["as root"]),
    error("ENTRYPOINT [\"backstitch\"]", "ENTRYPOINT [\"sh\"]", &["ENTRYPOINT"]),
    error("--group 10001 /data", "--group 10001 /books", &["payment", "/data"]),
    // Nodes.
    error("http://orchestrator-2:50050", "http://orchestrator-1:50050", &["orchestrator-2: --advertise"]),
    error("--node, orchestrator-2", "--node, orchestrator-1", &["orchestrator-2: --node"]),
    error(
        "command: [orchestrator, --node, orchestrator-2",
        "command: [orchestrator, --max-live, \"7\", --node, orchestrator-2",
        &["other settings"],
    ),
];

impl Planted {
    /// The texts with this error in the one that has the place for it.
    pub(crate) fn plant(&self, whole: &Texts) -> Texts {
        let mut texts = whole.clone();
        let all = [&mut texts.compose, &mut texts.passwords, &mut texts.dockerfile];
        let text = all.into_iter().find(|text| text.contains(self.old));
        let text = text.unwrap_or_else(|| panic!("there is no place for this error: {}", self.old));
        *text = text.replacen(self.old, self.new, 1);
        texts
    }
}
