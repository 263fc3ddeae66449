//! List: orders by id, a page at a time.

use backstitch_proto::order::{ListOrdersRequest, ListOrdersResponse};
use participant_kit::{Kit, MAX_MESSAGE_BYTES, OpError, status, text};
use tonic::Status;

use crate::store::read;

const DEFAULT_PAGE: i32 = 100;
const LARGEST_PAGE: i32 = 1000;

/// What the message may have beside its orders: their tags and lengths, and the token.
const FRAME_BYTES: usize = 64 * 1024;

/// Reads a page. A page of long orders ends before it is full, because a message has a limit too.
pub(crate) async fn list(kit: &Kit, request: ListOrdersRequest) -> Result<ListOrdersResponse, Status> {
    let ListOrdersRequest { page_size, page_token } = request;
    let size = match page_size {
        0 => DEFAULT_PAGE,
        1..=LARGEST_PAGE => page_size,
        _ => return Err(status::invalid("page_size", "must be from 1 to 1000, or 0 for 100")),
    };
    let after = match page_token.as_str() {
        "" => String::new(),
        token => text::uuid(token).map_err(|why| status::invalid("page_token", why))?.to_string(),
    };
    let size = usize::try_from(size).unwrap_or(usize::MAX);
    let mut conn = kit.reads().acquire().await.map_err(OpError::from)?;
    let page = read::page(&mut conn, &after, size, MAX_MESSAGE_BYTES - FRAME_BYTES).await;
    let (orders, more) = page.map_err(OpError::from)?;
    let last = orders.last().filter(|_| more);
    let next_page_token = last.map(|order| order.order_id.clone()).unwrap_or_default();
    Ok(ListOrdersResponse { orders, next_page_token })
}
