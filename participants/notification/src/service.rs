//! The gRPC face: parse, call, convert.

use backstitch_proto::notification::notifications_server::Notifications;
use backstitch_proto::notification::{
    ListNotificationsRequest, ListNotificationsResponse, NotifyRequest, NotifyResponse,
};
use participant_kit::{Kit, OpError, status, text};
use tonic::{Request, Response, Status};

use crate::notify::Notify;
use crate::store;

const DEFAULT_PAGE: i32 = 100;
const MAX_PAGE: i32 = 1000;

/// The notification service.
pub(crate) struct Service {
    pub(crate) kit: Kit,
}

#[tonic::async_trait]
impl Notifications for Service {
    async fn notify(&self, request: Request<NotifyRequest>) -> Result<Response<NotifyResponse>, Status> {
        let (meta, _, request) = request.into_parts();
        self.kit.act(&meta, Notify::parse(request).map_err(|e| e.to_string())).await
    }

    async fn list(
        &self,
        request: Request<ListNotificationsRequest>,
    ) -> Result<Response<ListNotificationsResponse>, Status> {
        let ListNotificationsRequest { to, page_size } = request.into_inner();
        text::optional(&to, 254).map_err(|why| status::invalid("to", why))?;
        let page_size = match page_size {
            0 => DEFAULT_PAGE,
            1..=MAX_PAGE => page_size,
            _ => {
                return Err(status::invalid(
                    "page_size",
                    format!("must be 1 to {MAX_PAGE}, or 0 for {DEFAULT_PAGE}"),
                ));
            }
        };
        let mut conn = self.kit.reads().acquire().await.map_err(OpError::from)?;
        let notifications = store::list(&mut conn, &to, i64::from(page_size)).await.map_err(OpError::from)?;
        Ok(Response::new(ListNotificationsResponse { notifications }))
    }
}
