//! List: orders, oldest first, a page at a time.

use backstitch_proto::order::{ListOrdersRequest, ListOrdersResponse};
use participant_kit::{Kit, MAX_MESSAGE_BYTES, OpError, status, text};
use tonic::Status;

use crate::store::read::{self, Place};

const DEFAULT_PAGE: i32 = 100;
const LARGEST_PAGE: i32 = 1000;

/// What the message may have beside its orders: their tags and lengths, and the token.
const FRAME_BYTES: usize = 64 * 1024;

/// Reads a page. A page of long orders ends before it is full, because a message has a limit too. Its token is its last
/// order, which is kept for ever.
pub(crate) async fn list(kit: &Kit, request: ListOrdersRequest) -> Result<ListOrdersResponse, Status> {
    let ListOrdersRequest { page_size, page_token, created_from_unix_ms } = request;
    let size = match page_size {
        0 => DEFAULT_PAGE,
        1..=LARGEST_PAGE => page_size,
        _ => return Err(status::invalid("page_size", "must be from 1 to 1000, or 0 for 100")),
    };
    if created_from_unix_ms < 0 {
        return Err(status::invalid("created_from_unix_ms", "must not be negative"));
    }
    let size = usize::try_from(size).unwrap_or(usize::MAX);
    let mut conn = kit.reads().acquire().await.map_err(OpError::from)?;
    let mut after = Place { created_at_ms: created_from_unix_ms, id: String::new() };
    if !page_token.is_empty() {
        let id = text::uuid(&page_token).map_err(|why| status::invalid("page_token", why))?;
        let last = read::place(&mut conn, id).await.map_err(OpError::from)?;
        after = after.max(last.ok_or_else(|| status::invalid("page_token", "is no order"))?);
    }
    let page = read::page(&mut conn, &after, size, MAX_MESSAGE_BYTES - FRAME_BYTES).await;
    let (orders, more) = page.map_err(OpError::from)?;
    let last = orders.last().filter(|_| more);
    let next_page_token = last.map(|order| order.order_id.clone()).unwrap_or_default();
    Ok(ListOrdersResponse { orders, next_page_token })
}
