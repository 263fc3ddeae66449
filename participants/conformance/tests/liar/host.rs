//! Its process: a runtime of its own, which a crash ends with everything that is under way in it.

use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};

use backstitch_proto::inventory::inventory_server::{InventoryServer, SERVICE_NAME};
use participant_conformance::Restart;
use tokio::runtime::Runtime;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic_health::ServingStatus;

use super::Fault;
use super::service::Liar;

pub(crate) struct Host {
    liar: Liar,
    address: SocketAddr,
    life: Arc<Mutex<Option<Runtime>>>,
}

impl Host {
    pub(crate) fn start(fault: Fault) -> Self {
        let liar = Liar { rows: Arc::default(), fault };
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let life = Arc::new(Mutex::new(Some(live(&liar, listener))));
        Self { liar, address, life }
    }

    pub(crate) fn address(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Ends the runtime wherever its tasks are, and begins another on the same rows.
    pub(crate) fn restart(&self) -> Restart {
        let (liar, address, life) = (self.liar.clone(), self.address, self.life.clone());
        Box::new(move || {
            let (liar, life) = (liar.clone(), life.clone());
            Box::pin(async move {
                let again = move || {
                    let mut life = life.lock().unwrap();
                    if let Some(runtime) = life.take() {
                        runtime.shutdown_timeout(std::time::Duration::from_secs(5));
                    }
                    liar.rows().restart(liar.fault);
                    *life = Some(live(&liar, TcpListener::bind(address).unwrap()));
                };
                tokio::task::spawn_blocking(again).await.map_err(|e| e.to_string())
            })
        })
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        if let Some(runtime) = self.life.lock().unwrap().take() {
            runtime.shutdown_background();
        }
    }
}

fn live(liar: &Liar, listener: TcpListener) -> Runtime {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    listener.set_nonblocking(true).unwrap();
    let liar = liar.clone();
    runtime.spawn(async move {
        let listener = tokio::net::TcpListener::from_std(listener).unwrap();
        let (health, health_service) = tonic_health::server::health_reporter();
        let status = match liar.fault {
            Fault::FeelsSick => ServingStatus::NotServing,
            _ => ServingStatus::Serving,
        };
        health.set_service_status(SERVICE_NAME, status).await;
        let listed = match liar.fault {
            Fault::ListsAnother => "backstitch.order.v1.Orders",
            _ => SERVICE_NAME,
        };
        let reflection = tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(backstitch_proto::DESCRIPTORS)
            .with_service_name(listed)
            .build_v1alpha()
            .unwrap();
        let server = Server::builder()
            .add_service(InventoryServer::new(liar))
            .add_service(health_service)
            .add_service(reflection);
        server.serve_with_incoming(TcpIncoming::from(listener)).await.unwrap();
    });
    runtime
}
