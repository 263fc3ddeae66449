//! Notifications, which nobody reads.

use backstitch_proto::notification;
use tonic::{Request, Response};

use super::{Answer, Participants, done};

#[tonic::async_trait]
impl notification::notifications_server::Notifications for Participants {
    async fn notify(
        &self,
        request: Request<notification::NotifyRequest>,
    ) -> Answer<notification::NotifyResponse> {
        let notification_id = request.into_inner().notification_id;
        Ok(Response::new(notification::NotifyResponse { notification_id }))
    }

    async fn list(
        &self,
        _: Request<notification::ListNotificationsRequest>,
    ) -> Answer<notification::ListNotificationsResponse> {
        done()
    }
}
